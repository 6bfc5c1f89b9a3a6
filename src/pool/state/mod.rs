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
//!
//! The steps lie with what they are about: `callers`, `creates`, `members`, `opening`. What the pool lacks
//! after them is `needs`.

mod callers;
mod creates;
mod demand;
mod line;
mod members;
mod needs;
mod opening;
mod permit;
mod streak;

#[cfg(test)]
mod bed;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rand::rngs::StdRng;
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

pub use self::members::Stage;
use self::{
    demand::Demand,
    line::Line,
    members::Member,
    opening::{WarmUp, WarmUpCaller},
    streak::Streak,
};
pub(super) use self::{
    line::Ticket,
    members::YOUNG,
    opening::Outcome,
    permit::{CreatePermit, PreparePermit},
};
use super::{
    events::{Event, PoolState},
    provider::Pooled,
    slot::Slot,
    stats::Totals,
};
use crate::{
    budget::{Lane, Seat},
    config::{PoolConfig, PoolSize},
    error::{Error, Result},
};

/// Where one in line gets the item, or the news that there is none.
pub(super) type Waiter<I> = oneshot::Sender<Result<Arc<Slot<I>>>>;

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

enum Phase {
    New,
    Open,
    Closing(Outcome),
    Closed(Outcome),
}

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
    streak: Streak,
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
            streak: Streak::default(),
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

    /// An alarm went off.
    pub fn alarmed(&mut self) {
        self.alarm = None;
    }

    /// What creates failed for is over.
    pub fn recovered(&mut self) {
        self.alarm = None;
        self.streak.hurry();
    }

    /// It is time for a glance at the demand.
    pub fn glance(&mut self) {
        self.glancing = false;
    }

    /// Whether an error tells nothing beyond the last ones.
    fn is_told(&self, error: &Error) -> bool {
        [&self.last_error, &self.last_destroy_error]
            .into_iter()
            .flatten()
            .any(|last| (last.code, &last.message) == (error.code, &error.message))
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
