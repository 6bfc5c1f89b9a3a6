//! What the pool lacks, or has too much of: decided afresh after every step.

use tokio::time::Instant;

use super::{
    demand::Seen,
    permit::{CreatePermit, PreparePermit},
    Effect, Effects, Phase, State,
};
use crate::{
    budget::{Grant, Needs, Room},
    config::PoolSize,
    pool::{events::Event, provider::Pooled},
};

impl<I: Pooled> State<I> {
    /// No warm item is kept beyond the bound on all of them.
    pub(super) fn target(&self) -> usize {
        let target = self.demand.target();
        self.max.map_or(target, |max| target.min(max))
    }

    /// What the pool's own bound leaves.
    pub(super) fn own_room(&self) -> usize {
        self.max.map_or(usize::MAX, |max| max.saturating_sub(self.total()))
    }

    /// What that and the other pools on the engine leave.
    pub(super) fn room(&self) -> usize {
        self.own_room().min(self.seat.room())
    }

    pub fn resize(&mut self, pool_size: PoolSize) {
        let before = self.demand.target();
        self.demand.rebound(pool_size);
        if let Some(warm_up) = &mut self.warm_up {
            let target = self.demand.target();
            warm_up.remaining = (warm_up.remaining + target).saturating_sub(before);
        }
    }

    /// Sets the target to what the demand calls for.
    pub(super) fn follow(&mut self, now: Instant, effects: &mut Effects<I>) {
        if !matches!(self.phase, Phase::Open) {
            return;
        }
        let missing = self.target().saturating_sub(self.warm.len());
        let seen = Seen {
            handed: self.handed,
            made: self.totals.created,
            waiting: self.line.len(),
            missing,
            failing: missing > 0 && self.streak.degraded(),
        };
        self.demand.look(now, seen);
        if let Some(due) = self.demand.due().filter(|_| !self.glancing) {
            self.glancing = true;
            effects.push(Effect::Glance(due));
        }
    }

    /// Ends warm items beyond the target, those that give way to another pool's caller, and the old ones
    /// that stand in the way of their successors.
    pub(super) fn trim(&mut self, effects: &mut Effects<I>) {
        let kept = self.target().min(self.warm.len().saturating_sub(self.seat.yields()));
        while self.warm.len() > kept {
            match self.stale.first().copied() {
                Some(key) => self.end_stale(key, effects),
                None => {
                    let Some(key) = self.warm.first().copied() else {
                        break;
                    };
                    self.totals.surplus += 1;
                    self.retire_key(key, effects);
                }
            }
        }
        // At `max` the successor can't be made first. One at a time then: the next one goes when this
        // one's successor is warm.
        if self.room() == 0 && self.creating == 0 && self.warm.len() >= self.target() {
            if let Some(key) = self.stale.first().copied() {
                self.end_stale(key, effects);
            }
        }
    }

    fn end_stale(&mut self, key: u64, effects: &mut Effects<I>) {
        self.totals.expired += 1;
        if let Some(member) = self.members.get(&key) {
            effects.push(Effect::Emit(Event::Expired { id: member.slot.item.id().into() }));
        }
        self.retire_key(key, effects);
    }

    pub(super) fn prepare(&mut self, effects: &mut Effects<I>) {
        // Nobody asked, nobody is served: a pull that failed is not tried again in the background.
        let asked = !self.line.is_empty() || self.warm_up.is_some();
        if !self.prepared && !self.preparing && asked {
            self.preparing = true;
            effects.push(Effect::Prepare(PreparePermit { cut: self.cut_prepare.subscribe() }));
        }
    }

    /// Asks the budget for what the pool lacks, and permits what it gets.
    pub(super) fn provide(&mut self, now: Instant, effects: &mut Effects<I>) {
        let needs = self.needs(now);
        for Grant { room, lane } in self.seat.clone().ask(needs) {
            effects.push(Effect::Create(self.permit(room, now), lane));
        }
        if !self.prepared || !matches!(self.phase, Phase::Open) {
            return;
        }
        if let Some(until) = self.streak.holds(now) {
            if self.lack() > 0 && self.alarm.is_none_or(|alarm| until < alarm) {
                self.alarm = Some(until);
                effects.push(Effect::Alarm(until));
            }
        }
    }

    /// How many more items the callers in line and the target call for.
    pub(super) fn lack(&self) -> usize {
        let successor = usize::from(!self.stale.is_empty() && self.warm.len() >= self.target());
        (self.target() + successor + self.line.len())
            .saturating_sub(self.warm.len() + self.creating)
    }

    /// What is to be created, for callers in line and beyond that.
    pub(super) fn needs(&self, now: Instant) -> Needs {
        let held = Needs { warm: self.warm.len(), ending: self.destroying, ..Needs::default() };
        if !self.prepared || !matches!(self.phase, Phase::Open) {
            return held;
        }
        let callers = self.line.len().saturating_sub(self.creating);
        // While the refill holds back, those in line don't have to.
        let lack = if self.streak.holds(now).is_some() { callers } else { self.lack() };
        let at_once =
            if self.streak.degraded() { 1_usize.saturating_sub(self.creating) } else { usize::MAX };
        let wanted = lack.min(self.own_room()).min(at_once);
        let callers = callers.min(wanted);
        Needs { callers, refill: wanted - callers, ..held }
    }

    fn permit(&mut self, room: Room, now: Instant) -> CreatePermit {
        self.creating += 1;
        self.next_serial += 1;
        let cut = self.cut_creates.subscribe();
        CreatePermit { serial: self.next_serial - 1, end: self.line.end(), issued: now, room, cut }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::bed::{permits, state, wait, Item},
        *,
    };
    use crate::{
        config::PoolConfig,
        error::{Code, Error},
        pool::tests::fake::config,
    };

    #[test]
    fn what_is_wanted_is_what_is_lacking_within_room_for_callers_first() {
        // target, max, in line, leased, creating: for callers, refill
        for (target, max, line, leased, creating, callers, refill) in [
            (2, 10, 0, 0, 0, 0, 2),
            (2, 10, 3, 0, 0, 3, 2),
            (2, 10, 3, 0, 1, 2, 2),
            (2, 10, 3, 0, 4, 0, 1),
            (2, 4, 9, 3, 0, 1, 0),
            (2, 4, 9, 3, 1, 0, 0),
            (5, 3, 0, 0, 0, 0, 3),
            (0, 10, 0, 0, 0, 0, 0),
        ] {
            let mut state = state(config(target, max));
            let answers: Vec<_> = (0..line).map(|_| wait(&mut state)).collect();
            (state.leased, state.creating) = (leased, creating);
            let row = (target, max, line, leased, creating);
            let needs = state.needs(Instant::now());
            assert_eq!((needs.callers, needs.refill), (callers, refill), "{row:?}");
            drop(answers);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_refill_backs_off_only_those_in_line_are_created_for_and_one_at_a_time() {
        let (now, mut effects) = (Instant::now(), Effects::new());
        let mut state = state(PoolConfig { create_concurrency: 4, ..config(3, 10) });
        state.settle(now, &mut effects);
        for permit in permits(&mut effects) {
            state.failed(permit, Error::new(Code::EngineError, "no"), now, &mut effects);
        }
        let wanted = |state: &State<Item>, now| {
            let needs = state.needs(now);
            (needs.callers, needs.refill)
        };
        assert_eq!(wanted(&state, now), (0, 0));
        let _answers = [wait(&mut state), wait(&mut state)];
        assert_eq!(wanted(&state, now), (1, 0));
        assert_eq!(wanted(&state, now + Duration::from_secs(6)), (1, 0));
    }
}
