//! One namespace of a cluster, and what all pools of the process there share: a connection, a watch, a Lease.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use futures_util::StreamExt;
use hyper::Method;
use kube::core::WatchEvent;
use rand::{rngs::StdRng, SeedableRng};
use serde_json::{json, Value};
use tokio::{
    sync::{watch, Mutex as AsyncMutex, OnceCell, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    client::{At, Client},
    fault::Fault,
    objects::{Lease, List, Pod},
    owner::{has_lapsed, seconds, Owner, DURATION, OWNER},
    place::Place,
    pod::Pace,
    roster::Roster,
    spec,
    way::AT_ONCE,
};
use crate::{
    backoff,
    budget::Budget,
    config::{EngineConfig, KubernetesConfig},
    engine::{ContainerId, Health, Orphan},
    error::Result,
    task,
};

/// How long before a Lease lapses it is renewed, at the latest.
const RENEWAL: Duration = Duration::from_secs(DURATION as u64 / 4);
/// What a list answers from memory, which is current enough to begin a watch with.
const FROM_MEMORY: &str = "&resourceVersion=0";

/// What makes two ways to a cluster one.
#[derive(PartialEq, Eq, Hash, Clone)]
struct Way {
    kubeconfig: Option<String>,
    context: Option<String>,
    namespace: Option<String>,
    timeout: Duration,
}

/// The clusters in use. Belongs to one tokio runtime: their connections do.
#[derive(Default)]
pub struct Clusters(Mutex<HashMap<Way, Weak<Cluster>>>);

impl Clusters {
    /// Contacts nothing.
    ///
    /// # Errors
    ///
    /// As [`Place::find`].
    pub(super) fn get(&self, engine: &EngineConfig) -> Result<Arc<Cluster>> {
        let KubernetesConfig { kubeconfig, context, namespace, .. } = engine.kubernetes.clone();
        let way = Way { kubeconfig, context, namespace, timeout: engine.timeout };
        // Nothing done under this lock can leave the map half-changed.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = known.get(&way).and_then(Weak::upgrade) {
            return Ok(cluster);
        }
        known.retain(|_, cluster| cluster.strong_count() > 0);
        let cluster = Arc::new(Cluster::new(&engine.kubernetes, engine.timeout)?);
        known.insert(way, Arc::downgrade(&cluster));
        Ok(cluster)
    }
}

pub(super) struct Cluster {
    config: KubernetesConfig,
    limit: Duration,
    /// As users are told.
    address: String,
    client: OnceCell<Arc<Client>>,
    health: watch::Sender<Health>,
    budget: Arc<Budget>,
    owner: Arc<Owner>,
    roster: Arc<Roster>,
    tenure: AsyncMutex<Option<Tenure>>,
    /// Of those who open a stream anew.
    turns: Arc<Semaphore>,
    pace: Pace,
}

