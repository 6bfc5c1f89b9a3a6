//! The network of the containers: looked for before any is made, as an engine misses it no sooner than a
//! container starts.

use super::client::Client;
use crate::{
    config::NO_NETWORK,
    error::{Code, Error, Result},
};

/// Makes sure the engine has the network.
///
/// # Errors
///
/// `InvalidArgument`: it has none of that name; else what the call came to.
pub(super) async fn check(client: &Client, name: &str) -> Result<()> {
    // An engine need not list one of that name.
    if name == NO_NETWORK {
        return Ok(());
    }
    client.inspect_network(name).await.map_err(|fault| {
        if !fault.is_missing() {
            return client.error("inspect network", fault);
        }
        let message = format!(
            "network must be 'none' or the name of one of the engine's networks; the engine at {} has no {name:?}: make it (docker network create {name})",
            client.address()
        );
        Error::new(Code::InvalidArgument, message)
            .status(404)
            .cause(client.error("inspect network", fault))
    })
}
