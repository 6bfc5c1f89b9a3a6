//! What a container has used, as the engine counts it.

use std::time::Duration;

use serde::Deserialize;

use super::{super::CpuTime, address::Address, client::Client};
use crate::{
    config::ContainerConfig,
    error::{Code, Error, Result},
};

/// As much of the engine's answer as is read here: bollard's type for it refuses what it doesn't know.
#[derive(Debug, Deserialize)]
struct Stats {
    cpu_stats: CpuStats,
}

#[derive(Debug, Deserialize)]
struct CpuStats {
    cpu_usage: CpuUsage,
    #[serde(default)]
    online_cpus: u32,
}

#[derive(Debug, Deserialize)]
struct CpuUsage {
    /// Nanoseconds.
    total_usage: u64,
}

/// A limit that would be held against the whole machine's time must not end a container.
pub(super) fn not_counted(address: &Address) -> Error {
    Error::new(
        Code::EngineError,
        format!(
            "cpuTime can't be kept: the engine at {address} has no control groups to itself (rootless without cgroup v2 and systemd) and counts no container's CPU time; leave it out, and limit that of each process with ulimits.cpu"
        ),
    )
}

pub(super) async fn cpu_time(
    client: &Client,
    config: &ContainerConfig,
    id: &str,
) -> Result<CpuTime> {
    let Stats { cpu_stats } = client
        .container_stats(id)
        .await
        .map_err(|fault| client.error("container stats", fault).container(id))?;
    let online = f64::from(cpu_stats.online_cpus.max(1));
    let quota = config.cpu_quota as f64 / config.cpu_period as f64;
    Ok(CpuTime {
        used: Duration::from_nanos(cpu_stats.cpu_usage.total_usage),
        processors: if quota > 0.0 { quota.min(online) } else { online },
    })
}
