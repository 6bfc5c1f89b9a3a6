//! One client for all who use the same engine in the same way, and one budget for all who use it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use super::{
    address::{Address, Surroundings},
    client::Client,
};
use crate::{budget::Budget, config::EngineConfig, error::Result};

/// What makes two ways to an engine one: where it is, by which certificates, and how long to wait.
#[derive(PartialEq, Eq, Hash)]
struct Way {
    address: String,
    cert_path: Option<String>,
    tls_verify: Option<bool>,
    timeout: Duration,
}

/// The clients in use. Belongs to one tokio runtime: the connections of a client do.
#[derive(Default)]
pub struct Clients {
    /// That of all engines that are on this machine.
    machine: Arc<Budget>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    clients: HashMap<Way, Weak<Client>>,
    /// By address.
    budgets: HashMap<String, Weak<Budget>>,
}

impl Clients {
    /// `machine`: the budget of all engines that are on this machine.
    pub fn new(machine: Arc<Budget>) -> Self {
        Self { machine, known: Mutex::default() }
    }

    /// The client for that engine; it is there until the last of those it was given to lets go of it.
    pub(super) fn get(&self, address: Address, config: &EngineConfig) -> Result<Arc<Client>> {
        let way = Way {
            address: address.to_string(),
            cert_path: config.cert_path.clone(),
            tls_verify: config.tls_verify,
            timeout: config.timeout,
        };
        // Nothing done under this lock can leave the maps half-changed.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = known.clients.get(&way).and_then(Weak::upgrade) {
            return Ok(client);
        }
        known.clients.retain(|_, client| client.strong_count() > 0);
        known.budgets.retain(|_, budget| budget.strong_count() > 0);
        let budget = if address.is_usual(&Surroundings::of_process()) {
            self.machine.clone()
        } else {
            known.budgets.get(&way.address).and_then(Weak::upgrade).unwrap_or_default()
        };
        let client = Arc::new(Client::new(address, config.timeout, budget.clone())?);
        known.budgets.insert(way.address.clone(), Arc::downgrade(&budget));
        known.clients.insert(way, Arc::downgrade(&client));
        Ok(client)
    }
}
