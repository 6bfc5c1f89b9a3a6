//! Waiting for descriptors.

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::{epoll, poll, PollFd, PollFlags, Timespec},
    io::{Errno, Result},
};

/// A descriptor that something has happened to, by its place among those waited for.
pub struct Ready {
    pub at: usize,
    pub flags: PollFlags,
}

/// By poll, as a user has only so many places in epolls; by epoll where a script has taken away this
/// process's right to open files, as poll fails then.
pub struct Wait {
    epoll: OwnedFd,
}

impl Wait {
    pub fn new() -> Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    /// Those that have something of the flags asked for, or a hang-up. `timeout`: `None`, for as long as it
    /// takes.
    pub fn wait(
        &self,
        awaited: &[(BorrowedFd<'_>, PollFlags)],
        timeout: Option<Duration>,
    ) -> Result<Vec<Ready>> {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        match by_poll(awaited, timeout.as_ref()) {
            Err(Errno::INVAL) => self.by_epoll(awaited, timeout.as_ref()),
            Err(Errno::INTR) => Ok(Vec::new()),
            waited => waited,
        }
    }

    fn by_epoll(
        &self,
        awaited: &[(BorrowedFd<'_>, PollFlags)],
        timeout: Option<&Timespec>,
    ) -> Result<Vec<Ready>> {
        for (at, (fd, wanted)) in awaited.iter().enumerate() {
            let data = epoll::EventData::new_u64(at as u64);
            // The same bits mean the same in both.
            let wanted = epoll::EventFlags::from_bits_retain(wanted.bits().into());
            epoll::add(&self.epoll, fd, data, wanted)?;
        }
        let mut events = Vec::with_capacity(awaited.len());
        let waited = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout);
        for (fd, _) in awaited {
            epoll::delete(&self.epoll, fd)?;
        }
        match waited {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        let ready = events.iter().map(|event| {
            let (data, flags) = (event.data, event.flags);
            Ready {
                at: usize::try_from(data.u64()).unwrap_or(usize::MAX),
                flags: PollFlags::from_bits_retain(flags.bits() as u16),
            }
        });
        Ok(ready.collect())
    }
}

fn by_poll(
    awaited: &[(BorrowedFd<'_>, PollFlags)],
    timeout: Option<&Timespec>,
) -> Result<Vec<Ready>> {
    let mut fds: Vec<_> =
        awaited.iter().map(|(fd, wanted)| PollFd::from_borrowed_fd(*fd, *wanted)).collect();
    poll(&mut fds, timeout)?;
    let happened = fds.iter().enumerate().filter(|(_, fd)| !fd.revents().is_empty());
    Ok(happened.map(|(at, fd)| Ready { at, flags: fd.revents() }).collect())
}
