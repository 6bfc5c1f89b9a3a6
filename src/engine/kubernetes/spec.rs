//! A pool's containers, as pods.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use serde_json::{json, Map, Value};

use super::{
    lifeline::FAREWELL,
    owner::{self, Owner},
};
use crate::{
    config::{ContainerConfig, KubernetesConfig, PullPolicy, Seccomp, NO_NETWORK},
    engine::{
        security::{Protection, Unhonoured},
        Init,
    },
    error::{Code, Error, Result},
};

/// What process 1 runs; it ends after that many milliseconds without a word, and with the last of them.
const WAITER: &str = include_str!("waiter.py");
/// As long as a Lease holds at most. An API server that is started again is back long before.
pub(super) const SILENCE_MS: u32 = 90_000;
pub(super) const CONTAINER: &str = "sandbox";
/// What a container may write that is on no volume: with a read-only root, next to nothing.
const EPHEMERAL: &str = "64Mi";
const WRITABLE_EPHEMERAL: &str = "1Gi";
/// Sets limits in the interpreter that goes on as that program; those of the node are never exceeded.
const LIMITS: &str = "import resource as _r
for _n,*_v in (LIMITS,):
 _n=getattr(_r,'RLIMIT_'+_n,None)
 if _n is not None:
  _h=_r.getrlimit(_n)[1]
  _r.setrlimit(_n,[_h if v<0 else v if _h<0 else min(v,_h) for v in _v])
del _r
";

/// What all containers of a pool are made as.
pub(super) struct Kind {
    image: String,
    pull: &'static str,
    environment: Vec<String>,
    home: Option<String>,
    /// Of the pod and of its container, less their names and commands.
    pod: Map<String, Value>,
    container: Map<String, Value>,
    labels: BTreeMap<String, String>,
    limits: Vec<(String, i64, i64)>,
    unhonoured: Vec<Unhonoured>,
    /// What a supervisor was sent first, while one of its pods is there.
    boot: Mutex<Option<Weak<[u8]>>>,
}

