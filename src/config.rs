//! The options as they come from JavaScript: validated and completed there (`lib/options/options.js` owns
//! names, defaults and error texts), read here.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use crate::{engine::EngineKind, runner::proxy};

/// Everything one pool is made from.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    pub pool: PoolConfig,
    pub container: ContainerConfig,
    pub egress: EgressConfig,
    pub engine: EngineConfig,
    /// `None`: the image as it is.
    pub packages: Option<PackagesConfig>,
}

/// How many containers there are, and for how long.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolConfig {
    /// How many warm containers the pool keeps ready.
    pub pool_size: PoolSize,
    /// The most containers in all (warm, creating, leased, destroying);
    /// `None`: what three quarters of the engine's memory allow.
    pub max: Option<usize>,
    /// The most callers in line; `None`: any number.
    pub max_waiting: Option<usize>,
    /// The most creates under way at once.
    pub create_concurrency: usize,
    /// The most removals under way at once.
    pub destroy_concurrency: usize,
    /// A warm container older than this is replaced; `None`: never.
    #[serde(rename = "maxLifetimeMs", deserialize_with = "millis_or_never")]
    pub max_lifetime: Option<Duration>,
    /// A warm container unused for longer than this is replaced; `None`: never.
    #[serde(rename = "maxIdleMs", deserialize_with = "millis_or_never")]
    pub max_idle: Option<Duration>,
    /// The longest one create may take until the container is ready.
    #[serde(rename = "createTimeoutMs", deserialize_with = "millis")]
    pub create_timeout: Duration,
}

/// How many warm containers a pool keeps ready: as many as demand calls for, within these bounds. Equal
/// bounds are a fixed number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PoolSize {
    pub min: usize,
    /// At least `min`.
    pub max: usize,
}

impl PoolSize {
    /// Always so many.
    pub fn fixed(size: usize) -> Self {
        Self { min: size, max: size }
    }

    pub fn is_fixed(self) -> bool {
        self.min == self.max
    }
}

/// What a container is and may do.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerConfig {
    pub image: String,
    /// When to pull the image.
    pub pull: PullPolicy,
    #[serde(rename = "pullTimeoutMs", deserialize_with = "millis")]
    pub pull_timeout: Duration,
    /// Bytes.
    pub memory: i64,
    /// Bytes of swap on top of `memory`, -1: any; `None`: the engine's default, as much again.
    pub swap: Option<i64>,
    pub pids_limit: i64,
    /// Microseconds of CPU time for each `cpu_period`.
    pub cpu_quota: i64,
    /// Microseconds.
    pub cpu_period: i64,
    pub network: Network,
    /// `uid[:gid]` or a name; `None`: as the image says.
    pub user: Option<String>,
    pub readonly_rootfs: bool,
    pub no_new_privileges: bool,
    /// All capabilities are dropped first unless this is `None` (then the engine's default set stays).
    pub cap_add: Option<Vec<String>>,
    /// Mount point → mount options.
    pub tmpfs: BTreeMap<String, String>,
    /// What of this machine is shown in it.
    pub mounts: Vec<Shown>,
    /// Bytes.
    pub shm_size: Option<i64>,
    /// Name → (soft, hard).
    pub ulimits: BTreeMap<String, (i64, i64)>,
    pub seccomp: Seccomp,
    /// An OCI runtime: the engine's name of it (`runsc`, `kata`), or on the local engine a program; `None`: the
    /// engine's default.
    pub runtime: Option<String>,
    /// `HOME`, and the working directory; `None`: as the image says.
    pub home: Option<String>,
    /// Whether the engine keeps the output of PID 1 (its default log driver) or throws it away.
    pub log: bool,
    /// Further labels.
    pub labels: BTreeMap<String, String>,
    /// Modules the warm interpreter imports before the container counts as ready.
    pub preload: Vec<String>,
    /// Whether the interpreters of containers are forked from one that is booted for all of them, on an engine
    /// that can do so.
    pub template: bool,
}

impl ContainerConfig {
    /// What every process of a container finds in its environment beside what the image says; `NAME=value`.
    pub fn environment(&self) -> Vec<String> {
        let home = self.home.as_ref().map(|home| format!("HOME={home}"));
        let proxy = self.network.proxied().map(|_| proxy::environment());
        home.into_iter().chain(proxy.unwrap_or_default()).collect()
    }
}

/// A file or folder of this machine, without what is mounted below it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shown {
    /// Absolute, and without symbolic links.
    pub source: String,
    /// Absolute, in the container.
    pub target: String,
    pub read_only: bool,
}

/// What its processes can reach.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Network {
    /// By the engine's network of that name; `none`: nothing.
    Named(String),
    /// By a proxy on their own loopback, and by nothing else.
    Proxied(Proxied),
}

impl Network {
    /// The engine's name of it.
    pub fn name(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Proxied(_) => NO_NETWORK,
        }
    }

    /// The proxy; `None`: there is none.
    pub fn proxied(&self) -> Option<&Proxied> {
        match self {
            Self::Named(_) => None,
            Self::Proxied(proxied) => Some(proxied),
        }
    }
}

