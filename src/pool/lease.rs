//! What callers hold: a lease, and a view of any item.

use std::{ops::Deref, sync::Arc, time::SystemTime};

use tokio::time::Instant;

use super::{
    core::Core,
    drive::step,
    failure,
    provider::{Pooled, Provider},
    slot::{Removal, Slot},
    state::Stage,
};
use crate::error::Result;

/// An item of the pool, seen by somebody who need not hold it. Dereferences to the item.
pub struct Member<P: Provider> {
    pub(super) core: Arc<Core<P>>,
    pub(super) slot: Arc<Slot<P::Item>>,
}

impl<P: Provider> Member<P> {
    /// The engine's id of it.
    pub fn id(&self) -> &str {
        self.slot.item.id()
    }

    /// Where it is now.
    pub fn stage(&self) -> Stage {
        self.core.look(|state| state.stage(&self.slot))
    }

    /// Whether it ended although nobody here asked for it, as far as the pool has heard.
    pub fn is_lost(&self) -> bool {
        self.slot.is_lost()
    }

    /// Notes that it ended although nobody here asked for it: who uses it may see that before the pool.
    pub fn found_lost(&self) {
        step(&self.core, |state, effects| state.lost(&self.slot, Instant::now(), effects));
    }

    /// When the pool is going to replace it; `None`: never, or it isn't warm any more.
    pub fn expiry(&self) -> Option<SystemTime> {
        let expires = self.slot.expires.filter(|_| self.stage() == Stage::Warm)?;
        SystemTime::now().checked_add(expires.saturating_duration_since(Instant::now()))
    }

    /// Leases this very item; `None` when it isn't warm (any more).
    pub fn lease(&self) -> Option<Lease<P>> {
        let claimed = step(&self.core, |state, _| state.claim(&self.slot));
        claimed.then(|| Lease { member: self.clone() })
    }

    /// Ends the item, whoever holds it, and returns when the engine has confirmed that it is gone.
    ///
    /// Idempotent: concurrent calls share one removal and its result. Dropping the call doesn't stop
    /// the removal.
    ///
    /// # Errors
    ///
    /// The provider's, of the first attempt. Further attempts follow in the background.
    pub async fn destroy(&self) -> Result<()> {
        let mut removal = self.slot.removal.subscribe();
        step(&self.core, |state, effects| state.release(&self.slot, effects));
        let done = removal.wait_for(|removal| matches!(removal, Removal::Done(_))).await;
        match done.as_deref() {
            Ok(Removal::Done(result)) => result.clone(),
            _ => Err(failure::runtime_gone().container(self.id())),
        }
    }
}

impl<P: Provider> Clone for Member<P> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), slot: self.slot.clone() }
    }
}

impl<P: Provider> Deref for Member<P> {
    type Target = P::Item;

    fn deref(&self) -> &P::Item {
        &self.slot.item
    }
}

/// The right to use one item, and the duty to end it.
///
/// However a lease ends, its item is removed and never goes back to the pool: dropping it, on any
/// thread, inside the runtime or not, starts the removal in the background. Dereferences to the
/// [`Member`], and so to the item.
#[must_use = "dropping a lease ends its item"]
pub struct Lease<P: Provider> {
    pub(super) member: Member<P>,
}

impl<P: Provider> Lease<P> {
    /// A view of the item that doesn't keep it.
    pub fn member(&self) -> &Member<P> {
        &self.member
    }
}

impl<P: Provider> Deref for Lease<P> {
    type Target = Member<P>;

    fn deref(&self) -> &Member<P> {
        &self.member
    }
}

impl<P: Provider> Drop for Lease<P> {
    fn drop(&mut self) {
        step(&self.member.core, |state, effects| state.release(&self.member.slot, effects));
    }
}
