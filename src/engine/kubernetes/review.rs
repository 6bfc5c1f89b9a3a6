//! What stands in a pool's way in its namespace, as far as the cluster tells beforehand.

use futures_util::future::join_all;
use hyper::Method;
use serde_json::{json, Value};

use super::{
    client::{At, Client},
    objects::{AccessReview, Quota, Rules, RulesReview},
};

/// What a pool does: the API group, what with, and the verbs. The Role in docs/kubernetes.md has them.
const RIGHTS: [(&str, &str, &str, &[&str]); 4] = [
    ("", "pods", "", &["create", "get", "list", "watch", "delete"]),
    ("", "pods", "exec", &["create", "get"]),
    ("", "pods", "attach", &["create", "get"]),
    ("coordination.k8s.io", "leases", "", &["create", "get", "list", "patch", "delete"]),
];

/// A verb, an API group, and a resource with its part.
type Right = (&'static str, &'static str, String);

/// The rights that are missing, in one sentence; `None`: none is, or the cluster does not tell.
///
/// One request asks for all of them. What its answer lacks is asked for singly where that is not known to be complete.
pub(super) async fn rights(client: &Client) -> Option<String> {
    let asked = RIGHTS.iter().flat_map(|(group, resource, part, verbs)| {
        let slash = if part.is_empty() { "" } else { "/" };
        let resource = format!("{resource}{slash}{part}");
        verbs.iter().map(move |verb| (*verb, *group, resource.clone()))
    });
    let asked: Vec<Right> = asked.collect();
    let rules = rules(client).await;
    let is_said = |(verb, group, resource): &Right| {
        rules.resource_rules.iter().any(|rule| rule.allows(verb, group, resource))
    };
    let mut missing: Vec<Right> = asked.into_iter().filter(|right| !is_said(right)).collect();
    if rules.incomplete {
        let mut reviews = Vec::new();
        for right in &missing {
            reviews.push(is_refused(client, right));
        }
        let mut refused = join_all(reviews).await.into_iter();
        missing.retain(|_| refused.next().unwrap_or(false));
    }
    if missing.is_empty() {
        return None;
    }
    let missing: Vec<String> =
        missing.iter().map(|(verb, _, resource)| format!("{verb} {resource}")).collect();
    Some(format!(
        "These credentials may not {} in the namespace {}: docs/kubernetes.md has the Role that the pool needs",
        missing.join(", "),
        client.namespace()
    ))
}

async fn rules(client: &Client) -> Rules {
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": { "namespace": client.namespace() },
    });
    let review = client.call::<RulesReview>(Method::POST, At::RulesReviews, "", Some(&body)).await;
    let unknown = Rules { incomplete: true, resource_rules: Vec::new() };
    review.ok().and_then(|review| review.status).unwrap_or(unknown)
}

async fn is_refused(client: &Client, (verb, group, resource): &Right) -> bool {
    let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": {
            "namespace": client.namespace(),
            "group": group,
            "resource": resource,
            "subresource": part,
            "verb": verb,
        } },
    });
    let review =
        client.call::<AccessReview>(Method::POST, At::AccessReviews, "", Some(&body)).await;
    review.ok().and_then(|review| review.status).is_some_and(|status| !status.allowed)
}

/// The quotas that have no room for a pod, each in a sentence.
pub(super) fn quotas(quotas: &[Quota]) -> Vec<String> {
    let full = quotas.iter().filter_map(|quota| {
        let names = ["pods", "count/pods"];
        let (hard, used) = names.iter().find_map(|name| {
            Some((quota.status.hard.get(*name)?, quota.status.used.get(*name)?))
        })?;
        let is_full = used.parse::<u64>().ok()? >= hard.parse::<u64>().ok()?;
        is_full.then(|| {
            format!(
                "The quota {} has no room for a pod: {used} of {hard} are there",
                quota.metadata.name
            )
        })
    });
    full.collect()
}

/// That the cluster has no runtime of that name.
pub(super) async fn runtime_class(client: &Client, name: &str) -> Option<String> {
    let found = client.call::<Value>(Method::GET, At::RuntimeClass(name), "", None).await;
    let is_missing = found.err().is_some_and(|fault| fault.is_missing());
    is_missing.then(|| {
        format!("The cluster has no RuntimeClass {name}, which kubernetes.runtimeClassName names: it will refuse pods")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_allows_what_it_names_and_all_that_its_stars_do() {
        let rule = |verbs: &str, groups: &str, resources: &str| -> super::super::objects::Rule {
            serde_json::from_value(json!({
                "verbs": [verbs], "apiGroups": [groups], "resources": [resources],
            }))
            .unwrap()
        };
        let right = ("create", "", "pods/exec");
        let allowed =
            [rule("create", "", "pods/exec"), rule("*", "*", "*"), rule("*", "", "*/exec")];
        for rule in &allowed {
            assert!(rule.allows(right.0, right.1, right.2), "{rule:?}");
        }
        let refused = [rule("get", "", "*"), rule("*", "apps", "*"), rule("*", "*", "pods")];
        for rule in &refused {
            assert!(!rule.allows(right.0, right.1, right.2), "{rule:?}");
        }
    }

    #[test]
    fn a_quota_of_pods_that_is_used_up_is_told() {
        let quota = |used: &str| -> Quota {
            serde_json::from_value(json!({
                "metadata": { "name": "small" },
                "status": { "hard": { "pods": "4" }, "used": { "pods": used } },
            }))
            .unwrap()
        };
        assert!(quotas(&[Quota::default(), quota("3")]).is_empty());
        let told = ["The quota small has no room for a pod: 4 of 4 are there"];
        assert_eq!(quotas(&[quota("4")]), told);
    }
}
