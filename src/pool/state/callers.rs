//! The callers: who is served, and who joins, keeps and leaves the line.

use std::{sync::Arc, time::Duration};

use super::{line::Ticket, Phase, State, Waiter};
use crate::{
    error::{Code, Error, Result},
    pool::{failure, provider::Pooled, slot::Slot},
};

impl<I: Pooled> State<I> {
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

    /// The error of one who waited in vain.
    pub fn acquire_timed_out(&mut self, limit: Duration) -> Error {
        self.totals.timeouts += 1;
        let within = format!("no container within {} ms", limit.as_millis());
        let message = if self.preparing {
            format!(
                "{within}, as the first one can't be made yet: its image is being pulled, or packages \
                 installed; await initialize() before, or raise acquireTimeout"
            )
        } else {
            format!(
                "{within} ({} leased, {} creating, {} destroying, {} in line, max {}); \
                 raise max or acquireTimeout, or destroy containers sooner",
                self.leased,
                self.creating,
                self.destroying,
                self.line.len(),
                self.max.map_or_else(|| "no bound".into(), |max| max.to_string()),
            )
        };
        let error = Error::new(Code::AcquireTimeout, message).timeout(limit);
        match &self.last_error {
            Some(cause) => error.cause(cause.clone()),
            None => error,
        }
    }
}
