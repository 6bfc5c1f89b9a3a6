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
    models::{ExecInspectResponse, SystemInfo},
    query_parameters::{
        CreateContainerOptions, InspectContainerOptions, RemoveContainerOptions,
        StartContainerOptions,
    },
};
use bytes::Bytes;
use hyper::{body::Incoming, Method, Response};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{
    address::Address,
    fault::Fault,
    owner,
    transport::{whole, ApiVersion, Transport},
    wire::{Reader, Writer},
};
use crate::error::{Code, Error, Result};

/// The oldest API spoken: Docker 19.03, Podman 3.
const OLDEST: ApiVersion = ApiVersion::new(1, 40);
/// The newest one this module has been written for.
const NEWEST: ApiVersion = ApiVersion::new(1, 53);

/// bollard's own limit covers an answer's head alone, in whole seconds. Ours cover all; this one must
/// only never come first.
const NO_LIMIT_SECONDS: u64 = 365 * 24 * 3600;

/// The engine's API, negotiated on first use.
pub(super) struct Client {
    pub address: Arc<Address>,
    /// The longest one call may take.
    timeout: Duration,
    transport: Arc<Transport>,
    bollard: bollard::Docker,
    negotiating: Mutex<()>,
    is_podman: AtomicBool,
}

/// A container, as a list shows it. bollard's own type refuses states it does not know, and with one
/// of them the whole list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    pub id: String,
    #[serde(default)]
    pub labels: Option<HashMap<String, String>>,
}

impl Client {
    /// Contacts nothing.
    pub(super) fn new(address: Address, timeout: Duration) -> Result<Self> {
        let address = Arc::new(address);
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
        Ok(Self {
            address,
            timeout,
            transport,
            bollard,
            negotiating: Mutex::new(()),
            is_podman: AtomicBool::new(false),
        })
    }

    /// The longest one call may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The error to show for a fault of the call named.
    pub(super) fn error(&self, call: &str, fault: Fault) -> Error {
        fault.during(call, &*self.address)
    }

    /// Asks the engine for its API version and settles on the newest one that both speak.
    pub(super) async fn negotiate(&self) -> Result<ApiVersion> {
        let (newest, is_podman) = self
            .within(self.timeout, self.ping())
            .await
            .map_err(|fault| self.error("ping", fault))?;
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

    /// Whether it is Podman that answers, where the two differ.
    pub(super) async fn is_podman(&self) -> Result<bool> {
        self.call(self.timeout, std::future::ready(Ok::<_, Fault>(())))
            .await
            .map_err(|fault| self.error("ping", fault))?;
        Ok(self.is_podman.load(Ordering::Relaxed))
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

    /// Runs one call, negotiating first if that has not been done.
    async fn call<T, E: Into<Fault>>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Fault> {
        self.within(limit, async {
            if self.transport.version().is_none() {
                let _one_at_a_time = self.negotiating.lock().await;
                if self.transport.version().is_none() {
                    self.negotiate().await.map_err(Fault::Unreachable)?;
                }
            }
            call.await.map_err(Into::into)
        })
        .await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        match tokio::time::timeout(limit, call).await {
            Ok(result) => result,
            Err(_) => Err(Fault::Overdue(limit)),
        }
    }

    pub(super) async fn info(&self) -> Result<SystemInfo, Fault> {
        self.call(self.timeout, self.bollard.info()).await
    }

    pub(super) async fn inspect_image(&self, image: &str) -> Result<(), Fault> {
        self.call(self.timeout, self.bollard.inspect_image(image)).await.map(drop)
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
        self.transport.send(Method::POST, &path, &headers, Bytes::new()).await
    }

    /// The id of the new container.
    pub(super) async fn create_container(
        &self,
        name: &str,
        body: ContainerCreateBody,
    ) -> Result<String, Fault> {
        let options = CreateContainerOptions { name: Some(name.to_owned()), ..Default::default() };
        let call = self.bollard.create_container(Some(options), body);
        self.call(self.timeout, call).await.map(|created| created.id)
    }

    /// The stream of PID 1's stdin, stdout and stderr.
    pub(super) async fn attach_container(&self, id: &str) -> Result<(Reader, Writer), Fault> {
        let path = format!("/containers/{id}/attach?stream=1&stdin=1&stdout=1&stderr=1");
        self.call(self.timeout, self.transport.upgrade(&path, Bytes::new())).await
    }

    pub(super) async fn start_container(&self, id: &str) -> Result<(), Fault> {
        let call = self.bollard.start_container(id, None::<StartContainerOptions>);
        self.call(self.timeout, call).await
    }

    /// The id and labels of the container of that name or id.
    pub(super) async fn inspect_container(
        &self,
        name: &str,
    ) -> Result<(String, HashMap<String, String>), Fault> {
        let call = self.bollard.inspect_container(name, None::<InspectContainerOptions>);
        let found = self.call(self.timeout, call).await?;
        let id = found.id.ok_or_else(|| Fault::Garbled("a container without an id".to_owned()))?;
        Ok((id, found.config.and_then(|config| config.labels).unwrap_or_default()))
    }

    /// Kills and removes a container with its anonymous volumes.
    pub(super) async fn remove_container(&self, id: &str, limit: Duration) -> Result<(), Fault> {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        self.call(limit, self.bollard.remove_container(id, Some(options))).await
    }

    /// All containers of this package, running or not, whoever made them.
    pub(super) async fn list_containers(&self) -> Result<Vec<Listed>, Fault> {
        let filters = format!(r#"{{"label":["{}"]}}"#, owner::SESSION);
        let path = format!("/containers/json?all=1&filters={}", escape(&filters));
        self.call(self.timeout, self.transport.json(&path)).await
    }

    /// The id of the new exec.
    pub(super) async fn create_exec(&self, id: &str, config: ExecConfig) -> Result<String, Fault> {
        self.call(self.timeout, self.bollard.create_exec(id, config))
            .await
            .map(|created| created.id)
    }

    /// Starts an exec, and gives the stream of its stdin, stdout and stderr.
    pub(super) async fn start_exec(&self, exec_id: &str) -> Result<(Reader, Writer), Fault> {
        let path = format!("/exec/{exec_id}/start");
        let body = Bytes::from_static(br#"{"Detach":false,"Tty":false}"#);
        self.call(self.timeout, self.transport.upgrade(&path, body)).await
    }

    pub(super) async fn inspect_exec(&self, exec_id: &str) -> Result<ExecInspectResponse, Fault> {
        self.call(self.timeout, self.bollard.inspect_exec(exec_id)).await
    }
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
