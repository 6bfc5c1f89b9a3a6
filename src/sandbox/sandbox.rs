//! A container in somebody's hands, or in somebody's sight.

use std::{
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use super::{
    call::{Call, Outcome},
    container::Status,
    ending::Ending,
    provider::Sandboxes,
};
use crate::{
    error::{Code, Error, Result},
    pool::{Lease, Member},
    task,
};

/// A container of a pool. Dropping one that was acquired ends the container.
pub struct Sandbox {
    member: Member<Sandboxes>,
    /// Taken at the first execute where the container was only seen, not acquired.
    lease: Mutex<Option<Lease<Sandboxes>>>,
}

impl Sandbox {
    /// An acquired one.
    pub fn held(lease: Lease<Sandboxes>) -> Self {
        Self { member: lease.member().clone(), lease: Mutex::new(Some(lease)) }
    }

    /// One that is the pool's, or another's. Running something in a warm one takes it out of the pool.
    pub fn seen(member: Member<Sandboxes>) -> Self {
        Self { member, lease: Mutex::new(None) }
    }

    pub fn id(&self) -> &str {
        self.member.id()
    }

    pub fn status(&self) -> Status {
        if self.member.is_lost() {
            return Status::Terminated;
        }
        self.member.status()
    }

    /// When the pool is going to end it; `None`: never, or it has been acquired.
    pub fn expiry(&self) -> Option<SystemTime> {
        self.member.expiry()
    }

    /// Runs a call. A container that can't be used after it is ended in the background.
    ///
    /// # Errors
    ///
    /// As [`super::Container::execute`].
    pub async fn execute(&self, call: Call) -> Result<Outcome> {
        self.take()?;
        let result = self.member.execute(call).await;
        self.conclude(&result);
        result
    }

    /// Ends a container that is of no more use after a call.
    pub(super) fn conclude(&self, result: &Result<Outcome>) {
        let ending = match result {
            Ok(outcome) => outcome.ending(),
            Err(error) if error.spares_container() => None,
            Err(error) if error.code == Code::ContainerLost => Some(Ending::Lost),
            Err(_) => Some(Ending::Asked),
        };
        if let Some(ending) = ending {
            self.end(ending);
        }
    }

    /// The container itself, and what keeps it in sight.
    pub(super) fn member(&self) -> &Member<Sandboxes> {
        &self.member
    }

    /// Ends the container in the background.
    pub(super) fn end(&self, ending: Ending) {
        self.member.terminate(ending);
        if ending == Ending::Lost {
            self.member.found_lost();
        }
        let member = self.member.clone();
        task::spawn(async move {
            // One that fails is tried again, and told of, by the pool.
            let _ = member.destroy().await;
        });
    }

    /// See [`super::Container::execute`].
    pub(super) fn terminated_error(&self) -> Error {
        self.member.terminated_error()
    }

    /// Ends the container; returns when the engine has confirmed that it is gone. Concurrent calls
    /// share one removal. Calls that run in it end with `ContainerTerminated`.
    ///
    /// # Errors
    ///
    /// The engine's. Further attempts follow in the background.
    pub async fn destroy(&self) -> Result<()> {
        self.member.terminate(Ending::Asked);
        self.member.destroy().await
    }

    /// Resolves when the container has ended, or is about to: with the error of a call that lasted
    /// until then.
    pub async fn ended(&self) -> Error {
        self.member.ended().await
    }

    /// Makes sure that the container is held.
    pub(super) fn take(&self) -> Result<()> {
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        if lease.is_none() {
            *lease = self.member.lease();
        }
        match *lease {
            Some(_) => Ok(()),
            None => {
                let message = "The container is not in the pool any more; acquire a new one.";
                Err(Error::new(Code::ContainerTerminated, message).container(self.id()))
            }
        }
    }
}
