//! What stands in a pool's way in its namespace, as far as the cluster tells beforehand.

use futures_util::future::join_all;
use hyper::Method;
use serde_json::{json, Value};

use super::{
    client::{At, Client},
    objects::{AccessReview, Quota},
};

/// What a pool does: the API group, what with, and the verbs. The Role in docs/kubernetes.md has them.
const RIGHTS: [(&str, &str, &str, &[&str]); 4] = [
    ("", "pods", "", &["create", "get", "list", "watch", "delete"]),
    ("", "pods", "exec", &["create", "get"]),
    ("", "pods", "attach", &["create", "get"]),
    ("coordination.k8s.io", "leases", "", &["create", "get", "list", "patch", "delete"]),
];

/// The rights that are missing, in one sentence; `None`: none is, or the cluster does not tell.
pub(super) async fn rights(client: &Client) -> Option<String> {
    let asked = RIGHTS.iter().flat_map(|(group, resource, part, verbs)| {
        verbs.iter().map(move |verb| (*group, *resource, *part, *verb))
    });
    let missing = join_all(asked.map(|(group, resource, part, verb)| async move {
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
        let status = review.ok()?.status?;
        let slash = if part.is_empty() { "" } else { "/" };
        (!status.allowed).then(|| format!("{verb} {resource}{slash}{part}"))
    }));
    let missing: Vec<String> = missing.await.into_iter().flatten().collect();
    if missing.is_empty() {
        return None;
    }
    Some(format!(
        "These credentials may not {} in the namespace {}: docs/kubernetes.md has the Role that the pool needs",
        missing.join(", "),
        client.namespace()
    ))
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
