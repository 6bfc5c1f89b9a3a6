//! As much of the cluster's objects as is read here.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Meta {
    pub name: String,
    pub uid: String,
    pub resource_version: String,
    pub creation_timestamp: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub deletion_timestamp: Option<String>,
}

/// What answers a list.
#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    #[serde(default)]
    pub metadata: Meta,
    #[serde(default = "Vec::new")]
    pub items: Vec<T>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pod {
    pub metadata: Meta,
    pub spec: PodSpec,
    pub status: PodStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodSpec {
    pub containers: Vec<PodContainer>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodContainer {
    pub image: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodStatus {
    pub phase: String,
    /// `Evicted`, `DeadlineExceeded`, `NodeLost` …
    pub reason: String,
    pub message: String,
    pub conditions: Vec<Condition>,
    pub container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: String,
    pub reason: String,
    pub message: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerStatus {
    pub state: ContainerState,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerState {
    pub waiting: Option<Words>,
    pub running: Option<serde::de::IgnoredAny>,
    pub terminated: Option<Words>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Words {
    pub reason: String,
    pub message: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Lease {
    pub metadata: Meta,
    pub spec: LeaseSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LeaseSpec {
    pub lease_duration_seconds: i64,
    pub renew_time: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RulesReview {
    pub status: Option<Rules>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Rules {
    /// There may be more.
    pub incomplete: bool,
    pub resource_rules: Vec<Rule>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Rule {
    pub verbs: Vec<String>,
    pub api_groups: Vec<String>,
    /// With their parts: `pods`, `pods/exec`.
    pub resources: Vec<String>,
    /// Not empty: for those alone.
    pub resource_names: Vec<String>,
}

impl Rule {
    /// Whether it allows that to all resources of that name, as RBAC reads it.
    pub fn allows(&self, verb: &str, group: &str, resource: &str) -> bool {
        let has = |all: &[String], one: &str| all.iter().any(|known| known == "*" || known == one);
        let part = resource.split_once('/').map(|(_, part)| format!("*/{part}"));
        has(&self.verbs, verb)
            && has(&self.api_groups, group)
            && (has(&self.resources, resource)
                || part.is_some_and(|part| self.resources.contains(&part)))
            && self.resource_names.is_empty()
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct AccessReview {
    pub status: Option<AccessStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct AccessStatus {
    pub allowed: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Quota {
    pub metadata: Meta,
    pub status: QuotaStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct QuotaStatus {
    pub hard: BTreeMap<String, String>,
    pub used: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Policy {
    pub spec: PolicySpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PolicySpec {
    pub pod_selector: Selector,
    pub policy_types: Vec<String>,
    pub egress: Vec<serde_json::Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Selector {
    pub match_labels: BTreeMap<String, String>,
    pub match_expressions: Vec<serde_json::Value>,
}

impl Policy {
    /// Whether it lets nothing out of pods with these labels. What can't be judged here does not.
    pub fn closes(&self, labels: &BTreeMap<String, String>) -> bool {
        let Selector { match_labels, match_expressions } = &self.spec.pod_selector;
        let selects = match_expressions.is_empty()
            && match_labels.iter().all(|(name, value)| labels.get(name) == Some(value));
        selects
            && self.spec.policy_types.iter().any(|kind| kind == "Egress")
            && self.spec.egress.is_empty()
    }
}

/// A refusal in the API's words.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    pub reason: String,
    pub message: String,
}
