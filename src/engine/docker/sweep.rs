//! Finding and removing what processes that are gone have left behind.

use super::{
    super::{ContainerId, Orphan},
    client::Client,
    handover,
    listed::Listed,
    owner::{self, Owner},
    remove::remove,
};
use crate::error::Result;
use futures_util::{stream, StreamExt};

/// Removals side by side: an engine gets no faster with more.
const AT_ONCE: usize = 4;

/// The containers whose labels prove that their owner is gone, and no other.
///
/// # Errors
///
/// The listing's.
pub(super) async fn orphans(client: &Client) -> Result<Vec<Orphan>> {
    let listed =
        client.list_containers().await.map_err(|fault| client.error("list containers", fault))?;
    let owner = Owner::current();
    let orphan = |container: Listed| {
        let labels = container.labels.filter(|labels| owner.is_gone(labels))?;
        let pid = labels.get(owner::PID)?.parse().ok()?;
        Some(Orphan { id: container.id, image: container.image, created: container.created, pid })
    };
    Ok(listed.into_iter().filter_map(orphan).collect())
}

/// Removes the containers whose labels prove that their owner is gone, and no other; gives their ids.
///
/// # Errors
///
/// The listing's; a removal's only if none succeeded: what is left is for the next sweep.
pub(super) async fn sweep(client: &Client) -> Result<Vec<ContainerId>> {
    handover::sweep();
    let mut removed = Vec::new();
    let mut failed = None;
    let mut removals = stream::iter(orphans(client).await?)
        .map(|orphan| async move { remove(client, &orphan.id).await.map(|_| orphan.id) })
        .buffer_unordered(AT_ONCE);
    while let Some(result) = removals.next().await {
        match result {
            Ok(id) => removed.push(id),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if removed.is_empty() => Err(error),
        _ => Ok(removed),
    }
}
