//! The requests, each with a deadline; and what they tell of how the cluster stands.

use std::{
    future::Future,
    sync::{
        atomic::{AtomicI64, Ordering},
        Arc,
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{Stream, StreamExt};
use http_body_util::{BodyExt, Limited};
use hyper::{
    header::{CONTENT_TYPE, DATE, RETRY_AFTER},
    HeaderMap, Method, Request,
};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    api::{Api, AttachParams, AttachedProcess},
    client::Body,
    core::WatchEvent,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{entry::Entry, fault::Fault, objects, place::Place};
use crate::{
    config::KubernetesConfig,
    engine::{EngineState, Health},
    error::{Error, Result},
};

/// The most bytes of an answer: a list of ten thousand pods.
const LONGEST: usize = 256 << 20;
/// How long a watch lasts. One that has gone silent is noticed then, and not before.
const WATCH: Duration = Duration::from_secs(60);
/// What an answer to it may take beyond that.
const WATCH_GRACE: Duration = Duration::from_secs(15);
/// How often a request is made that is told to come again.
const TRIES: u32 = 4;
/// When to come again where the answer says nothing of it, and at most.
const AGAIN: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// As much of a stream as waits for its reader, or for the cluster.
const STREAM_BUFFER: usize = 64 << 10;

pub(super) struct Client {
    entry: Entry,
    place: Arc<Place>,
    limit: Duration,
    /// Seconds by which the API server's clock is before this machine's.
    ahead: AtomicI64,
    health: watch::Sender<Health>,
}

/// A request's path, within the namespace where it has one: `pods`, `pods/NAME`.
pub(super) enum At<'a> {
    Pods,
    Pod(&'a str),
    Leases,
    Lease(&'a str),
    Quotas,
    Policies,
    RulesReviews,
    AccessReviews,
    RuntimeClass(&'a str),
    Version,
}

impl Client {
    /// # Errors
    ///
    /// As [`Place::find`] and [`Entry::new`].
    pub async fn new(
        config: &KubernetesConfig,
        limit: Duration,
        health: watch::Sender<Health>,
    ) -> Result<Self> {
        let place = Arc::new(Place::find(config)?);
        let entry = Entry::new(place.clone(), config.clone()).await?;
        Ok(Self { entry, place, limit, ahead: AtomicI64::new(0), health })
    }

    pub fn namespace(&self) -> &str {
        &self.place.namespace
    }

    pub fn error(&self, call: &str, fault: Fault) -> Error {
        fault.told(call, &self.place)
    }

    pub fn set_health(&self, state: EngineState, error: Option<Error>) {
        self.health.send_if_modified(|health| {
            let changed = health.state != state;
            if changed {
                *health = Health { state, error, ..Health::good() };
            }
            changed
        });
    }

    /// The API server's time, as far as its answers tell: it is the one clock that all owners share.
    pub fn now(&self) -> i64 {
        seconds(SystemTime::now()) + self.ahead.load(Ordering::Relaxed)
    }

    fn path(&self, at: &At<'_>) -> String {
        let namespace = &self.place.namespace;
        let core = format!("/api/v1/namespaces/{namespace}");
        let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases");
        match at {
            At::Pods => format!("{core}/pods"),
            At::Pod(name) => format!("{core}/pods/{name}"),
            At::Leases => leases,
            At::Lease(name) => format!("{leases}/{name}"),
            At::Quotas => format!("{core}/resourcequotas"),
            At::Policies => {
                format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies")
            }
            At::RulesReviews => "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews".to_owned(),
            At::AccessReviews => {
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".to_owned()
            }
            At::RuntimeClass(name) => format!("/apis/node.k8s.io/v1/runtimeclasses/{name}"),
            At::Version => "/version".to_owned(),
        }
    }

    /// Makes a request, again where the server asks for that.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        at: At<'_>,
        query: &str,
        body: Option<&Value>,
    ) -> Result<T, Fault> {
        let mut tries = 0;
        loop {
            tries += 1;
            let answer = self.once(&method, &at, query, body).await;
            self.judge(answer.as_ref().err());
            let after = match &answer {
                // What was refused for want of room has not happened.
                Err(Fault::Refused { status: 429, after, .. }) => after.unwrap_or(AGAIN * tries),
                Err(fault) if fault.is_passing() && method != Method::POST => AGAIN * tries,
                _ => return answer,
            };
            if tries == TRIES {
                return answer;
            }
            sleep(after.min(LONGEST_WAIT)).await;
        }
    }

    async fn once<T: DeserializeOwned>(
        &self,
        method: &Method,
        at: &At<'_>,
        query: &str,
        body: Option<&Value>,
    ) -> Result<T, Fault> {
        let content = if *method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let bytes = &body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let path = &self.path(at);
        self.entered(|kube| async move {
            let request = request(method, path, query, content, bytes.clone())?;
            let answer = kube.send(request).await?;
            let status = answer.status();
            let after = answer
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.parse().ok().map(Duration::from_secs));
            self.set_clock(answer.headers());
            let body = Limited::new(answer.into_body(), LONGEST).collect().await;
            let body = body.map_err(|why| Fault::Unreachable(why.to_string()))?.to_bytes();
            if status.is_success() {
                return serde_json::from_slice(&body)
                    .map_err(|why| Fault::Garbled(why.to_string()));
            }
            let said = serde_json::from_slice(&body).unwrap_or_else(|_| objects::Refusal {
                message: String::from_utf8_lossy(&body).trim().to_owned(),
                ..Default::default()
            });
            let objects::Refusal { reason, message } = said;
            Err(Fault::Refused { status: status.as_u16(), reason, message, after })
        })
        .await
    }

    /// Does something by the connection that there is, within the limit; once more by another one, where what this was
    /// made with is no longer good.
    async fn entered<T, F>(&self, act: impl Fn(kube::Client) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let bounded = |kube| async {
            timeout(self.limit, act(kube)).await.unwrap_or(Err(Fault::Overdue(self.limit)))
        };
        let connection = self.entry.connection();
        let done = bounded((*connection).clone()).await;
        if !matches!(done, Err(Fault::Refused { status: 401, .. })) {
            return done;
        }
        match timeout(self.limit, self.entry.renew(&connection)).await {
            Ok(Some(renewed)) => bounded((*renewed).clone()).await,
            _ => done,
        }
    }

    /// The changes of pods from a version on, until the watch's time is over.
    pub async fn watch_pods(
        &self,
        selector: &str,
        version: &str,
    ) -> Result<impl Stream<Item = Result<WatchEvent<objects::Pod>, Fault>> + Send + Unpin, Fault>
    {
        let query = format!(
            "watch=true&allowWatchBookmarks=true&timeoutSeconds={}&labelSelector={selector}\
             &resourceVersion={version}",
            WATCH.as_secs()
        );
        let (path, query) = (&self.path(&At::Pods), &query);
        let events = self.entered(|kube| async move {
            let request = request(&Method::GET, path, query, "", Vec::new())?;
            Ok(kube.request_events(request.map(|_| Vec::new())).await?)
        });
        let events = events.await?;
        Ok(Box::pin(events.map(|event| event.map_err(Fault::from))))
    }

    /// The longest that a watch can take to come to its end.
    pub fn watch_limit(&self) -> Duration {
        WATCH + WATCH_GRACE
    }

    /// Opens a stream to process 1 of a pod: its stdin alone.
    pub async fn attach(&self, pod: &str) -> Result<AttachedProcess, Fault> {
        let how = &AttachParams { stdin: true, ..Default::default() }.stdout(false).stderr(false);
        self.stream(|pods| async move { Ok(pods.attach(pod, how).await?) }).await
    }

    /// Runs a command in a pod.
    pub async fn exec(&self, pod: &str, argv: &[String]) -> Result<AttachedProcess, Fault> {
        let how = &AttachParams::default()
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .max_stdin_buf_size(STREAM_BUFFER)
            .max_stdout_buf_size(STREAM_BUFFER);
        self.stream(|pods| async move { Ok(pods.exec(pod, argv.to_vec(), how).await?) }).await
    }

    async fn stream<F>(&self, open: impl Fn(Api<Pod>) -> F) -> Result<AttachedProcess, Fault>
    where
        F: Future<Output = Result<AttachedProcess, Fault>>,
    {
        let pods = |kube| Api::namespaced(kube, &self.place.namespace);
        let opened = self.entered(|kube| open(pods(kube))).await;
        // What else than silence it is that comes in place of a stream says nothing of the API server, but of the
        // kubelet and the container.
        if !matches!(opened, Err(Fault::Refused { .. })) {
            self.judge(opened.as_ref().err());
        }
        opened
    }

    /// What an answer says of the cluster.
    pub fn judge(&self, fault: Option<&Fault>) {
        match fault {
            Some(fault) if fault.is_silence() => {
                let error = self.error("the last call", fault.clone());
                self.set_health(EngineState::Down, Some(error));
            }
            Some(fault) if fault.is_passing() => {
                let error = self.error("the last call", fault.clone());
                self.set_health(EngineState::Degraded, Some(error));
            }
            _ => self.set_health(EngineState::Healthy, None),
        }
    }

    fn set_clock(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        if let Some(Ok(date)) = date.map(httpdate::parse_http_date) {
            let ahead = seconds(date) - seconds(SystemTime::now());
            self.ahead.store(ahead, Ordering::Relaxed);
        }
    }
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn request(
    method: &Method,
    path: &str,
    query: &str,
    content: &str,
    body: Vec<u8>,
) -> Result<Request<Body>, Fault> {
    let uri = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let request = Request::builder().method(method).uri(uri);
    let request = if body.is_empty() { request } else { request.header(CONTENT_TYPE, content) };
    request.body(Body::from(body)).map_err(|why| Fault::Garbled(why.to_string()))
}
