//! The pool's whole state: plain data and synchronous steps, no `await`, no I/O, no lock of its own.
//!
//! Each step takes `&mut State` and writes what is to be done outside into [`Effects`]. The owner calls
//! every step through one function that takes the lock, runs the step, then [`State::settle`], and,
//! when the lock is released, performs the effects. So whatever happened, the pool then decides afresh
//! what it lacks: no path can forget the refill.
//!
//! An item's way (each arrow is one method; nothing else changes a count):
//!
//! ```text
//!                      failed
//!              ┌───────────────────▶ (nothing)
//!   settle     │      created: somebody in line
//! ──────▶ creating ────────────────────────────▶ leased ◀─┐
//! CreatePermit │      created: below the target     │ ▲   │ give_back: somebody in line
//!              ├──────────────────▶ warm ───────────┼─┘   │
//!              │                     │   take,claim │ ────┘
//!              │                     │ ▲            │
//!              │                     │ └────────────┤ give_back: below the target
//!              │ created: surplus,   │ lost, expired,
//!              │ stillborn, closing  │ surplus,     │ release, give_back: surplus,
//!              │                     │ release,     │ end_leases
//!              ▼                     ▼ close        ▼
//!            ─────────────────── destroying ──────────────────▶ (nothing)
//!                                             destroyed, abandoned
//! ```
//!
//! The pool's way:
//!
//! ```text
//!         take, warm_up           close            drained
//!   New ────────────────▶ Open ──────────▶ Closing ───────▶ Closed
//!    │                     ▲              │                   │ ▲
//!    │                     ├──────────────┘                   │ │
//!    │                     │ drained, when warm_up was called │ │
//!    │                     │ since close                      │ │
//!    │                     └──────────────────────────────────┘ │
//!    │                                warm_up                   │
//!    └──────────────────────────────────────────────────────────┘
//!                                close
//! ```
//!
//! Callers in line and warm items are never there at the same time once a step has settled.

mod backoff;
mod demand;
mod line;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::Arc,
    time::Duration,
};

use rand::{rngs::StdRng, Rng};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

pub(super) use self::line::Ticket;
use self::{
    backoff::Backoff,
    demand::{Demand, Seen},
    line::Line,
};
use super::{
    events::{During, Event, PoolState},
    failure,
    provider::{Pooled, Prepared},
    slot::{Removal, Slot},
    stats::Totals,
};
use crate::{
    backoff::delay,
    budget::{Grant, Lane, Needs, Room, Seat},
    config::{PoolConfig, PoolSize},
    error::{Code, Error, Result},
};

/// A warm item that ends sooner than this after it became ready died young.
pub(super) const YOUNG: Duration = Duration::from_secs(5);
/// Lifetimes vary by this share to either side, so that items made together don't expire together.
const AGE_JITTER: f64 = 0.1;

/// Where one in line gets the item, or the news that there is none.
pub(super) type Waiter<I> = oneshot::Sender<Result<Arc<Slot<I>>>>;

/// The end of a shutdown, for all who wait for it; `None` while it is under way.
pub(super) type Outcome = watch::Receiver<Option<Result<()>>>;

/// What is to be done once the lock is released.
#[must_use]
pub(super) enum Effect<I> {
    Prepare(PreparePermit),
    Create(CreatePermit, Lane),
    /// Step again at that time.
    Alarm(Instant),
    /// Look at the demand again at that time.
    Glance(Instant),
    /// Look after a new item.
    Watch(Arc<Slot<I>>),
    Serve(Waiter<I>, Arc<Slot<I>>),
    Reject(Waiter<I>, Error),
    Remove(Arc<Slot<I>>),
    WarmedUp(Vec<WarmUpCaller>, Result<()>),
    Emit(Event),
}

pub(super) type Effects<I> = Vec<Effect<I>>;

/// The right to make one item, and the only way to. It counts as creating until it is handed back, and
/// holds the item's part of the budget, which the pool can't make up.
#[must_use = "an unused permit takes up room for ever"]
pub(super) struct CreatePermit {
    serial: u64,
    /// The end of the line when it was issued.
    end: Ticket,
    issued: Instant,
    room: Room,
    cut: watch::Receiver<()>,
}

