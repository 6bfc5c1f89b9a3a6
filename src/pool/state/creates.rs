//! How creates end, and what of a failure reaches whom.

use tokio::time::Instant;

use super::{
    line::Ticket,
    members::Stage,
    permit::{CreatePermit, PreparePermit},
    Effect, Effects, State,
};
use crate::{
    error::{Code, Error, Result},
    pool::{
        events::{During, Event},
        failure,
        provider::{Pooled, Prepared},
    },
};

impl<I: Pooled> State<I> {
    /// Preparing ended.
    pub fn prepared(
        &mut self,
        _: PreparePermit,
        result: Result<Prepared>,
        now: Instant,
        effects: &mut Effects<I>,
    ) {
        self.preparing = false;
        match result {
            Ok(prepared) => {
                self.prepared = true;
                self.max = self.config.max.or(prepared.max);
                self.streak.created();
            }
            Err(error) => {
                let serial = self.next_serial;
                self.streak.failed(serial, serial, now, &mut self.rng);
                self.note_failure(&error, During::Prepare, effects);
                for waiter in self.line.truncate(0) {
                    effects.push(Effect::Reject(waiter, error.clone()));
                }
            }
        }
    }

    /// A create ended well.
    pub fn created(
        &mut self,
        permit: CreatePermit,
        item: I,
        now: Instant,
        effects: &mut Effects<I>,
    ) {
        self.creating -= 1;
        self.streak.created();
        self.last_error = None;
        if let Some(warm_up) = &mut self.warm_up {
            warm_up.remaining = warm_up.remaining.saturating_sub(1);
        }
        let slot = self.admit(permit, item, now, effects);
        self.place(&slot, effects);
        if !matches!(self.stage(&slot), Stage::Destroying) {
            effects.push(Effect::Watch(slot));
        }
    }

    /// A create ended well, but its item was dead by then: a failure, and something to clean up.
    pub fn stillborn(
        &mut self,
        permit: CreatePermit,
        item: I,
        now: Instant,
        effects: &mut Effects<I>,
    ) {
        self.creating -= 1;
        let (serial, end) = (permit.serial, permit.end);
        let error = failure::stillborn(item.id());
        let slot = self.admit(permit, item, now, effects);
        self.enter_stage(slot.key, Stage::Destroying);
        slot.mark_lost();
        self.totals.lost += 1;
        effects.push(Effect::Emit(Event::Lost { id: slot.item.id().into() }));
        effects.push(Effect::Remove(slot));
        self.create_failed(serial, end, error, now, effects);
    }

    /// A create ended badly.
    pub fn failed(
        &mut self,
        permit: CreatePermit,
        error: Error,
        now: Instant,
        effects: &mut Effects<I>,
    ) {
        self.creating -= 1;
        self.create_failed(permit.serial, permit.end, error, now, effects);
    }

    /// A permit's task was thrown away: the runtime is gone, and nothing can be made any more.
    pub fn runtime_gone(&mut self, _: CreatePermit, effects: &mut Effects<I>) {
        self.creating -= 1;
        self.abort(effects);
    }

    /// As [`State::runtime_gone`], of a prepare.
    pub fn runtime_gone_preparing(&mut self, _: PreparePermit, effects: &mut Effects<I>) {
        self.preparing = false;
        self.abort(effects);
    }

    pub(super) fn create_failed(
        &mut self,
        serial: u64,
        end: Ticket,
        error: Error,
        now: Instant,
        effects: &mut Effects<I>,
    ) {
        self.streak.failed(serial, self.next_serial, now, &mut self.rng);
        self.note_failure(&error, During::Create, effects);
        if error.code == Code::ImageNotFound {
            self.prepared = false;
        }
        // Those for whom another create is under way don't have to know of this one.
        if failure::hits_everyone(&error) {
            for waiter in self.line.truncate(self.creating) {
                effects.push(Effect::Reject(waiter, error.clone()));
            }
        } else if self.line.len() > self.creating {
            // Nor does one who came after it was begun: what was wrong then may be over, and a create of
            // its own will tell.
            if let Some(waiter) = self.line.dismiss_first(end) {
                effects.push(Effect::Reject(waiter, error));
            }
        }
    }

    /// Counts a failure, and tells of it unless it is the same as the last one: an engine that is gone
    /// is one event, not one for each try.
    pub(super) fn note_failure(&mut self, error: &Error, during: During, effects: &mut Effects<I>) {
        self.totals.errors += 1;
        self.tell_warm_up(Err(error.clone()), effects);
        if !self.is_told(error) {
            effects.push(Effect::Emit(Event::Error { error: error.clone(), during }));
        }
        self.last_error = Some(error.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::bed::{permits, state, wait, Item},
        *,
    };
    use crate::{
        config::{PoolConfig, PoolSize},
        pool::tests::fake::config,
    };

    #[tokio::test(start_paused = true)]
    async fn a_failed_create_reaches_a_waiter_only_if_no_other_create_covers_it() {
        let (now, mut effects) = (Instant::now(), Effects::new());
        let mut state = state(PoolConfig { create_concurrency: 3, ..config(0, 10) });
        let mut answers = [wait(&mut state), wait(&mut state)];
        state.resize(PoolSize::fixed(1));
        state.settle(now, &mut effects);
        let error = || Error::new(Code::EngineError, "no");
        let told = |effects: &mut Effects<Item>| {
            effects.drain(..).filter(|effect| matches!(effect, Effect::Reject(..))).count()
        };
        let mut permits = permits(&mut effects);
        assert_eq!(permits.len(), 3);
        state.failed(permits.remove(0), error(), now, &mut effects);
        assert_eq!(told(&mut effects), 0, "two creates are left for two in line");
        state.failed(permits.remove(0), error(), now, &mut effects);
        assert_eq!(told(&mut effects), 1);
        assert_eq!(state.waiting(), 1);
        state.created(permits.remove(0), Item("a".into()), now, &mut effects);
        for effect in effects {
            if let Effect::Serve(waiter, slot) = effect {
                waiter.send(Ok(slot)).ok().unwrap();
            }
        }
        assert!(answers[1].try_recv().unwrap().is_ok(), "the later one was left in line");
    }
}
