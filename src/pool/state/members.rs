//! The members and their stages.

use std::{sync::Arc, time::Duration};

use rand::Rng;
use tokio::time::Instant;

use super::{permit::CreatePermit, Effect, Effects, Phase, State};
use crate::{
    backoff::delay,
    budget::Room,
    error::Error,
    pool::{
        events::{During, Event},
        provider::Pooled,
        slot::{Removal, Slot},
    },
};

/// A warm item that ends sooner than this after it became ready died young.
pub(in crate::pool) const YOUNG: Duration = Duration::from_secs(5);

/// Lifetimes vary by this share to either side, so that items made together don't expire together.
const AGE_JITTER: f64 = 0.1;

/// Where an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Ready for the next caller.
    Warm,
    /// In a caller's hands, or on the way there.
    Leased,
    /// Its removal was asked for and isn't confirmed yet.
    Destroying,
    /// Removed, or given up.
    Gone,
}

pub(super) struct Member<I> {
    pub slot: Arc<Slot<I>>,
    pub stage: Stage,
    /// Its part of the budget, given back when it is forgotten; `None`: its removal was given up once.
    pub _room: Option<Room>,
}

impl<I: Pooled> State<I> {
    pub fn stage(&self, slot: &Slot<I>) -> Stage {
        self.members.get(&slot.key).map_or(Stage::Gone, |member| member.stage)
    }

    /// The warm ones, oldest first.
    pub fn warm_slots(&self) -> Vec<Arc<Slot<I>>> {
        self.warm
            .iter()
            .filter_map(|key| self.members.get(key))
            .map(|member| member.slot.clone())
            .collect()
    }

    /// An item that is not being destroyed.
    pub fn find(&self, id: &str) -> Option<Arc<Slot<I>>> {
        self.members
            .values()
            .find(|member| {
                matches!(member.stage, Stage::Warm | Stage::Leased) && member.slot.item.id() == id
            })
            .map(|member| member.slot.clone())
    }

    /// Leases this very item, if it is warm.
    pub fn claim(&mut self, slot: &Slot<I>) -> bool {
        let warm = self.stage(slot) == Stage::Warm;
        if warm {
            self.totals.acquired_warm += 1;
            self.leave_stage(slot.key);
            self.enter_stage(slot.key, Stage::Leased);
        }
        warm
    }

    /// An item handed to somebody who is gone, and never had it in hand.
    pub fn give_back(&mut self, slot: &Arc<Slot<I>>, effects: &mut Effects<I>) {
        if self.stage(slot) != Stage::Leased {
            return;
        }
        if slot.is_lost() {
            self.retire(slot, effects);
        } else {
            self.leave_stage(slot.key);
            self.place(slot, effects);
        }
    }

    /// An item found dead when it was handed over.
    pub fn discard(&mut self, slot: &Arc<Slot<I>>, now: Instant, effects: &mut Effects<I>) {
        self.bury(slot, now, effects);
        self.retire(slot, effects);
    }

    /// An item found dead by a caller that had it from [`State::take`].
    pub fn discard_warm(&mut self, slot: &Arc<Slot<I>>, now: Instant, effects: &mut Effects<I>) {
        self.totals.acquired_warm = self.totals.acquired_warm.saturating_sub(1);
        self.discard(slot, now, effects);
    }

    /// Nobody wants this item any more. Idempotent.
    pub fn release(&mut self, slot: &Arc<Slot<I>>, effects: &mut Effects<I>) {
        if self.stage(slot) == Stage::Leased && !slot.is_lost() {
            self.streak.proved();
        }
        self.retire(slot, effects);
    }

    /// An item ended by itself.
    pub fn lost(&mut self, slot: &Arc<Slot<I>>, now: Instant, effects: &mut Effects<I>) {
        match self.stage(slot) {
            Stage::Warm => {
                self.bury(slot, now, effects);
                self.retire(slot, effects);
            }
            Stage::Leased => {
                if slot.mark_lost() {
                    self.totals.lost += 1;
                    effects.push(Effect::Emit(Event::Lost { id: slot.item.id().into() }));
                }
            }
            Stage::Destroying | Stage::Gone => {}
        }
    }

    /// An item reached its age. It is replaced if it is still warm: see [`State::settle`].
    pub fn expire(&mut self, slot: &Slot<I>) {
        if self.warm.contains(&slot.key) {
            self.stale.insert(slot.key);
        }
    }

    /// An item has lasted.
    pub fn proved(&mut self) {
        self.streak.proved();
    }

    /// The `attempt`th attempt (from 1) at a removal failed; returns how long to wait for the next one.
    /// Told to the owner at the first attempt only, and not if the same has been told already.
    pub fn destroy_failed(
        &mut self,
        error: &Error,
        attempt: u32,
        effects: &mut Effects<I>,
    ) -> Duration {
        self.totals.errors += 1;
        if attempt == 1 && !self.is_told(error) {
            let (error, during) = (error.clone(), During::Destroy);
            effects.push(Effect::Emit(Event::Error { error, during }));
        }
        self.last_destroy_error = Some(error.clone());
        delay(attempt, &mut self.rng)
    }

    /// A removal is confirmed.
    pub fn destroyed(&mut self, slot: &Slot<I>) {
        if self.forget(slot) {
            self.totals.destroyed += 1;
            self.last_destroy_error = None;
        }
    }

    /// A removal failed too often.
    pub fn abandoned(&mut self, slot: &Arc<Slot<I>>, error: Error, effects: &mut Effects<I>) {
        if self.forget(slot) {
            self.totals.abandoned += 1;
            self.left_behind.push(slot.clone());
            effects.push(Effect::Emit(Event::Error { error, during: During::Destroy }));
        }
    }