impl CreatePermit {
    /// Resolves when a shutdown can't wait for this create any longer.
    pub fn cut_off(&self) -> impl Future<Output = ()> + Send + 'static {
        changed(self.cut.clone())
    }
}

/// The right to prepare; there is at most one.
#[must_use = "an unused permit blocks the pool for ever"]
pub(super) struct PreparePermit {
    cut: watch::Receiver<()>,
}

impl PreparePermit {
    /// Resolves when the pool closes.
    pub fn cut_off(&self) -> impl Future<Output = ()> + Send + 'static {
        changed(self.cut.clone())
    }
}

async fn changed(mut signal: watch::Receiver<()>) {
    // An error means that the state is gone, and says the same.
    let _ = signal.changed().await;
}

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

struct Member<I> {
    slot: Arc<Slot<I>>,
    stage: Stage,
    /// Its part of the budget, given back when it is forgotten; `None`: its removal was given up once.
    _room: Option<Room>,
}

enum Phase {
    New,
    Open,
    Closing(Outcome),
    Closed(Outcome),
}

/// A call to initialize, shared by all who came while it lasted.
struct WarmUp {
    /// Creates to go. One whose item was leased at once counts too, or a busy pool would never be warm.
    remaining: usize,
    callers: Vec<WarmUpCaller>,
}

/// Who is told the end of a warm-up.
type WarmUpCaller = oneshot::Sender<Result<()>>;

pub(super) struct State<I> {
    config: PoolConfig,
    seat: Arc<Seat>,
    /// Sets the target.
    demand: Demand,
    /// A glance at the demand is on its way.
    glancing: bool,
    /// `None`: not known yet, or no bound.
    max: Option<usize>,
    phase: Phase,
    prepared: bool,
    preparing: bool,
    line: Line<Waiter<I>>,
    members: BTreeMap<u64, Member<I>>,
    /// Keys of the warm ones; the lowest is the oldest.
    warm: BTreeSet<u64>,
    /// Those of them that are too old.
    stale: BTreeSet<u64>,
    creating: usize,
    leased: usize,
    destroying: usize,
    /// Leases, ever.
    handed: u64,
    next_key: u64,
    next_serial: u64,
    backoff: Backoff,
    /// When the next step by itself is due.
    alarm: Option<Instant>,
    warm_up: Option<WarmUp>,
    /// Who asked for the pool to be opened again once the shutdown under way is through. Those who ask
    /// for an item after them join the line.
    reopeners: Vec<WarmUpCaller>,
    /// When the leases' grace ends, in a shutdown; `None`: never.
    grace_until: Option<Instant>,
    /// Whose removal was given up. A shutdown tries once more.
    left_behind: Vec<Arc<Slot<I>>>,
    /// The last failure to make one, until a create succeeds.
    last_error: Option<Error>,
    last_destroy_error: Option<Error>,
    cut_prepare: watch::Sender<()>,
    cut_creates: watch::Sender<()>,
    pub totals: Totals,
    /// As last told to the owner.
    told: PoolState,
    rng: StdRng,
    /// The first rule that did not hold after some step.
    #[cfg(test)]
    pub violation: Option<&'static str>,
}

impl<I: Pooled> State<I> {
    pub fn new(config: PoolConfig, seat: Arc<Seat>, rng: StdRng) -> Self {
        Self {
            demand: Demand::new(config.pool_size),
            glancing: false,
            max: config.max,
            phase: Phase::New,
            prepared: false,
            preparing: false,
            line: Line::new(),
            members: BTreeMap::new(),
            warm: BTreeSet::new(),
            stale: BTreeSet::new(),
            creating: 0,
            leased: 0,
            destroying: 0,
            handed: 0,
            next_key: 0,
            next_serial: 0,
            backoff: Backoff::default(),
            alarm: None,
            warm_up: None,
            reopeners: Vec::new(),
            grace_until: None,
            left_behind: Vec::new(),
            last_error: None,
            last_destroy_error: None,
            cut_prepare: watch::Sender::new(()),
            cut_creates: watch::Sender::new(()),
            totals: Totals::default(),
            told: PoolState::New,
            config,
            seat,
            rng,
            #[cfg(test)]
            violation: None,
        }
    }

