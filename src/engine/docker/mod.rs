//! Docker, and what speaks Docker's API (Podman, Docker Desktop, Colima …), through bollard.
//!
//! - [`address`]: where the engine is, found as the docker CLI finds it; `tls`: its certificates.
//! - `transport`, `wire`: one HTTP client with kept-alive connections, and raw streams out of it.
//! - `client`: the calls, each with its name and deadline; `fault`: what comes in place of a result.
//! - `clients`: one client for all pools on an engine; `circuit`: whether calls are worth making.
//! - `events`: what the engine tells by itself; `roster`: whom it concerns; `lines`: how it comes.
//! - [`reference`], `image`, `pull`, `credentials`: the image.
//! - `container`, `exec`, `remove`: a container's life; `background`: what is cleaned up behind it.
//! - `owner`, `sweep`: whose a container is, and the end of those whose owner is gone.

pub mod address;
mod background;
mod circuit;
mod client;
mod clients;
mod container;
mod credentials;
mod events;
mod exec;
mod fault;
mod image;
mod lines;
mod owner;
mod pull;
pub mod reference;
mod remove;
mod roster;
mod sweep;
mod tls;
mod transport;
mod wire;

use std::sync::Arc;

use tokio::{runtime::Handle, sync::watch};

pub use self::clients::Clients;
use self::{
    address::{Address, Surroundings},
    background::Background,
    client::Client,
    reference::Reference,
};
use super::{
    Attached, ContainerId, CreateError, Engine, EngineInfo, ExecSpec, ExecStatus, ExecStream,
    Health, Init, OnPull,
};
use crate::{
    config::{ContainerConfig, EngineConfig},
    error::Result,
};

/// One engine, and the kind of container made on it.
pub struct Docker {
    client: Arc<Client>,
    config: Arc<ContainerConfig>,
    image: Reference,
    background: Background,
}

impl Docker {
    /// Finds out where the engine is and reads its certificates; contacts nothing. Shares one client with
    /// all others made from the same `clients` on the same engine. Must be used inside a tokio runtime,
    /// though it need not be made in one.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`: the address, a certificate or the image's name can't be used.
    pub fn new(
        clients: &Clients,
        engine: EngineConfig,
        container: ContainerConfig,
    ) -> Result<Self> {
        let image = Reference::parse(&container.image)?;
        let address = Address::find(&engine, &Surroundings::of_process())?;
        Ok(Self {
            client: clients.get(address, &engine)?,
            config: Arc::new(container),
            image,
            background: Background::new(),
        })
    }

    /// Where the engine is.
    pub fn address(&self) -> &Address {
        self.client.address()
    }
}

impl Engine for Docker {
    fn health(&self) -> watch::Receiver<Health> {
        self.client.circuit().health()
    }

    async fn connect(&self) -> Result<EngineInfo> {
        let api = self.client.negotiate().await?;
        let info =
            self.client.info().await.map_err(|fault| self.client.error("engine info", fault))?;
        let mut warnings = info.warnings.unwrap_or_default();
        // The one limit whose absence Docker's own warnings leave out.
        if info.pids_limit == Some(false) {
            warnings.push("WARNING: No pids limit support".to_owned());
        }
        let count = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        Ok(EngineInfo {
            address: self.client.address().to_string(),
            version: info.server_version.unwrap_or_default(),
            api_version: api.to_string(),
            memory: count(info.mem_total),
            cpus: count(info.ncpu),
            warnings,
        })
    }

    async fn prepare(&self, on_pull: OnPull) -> Result<()> {
        image::prepare(&self.client, &self.config, &self.image, on_pull).await
    }

    async fn create(&self, init: Init) -> Result<Attached, CreateError> {
        self.client.listen();
        container::create(&self.client, &self.background, &self.config, &self.image, init).await
    }

    async fn exec(&self, id: &str, spec: ExecSpec) -> Result<ExecStream> {
        exec::exec(&self.client, id, spec).await
    }

    async fn exec_status(&self, exec_id: &str) -> Result<ExecStatus> {
        exec::status(&self.client, exec_id).await
    }

    async fn remove(&self, id: &str) -> Result<()> {
        remove::remove(&self.client, id).await.map(drop)
    }

    fn discard(&self, id: &str) {
        let (client, id) = (self.client.clone(), id.to_owned());
        self.background.spawn(&Handle::current(), async move {
            // What can't be removed even so keeps its labels, and the next sweep finds it.
            let _ = remove::discard(&client, &id, true).await;
        });
    }

    async fn sweep(&self) -> Result<Vec<ContainerId>> {
        sweep::sweep(&self.client).await
    }

    async fn settle(&self) {
        self.background.settle().await;
        self.client.listen_no_more();
    }
}
