//! What all pools on one engine share: its memory, and how much is asked of it at once.
//!
//! Each pool has a [`Seat`], and tells there after each of its steps what it would start. It starts a
//! container only with a [`Grant`], of which there are never more than the bounds allow:
//!
//! - [`Room`] is the memory of one container, from before its create until its removal is confirmed;
//! - [`Lane`] is one of few starts under way side by side;
//! - [`RemovalLane`] is one of few removals.
//!
//! Each is given back by dropping it.
//!
//! **Whose turn it is.** Containers that callers wait for come before those that are to be kept warm;
//! among them, the pool whose caller has waited for longest. Refills take turns. A caller for whose
//! container the memory does not suffice holds back those behind it, or a large container would never
//! be started beside small ones; and if what is being removed does not suffice either, warm containers
//! of other pools give way to it.
//!
//! **Removals** are as many at once as the pool with the most may have, and [`BESIDE_STARTS`] while a
//! caller waits for a lane.
//!
//! All is decided under one lock, which nobody else's code runs under: a pool whose turn has come is
//! rung for ([`Seat::bell`]), and takes its grant in a step of its own.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use tokio::sync::{oneshot, Notify};

/// The most removals at once while a caller waits for a start. A removal takes a quarter of a start's
/// time (measured with runc 1.1: 45 to 60 ms, and 170 to 200 ms), so this many keep up
/// with the starts.
const BESIDE_STARTS: usize = 2;

/// One engine's memory and lanes.
#[derive(Debug, Default)]
pub struct Budget(Mutex<Ledger>);

/// What a pool's containers take, and how many of them it starts and removes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The memory of one container, bytes.
    pub bytes: u64,
    /// Whether the pool gets no more containers than the memory allows. One that has a bound of its own
    /// is held to that alone; its containers count nevertheless.
    pub bounded: bool,
    /// The most starts of this pool at once; on the engine there are as many as may have the pool with
    /// the most, of those that have any to make. At least one.
    pub starts: usize,
    /// The same of removals.
    pub removals: usize,
}

/// What a pool would start, and what it has that could make room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Containers that callers wait for, without those being made.
    pub callers: usize,
    /// Further ones, to be kept warm.
    pub refill: usize,
    pub warm: usize,
    /// Those whose removal is under way.
    pub ending: usize,
}

/// The budget in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Bytes there are for containers in all; `None` while the engine has not told.
    pub memory: Option<u64>,
    /// Bytes of the containers there are, by their limits.
    pub used: u64,
    /// Starts under way.
    pub starting: usize,
    /// Removals under way.
    pub removing: usize,
    /// Containers that callers of all pools wait for and that are not being made yet.
    pub waiting: usize,
}

/// The right to start one container.
#[must_use = "dropping a grant gives it back"]
#[derive(Debug)]
pub struct Grant {
    pub room: Room,
    pub lane: Lane,
}

/// The memory of one container.
#[must_use = "dropping it gives the memory back"]
#[derive(Debug)]
pub struct Room {
    budget: Arc<Budget>,
    bytes: u64,
}

/// The right to have the engine start a container now. To be dropped when the engine's part is through,
/// which may be before the container is of use.
#[must_use = "dropping a lane lets the next one start"]
#[derive(Debug)]
pub struct Lane {
    budget: Arc<Budget>,
    seat: u64,
}

/// The right to have the engine remove a container now.
#[must_use = "dropping a lane lets the next removal begin"]
#[derive(Debug)]
pub struct RemovalLane {
    /// `None`: was never handed over.
    budget: Option<Arc<Budget>>,
}

/// A pool's place at the budget.
#[derive(Debug)]
pub struct Seat {
    budget: Arc<Budget>,
    id: u64,
    bell: Arc<Notify>,
}

impl Budget {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Sets how many bytes there are for containers. One container there is always room for.
    pub fn set_memory(&self, bytes: u64) {
        let mut ledger = self.ledger();
        ledger.memory = Some(bytes);
        ledger.settle();
    }

    pub fn seat(self: &Arc<Self>, terms: Terms) -> Seat {
        let terms = Terms { starts: terms.starts.max(1), removals: terms.removals.max(1), ..terms };
        let mut ledger = self.ledger();
        let id = ledger.draw();
        let bell = Arc::new(Notify::new());
        ledger.places.insert(id, Place::new(terms, bell.clone()));
        Seat { budget: self.clone(), id, bell }
    }

    /// Waits, as a caller of a pool of its own, until one container of so many bytes may be started.
    pub async fn one(self: &Arc<Self>, bytes: u64) -> Grant {
        let seat = self.seat(Terms { bytes, bounded: true, starts: 1, removals: 1 });
        let bell = seat.bell();
        loop {
            if let Some(grant) = seat.ask(Needs { callers: 1, ..Needs::default() }).pop() {
                return grant;
            }
            bell.notified().await;
        }
    }