impl Kind {
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`: an option asks for what a pod does not have.
    pub fn new(config: &ContainerConfig, cluster: &KubernetesConfig) -> Result<Self> {
        let invalid = |message: String| Error::new(Code::InvalidArgument, message);
        if config.network.name() != NO_NETWORK {
            return Err(invalid(format!(
                "network must be 'none' or {{ allow: … }} on the engine 'kubernetes', where a NetworkPolicy says \
                 what else pods reach (docs/kubernetes.md); got '{}'",
                config.network.name()
            )));
        }
        if let Some(runtime) = &config.runtime {
            return Err(invalid(format!(
                "runtime is not for the engine 'kubernetes': kubernetes.runtimeClassName names one; got '{runtime}'"
            )));
        }
        if let Seccomp::Profile(_) = config.seccomp {
            return Err(invalid(
                "seccomp must be 'strict' or 'engine' on the engine 'kubernetes': \
                 kubernetes.seccompProfile names a profile that its nodes have"
                    .into(),
            ));
        }
        if !config.mounts.is_empty() {
            return Err(invalid(format!(
                "mounts must be empty on the engine 'kubernetes', whose nodes have other files; got {}",
                config.mounts.len()
            )));
        }
        let user = config.user.as_deref().map(numbers).transpose()?;
        let mut kind = Self {
            image: config.image.clone(),
            pull: match config.pull {
                PullPolicy::Missing => "IfNotPresent",
                PullPolicy::Always => "Always",
                PullPolicy::Never => "Never",
            },
            environment: config.environment(),
            home: config.home.clone(),
            pod: pod(cluster),
            container: Map::new(),
            labels: config.labels.clone(),
            limits: config
                .ulimits
                .iter()
                .map(|(name, (soft, hard))| (name.to_ascii_uppercase(), *soft, *hard))
                .collect(),
            unhonoured: unhonoured(config, cluster),
            boot: Mutex::default(),
        };
        kind.container.insert("securityContext".into(), security(config, cluster, user));
        kind.container.insert("resources".into(), resources(config));
        let (volumes, mounts) = volumes(config)?;
        kind.pod.insert("volumes".into(), volumes);
        kind.container.insert("volumeMounts".into(), mounts);
        Ok(kind)
    }

    pub fn image(&self) -> &str {
        &self.image
    }

    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// What a supervisor is sent first, which is the same for all: one copy of it.
    pub fn share(&self, sent: Vec<u8>) -> Arc<[u8]> {
        let mut boot = self.boot.lock().unwrap_or_else(PoisonError::into_inner);
        match boot.as_ref().and_then(Weak::upgrade) {
            Some(known) if *known == *sent => known,
            _ => {
                let shared: Arc<[u8]> = sent.into();
                *boot = Some(Arc::downgrade(&shared));
                shared
            }
        }
    }

    /// The protections that a pod has no field for.
    pub fn unhonoured(&self) -> Vec<Unhonoured> {
        self.unhonoured.clone()
    }

    /// One pod, whose process 1 only waits.
    pub fn pod(&self, name: &str, owner: &Owner, lease: &str) -> Value {
        let mut labels: Map<String, Value> =
            self.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        for (name, value) in owner.labels() {
            labels.insert(name.to_owned(), json!(value));
        }
        let env: Vec<Value> = self
            .environment
            .iter()
            .filter_map(|variable| variable.split_once('='))
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        let waiter = format!("SILENCE = {SILENCE_MS}\nFAREWELL = b'{FAREWELL}'\n{WAITER}");
        let mut container = self.container.clone();
        container.extend([
            ("name".to_owned(), json!(CONTAINER)),
            ("image".to_owned(), json!(self.image)),
            ("imagePullPolicy".to_owned(), json!(self.pull)),
            ("command".to_owned(), json!(["python3", "-I", "-S", "-c", waiter])),
            ("env".to_owned(), json!(env)),
            // The lifeline, which may be attached again.
            ("stdin".to_owned(), json!(true)),
            ("stdinOnce".to_owned(), json!(false)),
        ]);
        if let Some(home) = &self.home {
            container.insert("workingDir".to_owned(), json!(home));
        }
        let mut spec = self.pod.clone();
        spec.insert("containers".to_owned(), json!([container]));
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "labels": labels,
                // With the lease the cluster itself removes them.
                "ownerReferences": [{
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "name": owner.lease(),
                    "uid": lease,
                }],
            },
            "spec": spec,
        })
    }

    /// As a command of an exec: what runs a Python program has its limits set by the program's first lines.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`: it is no such program.
    pub fn beside(&self, init: &Init) -> Result<Vec<String>> {
        let mut argv = init.argv.clone();
        let source = argv.iter().position(|word| word == "-c").map(|at| at + 1);
        let is_python = argv.first().is_some_and(|program| program == "python3");
        match source.and_then(|at| argv.get_mut(at)) {
            Some(source) if is_python => {
                if !self.limits.is_empty() {
                    let limits: Vec<String> = self
                        .limits
                        .iter()
                        .map(|(name, soft, hard)| format!("('{name}',{soft},{hard})"))
                        .collect();
                    *source = format!("{}{source}", LIMITS.replace("LIMITS", &limits.join(",")));
                }
                Ok(argv)
            }
            _ => Err(Error::new(
                Code::EngineError,
                format!(
                    "The image {} has no python3 that can run scripts, which pods of the engine 'kubernetes' take.",
                    self.image
                ),
            )
            .image(&self.image)),
        }
    }
}

fn pod(cluster: &KubernetesConfig) -> Map<String, Value> {
    let secrets: Vec<Value> =
        cluster.image_pull_secrets.iter().map(|name| json!({ "name": name })).collect();
    let spec = json!({
        "restartPolicy": "Never",
        "activeDeadlineSeconds": cluster.active_deadline.as_secs().max(1),
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "hostNetwork": false,
        "hostPID": false,
        "hostIPC": false,
        "hostname": "sandbox",
        "dnsPolicy": "None",
        // One must be named; nothing listens there.
        "dnsConfig": { "nameservers": ["127.0.0.1"] },
        "nodeSelector": cluster.node_selector,
        "tolerations": cluster.tolerations,
        "imagePullSecrets": secrets,
    });
    let Value::Object(mut spec) = spec else { return Map::new() };
    let named = [
        ("serviceAccountName", &cluster.service_account),
        ("priorityClassName", &cluster.priority_class_name),
        ("runtimeClassName", &cluster.runtime_class_name),
    ];
    for (field, value) in named {
        if let Some(value) = value {
            spec.insert(field.to_owned(), json!(value));
        }
    }
    spec
}

fn security(
    config: &ContainerConfig,
    cluster: &KubernetesConfig,
    user: Option<(i64, i64)>,
) -> Value {
    let seccomp = match &cluster.seccomp_profile {
        Some(file) => json!({ "type": "Localhost", "localhostProfile": file }),
        None => json!({ "type": "RuntimeDefault" }),
    };
    let mut context = json!({
        "privileged": false,
        "allowPrivilegeEscalation": !config.no_new_privileges,
        "readOnlyRootFilesystem": config.readonly_rootfs,
        "seccompProfile": seccomp,
    });
    if let Some(add) = &config.cap_add {
        context["capabilities"] = json!({ "drop": ["ALL"], "add": add });
    }
    if let Some((uid, gid)) = user {
        context["runAsUser"] = json!(uid);
        context["runAsGroup"] = json!(gid);
        context["runAsNonRoot"] = json!(uid != 0);
    }
    context
}

