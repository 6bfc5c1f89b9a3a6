//! The spare that a template has sent, in place of the one that process 1 would boot.

use std::{
    io::IoSliceMut,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    fs::{fcntl_setfl, OFlags},
    io::{Errno, Result},
    net::{recvmsg, send, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags},
    process::Pid,
};

use super::{
    child::{Child, Task},
    output::Output,
    source::PROGRAM,
    spare::Spare,
};

/// Where it comes. Nobody but the launcher and the fork has the other end; the fork gives it up before it has
/// anything to do with a script.
pub struct Foster {
    line: OwnedFd,
    /// Since when it is waited for.
    since: Option<Instant>,
}

/// How long it may take: many times what it does, and no more than a boot may.
const LIMIT: Duration = Duration::from_secs(1);

impl Foster {
    pub fn new(line: OwnedFd) -> Self {
        Self { line, since: None }
    }

    /// Asks for it, and waits for it from now on.
    pub fn expect(&mut self, now: Instant) {
        // Where nobody hears it, the line has ended, which is noticed.
        let _ = send(&self.line, b"F", SendFlags::NOSIGNAL);
        self.since = Some(now);
    }

    /// How long it is still waited for; `None`: it is not yet.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        Some((self.since? + LIMIT).saturating_duration_since(now))
    }

    pub fn line(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }

    /// The fork, which is parked when it tells of itself: its process id here, and the other ends of its
    /// standard streams and of what it tells by. It is a child of process 1 as soon as its parent has ended.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn spare(self) -> Result<(Spare, [Output; 2])> {
        let mut pid = [0; 4];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut pid)];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let got = recvmsg(&self.line, &mut slices, &mut ancillary, flags)?;
        let streams = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        let mut streams = streams.flatten();
        let (Some(stdin), Some(stdout), Some(stderr), Some(told)) =
            (streams.next(), streams.next(), streams.next(), streams.next())
        else {
            return Err(Errno::PROTO);
        };
        let pid = Pid::from_raw(i32::from_le_bytes(pid)).filter(|_| got.bytes == 4);
        for end in [&stdin, &stdout, &stderr, &told] {
            fcntl_setfl(end, OFlags::NONBLOCK)?;
        }
        let child = Child::sent(pid.ok_or(Errno::PROTO)?, stdin);
        let task = Task::new(&[PROGRAM.as_bytes(), b"-"], &[], b"")?;
        Ok((
            Spare { child, task, line: None, told },
            [Output::new(b'1', stdout), Output::new(b'2', stderr)],
        ))
    }
}
