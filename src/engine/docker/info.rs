//! What the engine says of itself.

use serde::Deserialize;

/// As much of the answer to `GET /info` as is read here. bollard's own type names some hundred fields
/// beside, all of which would be code in the binary, and refuses values it does not know.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Info {
    pub server_version: Option<String>,
    /// Bytes.
    pub mem_total: Option<i64>,
    #[serde(rename = "NCPU")]
    pub ncpu: Option<i64>,
    pub warnings: Option<Vec<String>>,
    /// `name=seccomp,profile=default`, `name=rootless` …
    pub security_options: Option<Vec<String>>,
    pub default_runtime: Option<String>,
    /// `cgroupfs`, `systemd` or `none`.
    pub cgroup_driver: Option<String>,
    /// `1` or `2`.
    pub cgroup_version: Option<String>,
    pub memory_limit: Option<bool>,
    pub swap_limit: Option<bool>,
    pub pids_limit: Option<bool>,
    pub cpu_cfs_quota: Option<bool>,
    pub cpu_cfs_period: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_under_the_engines_names_and_the_rest_is_left() {
        let info: Info = serde_json::from_str(
            r#"{"ID":"x","ServerVersion":"20.10.24+dfsg1","MemTotal":1024,"NCPU":2,
                "Warnings":null,"SecurityOptions":["name=seccomp,profile=default"],
                "DefaultRuntime":"runc","CgroupDriver":"cgroupfs","CgroupVersion":"1",
                "MemoryLimit":true,"SwapLimit":false,"PidsLimit":true,"CpuCfsQuota":true,
                "CpuCfsPeriod":true,"Swarm":{"LocalNodeState":"a state of tomorrow"}}"#,
        )
        .unwrap();
        assert_eq!(info.server_version.as_deref(), Some("20.10.24+dfsg1"));
        assert_eq!((info.mem_total, info.ncpu), (Some(1024), Some(2)));
        assert_eq!(info.warnings, None);
        assert_eq!(info.security_options.map(|options| options.len()), Some(1));
        assert_eq!(info.default_runtime.as_deref(), Some("runc"));
        assert_eq!(info.cgroup_driver.as_deref(), Some("cgroupfs"));
        assert_eq!(info.cgroup_version.as_deref(), Some("1"));
        let limits = [
            info.memory_limit,
            info.swap_limit,
            info.pids_limit,
            info.cpu_cfs_quota,
            info.cpu_cfs_period,
        ];
        assert_eq!(limits, [true, false, true, true, true].map(Some));
    }

    #[test]
    fn an_engine_that_says_nothing_is_read_too() {
        let info: Info = serde_json::from_str("{}").unwrap();
        assert!(info.server_version.is_none() && info.memory_limit.is_none());
    }
}