    pub fn usage(&self) -> Usage {
        let ledger = self.ledger();
        Usage {
            memory: ledger.memory,
            used: ledger.used,
            starting: ledger.starting,
            removing: ledger.removing,
            waiting: ledger.places.values().map(|place| place.callers.len()).sum(),
        }
    }

    /// No step leaves the ledger half-changed where it can panic.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Takes the pool's needs in place of the last ones, and gives what of it may be started now. More
    /// may follow: see [`Seat::bell`].
    #[must_use]
    pub fn ask(&self, needs: Needs) -> Vec<Grant> {
        let mut ledger = self.budget.ledger();
        ledger.note(self.id, needs);
        let mut grants = Vec::new();
        while let Some(turn) = ledger.next().filter(|turn| turn.place == self.id) {
            let bytes = ledger.grant(turn);
            grants.push(Grant {
                room: Room { budget: self.budget.clone(), bytes },
                lane: Lane { budget: self.budget.clone(), seat: self.id },
            });
        }
        ledger.settle();
        ledger.hand_out_removals(&self.budget);
        grants
    }

    /// How many warm containers are to make room for another pool's caller, before the pool asks next.
    #[must_use]
    pub fn yields(&self) -> usize {
        self.budget.ledger().places.get(&self.id).map_or(0, |place| place.yielding)
    }

    /// How many more containers of this pool the memory allows at the moment.
    pub fn room(&self) -> usize {
        let ledger = self.budget.ledger();
        ledger.places.get(&self.id).map_or(0, |place| ledger.room(place, 0))
    }

    /// Whether there is no memory for another container of this pool, and none on its way back.
    pub fn is_full(&self) -> bool {
        let ledger = self.budget.ledger();
        ledger.places.get(&self.id).is_some_and(|place| ledger.is_full(place))
    }

    /// Notified when the pool should ask again, and when the seat is given up.
    pub fn bell(&self) -> Arc<Notify> {
        self.bell.clone()
    }

    /// Waits, in line with all pools of the engine, until a removal may begin.
    pub async fn removal(&self) -> RemovalLane {
        let answer = {
            let mut ledger = self.budget.ledger();
            let (give, answer) = oneshot::channel();
            ledger.removals.push_back(give);
            ledger.hand_out_removals(&self.budget);
            answer
        };
        // The budget, and so the sender, is there while this seat is: an error can't come.
        answer.await.unwrap_or(RemovalLane { budget: None })
    }

    /// How many pools have a part in what is decided.
    #[cfg(test)]
    pub fn busy(&self) -> usize {
        self.budget.ledger().busy.len()
    }

    /// Starts of this pool under way.
    #[cfg(test)]
    pub fn starting(&self) -> usize {
        self.budget.ledger().places.get(&self.id).map_or(0, |place| place.starting)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut ledger = self.budget.ledger();
        ledger.places.remove(&self.id);
        // What an idle one leaves behind changes nothing for the others.
        if ledger.busy.remove(&self.id) {
            ledger.settle();
            ledger.hand_out_removals(&self.budget);
        }
        drop(ledger);
        self.bell.notify_one();
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut ledger = self.budget.ledger();
        ledger.used -= self.bytes;
        ledger.settle();
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut ledger = self.budget.ledger();
        ledger.starting -= 1;
        if let Some(place) = ledger.places.get_mut(&self.seat) {
            place.starting -= 1;
        }
        ledger.mark(self.seat);
        ledger.settle();
        ledger.hand_out_removals(&self.budget);
    }
}

impl Drop for RemovalLane {
    fn drop(&mut self) {
        if let Some(budget) = self.budget.take() {
            let mut ledger = budget.ledger();
            ledger.removing -= 1;
            ledger.hand_out_removals(&budget);
        }
    }
}

#[derive(Debug, Default)]
struct Ledger {
    memory: Option<u64>,
    /// Bytes of all rooms.
    used: u64,
    places: BTreeMap<u64, Place>,
    /// The places with something to start, or something that ends. All others have no part in any
    /// decision but what they keep warm, so a thousand idle pools cost the others nothing.
    busy: BTreeSet<u64>,
    starting: usize,
    removing: usize,
    /// Removals in line.
    removals: VecDeque<oneshot::Sender<RemovalLane>>,
    drawn: u64,
}

#[derive(Debug)]
struct Place {
    terms: Terms,
    /// For each container that a caller waits for, when its turn was asked for; a lower number came
    /// earlier.
    callers: VecDeque<u64>,
    refill: usize,
    /// When it last had its turn to refill.
    refilled: u64,
    warm: usize,
    ending: usize,
    /// Warm ones that were asked to give way.
    yielding: usize,
    starting: usize,
    /// As the pool has last been rung for.
    full: bool,
    bell: Arc<Notify>,
}

