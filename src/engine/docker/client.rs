//! The calls made to the engine, each under its own name and deadline. Everything else in this module
//! speaks to the engine through these.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::Duration,
};

use bollard::{
    config::{ContainerCreateBody, ExecConfig},
    models::ContainerConfig,
    query_parameters::{
        CommitContainerOptions, CreateContainerOptions, RemoveContainerOptions, RemoveImageOptions,
        StartContainerOptions, UploadToContainerOptions,
    },
};
use bytes::Bytes;
use futures_util::Stream;
use hyper::{body::Incoming, Method, Response};
use serde::{
    de::{DeserializeOwned, IgnoredAny},
    Deserialize,
};
use tokio::{sync::Mutex, task::AbortHandle};

use super::{
    address::Address,
    circuit::{Circuit, PROBE_TIMEOUT},
    fault::Fault,
    info::Info,
    listed::Listed,
    owner::{self, Owner},
    roster::Roster,
    transport::{whole, ApiVersion, Transport},
    wire::{Reader, Writer},
};
use crate::{
    budget::Budget,
    error::{Code, Error, Result},
};

/// The oldest API spoken: Docker 19.03, Podman 3.
const OLDEST: ApiVersion = ApiVersion::new(1, 40);
/// The newest one this module has been written for.
const NEWEST: ApiVersion = ApiVersion::new(1, 53);

/// The longest that an engine may take to take a layer in, or to make an image of it. Whoever waits has a
/// shorter limit.
const DERIVING: Duration = Duration::from_secs(3600);

/// bollard's own limit covers an answer's head alone, in whole seconds. Ours cover all; this one must
/// only never come first.
const NO_LIMIT_SECONDS: u64 = 365 * 24 * 3600;

/// The way to one engine: its connections, and what was settled with it.
struct Link {
    address: Address,
    transport: Arc<Transport>,
    is_podman: AtomicBool,
}

impl Link {
    /// Asks the engine for its API version and settles on the newest one that both speak.
    async fn negotiate(&self, limit: Duration) -> Result<ApiVersion> {
        let (newest, is_podman) = within(limit, self.ping())
            .await
            .map_err(|fault| fault.during("ping", &self.address))?;
        if newest < OLDEST {
            return Err(Error::new(
                Code::EngineError,
                format!(
                    "the engine at {} speaks API {newest}; at least {OLDEST} is needed (Docker 19.03, Podman 3)",
                    self.address
                ),
            ));
        }
        let version = newest.min(NEWEST);
        self.is_podman.store(is_podman, Ordering::Relaxed);
        self.transport.set_version(version);
        Ok(version)
    }

    /// The newest API version the engine speaks, and whether it is Podman.
    async fn ping(&self) -> Result<(ApiVersion, bool), Fault> {
        // Unversioned on purpose: an engine exchanged for another may speak other versions.
        let response = self.transport.ping().await?;
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let version = header("api-version").and_then(ApiVersion::parse);
        let is_podman = header("libpod-api-version").is_some();
        whole(response).await?;
        let version =
            version.ok_or_else(|| Fault::Garbled("it names no API version".to_owned()))?;
        Ok((version, is_podman))
    }
}

/// The engine's API, negotiated on first use. All pools on one engine share one.
pub(super) struct Client {
    link: Arc<Link>,
    /// The longest one call may take.
    timeout: Duration,
    bollard: bollard::Docker,
    budget: Arc<Budget>,
    negotiating: Mutex<()>,
    circuit: Arc<Circuit>,
    roster: Arc<Roster>,
    hands_over: Arc<AtomicBool>,
    listening: std::sync::Mutex<Option<AbortHandle>>,
}

// Answers are read here, into no more than is used: the types bollard has for them are large, and so is
// the code that reads them.

/// A container, as a look at it shows it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    #[serde(default)]
    config: InspectedConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedImage {
    id: String,
}

/// An image, as a list of the engine's shows it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListedImage {
    pub id: String,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// In s since the epoch.
    #[serde(default)]
    pub created: u64,
    #[serde(default)]
    pub labels: HashMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct InspectedConfig {
    labels: Option<HashMap<String, String>>,
}