    // ---- figures ----

    /// Everything that takes up room.
    pub fn total(&self) -> usize {
        self.warm.len() + self.creating + self.leased + self.destroying
    }

    pub fn warm(&self) -> usize {
        self.warm.len()
    }

    pub fn creating(&self) -> usize {
        self.creating
    }

    pub fn leased(&self) -> usize {
        self.leased
    }

    pub fn destroying(&self) -> usize {
        self.destroying
    }

    pub fn waiting(&self) -> usize {
        self.line.len()
    }

    /// The target as of now.
    pub fn pool_size(&self) -> usize {
        self.demand.target()
    }

    /// What the target may be.
    pub fn pool_size_range(&self) -> PoolSize {
        self.demand.bounds()
    }

    pub fn max(&self) -> Option<usize> {
        self.max
    }

    pub fn initializing(&self) -> bool {
        self.warm_up.is_some() || !self.reopeners.is_empty()
    }

    pub fn pool_state(&self) -> PoolState {
        match self.phase {
            Phase::New => PoolState::New,
            Phase::Open if self.backoff.degraded() => PoolState::Degraded,
            Phase::Open => PoolState::Healthy,
            Phase::Closing(_) => PoolState::Closing,
            Phase::Closed(_) => PoolState::Closed,
        }
    }

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

    /// The error of one who waited in vain.
    pub fn acquire_timed_out(&mut self, limit: Duration) -> Error {
        self.totals.timeouts += 1;
        let max = self.max.map_or_else(|| "no bound".into(), |max| max.to_string());
        let error = Error::new(
            Code::AcquireTimeout,
            format!(
                "no container within {} ms ({} leased, {} creating, {} destroying, {} in line, \
                 max {max}); raise max or acquireTimeout, or destroy containers sooner",
                limit.as_millis(),
                self.leased,
                self.creating,
                self.destroying,
                self.line.len(),
            ),
        )
        .timeout(limit);
        match &self.last_error {
            Some(cause) => error.cause(cause.clone()),
            None => error,
        }
    }

    /// No warm item is kept beyond the bound on all of them.
    fn target(&self) -> usize {
        let target = self.demand.target();
        self.max.map_or(target, |max| target.min(max))
    }

    /// What the pool's own bound leaves.
    fn own_room(&self) -> usize {
        self.max.map_or(usize::MAX, |max| max.saturating_sub(self.total()))
    }

    /// What that and the other pools on the engine leave.
    fn room(&self) -> usize {
        self.own_room().min(self.seat.room())
    }

    // ---- callers ----

    /// The oldest warm item, unless somebody is in line already. The first call opens the pool.
    pub fn take(&mut self) -> Result<Option<Arc<Slot<I>>>> {
        match self.phase {
            Phase::Closing(_) if !self.reopeners.is_empty() => return Ok(None),
            Phase::Closing(_) | Phase::Closed(_) => return Err(failure::closed()),
            Phase::New => self.phase = Phase::Open,
            Phase::Open => {}
        }
        if !self.line.is_empty() {
            return Ok(None);
        }
        let slot = self.take_warm();
        if slot.is_some() {
            self.totals.acquired_warm += 1;
        }
        Ok(slot)
    }

    /// Joins the line. It is full when `max_waiting` callers are in it beyond those for whom there is
    /// room to create.
    pub fn join(&mut self, waiter: Waiter<I>) -> Result<Ticket> {
        if let Some(max_waiting) = self.config.max_waiting {
            let served = self.room().saturating_add(self.creating);
            if self.line.len() >= served.saturating_add(max_waiting) {
                return Err(failure::exhausted(max_waiting));
            }
        }
        Ok(self.line.join(waiter))
    }

    /// Takes up the old place again after [`State::discard`].
    pub fn rejoin(&mut self, ticket: Ticket, waiter: Waiter<I>) -> Result<()> {
        if !matches!(self.phase, Phase::Open) {
            return Err(failure::closed());
        }
        self.line.rejoin(ticket, waiter);
        Ok(())
    }