/// Who may start a container now, and for whom.
#[derive(Debug, Clone, Copy)]
struct Turn {
    place: u64,
    caller: bool,
}

impl Place {
    fn new(terms: Terms, bell: Arc<Notify>) -> Self {
        Self {
            terms,
            callers: VecDeque::new(),
            refill: 0,
            refilled: 0,
            warm: 0,
            ending: 0,
            yielding: 0,
            starting: 0,
            full: false,
            bell,
        }
    }

    /// Whether it has containers to start, or starts some.
    fn has_starts(&self) -> bool {
        !self.callers.is_empty() || self.refill > 0 || self.starting > 0
    }

    fn is_busy(&self) -> bool {
        self.has_starts() || self.ending > 0 || self.yielding > 0
    }

    fn has_lane(&self) -> bool {
        self.starting < self.terms.starts
    }
}

impl Ledger {
    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.drawn
    }

    fn note(&mut self, id: u64, needs: Needs) {
        let mut drawn = self.drawn;
        let Some(place) = self.places.get_mut(&id) else { return };
        // Whoever went, those left keep the places that were asked for first.
        place.callers.truncate(needs.callers);
        while place.callers.len() < needs.callers {
            drawn += 1;
            place.callers.push_back(drawn);
        }
        place.refill = needs.refill;
        place.warm = needs.warm;
        place.ending = needs.ending;
        place.yielding = 0;
        self.drawn = drawn;
        self.mark(id);
    }

    /// Notes whether a place has a part in what is decided.
    fn mark(&mut self, id: u64) {
        match self.places.get_mut(&id) {
            Some(place) if place.is_busy() => {
                self.busy.insert(id);
            }
            Some(place) => {
                place.full = false;
                self.busy.remove(&id);
            }
            None => {
                self.busy.remove(&id);
            }
        }
    }

    fn busy(&self) -> impl Iterator<Item = (u64, &Place)> {
        self.busy.iter().filter_map(|id| Some((*id, self.places.get(id)?)))
    }

    /// Bytes that a container of this pool takes. A larger one than all the memory takes all of it.
    fn bytes(&self, place: &Place) -> u64 {
        match self.memory {
            Some(memory) if place.terms.bounded => place.terms.bytes.min(memory),
            _ => place.terms.bytes,
        }
    }

    /// How many more containers of this pool there is memory for, when so many bytes have come back.
    fn room(&self, place: &Place, back: u64) -> usize {
        let (Some(memory), true) = (self.memory, place.terms.bounded) else { return usize::MAX };
        let free = memory.saturating_sub(self.used.saturating_sub(back));
        free.checked_div(self.bytes(place))
            .map_or(usize::MAX, |room| usize::try_from(room).unwrap_or(usize::MAX))
    }

    /// Bytes that are on their way back.
    fn coming(&self) -> u64 {
        self.busy()
            .map(|(_, place)| {
                self.bytes(place).saturating_mul((place.ending + place.yielding) as u64)
            })
            .sum()
    }

    fn is_full(&self, place: &Place) -> bool {
        self.room(place, self.coming()) == 0
    }

    fn lanes(&self) -> usize {
        let starters = self.busy().filter(|(_, place)| place.has_starts());
        starters.map(|(_, place)| place.terms.starts).max().unwrap_or(1)
    }

    /// The pool whose caller has waited for longest, among those that are held to the memory, or those
    /// that are not.
    fn first_caller(&self, bounded: bool) -> Option<(u64, u64)> {
        self.busy()
            .filter(|(_, place)| place.terms.bounded == bounded && place.has_lane())
            .filter_map(|(id, place)| place.callers.front().map(|asked| (*asked, id)))
            .min()
    }

    fn next(&self) -> Option<Turn> {
        if self.starting >= self.lanes() {
            return None;
        }
        let fits = |id: &u64| self.places.get(id).is_some_and(|place| self.room(place, 0) > 0);
        let bounded = self.first_caller(true);
        let able = bounded.filter(|(_, id)| fits(id));
        let caller = [able, self.first_caller(false)].into_iter().flatten().min();
        if let Some((_, place)) = caller {
            return Some(Turn { place, caller: true });
        }
        if bounded.is_some() {
            // What is free now is for that caller.
            return None;
        }
        self.busy()
            .filter(|(_, place)| place.refill > 0 && place.has_lane() && self.room(place, 0) > 0)
            .min_by_key(|(_, place)| place.refilled)
            .map(|(place, _)| Turn { place, caller: false })
    }

    /// Takes a turn; gives the bytes of its container.
    fn grant(&mut self, turn: Turn) -> u64 {
        let drawn = self.draw();
        let bytes = self.places.get(&turn.place).map_or(0, |place| self.bytes(place));
        self.used += bytes;
        self.starting += 1;
        if let Some(place) = self.places.get_mut(&turn.place) {
            place.starting += 1;
            if turn.caller {
                place.callers.pop_front();
            } else {
                place.refill -= 1;
                place.refilled = drawn;
            }
        }
        bytes
    }

    /// Rings for whom the last change concerns. Follows every change.
    fn settle(&mut self) {
        if let Some(turn) = self.next() {
            self.ring(turn.place);
        } else {
            self.make_way();
        }
        let coming = self.coming();
        let full: Vec<_> =
            self.busy().map(|(id, place)| (id, self.room(place, coming) == 0)).collect();
        for (id, full) in full {
            if let Some(place) = self.places.get_mut(&id) {
                if full && !place.full && place.refill > 0 {
                    place.bell.notify_one();
                }
                place.full = full;
            }
        }
    }

    fn ring(&self, id: u64) {
        if let Some(place) = self.places.get(&id) {
            place.bell.notify_one();
        }
    }

    /// Has warm containers of other pools make room for the first caller, if none comes back by itself.
    fn make_way(&mut self) {
        let Some((_, caller)) = self.first_caller(true) else { return };
        while self.places.get(&caller).is_some_and(|place| self.is_full(place)) {
            let most = self
                .places
                .iter_mut()
                .filter(|(id, place)| **id != caller && place.warm > place.yielding)
                .max_by_key(|(_, place)| {
                    place.terms.bytes.saturating_mul((place.warm - place.yielding) as u64)
                });
            let Some((id, place)) = most else { return };
            place.yielding += 1;
            place.bell.notify_one();
            let id = *id;
            self.mark(id);
        }
    }

    fn hand_out_removals(&mut self, budget: &Arc<Budget>) {
        // One that waits for memory waits for removals.
        let callers_wait = if self.starting < self.lanes() {
            self.next().is_some_and(|turn| turn.caller)
        } else {
            self.busy().any(|(_, place)| !place.callers.is_empty())
        };
        let removers = self.busy().filter(|(_, place)| place.ending > 0);
        let most = removers.map(|(_, place)| place.terms.removals).max().unwrap_or(1);
        let most = if callers_wait { most.min(BESIDE_STARTS) } else { most };
        while self.removing < most {
            let Some(next) = self.removals.pop_front() else { return };
            match next.send(RemovalLane { budget: Some(budget.clone()) }) {
                Ok(()) => self.removing += 1,
                // Nobody waits for it any more; dropped whole, it would count down, and lock.
                Err(mut lane) => lane.budget = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn seats(count: usize) -> Vec<Seat> {
        let budget = Budget::new();
        let terms = Terms { bytes: 1, bounded: true, starts: 1, removals: 1 };
        (0..count).map(|_| budget.seat(terms)).collect()
    }

    #[test]
    fn a_pool_that_needs_nothing_takes_no_part_in_what_is_decided_for_the_others() {
        let seats = seats(1000);
        let idle = Needs { warm: 2, ..Needs::default() };
        for seat in &seats {
            assert!(seat.ask(idle).is_empty());
        }
        assert_eq!(seats[0].busy(), 0);
    }

    #[test]
    fn one_container_has_the_room_that_others_leave_and_keeps_it_from_them() {
        let budget = Budget::new();
        budget.set_memory(10);
        let seat = budget.seat(Terms { bytes: 8, bounded: true, starts: 1, removals: 1 });
        let callers = Needs { callers: 1, ..Needs::default() };
        let mut taken = seat.ask(callers);
        let mut one = Box::pin(budget.one(4));
        assert!((&mut one).now_or_never().is_none());
        taken.clear();
        let grant = one.now_or_never().unwrap();
        assert_eq!(budget.usage().used, 4);
        assert!(seat.ask(callers).is_empty());
        drop(grant);
        assert_eq!(seat.ask(callers).len(), 1);
    }

    #[test]
    fn a_pool_takes_part_for_as_long_as_it_starts_or_ends_something() {
        let seats = seats(2);
        let grants = seats[0].ask(Needs { callers: 1, ..Needs::default() });
        assert_eq!((grants.len(), seats[0].busy()), (1, 1));
        drop(grants);
        assert_eq!(seats[0].busy(), 0, "neither needs nor starts");
        for (needs, busy) in [
            (Needs { callers: 1, ..Needs::default() }, 2),
            (Needs { ending: 1, ..Needs::default() }, 2),
            (Needs::default(), 0),
        ] {
            let grants = [seats[0].ask(needs), seats[1].ask(needs)];
            assert_eq!(seats[0].busy(), busy, "{needs:?}");
            drop(grants);
        }
    }
}
