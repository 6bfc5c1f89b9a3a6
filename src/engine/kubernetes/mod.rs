//! Pods on Kubernetes, in one namespace of a cluster, through kube.
//!
//! - `place`: which cluster, found as kubectl finds it; `entry`: the connection to it, made anew where its credentials
//!   are no longer good; `client`: the requests, each with its deadline; `fault`: what comes in place of a result;
//!   `objects`: as much of what is answered as is read.
//! - `cluster`: what all pools of the process share there: the connection, the watch, the Lease.
//! - `owner`: whose a pod is, and when that is proven to be gone.
//! - `review`: what stands in a pool's way there, as far as that is told beforehand.
//! - `roster`: what the watch has told of each pod.
//! - `spec`: what pods are made as; `pod`: from its creation to its streams.
//! - `lifeline`: the stream to its process 1; `link`: that to its supervisor; `way`: how they are opened anew;
//!   `streams`: those of what else runs in it.
//!
//! Process 1 of a pod (`waiter.py`) only waits: what it writes would be the pod's log, on the node and for
//! every collector. The supervisor runs beside it, by an exec whose stream nobody keeps. The stream attached to
//! process 1 is the lifeline: a word comes by it every few seconds, and process 1 ends when none has come for long.
//! So it outlives the API server, which carries the streams, and not this process.

mod client;
mod cluster;
mod entry;
mod fault;
mod lifeline;
mod link;
mod objects;
mod owner;
mod place;
mod pod;
mod review;
mod roster;
mod spec;
mod streams;
mod way;

use std::{
    collections::HashMap,
    fmt::Display,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Mutex, MutexGuard, PoisonError,
    },
    time::Duration,
};

use async_trait::async_trait;
use hyper::Method;
use serde::Deserialize;
use tokio::{runtime::Handle, sync::watch, time::timeout};

pub use self::cluster::Clusters;
use self::{
    client::{At, Client},
    cluster::Cluster,
    objects::{List, Policy, Quota},
    spec::Kind,
    streams::{streams, Ending},
};
use super::{
    background::Background,
    registry::reference::Reference,
    security::{Isolation, Protection, Unhonoured},
    Attached, ContainerId, CpuTime, CreateError, Engine, EngineInfo, EngineKind, ExecSpec,
    ExecStatus, ExecStream, Health, Init, OnPull, Orphan,
};
use crate::{
    budget::Budget,
    config::{ContainerConfig, EngineConfig},
    error::{Code, Error, Result},
};

/// What pools may use of a cluster that says nothing of it, in bytes.
const UNSAID_MEMORY: u64 = 1 << 40;
/// How long [`Engine::settle`] waits at most.
const SETTLE: Duration = Duration::from_secs(60);

/// A namespace of a cluster, and the kind of pod made there.
pub struct Kubernetes {
    cluster: Arc<Cluster>,
    kind: Arc<Kind>,
    seccomp: Option<String>,
    runtime_class: Option<String>,
    background: Background,
    execs: Mutex<HashMap<String, Ending>>,
    next_exec: AtomicU64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

impl Kubernetes {
    /// Reads the kubeconfig; contacts nothing. Shares one connection with all others of the same `clusters` in
    /// the same namespace.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`: an option asks for what a pod does not have, or names a cluster that is not there.
    /// `ENGINE_UNAVAILABLE`: nothing names a cluster.
    pub fn new(
        clusters: &Clusters,
        engine: &EngineConfig,
        container: &ContainerConfig,
    ) -> Result<Self> {
        Reference::parse(&container.image)?;
        let kind = Arc::new(Kind::new(container, &engine.kubernetes)?);
        Ok(Self {
            cluster: clusters.get(engine)?,
            kind,
            seccomp: engine.kubernetes.seccomp_profile.clone(),
            runtime_class: engine.kubernetes.runtime_class_name.clone(),
            background: Background::new(),
            execs: Mutex::default(),
            next_exec: AtomicU64::new(1),
        })
    }

    fn execs(&self) -> MutexGuard<'_, HashMap<String, Ending>> {
        self.execs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, id: &str) {
        self.execs().retain(|exec, _| exec.rsplit_once('/').is_none_or(|(pod, _)| pod != id));
    }

    /// What is missing for pods to reach nothing; `None`: nothing is.
    async fn open_network(&self, client: &Client) -> Option<Unhonoured> {
        let policies = client.call::<List<Policy>>(Method::GET, At::Policies, "", None).await;
        let why = match policies {
            Ok(policies) => {
                let mut labels = self.kind.labels().clone();
                labels.extend(
                    self.cluster.owner().labels().map(|(name, value)| (name.to_owned(), value)),
                );
                if policies.items.iter().any(|policy| policy.closes(&labels)) {
                    return None;
                }
                "no NetworkPolicy of the namespace closes it to the pool's pods"
            }
            Err(_) => "the namespace's NetworkPolicies can't be listed with these rights",
        };
        Some(Unhonoured {
            name: Protection::Network,
            option: Some("network"),
            detail: format!(
                "A pod has the cluster's network: {why}. Apply the one of docs/kubernetes.md, on a cluster whose \
                 network enforces them."
            ),
        })
    }
}

/// What quotas leave to the namespace, in bytes.
fn memory(quotas: &[Quota]) -> u64 {
    let limits = quotas.iter().filter_map(|quota| {
        let hard = &quota.status.hard;
        let all = ["limits.memory", "requests.memory", "memory"];
        all.iter().filter_map(|name| bytes(hard.get(*name)?)).min()
    });
    limits.min().unwrap_or(UNSAID_MEMORY)
}

