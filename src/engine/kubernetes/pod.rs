//! A pod, from its creation to the streams of what runs in it.

use std::{
    future::{pending, Future},
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc,
    },
    time::Duration,
};

use hyper::Method;
use kube::api::AttachedProcess;
use serde_json::Value;
use tokio::{
    runtime::Handle,
    sync::{oneshot, watch},
    time::{sleep, timeout, Instant},
};

use super::{
    client::{At, Client},
    cluster::Cluster,
    fault::Fault,
    lifeline::Lifeline,
    link::{link, Ground},
    objects::Pod,
    roster::{Listed, Stage},
    spec::Kind,
    way::Way,
};
use crate::{
    engine::{background::Background, Attached, CreateError, Init, Port},
    error::{Code, Error, Result},
};

/// How long a pod may find no node: a cluster that grows by itself takes longer, and then the next ones fit.
const SCHEDULING: Duration = Duration::from_secs(15);
/// Between two tries to open a stream to a container that is said to run, and for how long.
const AGAIN: Duration = Duration::from_millis(50);
const OPENING: Duration = Duration::from_secs(5);

/// Makes a pod and runs `init` in it. The work is a task of its own, so that a caller who goes away leaves no
/// request half-made.
pub(super) async fn create(
    cluster: &Arc<Cluster>,
    background: &Background,
    kind: &Arc<Kind>,
    init: Init,
) -> Result<Attached, CreateError> {
    let (mut give, take) = oneshot::channel();
    let runtime = Handle::current();
    let name = cluster.owner().next_name();
    let mut unfinished = Unfinished {
        cluster: cluster.clone(),
        background: background.clone(),
        runtime: runtime.clone(),
        name: None,
    };
    let (cluster, kind) = (cluster.clone(), kind.clone());
    background.spawn(&runtime, async move {
        // Before the pod: what is told of it is heard.
        let listed = cluster.roster().enter(&name);
        let made = match make(&cluster, &kind, &name, &mut unfinished).await {
            Ok(()) => tokio::select! {
                biased;
                () = give.closed() => return,
                started = start(&cluster, &kind, listed, &init) => started,
            },
            Err(error) => Err(error),
        };
        // Nobody takes it if the caller is gone; then it is dropped, and so deleted.
        let _ = give.send(made.map(|attached| (attached, unfinished)));
    });
    match take.await {
        Ok(Ok((attached, mut unfinished))) => {
            unfinished.name = None;
            Ok(attached)
        }
        Ok(Err(error)) => Err(CreateError::Other(error)),
        Err(_) => Err(CreateError::Other(Error::new(
            Code::EngineUnavailable,
            "create pod: given up, as the runtime it ran on has ended",
        ))),
    }
}

/// A pod on its way: deleted in the background unless it arrives.
struct Unfinished {
    cluster: Arc<Cluster>,
    background: Background,
    runtime: Handle,
    name: Option<String>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        let cluster = self.cluster.clone();
        self.background.spawn(&self.runtime, async move {
            // What can't be deleted even so goes with its Lease.
            let _ = cluster.delete(&name).await;
        });
    }
}

async fn make(
    cluster: &Cluster,
    kind: &Kind,
    name: &str,
    unfinished: &mut Unfinished,
) -> Result<()> {
    let lease = cluster.tenure().await?;
    let client = cluster.client().await?;
    let body = kind.pod(name, cluster.owner(), &lease);
    unfinished.name = Some(name.to_owned());
    let pod = match client.call::<Pod>(Method::POST, At::Pods, "", Some(&body)).await {
        // Its answer was lost: it is found by its name, which nobody else has.
        Err(fault) if fault.is_silence() => {
            match client.call::<Pod>(Method::POST, At::Pods, "", Some(&body)).await {
                Err(again) if again.is_conflict() => {
                    client.call(Method::GET, At::Pod(name), "", None).await
                }
                answered => answered,
            }
        }
        answered => answered,
    };
    let pod = pod.map_err(|fault| {
        if matches!(fault, Fault::Refused { .. }) {
            unfinished.name = None;
        }
        client.error("create pod", fault).image(kind.image())
    })?;
    cluster.roster().made(name, &pod.metadata.uid);
    Ok(())
}

