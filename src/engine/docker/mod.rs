//! Docker, and what speaks Docker's API (Podman, Docker Desktop, Colima …), through bollard.
//!
//! - [`address`]: where the engine is, found as the docker CLI finds it; `tls`: its certificates.
//! - `transport`, `wire`: one HTTP client with kept-alive connections, and raw streams out of it;
//!   [`frames`]: the output in one.
//! - `client`: the calls, each with its name and deadline; `fault`: what comes in place of a result.
//! - `clients`: one client for all pools on an engine; `circuit`: whether calls are worth making.
//! - `events`: what the engine tells by itself; `roster`: whom it concerns; `lines`: how it comes;
//!   `listed`: a container in a list.
//! - `image`: the image; `derive`: one that is made of it, `hold`: and who uses that; `network`: the network.
//! - `info`: what the engine says of itself; `honours`: what it gives of the protections
//!   asked for.
//! - `container`, `exec`, `remove`: a container's life; `handover`: a socket that comes out of one.
//! - `usage`: what it has used.
//! - `owner`, `sweep`: whose a container is, and the end of those whose owner is gone.

pub mod address;
mod circuit;
mod client;
mod clients;
mod container;
mod derive;
mod events;
mod exec;
mod fault;
pub mod frames;
mod handover;
mod hold;
mod honours;
mod image;
mod info;
mod lines;
mod listed;
mod network;
mod owner;
mod remove;
mod roster;
mod sweep;
mod tls;
mod transport;
mod usage;
mod wire;

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::{runtime::Handle, sync::watch};

pub use self::clients::Clients;
use self::{
    address::{Address, Surroundings},
    client::Client,
    container::Kind,
    derive::Derived,
    honours::Honours,
};
use super::{
    background::Background, registry::reference::Reference, Attached, ContainerId, CpuTime,
    CreateError, Engine, EngineInfo, EngineKind, ExecSpec, ExecStatus, ExecStream, Health, Init,
    KeptImage, Making, OnPull, Orphan, Recipe,
};
use crate::{
    budget::Budget,
    config::{ContainerConfig, EngineConfig},
    error::{Code, Error, Result},
};

/// One engine, and the kind of container made on it.
pub struct Docker {
    client: Arc<Client>,
    config: Arc<ContainerConfig>,
    image: Reference,
    /// What is derived of the image, and stands in its place.
    derived: Mutex<Option<Derived>>,
    background: Background,
    /// As the engine said at the last [`Engine::connect`].
    honours: Mutex<Option<Arc<Honours>>>,
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
        let address = Address::find(&engine, &Surroundings::of_process())?;
        Self::at(address, clients, &engine, container)
    }

    /// As [`Docker::new`], with the engine at a known address.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`: a certificate or the image's name can't be used, or there are `mounts` and the engine
    /// may be another machine's.
    pub fn at(
        address: Address,
        clients: &Clients,
        engine: &EngineConfig,
        container: ContainerConfig,
    ) -> Result<Self> {
        let image = Reference::parse(&container.image)?;
        if !container.mounts.is_empty() && address.is_remote() {
            let message = format!(
                "mounts must be empty on an engine by way of the network, whose machine has other files; got {} and {address}",
                container.mounts.len()
            );
            return Err(Error::new(Code::InvalidArgument, message));
        }
        Ok(Self {
            client: clients.get(address, engine)?,
            config: Arc::new(container),
            image,
            derived: Mutex::default(),
            background: Background::new(),
            honours: Mutex::default(),
        })
    }

    fn derived(&self) -> MutexGuard<'_, Option<Derived>> {
        // It is put in as a whole.
        self.derived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn honours(&self) -> Result<Arc<Honours>> {
        let is_podman = self.client.is_podman().await?;
        let known = self.honours.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(known.unwrap_or_else(|| Arc::new(Honours::assumed(is_podman))))
    }
}

#[async_trait]
impl Engine for Docker {
    fn kind(&self) -> EngineKind {
        EngineKind::Docker
    }

    fn address(&self) -> &dyn Display {
        self.client.address()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.client.circuit().health()
    }

    fn budget(&self) -> &Arc<Budget> {
        self.client.budget()
    }

    async fn connect(&self) -> Result<EngineInfo> {
        let api = self.client.negotiate().await?;
        let info =
            self.client.info().await.map_err(|fault| self.client.error("engine info", fault))?;
        let honours = Arc::new(Honours::of(&info, &self.config, self.client.is_podman().await?));
        *self.honours.lock().unwrap_or_else(PoisonError::into_inner) = Some(honours.clone());
        let count = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        Ok(EngineInfo {
            kind: self.kind(),
            address: self.client.address().to_string(),
            version: info.server_version.unwrap_or_default(),
            api_version: api.to_string(),
            memory: count(info.mem_total),
            cpus: count(info.ncpu),
            warnings: info.warnings.unwrap_or_default(),
            isolation: honours.isolation.clone(),
            runtime: None,
            fences: Vec::new(),
            unhonoured: honours.unhonoured.clone(),
        })
    }

    async fn prepare(&self, on_pull: OnPull) -> Result<()> {
        if let Some(refused) = self.honours().await?.refused {
            let message = format!("{refused} (the engine at {})", self.client.address());
            return Err(Error::new(Code::InvalidArgument, message));
        }
        network::check(&self.client, self.config.network.name()).await?;
        *self.derived() = None;
        image::prepare(&self.client, &self.config, &self.image, on_pull).await
    }

    async fn derive(&self, recipe: &Recipe, on_pull: OnPull, layer: Making<'_>) -> Result<()> {
        let (client, background, base) = (&self.client, &self.background, &self.image);
        let derived = derive::derive(client, background, base, recipe, on_pull, layer).await?;
        *self.derived() = Some(derived);
        Ok(())
    }

    async fn images(&self) -> Result<Vec<KeptImage>> {
        derive::images(&self.client).await
    }

    async fn prune_images(&self) -> Result<Vec<KeptImage>> {
        derive::prune(&self.client).await
    }

    async fn create(&self, init: Init) -> Result<Attached, CreateError> {
        events::listen(&self.client);
        let honours = self.honours().await.map_err(CreateError::Other)?;
        let image = self.derived().as_ref().map_or(&self.image, |derived| &derived.image).clone();
        let kind = Kind { config: self.config.clone(), image, honours };
        container::create(&self.client, &self.background, kind, init).await
    }

    async fn exec(&self, id: &str, spec: ExecSpec) -> Result<ExecStream> {
        exec::exec(&self.client, id, spec).await
    }

    async fn exec_status(&self, exec_id: &str) -> Result<ExecStatus> {
        exec::status(&self.client, exec_id).await
    }

    async fn catch_up(&self, _: &str) -> bool {
        false
    }

    async fn cpu_time(&self, id: &str) -> Result<CpuTime> {
        if !self.honours().await?.counts_cpu_time {
            return Err(usage::not_counted(self.client.address()).container(id));
        }
        usage::cpu_time(&self.client, &self.config, id).await
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

    async fn orphans(&self) -> Result<Vec<Orphan>> {
        self.client.negotiate().await?;
        sweep::orphans(&self.client).await
    }

    async fn sweep(&self) -> Result<Vec<ContainerId>> {
        sweep::sweep(&self.client).await
    }

    async fn settle(&self) {
        *self.derived() = None;
        self.background.settle().await;
        events::listen_no_more(&self.client);
    }
}