impl Client {
    /// Contacts nothing.
    pub(super) fn new(address: Address, timeout: Duration, budget: Arc<Budget>) -> Result<Self> {
        let transport = Arc::new(Transport::new(address.clone()));
        let forwarded = transport.clone();
        let bollard = bollard::Docker::connect_with_custom_transport(
            move |request: bollard::BollardRequest| {
                let transport = forwarded.clone();
                async move {
                    transport.forward(request).await.map_err(|fault| {
                        bollard::errors::Error::IOError { err: std::io::Error::other(fault) }
                    })
                }
            },
            Some("http://docker"),
            NO_LIMIT_SECONDS,
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(|error| Error::new(Code::EngineUnavailable, error.to_string()))?;
        let link = Arc::new(Link { address, transport, is_podman: AtomicBool::new(false) });
        let (probed, limit) = (link.clone(), timeout.min(PROBE_TIMEOUT));
        let circuit = Circuit::new(Box::new(move || {
            let link = probed.clone();
            Box::pin(async move { link.negotiate(limit).await.map(drop) })
        }));
        Ok(Self {
            link,
            timeout,
            bollard,
            budget,
            negotiating: Mutex::new(()),
            circuit,
            roster: Roster::new(),
            hands_over: Arc::new(AtomicBool::new(true)),
            listening: std::sync::Mutex::default(),
        })
    }

    pub(super) fn address(&self) -> &Address {
        &self.link.address
    }

    /// The longest one call may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    pub(super) fn circuit(&self) -> &Arc<Circuit> {
        &self.circuit
    }

    pub(super) fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// Whether sockets can be handed over from its containers, as far as is known.
    pub(super) fn hands_over(&self) -> &Arc<AtomicBool> {
        &self.hands_over
    }

    /// The error to show for a fault of the call named.
    pub(super) fn error(&self, call: &str, fault: Fault) -> Error {
        fault.during(call, self.address())
    }

    /// The task that hears the engine's events, while there is something to hear.
    pub(super) fn listening(&self) -> std::sync::MutexGuard<'_, Option<AbortHandle>> {
        self.listening.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Asks the engine for its API version, whatever is known of it.
    pub(super) async fn negotiate(&self) -> Result<ApiVersion> {
        let result = self.link.negotiate(self.timeout).await;
        match &result {
            Ok(_) => self.circuit.report("ping", None),
            Err(_) => self.circuit.investigate(),
        }
        result
    }

    /// Whether it is Podman that answers, where the two differ.
    pub(super) async fn is_podman(&self) -> Result<bool> {
        within(self.timeout, self.ready()).await.map_err(|fault| self.error("ping", fault))?;
        Ok(self.link.is_podman.load(Ordering::Relaxed))
    }

    /// Makes sure that the engine is worth calling, and negotiates first if that has not been done.
    async fn ready(&self) -> Result<(), Fault> {
        self.circuit.admit().await?;
        if self.link.transport.version().is_none() {
            let _one_at_a_time = self.negotiating.lock().await;
            if self.link.transport.version().is_none() {
                self.link.negotiate(self.timeout).await.map_err(Fault::Unreachable)?;
            }
        }
        Ok(())
    }

