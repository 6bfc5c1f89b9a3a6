//! A caller's way to an item.

use std::{
    future::{pending, Future},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{sleep_until, Instant},
};

use super::{
    core::Core,
    drive::step,
    events::Event,
    failure,
    lease::{Lease, Member},
    provider::Provider,
    slot::{is_gone, Slot},
    state::Ticket,
};
use crate::error::Result;

/// What an acquire ends with.
pub struct Acquired<P: Provider> {
    /// The item, the caller's from now on.
    pub lease: Lease<P>,
    /// It was there already; otherwise it was waited for.
    pub warm: bool,
    /// From the call until now.
    pub waited: Duration,
}

/// The oldest warm item, at once or not at all.
pub(super) fn try_acquire<P: Provider>(
    core: &Arc<Core<P>>,
    started: Instant,
) -> Result<Option<Acquired<P>>> {
    while let Some(slot) = step(core, |state, _| state.take())? {
        if !is_gone(&slot.item) {
            return Ok(Some(hand_over(core, slot, true, started)));
        }
        discard_warm(core, &slot);
    }
    Ok(None)
}

pub(super) async fn acquire<P: Provider>(
    core: &Arc<Core<P>>,
    deadline: Option<Duration>,
    cancel: impl Future<Output = ()>,
) -> Result<Acquired<P>> {
    let started = Instant::now();
    let mut cancel = pin!(cancel);
    if cancel.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(()) {
        return Err(failure::cancelled());
    }
    let mut place = loop {
        match enter(core)? {
            Entry::Line(place) => break place,
            Entry::Warm(slot) if !is_gone(&slot.item) => {
                return Ok(hand_over(core, slot, true, started));
            }
            Entry::Warm(slot) => discard_warm(core, &slot),
        }
    };
    let mut timer = pin!({
        // A timer belongs to a runtime, and the caller need not be on one.
        let _context = core.runtime.enter();
        let at = deadline.and_then(|limit| started.checked_add(limit));
        let timer = at.map(sleep_until);
        async move {
            match timer {
                Some(timer) => timer.await,
                None => pending().await,
            }
        }
    });
    loop {
        let answer = tokio::select! {
            biased;
            () = &mut cancel => return Err(failure::cancelled()),
            answer = &mut place.answer => answer,
            () = &mut timer => {
                let limit = deadline.unwrap_or_default();
                return Err(step(core, |state, _| state.acquire_timed_out(limit)));
            }
        };
        place.answered = true;
        let slot = answer.unwrap_or_else(|_| Err(failure::runtime_gone()))?;
        if !is_gone(&slot.item) {
            return Ok(hand_over(core, slot, false, started));
        }
        place.exchange(&slot)?;
    }
}

enum Entry<P: Provider> {
    Warm(Arc<Slot<P::Item>>),
    Line(Place<P>),
}

fn enter<P: Provider>(core: &Arc<Core<P>>) -> Result<Entry<P>> {
    step(core, |state, _| {
        if let Some(slot) = state.take()? {
            return Ok(Entry::Warm(slot));
        }
        let (waiter, answer) = oneshot::channel();
        let ticket = state.join(waiter)?;
        Ok(Entry::Line(Place { core: core.clone(), ticket, answer, answered: false }))
    })
}

fn discard_warm<P: Provider>(core: &Arc<Core<P>>, slot: &Arc<Slot<P::Item>>) {
    step(core, |state, effects| state.discard_warm(slot, Instant::now(), effects));
}

fn hand_over<P: Provider>(
    core: &Arc<Core<P>>,
    slot: Arc<Slot<P::Item>>,
    warm: bool,
    started: Instant,
) -> Acquired<P> {
    let lease = Lease { member: Member { core: core.clone(), slot } };
    let waited = started.elapsed();
    if warm {
        core.meter(|meters| meters.acquire_warm.record(waited));
    } else {
        step(core, |state, _| state.acquired_on_demand());
        core.meter(|meters| meters.acquire_on_demand.record(waited));
    }
    let waited_ms = waited.as_secs_f64() * 1000.0;
    core.emit(Event::Acquired { id: lease.id().into(), warm, waited_ms });
    Acquired { lease, warm, waited }
}

/// A caller's place in line. When the caller goes away, for whatever reason, it leaves the line; an
/// item on its way to it goes to the next in line, or back.
struct Place<P: Provider> {
    core: Arc<Core<P>>,
    ticket: Ticket,
    answer: oneshot::Receiver<Result<Arc<Slot<P::Item>>>>,
    /// The answer has been read: there is nothing to leave, and nothing on its way.
    answered: bool,
}

impl<P: Provider> Place<P> {
    /// Swaps an item that is dead for the place in line that it was got with.
    fn exchange(&mut self, slot: &Arc<Slot<P::Item>>) -> Result<()> {
        let (waiter, answer) = oneshot::channel();
        step(&self.core, |state, effects| {
            state.discard(slot, Instant::now(), effects);
            state.rejoin(self.ticket, waiter)
        })?;
        (self.answer, self.answered) = (answer, false);
        Ok(())
    }
}

impl<P: Provider> Drop for Place<P> {
    fn drop(&mut self) {
        if self.answered || step(&self.core, |state, _| state.leave(self.ticket)) {
            return;
        }
        // Served, but not received. What was sent before this is taken here; what is sent after it
        // comes back to the sender.
        self.answer.close();
        if let Ok(Ok(slot)) = self.answer.try_recv() {
            step(&self.core, |state, effects| state.give_back(&slot, effects));
        }
    }
}
