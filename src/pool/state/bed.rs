//! What the tests of the state stand on.

use std::{
    future::{pending, Future},
    sync::Arc,
};

use rand::{rngs::StdRng, SeedableRng};
use tokio::sync::oneshot;

use super::{CreatePermit, Effect, Effects, Phase, State};
use crate::{
    budget::{Budget, Terms},
    config::PoolConfig,
    error::Result,
    pool::{provider::Pooled, slot::Slot},
};

pub(super) struct Item(pub String);

impl Pooled for Item {
    fn id(&self) -> &str {
        &self.0
    }

    fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        pending()
    }
}

/// Prepared and open, with nothing in it; makes no step by itself.
pub(super) fn state(config: PoolConfig) -> State<Item> {
    let seat = Budget::new().seat(Terms {
        bytes: 0,
        bounded: false,
        starts: config.create_concurrency,
        removals: config.destroy_concurrency,
    });
    let mut state = State::new(config, Arc::new(seat), StdRng::seed_from_u64(7));
    state.phase = Phase::Open;
    state.prepared = true;
    state
}

pub(super) fn permits(effects: &mut Effects<Item>) -> Vec<CreatePermit> {
    effects
        .drain(..)
        .filter_map(|effect| match effect {
            Effect::Create(permit, _) => Some(permit),
            _ => None,
        })
        .collect()
}

pub(super) fn wait(state: &mut State<Item>) -> oneshot::Receiver<Result<Arc<Slot<Item>>>> {
    let (waiter, answer) = oneshot::channel();
    state.join(waiter).unwrap();
    answer
}