    /// Runs one call, and notes what it says of the engine.
    async fn call<T, E: Into<Fault>>(
        &self,
        name: &'static str,
        limit: Duration,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Fault> {
        let result = within(limit, async {
            self.ready().await?;
            call.await.map_err(Into::into)
        })
        .await;
        let fault = result.as_ref().err().map(|fault| (fault, self.error(name, fault.clone())));
        self.circuit.report(name, fault);
        result
    }

    pub(super) async fn info(&self) -> Result<Info, Fault> {
        self.call("engine info", self.timeout, self.link.transport.json("/info")).await
    }

    /// Whether the image is there: if not, the fault is one that [`Fault::is_missing`].
    pub(super) async fn inspect_image(&self, image: &str) -> Result<(), Fault> {
        let path = format!("/images/{image}/json");
        let call = self.link.transport.json::<IgnoredAny>(&path);
        self.call("inspect image", self.timeout, call).await.map(drop)
    }

    /// The id of the image.
    pub(super) async fn image_id(&self, image: &str) -> Result<String, Fault> {
        let path = format!("/images/{image}/json");
        let call = self.link.transport.json::<InspectedImage>(&path);
        self.call("inspect image", self.timeout, call).await.map(|found| found.id)
    }

    /// Puts a tar archive, which may be compressed, into a container's root.
    pub(super) async fn put_archive(
        &self,
        id: &str,
        archive: impl Stream<Item = Bytes> + Send + 'static,
    ) -> Result<(), Fault> {
        let options = UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
        let call =
            self.bollard.upload_to_container(id, Some(options), bollard::body_stream(archive));
        self.call("put archive", DERIVING, call).await
    }

    /// Makes an image of a container, with `changes`: lines of a Dockerfile. Podman reads no configuration here.
    pub(super) async fn commit(
        &self,
        id: &str,
        repository: &str,
        tag: &str,
        changes: String,
    ) -> Result<(), Fault> {
        let options = CommitContainerOptions {
            container: Some(id.to_owned()),
            repo: Some(repository.to_owned()),
            tag: Some(tag.to_owned()),
            changes: Some(changes),
            ..Default::default()
        };
        let call = self.bollard.commit_container(options, ContainerConfig::default());
        self.call("commit container", DERIVING, call).await.map(drop)
    }

    /// Whether it is there counts: what an engine says of it is not read.
    pub(super) async fn inspect_network(&self, name: &str) -> Result<(), Fault> {
        let path = format!("/networks/{}", escape(name));
        let call = self.link.transport.json::<IgnoredAny>(&path);
        self.call("inspect network", self.timeout, call).await.map(drop)
    }

    /// Begins a pull; the answer's body tells how it goes. Without a deadline: the caller has one.
    pub(super) async fn pull_image(
        &self,
        name: &str,
        tag: &str,
        auth: Option<String>,
    ) -> Result<Response<Incoming>, Fault> {
        let path = format!("/images/create?fromImage={}&tag={}", escape(name), escape(tag));
        let headers: Vec<_> = auth.into_iter().map(|auth| ("x-registry-auth", auth)).collect();
        self.link.transport.send(Method::POST, &path, &headers, Bytes::new()).await
    }

    /// The id of the new container.
    pub(super) async fn create_container(
        &self,
        name: &str,
        body: ContainerCreateBody,
    ) -> Result<String, Fault> {
        let options = CreateContainerOptions { name: Some(name.to_owned()), ..Default::default() };
        let call = self.bollard.create_container(Some(options), body);
        self.call("create container", self.timeout, call).await.map(|created| created.id)
    }

    /// The stream of PID 1's stdin, stdout and stderr.
    pub(super) async fn attach_container(&self, id: &str) -> Result<(Reader, Writer), Fault> {
        let path = format!("/containers/{id}/attach?stream=1&stdin=1&stdout=1&stderr=1");
        self.call(
            "attach to container",
            self.timeout,
            self.link.transport.upgrade(&path, Bytes::new()),
        )
        .await
    }

    pub(super) async fn start_container(&self, id: &str) -> Result<(), Fault> {
        let call = self.bollard.start_container(id, None::<StartContainerOptions>);
        self.call("start container", self.timeout, call).await
    }

    /// The id and labels of the container of that name or id.
    pub(super) async fn inspect_container(
        &self,
        name: &str,
    ) -> Result<(String, HashMap<String, String>), Fault> {
        let path = format!("/containers/{name}/json");
        let call = self.link.transport.json::<Inspected>(&path);
        let found = self.call("inspect container", self.timeout, call).await?;
        Ok((found.id, found.config.labels.unwrap_or_default()))
    }

    /// What a container has used until now. An engine before API 1.41 takes a second for it.
    pub(super) async fn container_stats<T: DeserializeOwned + Send + 'static>(
        &self,
        id: &str,
    ) -> Result<T, Fault> {
        let path = format!("/containers/{id}/stats?stream=0&one-shot=1");
        self.call("container stats", self.timeout, self.link.transport.json(&path)).await
    }