    /// Leaves the line; `false`: was served already.
    pub fn leave(&mut self, ticket: Ticket) -> bool {
        self.line.leave(ticket).is_some()
    }

    /// One in line has got its item.
    pub fn acquired_on_demand(&mut self) {
        self.totals.acquired_on_demand += 1;
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
            self.backoff.proved();
        }
        self.retire(slot, effects);
    }

    // ---- creates ----

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
                self.backoff.created();
            }
            Err(error) => {
                let serial = self.next_serial;
                self.backoff.failed(serial, serial, now, &mut self.rng);
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
        self.backoff.created();
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

    // ---- items ----

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
        self.backoff.proved();
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
        let known = [&self.last_error, &self.last_destroy_error];
        if attempt == 1 && !known.iter().any(|last| says_the_same(last.as_ref(), error)) {
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

    // ---- the pool as a whole ----

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

    fn open(&mut self, callers: Vec<WarmUpCaller>) {
        self.phase = Phase::Open;
        self.backoff.hurry();
        let remaining = self.target().saturating_sub(self.warm.len());
        self.warm_up
            .get_or_insert_with(|| WarmUp { remaining, callers: Vec::new() })
            .callers
            .extend(callers);
    }

    pub fn resize(&mut self, pool_size: PoolSize) {
        let before = self.demand.target();
        self.demand.rebound(pool_size);
        if let Some(warm_up) = &mut self.warm_up {
            let target = self.demand.target();
            warm_up.remaining = (warm_up.remaining + target).saturating_sub(before);
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

    /// An alarm went off.
    pub fn alarmed(&mut self) {
        self.alarm = None;
    }

    /// What creates failed for is over.
    pub fn recovered(&mut self) {
        self.alarm = None;
        self.backoff.hurry();
    }

    /// It is time for a glance at the demand.
    pub fn glance(&mut self) {
        self.glancing = false;
    }

    /// Decides what the pool lacks, or has too much of. Follows every step.
    pub fn settle(&mut self, now: Instant, effects: &mut Effects<I>) {
        while !self.line.is_empty() {
            let Some(slot) = self.take_warm() else { break };
            if let Some(waiter) = self.line.first() {
                effects.push(Effect::Serve(waiter, slot));
            }
        }
        self.follow(now, effects);
        self.trim(effects);
        let open = matches!(self.phase, Phase::Open);
        if open {
            self.prepare(effects);
        }
        self.provide(now, effects);
        if open {
            self.end_warm_up(effects);
        }
        let state = self.pool_state();
        if state != self.told {
            self.told = state;
            effects.push(Effect::Emit(Event::State { state }));
        }
        #[cfg(test)]
        self.check();
    }

    /// Sets the target to what the demand calls for.
    fn follow(&mut self, now: Instant, effects: &mut Effects<I>) {
        if !matches!(self.phase, Phase::Open) {
            return;
        }
        let missing = self.target().saturating_sub(self.warm.len());
        let seen = Seen {
            handed: self.handed,
            made: self.totals.created,
            waiting: self.line.len(),
            missing,
            failing: missing > 0 && self.backoff.degraded(),
        };
        self.demand.look(now, seen);
        if let Some(due) = self.demand.due().filter(|_| !self.glancing) {
            self.glancing = true;
            effects.push(Effect::Glance(due));
        }
    }

    /// Ends warm items beyond the target, those that give way to another pool's caller, and the old ones
    /// that stand in the way of their successors.
    fn trim(&mut self, effects: &mut Effects<I>) {
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

    fn prepare(&mut self, effects: &mut Effects<I>) {
        // Nobody asked, nobody is served: a pull that failed is not tried again in the background.
        let asked = !self.line.is_empty() || self.warm_up.is_some();
        if !self.prepared && !self.preparing && asked {
            self.preparing = true;
            effects.push(Effect::Prepare(PreparePermit { cut: self.cut_prepare.subscribe() }));
        }
    }

    /// Asks the budget for what the pool lacks, and permits what it gets.
    fn provide(&mut self, now: Instant, effects: &mut Effects<I>) {
        let needs = self.needs(now);
        for Grant { room, lane } in self.seat.clone().ask(needs) {
            effects.push(Effect::Create(self.permit(room, now), lane));
        }
        if !self.prepared || !matches!(self.phase, Phase::Open) {
            return;
        }
        if let Some(until) = self.backoff.holds(now) {
            if self.lack() > 0 && self.alarm.is_none_or(|alarm| until < alarm) {
                self.alarm = Some(until);
                effects.push(Effect::Alarm(until));
            }
        }
    }

    /// How many more items the callers in line and the target call for.
    fn lack(&self) -> usize {
        let successor = usize::from(!self.stale.is_empty() && self.warm.len() >= self.target());
        (self.target() + successor + self.line.len())
            .saturating_sub(self.warm.len() + self.creating)
    }

    /// What is to be created, for callers in line and beyond that.
    fn needs(&self, now: Instant) -> Needs {
        let held = Needs { warm: self.warm.len(), ending: self.destroying, ..Needs::default() };
        if !self.prepared || !matches!(self.phase, Phase::Open) {
            return held;
        }
        let callers = self.line.len().saturating_sub(self.creating);
        // While the refill holds back, those in line don't have to.
        let lack = if self.backoff.holds(now).is_some() { callers } else { self.lack() };
        let at_once = if self.backoff.degraded() {
            1_usize.saturating_sub(self.creating)
        } else {
            usize::MAX
        };
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

    fn end_warm_up(&mut self, effects: &mut Effects<I>) {
        let Some(warm_up) = &self.warm_up else { return };
        let full = self.max.is_some_and(|max| self.warm.len() + self.leased >= max)
            || self.creating == 0 && self.seat.is_full();
        let reached = warm_up.remaining == 0 || self.warm.len() >= self.target() || full;
        if self.prepared && reached {
            self.tell_warm_up(Ok(()), effects);
        }
    }

    fn tell_warm_up(&mut self, result: Result<()>, effects: &mut Effects<I>) {
        if let Some(warm_up) = self.warm_up.take() {
            effects.push(Effect::WarmedUp(warm_up.callers, result));
        }
    }

    fn create_failed(
        &mut self,
        serial: u64,
        end: Ticket,
        error: Error,
        now: Instant,
        effects: &mut Effects<I>,
    ) {
        self.backoff.failed(serial, self.next_serial, now, &mut self.rng);
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
    fn note_failure(&mut self, error: &Error, during: During, effects: &mut Effects<I>) {
        self.totals.errors += 1;
        self.tell_warm_up(Err(error.clone()), effects);
        let known = [&self.last_error, &self.last_destroy_error];
        if !known.iter().any(|last| says_the_same(last.as_ref(), error)) {
            effects.push(Effect::Emit(Event::Error { error: error.clone(), during }));
        }
        self.last_error = Some(error.clone());
    }

    fn turn_away(&mut self, error: Error, effects: &mut Effects<I>) {
        for waiter in self.line.truncate(0) {
            effects.push(Effect::Reject(waiter, error.clone()));
        }
        let reopeners = std::mem::take(&mut self.reopeners);
        if !reopeners.is_empty() {
            effects.push(Effect::WarmedUp(reopeners, Err(error.clone())));
        }
        self.tell_warm_up(Err(error), effects);
    }

    fn abort(&mut self, effects: &mut Effects<I>) {
        let error = failure::runtime_gone();
        let (_, outcome) = watch::channel(Some(Err(error.clone())));
        self.phase = Phase::Closed(outcome);
        self.turn_away(error, effects);
        for slot in self.warm_slots() {
            self.retire(&slot, effects);
        }
    }

    /// Notes that an item is dead: before it was used, or the caller would not have come here.
    fn bury(&mut self, slot: &Slot<I>, now: Instant, effects: &mut Effects<I>) {
        if slot.mark_lost() {
            self.totals.lost += 1;
            effects.push(Effect::Emit(Event::Lost { id: slot.item.id().into() }));
        }
        if slot.age(now) < YOUNG {
            self.backoff.died(slot.serial, self.next_serial, now, &mut self.rng);
        }
    }

    /// Makes an item a member, in no stage yet.
    fn admit(
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
    fn place(&mut self, slot: &Arc<Slot<I>>, effects: &mut Effects<I>) {
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

    fn take_warm(&mut self) -> Option<Arc<Slot<I>>> {
        let key = *self.warm.first()?;
        self.leave_stage(key);
        self.enter_stage(key, Stage::Leased)
    }

    fn retire(&mut self, slot: &Slot<I>, effects: &mut Effects<I>) {
        self.retire_key(slot.key, effects);
    }

    /// Has a warm or leased item removed.
    fn retire_key(&mut self, key: u64, effects: &mut Effects<I>) {
        let stage = self.members.get(&key).map(|member| member.stage);
        if matches!(stage, Some(Stage::Warm | Stage::Leased)) {
            self.leave_stage(key);
            effects.extend(self.enter_stage(key, Stage::Destroying).map(Effect::Remove));
        }
    }

    fn enter_stage(&mut self, key: u64, stage: Stage) -> Option<Arc<Slot<I>>> {
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

    fn leave_stage(&mut self, key: u64) {
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

    #[cfg(test)]
    pub fn is_prepared(&self) -> bool {
        self.prepared
    }

    /// Notes when the counts are not what the members say, or out of bounds.
    #[cfg(test)]
    fn check(&mut self) {
        let mut count = [0; 4];
        for member in self.members.values() {
            count[member.stage as usize] += 1;
        }
        let count = |stage: Stage| count[stage as usize];
        let idle = self.line.is_empty() && self.warm.is_empty() && self.warm_up.is_none();
        let closing = matches!(self.phase, Phase::Closing(_));
        let open = matches!(self.phase, Phase::Open);
        let reopening = !self.reopeners.is_empty();
        let range = self.pool_size_range();
        let target = self.demand.target();
        let unwatched = open && target > range.min && !self.glancing;
        let rules = [
            ("warm", count(Stage::Warm) == self.warm.len()),
            ("leased", count(Stage::Leased) == self.leased),
            ("destroying", count(Stage::Destroying) == self.destroying),
            ("in no stage", count(Stage::Gone) == 0),
            ("stale and not warm", self.stale.is_subset(&self.warm)),
            // A shutdown counts what was given up once more, and makes nothing.
            ("more than max", closing || self.max.is_none_or(|max| self.total() <= max)),
            ("more warm than the target", self.warm.len() <= self.target()),
            ("in line beside a warm one", self.line.is_empty() || self.warm.is_empty()),
            ("too many starts", self.seat.starting() <= self.config.create_concurrency.max(1)),
            ("not open and not idle", open || reopening || idle),
            ("opened again without a shutdown", closing || !reopening),
            ("a target out of its range", (range.min..=range.max).contains(&target)),
            ("a target that nothing brings back to its minimum", !unwatched),
        ];
        if let Some((rule, _)) = rules.iter().find(|(_, holds)| !holds) {
            self.violation.get_or_insert(rule);
        }
    }
}

/// Whether an error tells nothing beyond the last one.
fn says_the_same(last: Option<&Error>, error: &Error) -> bool {
    last.is_some_and(|last| (last.code, &last.message) == (error.code, &error.message))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, Future};

    use rand::SeedableRng;

    use super::*;
    use crate::{
        budget::{Budget, Terms},
        pool::tests::fake::config,
    };

    struct Item(String);

    impl Pooled for Item {
        fn id(&self) -> &str {
            &self.0
        }

        fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
            pending()
        }
    }

    /// Prepared and open, with nothing in it; makes no step by itself.
    fn state(config: PoolConfig) -> State<Item> {
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

    fn permits(effects: &mut Effects<Item>) -> Vec<CreatePermit> {
        effects
            .drain(..)
            .filter_map(|effect| match effect {
                Effect::Create(permit, _) => Some(permit),
                _ => None,
            })
            .collect()
    }

    fn wait(state: &mut State<Item>) -> oneshot::Receiver<Result<Arc<Slot<Item>>>> {
        let (waiter, answer) = oneshot::channel();
        state.join(waiter).unwrap();
        answer
    }

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