/// A quantity of memory: `128Mi`, `1G`, `1048576`.
fn bytes(quantity: &str) -> Option<u64> {
    let at = quantity.find(|unit: char| !unit.is_ascii_digit() && unit != '.');
    let (number, unit) = quantity.split_at(at.unwrap_or(quantity.len()));
    let unit: f64 = match unit {
        "" => 1.0,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        "Pi" => 1_125_899_906_842_624.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| (number * unit) as u64)
}

#[async_trait]
impl Engine for Kubernetes {
    fn kind(&self) -> EngineKind {
        EngineKind::Kubernetes
    }

    fn address(&self) -> &dyn Display {
        self.cluster.as_ref()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.cluster.health()
    }

    fn budget(&self) -> &Arc<Budget> {
        self.cluster.budget()
    }

    async fn connect(&self) -> Result<EngineInfo> {
        let client = self.cluster.client().await?;
        let version: Version = client
            .call(Method::GET, At::Version, "", None)
            .await
            .map_err(|fault| client.error("version", fault))?;
        let mut unhonoured = self.kind.unhonoured();
        unhonoured.extend(self.open_network(client).await);
        let quotas = client.call::<List<Quota>>(Method::GET, At::Quotas, "", None).await;
        let quotas = quotas.map(|list| list.items).unwrap_or_default();
        let mut warnings = review::quotas(&quotas);
        warnings.extend(review::rights(client).await);
        if let Some(name) = &self.runtime_class {
            warnings.extend(review::runtime_class(client, name).await);
        }
        let seccomp = self.seccomp.as_ref().map(|file| format!("localhost/{file}"));
        Ok(EngineInfo {
            kind: self.kind(),
            address: self.cluster.to_string(),
            version: version.git_version,
            api_version: "v1".to_owned(),
            memory: memory(&quotas),
            cpus: 0,
            warnings,
            isolation: Isolation {
                seccomp: Some(seccomp.unwrap_or_else(|| "RuntimeDefault".to_owned())),
                ..Isolation::default()
            },
            runtime: None,
            fences: Vec::new(),
            unhonoured,
        })
    }

    /// The nodes get it with their first pod.
    async fn prepare(&self, _: OnPull) -> Result<()> {
        Ok(())
    }

    async fn create(&self, init: Init) -> Result<Attached, CreateError> {
        pod::create(&self.cluster, &self.background, &self.kind, init).await
    }

    async fn exec(&self, id: &str, spec: ExecSpec) -> Result<ExecStream> {
        if !spec.env.is_empty() || spec.cwd.is_some() {
            let message = "exec in pod: an exec on Kubernetes has no environment and no folder";
            return Err(Error::new(Code::EngineError, message).container(id).refused());
        }
        let argv = self.kind.beside(&Init { argv: spec.argv })?;
        let client = self.cluster.client().await?;
        let closed = self.cluster.roster().run_in(id).unwrap_or_default();
        let process = client.exec(id, &argv).await;
        let lost = |error: Error| {
            let message = format!("the container has ended: {}", error.message);
            Error::new(Code::ContainerLost, message).container(id).cause(error)
        };
        let process = match process {
            Ok(process) => process,
            Err(fault) => {
                let missing = fault.is_missing() || !pod::is_there(client, id).await;
                let error = client.error("exec in pod", fault).container(id);
                return Err(if missing { lost(error) } else { error });
            }
        };
        let (stdin, output, ending) = streams(process, closed).map_err(|why| {
            Error::new(Code::EngineError, format!("exec in pod: {why}")).container(id)
        })?;
        let exec_id = format!("{id}/{}", self.next_exec.fetch_add(1, Ordering::Relaxed));
        self.execs().insert(exec_id.clone(), ending);
        Ok(ExecStream { exec_id, stdin: Box::new(stdin), output: Box::new(output) })
    }

    async fn exec_status(&self, exec_id: &str) -> Result<ExecStatus> {
        let ending = self.execs().get(exec_id).cloned();
        let told = ending.as_ref().and_then(|ending| *ending.borrow());
        if let Some(status) = told {
            return Ok(status);
        }
        // Nobody is there any more to tell.
        match ending {
            Some(ending) if ending.has_changed().is_ok() => Ok(ExecStatus::Running),
            _ => {
                let message = "the stream of an exec ended without telling how its process did";
                Err(Error::new(Code::ContainerLost, message))
            }
        }
    }

    async fn catch_up(&self, _: &str) -> bool {
        false
    }

    async fn cpu_time(&self, id: &str) -> Result<CpuTime> {
        let message = "cpuTime can't be kept on the engine 'kubernetes', which tells no pod's CPU time; leave it \
                       out, and limit that of each process with ulimits.cpu";
        Err(Error::new(Code::EngineError, message).container(id))
    }

    async fn remove(&self, id: &str) -> Result<()> {
        self.forget(id);
        self.cluster.delete(id).await
    }

    fn discard(&self, id: &str) {
        self.forget(id);
        let (cluster, id) = (self.cluster.clone(), id.to_owned());
        self.background.spawn(&Handle::current(), async move {
            // What can't be deleted even so goes with its Lease.
            let _ = cluster.delete(&id).await;
        });
    }

    async fn orphans(&self) -> Result<Vec<Orphan>> {
        self.cluster.orphans().await
    }

    async fn sweep(&self) -> Result<Vec<ContainerId>> {
        self.cluster.sweep().await
    }

    async fn settle(&self) {
        if timeout(SETTLE, self.background.settle()).await.is_ok() {
            self.cluster.rest().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn quantities_of_memory_are_read_as_the_api_writes_them() {
        let read = ["128Mi", "1G", "1048576", "1.5Gi", "128974848000m", "x"].map(bytes);
        let mib = 1 << 20;
        let expected = [128 * mib, 1_000_000_000, mib, 1536 * mib, 128_974_848];
        assert_eq!(read[..5], expected.map(Some));
        assert_eq!(read[5], None);
    }
}