    /// Kills and removes a container with its anonymous volumes.
    pub(super) async fn remove_container(&self, id: &str, limit: Duration) -> Result<(), Fault> {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        self.call("remove container", limit, self.bollard.remove_container(id, Some(options))).await
    }

    /// All containers of this package, running or not, whoever made them.
    pub(super) async fn list_containers(&self) -> Result<Vec<Listed>, Fault> {
        self.list(owner::SESSION).await
    }

    /// All containers of this process.
    pub(super) async fn list_own_containers(&self) -> Result<Vec<Listed>, Fault> {
        self.list(&own_label()).await
    }

    async fn list(&self, label: &str) -> Result<Vec<Listed>, Fault> {
        self.list_where(&serde_json::json!({ "label": [label] })).await
    }

    /// All containers of these images, and of images that are made of them.
    pub(super) async fn list_containers_of(&self, images: &[String]) -> Result<Vec<Listed>, Fault> {
        self.list_where(&serde_json::json!({ "ancestor": images })).await
    }

    async fn list_where(&self, filters: &serde_json::Value) -> Result<Vec<Listed>, Fault> {
        let path = format!("/containers/json?all=1&filters={}", escape(&filters.to_string()));
        self.call("list containers", self.timeout, self.link.transport.json(&path)).await
    }

    /// All images with that label.
    pub(super) async fn list_images(&self, label: &str) -> Result<Vec<ListedImage>, Fault> {
        let filters = serde_json::json!({ "label": [label] }).to_string();
        let path = format!("/images/json?filters={}", escape(&filters));
        self.call("list images", self.timeout, self.link.transport.json(&path)).await
    }

    /// Removes an image, but no other that it was made of. One that is in use is refused.
    pub(super) async fn remove_image(&self, name: &str) -> Result<(), Fault> {
        let options = RemoveImageOptions { noprune: true, ..Default::default() };
        let call = self.bollard.remove_image(name, Some(options), None);
        self.call("remove image", self.timeout, call).await.map(drop)
    }

    /// What happens to containers of this process, from now on; the deadline is for the answer's head.
    pub(super) async fn events(&self) -> Result<Response<Incoming>, Fault> {
        let filters = serde_json::json!({
            "type": ["container"],
            "event": ["die", "oom", "destroy"],
            "label": [own_label()],
        });
        let path = format!("/events?filters={}", escape(&filters.to_string()));
        let call = self.link.transport.send(Method::GET, &path, &[], Bytes::new());
        self.call("events", self.timeout, call).await
    }

    /// The id of the new exec.
    pub(super) async fn create_exec(&self, id: &str, config: ExecConfig) -> Result<String, Fault> {
        self.call("create exec", self.timeout, self.bollard.create_exec(id, config))
            .await
            .map(|created| created.id)
    }

    /// Starts an exec, and gives the stream of its stdin, stdout and stderr.
    pub(super) async fn start_exec(&self, exec_id: &str) -> Result<(Reader, Writer), Fault> {
        let path = format!("/exec/{exec_id}/start");
        let body = Bytes::from_static(br#"{"Detach":false,"Tty":false}"#);
        self.call("start exec", self.timeout, self.link.transport.upgrade(&path, body)).await
    }

    pub(super) async fn inspect_exec<T: DeserializeOwned + Send + 'static>(
        &self,
        id: &str,
    ) -> Result<T, Fault> {
        let path = format!("/exec/{id}/json");
        self.call("inspect exec", self.timeout, self.link.transport.json(&path)).await
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(task) = self.listening().take() {
            task.abort();
        }
    }
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result,
        Err(_) => Err(Fault::Overdue(limit)),
    }
}

/// The label that the containers of this process have, and no others.
fn own_label() -> String {
    format!("{}={}", owner::SESSION, Owner::current().session)
}

/// Percent-encodes a value of a query.
fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(byte as char)
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_a_query_is_escaped() {
        assert_eq!(escape("h.io:5/a-b_c@x"), "h.io%3A5%2Fa-b_c%40x");
    }
}
