//! Which engine a pool gets.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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
}

/// What the pools of the process share of its engines. Belongs to one tokio runtime.
#[derive(Default)]
pub struct Engines {
    docker: Clients,
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
            EngineKind::Docker => Ok(Arc::new(Docker::new(&self.docker, engine, container)?)),
        }
    }
}
