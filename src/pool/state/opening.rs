//! The opening and the closing of the pool.

use std::sync::Arc;

use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use super::{
    members::{Member, Stage},
    Effect, Effects, Phase, State,
};
use crate::{
    error::{Error, Result},
    pool::{events::PoolState, failure, provider::Pooled, slot::Slot},
};

/// The end of a shutdown, for all who wait for it; `None` while it is under way.
pub(in crate::pool) type Outcome = watch::Receiver<Option<Result<()>>>;

/// A call to initialize, shared by all who came while it lasted.
pub(super) struct WarmUp {
    /// Creates to go. One whose item was leased at once counts too, or a busy pool would never be warm.
    pub remaining: usize,
    pub callers: Vec<WarmUpCaller>,
}

/// Who is told the end of a warm-up.
pub(in crate::pool) type WarmUpCaller = oneshot::Sender<Result<()>>;

impl<I: Pooled> State<I> {
    pub fn pool_state(&self) -> PoolState {
        match self.phase {
            Phase::New => PoolState::New,
            Phase::Open if self.streak.degraded() => PoolState::Degraded,
            Phase::Open => PoolState::Healthy,
            Phase::Closing(_) => PoolState::Closing,
            Phase::Closed(_) => PoolState::Closed,
        }
    }

    pub fn initializing(&self) -> bool {
        self.warm_up.is_some() || !self.reopeners.is_empty()
    }

    /// Opens the pool, and asks for it to be filled now; after the shutdown under way, if there is one.
    /// Gives the end of the warm-up.
    pub fn warm_up(&mut self) -> oneshot::Receiver<Result<()>> {
        let (caller, end) = oneshot::channel();
        if matches!(self.phase, Phase::Closing(_)) {
            self.reopeners.push(caller);
        } else {
            self.open(vec![caller]);
        }
        end
    }

    pub(super) fn open(&mut self, callers: Vec<WarmUpCaller>) {
        self.phase = Phase::Open;
        self.streak.hurry();
        let remaining = self.target().saturating_sub(self.warm.len());
        self.warm_up
            .get_or_insert_with(|| WarmUp { remaining, callers: Vec::new() })
            .callers
            .extend(callers);
    }

    pub(super) fn end_warm_up(&mut self, effects: &mut Effects<I>) {
        let Some(warm_up) = &self.warm_up else { return };
        let full = self.max.is_some_and(|max| self.warm.len() + self.leased >= max)
            || self.creating == 0 && self.seat.is_full();
        let reached = warm_up.remaining == 0 || self.warm.len() >= self.target() || full;
        if self.prepared && reached {
            self.tell_warm_up(Ok(()), effects);
        }
    }

    pub(super) fn tell_warm_up(&mut self, result: Result<()>, effects: &mut Effects<I>) {
        if let Some(warm_up) = self.warm_up.take() {
            effects.push(Effect::WarmedUp(warm_up.callers, result));
        }
    }

    /// Closes the pool. `Some`: this call began it, and its caller has to see it through
    /// ([`State::drained`]) and tell the outcome.
    pub fn close(
        &mut self,
        grace_until: Option<Instant>,
        effects: &mut Effects<I>,
    ) -> (Outcome, Option<watch::Sender<Option<Result<()>>>>) {
        match &self.phase {
            Phase::Closed(outcome) if self.left_behind.is_empty() => {
                return (outcome.clone(), None)
            }
            Phase::Closing(outcome) => {
                let outcome = outcome.clone();
                // A later call may be in a greater hurry, and a hurry can't be taken back.
                self.grace_until = match (self.grace_until, grace_until) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
                self.turn_away(failure::closed(), effects);
                return (outcome, None);
            }
            Phase::New => {
                let (_, outcome) = watch::channel(Some(Ok(())));
                self.phase = Phase::Closed(outcome.clone());
                return (outcome, None);
            }
            Phase::Open | Phase::Closed(_) => {}
        }
        let (tell, outcome) = watch::channel(None);
        self.phase = Phase::Closing(outcome.clone());
        self.grace_until = grace_until;
        self.last_destroy_error = None;
        for slot in std::mem::take(&mut self.left_behind) {
            let key = slot.key;
            self.members.insert(key, Member { slot, stage: Stage::Gone, _room: None });
            effects.extend(self.enter_stage(key, Stage::Destroying).map(Effect::Remove));
        }
        self.cut_prepare.send_replace(());
        self.turn_away(failure::closed(), effects);
        for slot in self.warm_slots() {
            self.retire(&slot, effects);
        }
        (outcome, Some(tell))
    }

    pub(super) fn turn_away(&mut self, error: Error, effects: &mut Effects<I>) {
        for waiter in self.line.truncate(0) {
            effects.push(Effect::Reject(waiter, error.clone()));
        }
        let reopeners = std::mem::take(&mut self.reopeners);
        if !reopeners.is_empty() {
            effects.push(Effect::WarmedUp(reopeners, Err(error.clone())));
        }
        self.tell_warm_up(Err(error), effects);
    }

    pub fn grace_until(&self) -> Option<Instant> {
        self.grace_until
    }

    /// What a shutdown waits for.
    pub fn outstanding(&self) -> usize {
        self.total() + usize::from(self.preparing)
    }

    /// Ends the creates under way by force; returns how many.
    pub fn cut_creates(&mut self) -> usize {
        self.cut_creates.send_replace(());
        self.creating
    }

    /// The grace is over.
    pub fn end_leases(&mut self, effects: &mut Effects<I>) {
        let leased: Vec<_> = self
            .members
            .values()
            .filter(|member| member.stage == Stage::Leased)
            .map(|member| member.slot.clone())
            .collect();
        for slot in leased {
            self.retire(&slot, effects);
        }
    }

    /// A shutdown has come to its end; `cut_off` creates were ended by force on the way.
    pub fn drained(&mut self, cut_off: usize) -> Result<()> {
        if let Phase::Closing(outcome) = &self.phase {
            self.phase = Phase::Closed(outcome.clone());
        }
        let reopeners = std::mem::take(&mut self.reopeners);
        if !reopeners.is_empty() {
            self.open(reopeners);
        }
        let id = |slot: &Arc<Slot<I>>| slot.item.id().to_owned();
        let mut left: Vec<String> = self.left_behind.iter().map(id).collect();
        left.extend(self.members.values().map(|member| id(&member.slot)));
        if left.is_empty() && cut_off == 0 && self.creating == 0 {
            return Ok(());
        }
        Err(failure::left_behind(&left, cut_off.max(self.creating), self.last_destroy_error.take()))
    }

    pub(super) fn abort(&mut self, effects: &mut Effects<I>) {
        let error = failure::runtime_gone();
        let (_, outcome) = watch::channel(Some(Err(error.clone())));
        self.phase = Phase::Closed(outcome);
        self.turn_away(error, effects);
        for slot in self.warm_slots() {
            self.retire(&slot, effects);
        }
    }
}