/// Requests are limits: what a pod may use is set aside for it.
fn resources(config: &ContainerConfig) -> Value {
    let ephemeral = if config.readonly_rootfs { EPHEMERAL } else { WRITABLE_EPHEMERAL };
    let mut all = json!({ "memory": config.memory.to_string(), "ephemeral-storage": ephemeral });
    if config.cpu_quota > 0 {
        let thousandths = config.cpu_quota.saturating_mul(1000) / config.cpu_period.max(1);
        all["cpu"] = json!(format!("{}m", thousandths.max(1)));
    }
    json!({ "limits": all, "requests": all })
}

/// Folders in memory, each with the place where it is mounted.
fn volumes(config: &ContainerConfig) -> Result<(Value, Value)> {
    let (mut volumes, mut mounts) = (Vec::new(), Vec::new());
    let mut add = |target: &str, size: Option<String>, read_only: bool| {
        let name = format!("memory-{}", volumes.len());
        let mut folder = json!({ "medium": "Memory" });
        if let Some(size) = size {
            folder["sizeLimit"] = json!(size);
        }
        volumes.push(json!({ "name": name, "emptyDir": folder }));
        mounts.push(json!({ "name": name, "mountPath": target, "readOnly": read_only }));
    };
    for (target, options) in &config.tmpfs {
        let size = options.split(',').find_map(|option| option.strip_prefix("size="));
        let size = size.map(|size| quantity(target, size)).transpose()?;
        add(target, size, options.split(',').any(|option| option == "ro"));
    }
    if let Some(size) = config.shm_size {
        add("/dev/shm", Some(size.to_string()), false);
    }
    Ok((json!(volumes), json!(mounts)))
}

/// A size of tmpfs, `64m`, as a quantity.
fn quantity(target: &str, size: &str) -> Result<String> {
    let digits = size.trim_end_matches(|end: char| !end.is_ascii_digit());
    let unit = match &size[digits.len()..] {
        "" => "",
        "k" | "K" => "Ki",
        "m" | "M" => "Mi",
        "g" | "G" => "Gi",
        _ => {
            let message = format!(
                "tmpfs['{target}'] must have a size in bytes, k, m or g on the engine 'kubernetes'; got 'size={size}'"
            );
            return Err(Error::new(Code::InvalidArgument, message));
        }
    };
    Ok(format!("{digits}{unit}"))
}

/// `uid[:gid]`; the group of 0 where none is named.
fn numbers(user: &str) -> Result<(i64, i64)> {
    let (uid, gid) = user.split_once(':').unwrap_or((user, "0"));
    match (uid.parse::<u32>(), gid.parse::<u32>()) {
        (Ok(uid), Ok(gid)) => Ok((uid.into(), gid.into())),
        _ => {
            let message = format!(
                "user must be numbers, such as 65534:65534, on the engine 'kubernetes'; got '{user}'"
            );
            Err(Error::new(Code::InvalidArgument, message))
        }
    }
}

fn unhonoured(config: &ContainerConfig, cluster: &KubernetesConfig) -> Vec<Unhonoured> {
    let mut missing = Vec::new();
    if config.pids_limit > 0 {
        missing.push(Unhonoured {
            name: Protection::Pids,
            option: Some("pidsLimit"),
            detail: "A pod has no field for it: each node's kubelet says how many processes a pod may have \
                     (podPidsLimit)."
                .to_owned(),
        });
    }
    if config.seccomp == Seccomp::Strict && cluster.seccomp_profile.is_none() {
        missing.push(Unhonoured {
            name: Protection::Seccomp,
            option: Some("seccomp"),
            detail:
                "Pods have their nodes' default profile: the strict one must be put on each node \
                     (docs/kubernetes.md) and named by kubernetes.seccompProfile."
                    .to_owned(),
        });
    }
    missing
}

/// Of all pods that this package makes.
pub(super) fn selector() -> String {
    format!("{}%3D{}", encoded(owner::MANAGED_BY), owner::MANAGER)
}

/// Of those of one owner.
pub(super) fn selector_of(owner: &Owner) -> String {
    format!("{}%3D{}", encoded(owner::OWNER), owner.lease())
}

fn encoded(label: &str) -> String {
    label.replace('/', "%2F")
}