    /// Notes that an item is dead: before it was used, or the caller would not have come here.
    pub(super) fn bury(&mut self, slot: &Slot<I>, now: Instant, effects: &mut Effects<I>) {
        if slot.mark_lost() {
            self.totals.lost += 1;
            effects.push(Effect::Emit(Event::Lost { id: slot.item.id().into() }));
        }
        if slot.age(now) < YOUNG {
            self.streak.died(slot.serial, self.next_serial, now, &mut self.rng);
        }
    }

    /// Makes an item a member, in no stage yet.
    pub(super) fn admit(
        &mut self,
        permit: CreatePermit,
        item: I,
        now: Instant,
        effects: &mut Effects<I>,
    ) -> Arc<Slot<I>> {
        self.totals.created += 1;
        let took = now.saturating_duration_since(permit.issued);
        self.demand.warmed(took);
        let ms = took.as_secs_f64() * 1000.0;
        effects.push(Effect::Emit(Event::Created { id: item.id().into(), ms }));
        let key = self.next_key;
        self.next_key += 1;
        let life = self.ages(self.config.max_lifetime, permit.issued);
        let idle = self.ages(self.config.max_idle, now);
        let expires = match (life, idle) {
            (Some(life), Some(idle)) => Some(life.min(idle)),
            (life, idle) => life.or(idle),
        };
        let slot = Arc::new(Slot::new(key, permit.serial, item, now, expires));
        let room = Some(permit.room);
        self.members.insert(key, Member { slot: slot.clone(), stage: Stage::Gone, _room: room });
        slot
    }

    fn ages(&mut self, age: Option<Duration>, from: Instant) -> Option<Instant> {
        let factor = 1.0 - AGE_JITTER + 2.0 * AGE_JITTER * self.rng.random::<f64>();
        from.checked_add(Duration::try_from_secs_f64(age?.as_secs_f64() * factor).ok()?)
    }

    /// Puts an item that is in no stage where it is needed most.
    pub(super) fn place(&mut self, slot: &Arc<Slot<I>>, effects: &mut Effects<I>) {
        let open = matches!(self.phase, Phase::Open);
        if open {
            if let Some(waiter) = self.line.first() {
                self.enter_stage(slot.key, Stage::Leased);
                effects.push(Effect::Serve(waiter, slot.clone()));
                return;
            }
        }
        if open && (self.warm.len() < self.target() || !self.stale.is_empty()) {
            self.enter_stage(slot.key, Stage::Warm);
            if self.warm.len() == self.target() {
                effects.push(Effect::Emit(Event::Ready { size: self.warm.len() }));
            }
        } else {
            self.totals.surplus += u64::from(open);
            self.enter_stage(slot.key, Stage::Destroying);
            effects.push(Effect::Remove(slot.clone()));
        }
    }

    pub(super) fn take_warm(&mut self) -> Option<Arc<Slot<I>>> {
        let key = *self.warm.first()?;
        self.leave_stage(key);
        self.enter_stage(key, Stage::Leased)
    }

    pub(super) fn retire(&mut self, slot: &Slot<I>, effects: &mut Effects<I>) {
        self.retire_key(slot.key, effects);
    }

    /// Has a warm or leased item removed.
    pub(super) fn retire_key(&mut self, key: u64, effects: &mut Effects<I>) {
        let stage = self.members.get(&key).map(|member| member.stage);
        if matches!(stage, Some(Stage::Warm | Stage::Leased)) {
            self.leave_stage(key);
            effects.extend(self.enter_stage(key, Stage::Destroying).map(Effect::Remove));
        }
    }

    pub(super) fn enter_stage(&mut self, key: u64, stage: Stage) -> Option<Arc<Slot<I>>> {
        let member = self.members.get_mut(&key)?;
        member.stage = stage;
        match stage {
            Stage::Warm => {
                self.warm.insert(key);
            }
            Stage::Leased => {
                self.leased += 1;
                self.handed += 1;
            }
            Stage::Destroying => {
                self.destroying += 1;
                member.slot.removal.send_replace(Removal::UnderWay);
            }
            Stage::Gone => {}
        }
        Some(member.slot.clone())
    }

    pub(super) fn leave_stage(&mut self, key: u64) {
        let Some(member) = self.members.get_mut(&key) else {
            return;
        };
        match std::mem::replace(&mut member.stage, Stage::Gone) {
            Stage::Warm => {
                self.warm.remove(&key);
                self.stale.remove(&key);
            }
            Stage::Leased => self.leased -= 1,
            Stage::Destroying => self.destroying -= 1,
            Stage::Gone => {}
        }
    }

    fn forget(&mut self, slot: &Slot<I>) -> bool {
        let known = self.stage(slot) == Stage::Destroying;
        if known {
            self.leave_stage(slot.key);
            self.members.remove(&slot.key);
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::bed::{permits, state, Item},
        *,
    };
    use crate::pool::tests::fake::config;

    #[tokio::test(start_paused = true)]
    async fn releasing_twice_removes_once() {
        let (now, mut effects) = (Instant::now(), Effects::new());
        let mut state = state(config(1, 1));
        state.settle(now, &mut effects);
        for permit in permits(&mut effects) {
            state.created(permit, Item("a".into()), now, &mut effects);
        }
        let slot = state.take().unwrap().unwrap();
        effects.clear();
        state.release(&slot, &mut effects);
        state.release(&slot, &mut effects);
        assert_eq!(effects.len(), 1);
        assert_eq!((state.leased(), state.destroying()), (0, 1));
        state.destroyed(&slot);
        state.destroyed(&slot);
        assert_eq!((state.total(), state.totals.destroyed), (0, 1));
    }
}