/// What engines call the network that leads nowhere.
pub const NO_NETWORK: &str = "none";

/// What the proxy lets through, and how much of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proxied {
    /// Hosts with their ports, as `scientist_pool_egress` reads them.
    pub allow: Vec<String>,
    pub deny: Vec<String>,
    /// Name → address.
    pub hosts: BTreeMap<String, String>,
    /// Whether tunnels are let through in which no TLS is seen that is meant for their host.
    pub opaque: bool,
    /// Certificates in PEM that are trusted beside this machine's.
    pub ca: Option<String>,
    /// The address of the DNS server to ask; `None`: as this machine does.
    pub resolver: Option<String>,
    /// Of one container, at once.
    pub max_connections: usize,
    /// Bytes of one connection, each way.
    pub max_sent_bytes: u64,
    pub max_received_bytes: u64,
    #[serde(deserialize_with = "millis")]
    pub connect_timeout: Duration,
    #[serde(deserialize_with = "millis")]
    pub idle_timeout: Duration,
}

/// What goes out of containers that they do not have.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressConfig {
    /// By the variable that has the placeholder.
    pub secrets: BTreeMap<String, SecretConfig>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretConfig {
    pub value: Hidden,
    /// As of [`Proxied::allow`].
    pub hosts: Vec<String>,
    /// The parts of a request that it is put into.
    #[serde(rename = "in")]
    pub places: Vec<SecretPlace>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretPlace {
    Header,
    Query,
    Body,
}

/// A text that nothing shows.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Hidden(pub Arc<Zeroizing<String>>);

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Packages that are put on top of the image.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackagesConfig {
    /// The options that they come from, as errors name them.
    pub option: String,
    /// The lines of a file of requirements, without comments.
    pub requirements: Vec<String>,
    /// Where they are found, with what it takes to be let in.
    pub index_url: Hidden,
    /// The same without that.
    pub index: String,
    /// What serves the index and its files, as of [`Proxied::allow`].
    pub hosts: Vec<String>,
    /// Whether nothing but wheels is taken.
    pub only_binary: bool,
    /// What of the pool's network counts on the way to the index, too.
    pub way: Proxied,
}

/// What of its pool's network a call has.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Narrowed {
    pub allow: Vec<String>,
    pub deny: Vec<String>,
}

/// Which system calls a container may make. There is no way to say "any".
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Seccomp {
    /// As this package's own profile says.
    Strict,
    /// As the engine's default profile says.
    Engine,
    /// As this profile says: JSON text.
    Profile(String),
}

impl From<String> for Seccomp {
    fn from(text: String) -> Self {
        match text.as_str() {
            "strict" => Self::Strict,
            "engine" => Self::Engine,
            _ => Self::Profile(text),
        }
    }
}

/// When to pull the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PullPolicy {
    Missing,
    Always,
    Never,
}

/// Which engine, and where it is. What is `None` is looked for where its own tools look.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EngineConfig {
    pub kind: EngineKind,
    /// `unix:///path`, `npipe:////./pipe/name`, `tcp://host:port`, `http://…`, `https://…`
    pub host: Option<String>,
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`.
    pub cert_path: Option<String>,
    pub tls_verify: Option<bool>,
    /// The longest the engine may take over one call (a pull and a create have their own).
    #[serde(rename = "timeoutMs", deserialize_with = "millis")]
    pub timeout: Duration,
    pub kubernetes: KubernetesConfig,
}

/// Which cluster, and what of a pod's fields its users may set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesConfig {
    /// A file; `None`: as kubectl finds it, or the cluster that this process runs in.
    pub kubeconfig: Option<String>,
    /// `None`: the kubeconfig's current one.
    pub context: Option<String>,
    /// `None`: the context's.
    pub namespace: Option<String>,
    pub node_selector: BTreeMap<String, String>,
    /// As the API has them.
    pub tolerations: Vec<BTreeMap<String, serde_json::Value>>,
    pub priority_class_name: Option<String>,
    pub runtime_class_name: Option<String>,
    pub image_pull_secrets: Vec<String>,
    pub service_account: Option<String>,
    /// A file with a seccomp profile, below the nodes' folder of them.
    pub seccomp_profile: Option<String>,
    /// How long a pod lives at most.
    #[serde(rename = "activeDeadlineMs", deserialize_with = "millis")]
    pub active_deadline: Duration,
}

impl Default for KubernetesConfig {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            context: None,
            namespace: None,
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            priority_class_name: None,
            runtime_class_name: None,
            image_pull_secrets: Vec::new(),
            service_account: None,
            seccomp_profile: None,
            active_deadline: Duration::from_secs(24 * 60 * 60),
        }
    }
}

fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

fn millis_or_never<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let millis = u64::deserialize(deserializer)?;
    Ok((millis > 0).then(|| Duration::from_millis(millis)))
}