/// While pods are made: the Lease, and what is to be heard of them.
struct Tenure {
    /// The uid of the Lease.
    lease: watch::Receiver<Option<String>>,
    _renewing: AbortOnDropHandle<()>,
    _watching: AbortOnDropHandle<()>,
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl Cluster {
    fn new(config: &KubernetesConfig, limit: Duration) -> Result<Self> {
        Ok(Self {
            config: config.clone(),
            limit,
            address: Place::find(config)?.to_string(),
            client: OnceCell::new(),
            health: watch::Sender::new(Health::good()),
            budget: Budget::new(),
            owner: Arc::new(Owner::new()),
            roster: Arc::default(),
            tenure: AsyncMutex::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            pace: Pace::default(),
        })
    }

    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    pub fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    pub fn turns(&self) -> &Arc<Semaphore> {
        &self.turns
    }

    /// # Errors
    ///
    /// `ENGINE_UNAVAILABLE`: certificates or credentials can't be used.
    pub async fn client(&self) -> Result<&Arc<Client>> {
        let open = || async {
            Client::new(&self.config, self.limit, self.health.clone()).await.map(Arc::new)
        };
        self.client.get_or_try_init(open).await
    }

    /// Makes sure that there is a Lease and that the pods are watched; gives the Lease's uid.
    ///
    /// # Errors
    ///
    /// The cluster's.
    pub async fn tenure(&self) -> Result<String> {
        let client = self.client().await?;
        let mut tenure = self.tenure.lock().await;
        let known = tenure.as_ref().and_then(|tenure| tenure.lease.borrow().clone());
        if let Some(uid) = known {
            return Ok(uid);
        }
        let lease = take(client, &self.owner).await;
        let uid = lease.map_err(|fault| client.error("create lease", fault))?;
        let (tell, lease) = watch::channel(Some(uid.clone()));
        let renewing = task::spawn(renew(client.clone(), self.owner.clone(), tell));
        let watching =
            task::spawn(watch_pods(client.clone(), self.owner.clone(), self.roster.clone()));
        *tenure = Some(Tenure {
            lease,
            _renewing: AbortOnDropHandle::new(renewing),
            _watching: AbortOnDropHandle::new(watching),
        });
        Ok(uid)
    }

    /// Gives up the Lease if there are no more pods.
    pub async fn rest(&self) {
        let mut tenure = self.tenure.lock().await;
        if tenure.is_none() || !self.roster.is_empty() {
            return;
        }
        *tenure = None;
        if let Some(client) = self.client.get() {
            // It lapses by itself.
            let lease = At::Lease(self.owner.lease());
            let _ = client.call::<Value>(Method::DELETE, lease, "", None).await;
        }
    }

    /// Ends a pod's processes, and deletes it; one that is gone is a success.
    pub async fn delete(&self, name: &str) -> Result<()> {
        let uid = self.roster.close(name);
        let client = self.client().await?;
        match delete_pod(client, name, uid.as_deref()).await {
            Ok(()) => {
                self.roster.forget(name);
                Ok(())
            }
            Err(fault) => Err(client.error("delete pod", fault).container(name)),
        }
    }

    /// The pods whose owner has let its Lease lapse, or has given it up.
    async fn orphaned(&self) -> Result<(Vec<Pod>, Vec<Lease>)> {
        let client = self.client().await?;
        let query = format!("labelSelector={}{FROM_MEMORY}", spec::selector());
        // Pods first: a Lease is there before the first of its pods.
        let pods: List<Pod> = client
            .call(Method::GET, At::Pods, &query, None)
            .await
            .map_err(|fault| client.error("list pods", fault))?;
        let query = format!("labelSelector={}", spec::selector());
        let leases: List<Lease> = client
            .call(Method::GET, At::Leases, &query, None)
            .await
            .map_err(|fault| client.error("list leases", fault))?;
        let now = client.now();
        let own = self.owner.lease();
        let (lapsed, held): (Vec<Lease>, Vec<Lease>) = leases
            .items
            .into_iter()
            .partition(|lease| lease.metadata.name != own && has_lapsed(lease, now));
        let is_held = |pod: &Pod| {
            let owner = pod.metadata.labels.get(OWNER).map_or("", String::as_str);
            owner == own || held.iter().any(|lease| lease.metadata.name == owner)
        };
        let pods = pods.items.into_iter().filter(|pod| !is_held(pod)).collect();
        Ok((pods, lapsed))
    }

    /// See [`crate::engine::Engine::orphans`].
    pub async fn orphans(&self) -> Result<Vec<Orphan>> {
        let (pods, _) = self.orphaned().await?;
        let told = |pod: Pod| Orphan {
            id: pod.metadata.name,
            image: pod.spec.containers.into_iter().next().unwrap_or_default().image,
            created: pod.metadata.creation_timestamp.as_deref().and_then(seconds).unwrap_or(0),
            // Of a process that is mostly on another machine.
            pid: 0,
        };
        Ok(pods.into_iter().map(told).collect())
    }

    /// See [`crate::engine::Engine::sweep`].
    pub async fn sweep(&self) -> Result<Vec<ContainerId>> {
        let (pods, lapsed) = self.orphaned().await?;
        let client = self.client().await?;
        let mut kept = Vec::new();
        for lease in lapsed {
            let Lease { metadata, .. } = lease;
            // One that has been renewed meanwhile is another version.
            let body = json!({ "preconditions": { "resourceVersion": metadata.resource_version } });
            let at = At::Lease(&metadata.name);
            let deleted = client.call::<Value>(Method::DELETE, at, "", Some(&body)).await;
            match deleted {
                Ok(_) => {}
                Err(fault) if fault.is_missing() => {}
                Err(_) => kept.push(metadata.name),
            }
        }
        let mut swept = Vec::new();
        for pod in pods {
            let owner = pod.metadata.labels.get(OWNER);
            if owner.is_some_and(|owner| kept.contains(owner)) {
                continue;
            }
            let Pod { metadata, .. } = pod;
            if delete_pod(client, &metadata.name, Some(&metadata.uid)).await.is_ok() {
                swept.push(metadata.name);
            }
        }
        Ok(swept)
    }
}

async fn delete_pod(client: &Client, name: &str, uid: Option<&str>) -> Result<(), Fault> {
    let mut body = json!({ "gracePeriodSeconds": 0, "propagationPolicy": "Background" });
    if let Some(uid) = uid {
        body["preconditions"] = json!({ "uid": uid });
    }
    let deleted = client.call::<Value>(Method::DELETE, At::Pod(name), "", Some(&body)).await;
    match deleted {
        Ok(_) => Ok(()),
        // Another pod of that name is not ours.
        Err(fault) if fault.is_missing() || fault.is_conflict() => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Makes the Lease, or renews the one that is there; gives its uid.
async fn take(client: &Client, owner: &Owner) -> Result<String, Fault> {
    let body = owner.body(client.now());
    match client.call::<Lease>(Method::POST, At::Leases, "", Some(&body)).await {
        Ok(lease) => Ok(lease.metadata.uid),
        Err(fault) if fault.is_conflict() => renew_once(client, owner).await,
        Err(fault) => Err(fault),
    }
}

async fn renew_once(client: &Client, owner: &Owner) -> Result<String, Fault> {
    let body = Owner::renewal(client.now());
    let at = At::Lease(owner.lease());
    client.call::<Lease>(Method::PATCH, at, "", Some(&body)).await.map(|lease| lease.metadata.uid)
}

async fn renew(client: Arc<Client>, owner: Arc<Owner>, tell: watch::Sender<Option<String>>) {
    let (mut rng, mut streak) = (StdRng::from_os_rng(), 0);
    loop {
        if streak == 0 {
            sleep(RENEWAL).await;
        } else {
            sleep(backoff::delay(streak, &mut rng)).await;
        }
        match renew_once(&client, &owner).await {
            Ok(_) => streak = 0,
            // Taken for gone, and swept with its pods: the next pods have another one.
            Err(fault) if fault.is_missing() => {
                tell.send_replace(None);
                return;
            }
            Err(_) => streak += 1,
        }
    }
}

/// Tells the roster what becomes of the pods, for ever.
async fn watch_pods(client: Arc<Client>, owner: Arc<Owner>, roster: Arc<Roster>) {
    let selector = spec::selector_of(&owner);
    let (mut rng, mut streak) = (StdRng::from_os_rng(), 0);
    loop {
        match follow(&client, &selector, &roster, &mut streak).await {
            // The version has become too old.
            Ok(()) => {}
            Err(fault) => {
                client.judge(Some(&fault));
                streak += 1;
                sleep(backoff::delay(streak, &mut rng)).await;
            }
        }
    }
}

/// Lists the pods, and watches on from there; returns when there is to be a new list.
async fn follow(
    client: &Client,
    selector: &str,
    roster: &Roster,
    streak: &mut u32,
) -> Result<(), Fault> {
    let made = roster.made_by_now();
    let query = format!("labelSelector={selector}");
    let list: List<Pod> = client.call(Method::GET, At::Pods, &query, None).await?;
    roster.tell_all(&list.items, &made);
    let mut version = list.metadata.resource_version;
    loop {
        let mut events = client.watch_pods(selector, &version).await?;
        *streak = 0;
        loop {
            let event = match timeout(client.watch_limit(), events.next()).await {
                Ok(Some(event)) => event?,
                // Its time is over.
                Ok(None) => break,
                Err(_) => return Err(Fault::Overdue(client.watch_limit())),
            };
            match event {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) => {
                    roster.tell(&pod);
                    version = pod.metadata.resource_version;
                }
                WatchEvent::Deleted(pod) => {
                    roster.tell(&pod);
                    roster.gone(&pod.metadata.name);
                    version = pod.metadata.resource_version;
                }
                WatchEvent::Bookmark(bookmark) => version = bookmark.metadata.resource_version,
                WatchEvent::Error(status) if status.code == 410 => return Ok(()),
                WatchEvent::Error(status) => {
                    return Err(Fault::from(kube::Error::Api(status)));
                }
            }
        }
    }
}