/// Waits for the container, and opens its streams.
async fn start(
    cluster: &Cluster,
    kind: &Arc<Kind>,
    listed: Listed,
    init: &Init,
) -> Result<Attached> {
    let name = listed.name.clone();
    let argv: Arc<[String]> = kind.beside(init)?.into();
    let client = cluster.client().await?;
    let failed = |call: &str, fault: Fault| client.error(call, fault).container(&name);
    let attached = tokio::select! {
        attached = early(cluster.pace(), client, &listed) => attached,
        told = running(listed.stage.clone(), kind) => {
            told.map_err(|error| error.container(&name))?;
            let attached = opened(|| client.attach(&name)).await;
            attached.map_err(|fault| failed("attach to pod", fault))?
        }
    };
    let way = Way {
        client: client.clone(),
        pod: name.as_str().into(),
        stage: listed.stage.clone(),
        turns: cluster.turns().clone(),
    };
    let lifeline = Lifeline::hold(attached, way.clone(), &listed.streams);
    let process =
        opened(|| client.exec(&name, &argv)).await.map_err(|fault| failed("exec in pod", fault))?;
    let kind = kind.clone();
    let ground = Ground {
        way,
        argv,
        share: Box::new(move |sent| kind.share(sent)),
        used: listed.used.clone(),
        closed: listed.streams.clone(),
    };
    let (stdin, output) = link(process, lifeline, ground)
        .map_err(|why| failed("exec in pod", Fault::Garbled(why.to_string())))?;
    Ok(Attached {
        id: name,
        stdin: Box::new(stdin),
        output: Box::new(output),
        vitals: listed.vitals(),
        port: Port::Free(None),
    })
}

/// The stream to process 1, as soon as there is one: the cluster tells half a second later that it runs.
async fn early(pace: &Pace, client: &Client, listed: &Listed) -> AttachedProcess {
    let mut stage = listed.stage.clone();
    if stage.wait_for(|stage| matches!(stage, Stage::Starting)).await.is_err() {
        return pending().await;
    }
    let since = Instant::now();
    sleep(pace.expected()).await;
    loop {
        if let Ok(attached) = client.attach(&listed.name).await {
            pace.note(since.elapsed());
            return attached;
        }
        sleep(AGAIN).await;
    }
}

/// How long containers take to run once a node has their pod.
#[derive(Default)]
pub(super) struct Pace(AtomicU32);

impl Pace {
    /// Somewhat less than they took last: an attach that comes too early costs a request.
    fn expected(&self) -> Duration {
        Duration::from_millis((self.0.load(Ordering::Relaxed) / 10 * 9).into())
    }

    fn note(&self, took: Duration) {
        let took = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        let before = self.0.load(Ordering::Relaxed);
        let now = if before == 0 { took } else { before / 4 * 3 + took / 4 };
        self.0.store(now, Ordering::Relaxed);
    }
}

/// Returns when the pod's container runs.
async fn running(mut stage: watch::Receiver<Stage>, kind: &Kind) -> Result<()> {
    let lost = |why: &str| {
        let message = format!("The pod ended before its container ran: {why}; try again.");
        Error::new(Code::ContainerLost, message).image(kind.image())
    };
    let mut unschedulable: Option<Instant> = None;
    loop {
        let seen = stage.borrow_and_update().clone();
        let left = match seen {
            Stage::Running => return Ok(()),
            Stage::Ended(why) => return Err(lost(&why)),
            Stage::Stuck(trouble) => return Err(trouble.told(kind.image())),
            Stage::Coming | Stage::Starting => {
                unschedulable = None;
                None
            }
            Stage::Unschedulable(why) => {
                let since = *unschedulable.get_or_insert_with(Instant::now);
                match SCHEDULING.checked_sub(since.elapsed()) {
                    Some(left) => Some(left),
                    None => {
                        let message = format!("No node of the cluster takes another pod: {why}");
                        return Err(Error::new(Code::EngineError, message).image(kind.image()));
                    }
                }
            }
        };
        let changed = match left {
            Some(left) => timeout(left, stage.changed()).await.unwrap_or(Ok(())),
            None => stage.changed().await,
        };
        if changed.is_err() {
            return Err(lost("it is not listened to any more"));
        }
    }
}

/// A stream, tried again where the kubelet does not know yet of what it has said itself.
async fn opened<T, F: Future<Output = Result<T, Fault>>>(open: impl Fn() -> F) -> Result<T, Fault> {
    let until = Instant::now() + OPENING;
    loop {
        match open().await {
            Err(Fault::Refused { status: 429 | 500..=599, .. }) if Instant::now() < until => {
                sleep(AGAIN).await;
            }
            answered => return answered,
        }
    }
}

/// Whether it is there, as the API server says.
pub(super) async fn is_there(client: &Client, name: &str) -> bool {
    client.call::<Value>(Method::GET, At::Pod(name), "", None).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_attach_comes_somewhat_before_containers_have_run_lately() {
        let pace = Pace::default();
        assert_eq!(pace.expected(), Duration::ZERO);
        pace.note(Duration::from_millis(400));
        assert_eq!(pace.expected(), Duration::from_millis(360));
        for _ in 0..30 {
            pace.note(Duration::from_millis(1000));
        }
        assert!((800..=900).contains(&pace.expected().as_millis()));
    }
}
