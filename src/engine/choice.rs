//! Which engine a pool gets.

use std::{path::Path, sync::Arc};

use serde::{Deserialize, Serialize};

#[cfg(feature = "kubernetes")]
use super::kubernetes::{Clusters, Kubernetes};
#[cfg(target_os = "linux")]
use super::local::{self, Launchers, Local};
use super::{
    auto::{Auto, Candidate},
    docker::{
        address::{Address, Surroundings},
        Clients, Docker,
    },
    Engine,
};
use crate::{
    budget::Budget,
    config::{ContainerConfig, EngineConfig},
    error::Result,
};

/// Which engine it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// The first of the others that answers.
    Auto,
    /// Docker, and what speaks its API.
    Docker,
    /// The kernel of this machine, without a daemon. Linux only.
    Local,
    /// A cluster's nodes.
    Kubernetes,
}

/// What the pools of the process share of its engines. Belongs to one tokio runtime.
pub struct Engines {
    /// What all pools on engines of this machine share.
    machine: Arc<Budget>,
    docker: Clients,
    #[cfg(target_os = "linux")]
    local: Launchers,
    #[cfg(feature = "kubernetes")]
    clusters: Clusters,
}

impl Engines {
    /// `programs`: the folder with the programs that belong to the addon, if it is known.
    pub fn new(programs: Option<&Path>) -> Self {
        let machine = Budget::new();
        #[cfg(not(target_os = "linux"))]
        let _ = programs;
        Self {
            docker: Clients::new(machine.clone()),
            #[cfg(target_os = "linux")]
            local: Launchers::new(programs, machine.clone()),
            #[cfg(feature = "kubernetes")]
            clusters: Clusters::default(),
            machine,
        }
    }

    /// The engine that a pool is to have; contacts nothing.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`: the configuration does not fit that engine. `ENGINE_UNAVAILABLE`: the engine is
    /// not for this platform.
    pub fn choose(
        &self,
        engine: EngineConfig,
        container: ContainerConfig,
    ) -> Result<Arc<dyn Engine>> {
        match engine.kind {
            EngineKind::Local => self.local(&engine, &container),
            EngineKind::Kubernetes => self.kubernetes(&engine, &container),
            EngineKind::Docker => Ok(Arc::new(Docker::new(&self.docker, engine, container)?)),
            EngineKind::Auto => self.first(engine, container),
        }
    }

    /// Docker where somebody says where that is; this machine where the image can be no other engine's;
    /// else what answers first: one of Docker's usual sockets, or this machine.
    fn first(&self, engine: EngineConfig, container: ContainerConfig) -> Result<Arc<dyn Engine>> {
        let around = Surroundings::of_process();
        if let Some(address) = Address::named(&engine, &around)? {
            return Ok(Arc::new(Docker::at(address, &self.docker, &engine, container)?));
        }
        #[cfg(target_os = "linux")]
        if local::has_alone(&container.image) {
            return self.local(&engine, &container);
        }
        let mut sockets = Address::usual(&around);
        if sockets.is_empty() {
            sockets.push(Address::find(&engine, &around)?);
        }
        let dockers = sockets.into_iter().map(|address| Candidate {
            name: "Docker",
            engine: Docker::at(address, &self.docker, &engine, container.clone())
                .map(|docker| Arc::new(docker) as Arc<dyn Engine>),
        });
        let local = Candidate {
            name: "This machine's own kernel",
            engine: self.local(&engine, &container),
        };
        Ok(Arc::new(Auto::new(dockers.chain([local]).collect(), self.machine.clone())))
    }

    #[cfg(feature = "kubernetes")]
    fn kubernetes(
        &self,
        engine: &EngineConfig,
        container: &ContainerConfig,
    ) -> Result<Arc<dyn Engine>> {
        Ok(Arc::new(Kubernetes::new(&self.clusters, engine, container)?))
    }

    #[cfg(not(feature = "kubernetes"))]
    fn kubernetes(&self, _: &EngineConfig, _: &ContainerConfig) -> Result<Arc<dyn Engine>> {
        use crate::error::{Code, Error};

        let message = "this build of scientist-pool has no engine 'kubernetes', as it was made without the Cargo \
                       feature of that name: take the published binary, or build it with default features";
        Err(Error::new(Code::EngineUnavailable, message))
    }

    #[cfg(target_os = "linux")]
    fn local(&self, engine: &EngineConfig, container: &ContainerConfig) -> Result<Arc<dyn Engine>> {
        Ok(Arc::new(Local::new(&self.local, engine, container)?))
    }

    #[cfg(not(target_os = "linux"))]
    fn local(&self, _: &EngineConfig, _: &ContainerConfig) -> Result<Arc<dyn Engine>> {
        use crate::error::{Code, Error};

        let system = if cfg!(windows) { "Windows" } else { "macOS" };
        let message = format!(
            "the engine 'local' makes containers of Linux's own means, and this is {system}: use Docker or \
             Podman, which bring a Linux of their own"
        );
        Err(Error::new(Code::EngineUnavailable, message))
    }
}
