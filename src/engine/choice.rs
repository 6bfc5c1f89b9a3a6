//! Which engine a pool gets.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

#[cfg(all(target_os = "linux", feature = "local"))]
use super::local::{Launchers, Local};
use super::{
    docker::{Clients, Docker},
    Engine,
};
use crate::{
    config::{ContainerConfig, EngineConfig},
    error::Result,
};

/// Which engine it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Docker, and what speaks its API.
    Docker,
    /// The kernel of this machine, without a daemon.
    #[cfg(all(target_os = "linux", feature = "local"))]
    Local,
}

/// What the pools of the process share of its engines. Belongs to one tokio runtime.
#[derive(Default)]
pub struct Engines {
    docker: Clients,
    #[cfg(all(target_os = "linux", feature = "local"))]
    local: Launchers,
}

impl Engines {
    /// The engine that a pool is to have; contacts nothing.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`: the configuration does not fit that engine.
    pub fn choose(
        &self,
        engine: EngineConfig,
        container: ContainerConfig,
    ) -> Result<Arc<dyn Engine>> {
        match engine.kind {
            #[cfg(all(target_os = "linux", feature = "local"))]
            EngineKind::Local => Ok(Arc::new(Local::new(&self.local, &engine, &container)?)),
            EngineKind::Docker => Ok(Arc::new(Docker::new(&self.docker, engine, container)?)),
        }
    }
}
