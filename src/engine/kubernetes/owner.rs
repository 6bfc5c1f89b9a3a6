//! Whose a pod is: each process has a Lease that it renews, and its pods carry its name.
//!
//! Renewal and its lapse are told by the API server's clock, which all owners can read off its answers: by
//! their own ones, a process whose clock is late would be taken for one that is gone.

use std::sync::atomic::{AtomicU64, Ordering};

use rand::Rng;
use serde_json::{json, Value};

use super::objects::Lease;

pub(super) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub(super) const MANAGER: &str = "scientist-pool";
/// The name of the Lease of the process that made it.
pub(super) const OWNER: &str = "scientist-pool/owner";
/// Of this package.
const VERSION: &str = "scientist-pool/version";

/// How long a Lease holds without a renewal, in s, and how much later it counts as lapsed at the earliest.
pub(super) const DURATION: i64 = 60;
const GRACE: i64 = 30;

/// A process, on one cluster.
pub(super) struct Owner {
    name: String,
    pods: AtomicU64,
}

impl Owner {
    pub fn new() -> Self {
        let random: u64 = rand::rng().random();
        Self { name: format!("scientist-pool-{random:016x}"), pods: AtomicU64::new(0) }
    }

    /// The name of its Lease.
    pub fn lease(&self) -> &str {
        &self.name
    }

    /// A name that no other pod has had.
    pub fn next_name(&self) -> String {
        let number = self.pods.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{}-{number}", self.name)
    }

    pub fn labels(&self) -> [(&'static str, String); 3] {
        [
            (MANAGED_BY, MANAGER.to_owned()),
            (OWNER, self.name.clone()),
            (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
        ]
    }

    /// Its Lease, renewed at `now`.
    pub fn body(&self, now: i64) -> Value {
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": { "name": self.name, "labels": { MANAGED_BY: MANAGER } },
            "spec": {
                "holderIdentity": format!("pid {}", std::process::id()),
                "leaseDurationSeconds": DURATION,
                "renewTime": renewed(now),
            },
        })
    }

    pub fn renewal(now: i64) -> Value {
        json!({ "spec": { "renewTime": renewed(now) } })
    }
}

fn renewed(now: i64) -> String {
    let time = jiff::Timestamp::from_second(now).unwrap_or_default();
    // Of six digits, as the API wants it.
    format!("{time:.6}")
}

/// Whether its owner has not renewed it for longer than it holds.
pub(super) fn has_lapsed(lease: &Lease, now: i64) -> bool {
    let renewed = lease.spec.renew_time.as_deref().and_then(seconds);
    renewed.is_some_and(|renewed| renewed + lease.spec.lease_duration_seconds + GRACE < now)
}

/// A time of the API's, in s since the epoch.
pub(super) fn seconds(time: &str) -> Option<i64> {
    time.parse().ok().map(jiff::Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(owner: &Owner, renewed: i64) -> Lease {
        serde_json::from_value(owner.body(renewed)).unwrap()
    }

    #[test]
    fn a_lease_has_lapsed_when_it_is_older_than_it_holds_and_some_grace() {
        let (owner, now) = (Owner::new(), 1_800_000_000);
        assert!(!has_lapsed(&lease(&owner, now), now));
        assert!(!has_lapsed(&lease(&owner, now - DURATION - GRACE), now));
        assert!(has_lapsed(&lease(&owner, now - DURATION - GRACE - 1), now));
        assert!(!has_lapsed(&Lease::default(), now));
    }

    #[test]
    fn a_time_is_written_as_the_api_reads_it() {
        assert_eq!(renewed(1_800_000_000), "2027-01-15T08:00:00.000000Z");
        assert_eq!(seconds("2027-01-15T08:00:00Z"), Some(1_800_000_000));
        assert_eq!(seconds("2027-01-15T08:00:00.123456Z"), Some(1_800_000_000));
    }

    #[test]
    fn names_of_pods_begin_with_their_owners_and_are_never_given_twice() {
        let owner = Owner::new();
        let (one, two) = (owner.next_name(), owner.next_name());
        assert!(one != two && one.starts_with(owner.lease()) && one.len() <= 63);
    }
}
