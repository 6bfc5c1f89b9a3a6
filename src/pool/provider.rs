//! What the pool asks of the layer that makes its items.

use std::{future::Future, sync::Arc};

use crate::{
    budget::{Budget, Lane},
    error::Result,
};

/// What [`Provider::prepare`] found out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prepared {
    /// The most items there may be at once, for a pool whose owner set no `max`; `None`: no bound.
    pub max: Option<usize>,
}

/// Makes and ends the items of a pool.
///
/// The pool bounds `create` and `destroy` in time, survives a panic in any of these, and may drop any
/// of them half-way.
pub trait Provider: Send + Sync + 'static {
    /// What is pooled.
    type Item: Pooled;

    /// What the items have part in, with those of all pools that work on the same engine. By default a
    /// budget of this pool's own, which holds it to nothing but its own bounds.
    fn budget(&self) -> Arc<Budget> {
        Budget::new()
    }

    /// Bytes of the budget that one item takes.
    fn bytes(&self) -> u64 {
        0
    }

    /// Gets the ground ready: reaches the engine, pulls the image.
    ///
    /// Bounds itself in time: only the provider knows how long a pull may take.
    ///
    /// Called once before the first create, on behalf of the first caller that needs it and shared by
    /// all that come meanwhile. After a failure, and after a create that failed with
    /// [`Code::ImageNotFound`](crate::error::Code::ImageNotFound), the next caller has it called again.
    fn prepare(&self) -> impl Future<Output = Result<Prepared>> + Send;

    /// Makes an item that is ready for use. Dropping the future cleans up what was made so far. `lane` is
    /// to be dropped as soon as the next create may begin, which may be before this item is ready.
    fn create(&self, lane: Lane) -> impl Future<Output = Result<Self::Item>> + Send;

    /// Ends an item; returns when the engine confirms that it is gone. Gone already is a success.
    /// Called again for the same item after a failure.
    fn destroy(&self, item: &Self::Item) -> impl Future<Output = Result<()>> + Send;

    /// Resolves when what this works on is back after it was gone: now, if it is gone now, or the next
    /// time. What failed meanwhile is then worth trying again at once.
    fn recovered(&self) -> impl Future<Output = ()> + Send + 'static {
        std::future::pending()
    }

    /// Waits until nothing is being cleaned up behind creates that failed or were dropped half-way.
    /// Called at the end of a shutdown.
    fn settle(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// A thing worth keeping warm.
pub trait Pooled: Send + Sync + 'static {
    /// The engine's id of it.
    fn id(&self) -> &str;

    /// Resolves when the item ended although nobody here asked for it; at once when it already has.
    /// Called several times in an item's life. What it does after [`Provider::destroy`] doesn't matter.
    fn lost(&self) -> impl Future<Output = ()> + Send + 'static;
}
