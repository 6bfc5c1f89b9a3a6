//! One execution in a container, and its outcome.

use std::{future::pending, time::Duration};

use scientist_pool_egress::Record;
use tokio::time::{sleep_until, Instant};
use tokio_util::sync::CancellationToken;

use super::ending::Ending;
use crate::{
    config::Narrowed,
    runner::{
        job::Job,
        output::{Collected, Output, Tap, Wanted},
        session::End,
    },
};

/// Resolves at a time; `None`: never.
pub(super) async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

/// What to run, and within which bounds.
pub struct Call {
    pub job: Job,
    /// The longest it may take, from the call on; `None`: any time.
    pub deadline: Option<Duration>,
    /// The most CPU time the container may use meanwhile, in all its processes; `None`: any.
    pub cpu_time: Option<Duration>,
    pub wanted: Wanted,
    /// Gets the output as it comes.
    pub tap: Option<Tap>,
    /// What it can reach; `None`: as much as the container.
    pub network: Option<Narrowed>,
    /// The caller no longer wants it.
    pub cancel: CancellationToken,
    /// The caller wants it ended, and to know what came of it.
    pub kill: CancellationToken,
}

/// Why a call came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Exit,
    Signal,
    Timeout,
    Oom,
    OutputLimit,
    /// It used up its CPU time.
    Cpu,
    /// It wrote beyond the largest file it may, and took the signal for it.
    FileSize,
}

impl Reason {
    /// As the JavaScript side says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Signal => "signal",
            Self::Timeout => "timeout",
            Self::Oom => "oom",
            Self::OutputLimit => "output_limit",
            Self::Cpu => "cpu",
            Self::FileSize => "file_size",
        }
    }
}

/// Which way a job went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// To what was running already: the parked interpreter, or for a command the supervisor.
    Warm,
    /// To an interpreter started for it, or through the engine's exec.
    Cold,
}

/// Where a call's time went.
#[derive(Debug, Clone, Copy)]
pub struct Timings {
    /// From the call until the job was on its way.
    pub dispatch: Duration,
    /// From then until the first byte of output; `None`: there was none.
    pub first_byte: Option<Duration>,
    /// From dispatch to the end.
    pub run: Duration,
    pub total: Duration,
}

/// What came of a call.
#[derive(Debug)]
pub struct Outcome {
    pub stdout: Collected,
    pub stderr: Collected,
    /// What was shown; `None`: nothing was to be.
    pub shown: Option<Collected>,
    pub reason: Reason,
    /// As a shell gives it: 128 + n for a process ended by signal n.
    pub exit_code: u32,
    pub signal: Option<u32>,
    pub path: Path,
    pub timings: Timings,
    /// How many pieces of output the caller was given.
    pub chunks: u32,
    /// What went out of the container meanwhile; `None`: nothing can.
    pub egress: Option<Vec<Record>>,
    ending: Option<Ending>,
}

pub(super) const SIGKILL: u32 = 9;
// The same on every processor but MIPS.
const SIGXCPU: u32 = 24;
const SIGXFSZ: u32 = 25;

/// How a call ended: by its process, or by us.
#[derive(Clone, Copy)]
pub(super) enum Ended {
    Process(End),
    Deadline,
    CpuTime,
    Killed,
    /// The kernel killed the container's first process for memory.
    Memory,
}

impl Outcome {
    pub(super) fn new(
        ended: Ended,
        output: &Output,
        path: Path,
        called: Instant,
        written: Option<Instant>,
    ) -> Self {
        let now = Instant::now();
        let (reason, exit_code, signal) = match ended {
            Ended::Process(End::Exit(code)) => (Reason::Exit, code, None),
            Ended::Process(End::Signal(number)) => {
                // What the kernel sends where a limit of the process (`ulimits`) is passed.
                let reason = match number {
                    SIGXCPU => Reason::Cpu,
                    SIGXFSZ => Reason::FileSize,
                    _ => Reason::Signal,
                };
                (reason, 128 + number, Some(number))
            }
            Ended::Process(End::Oom(number)) => (Reason::Oom, 128 + number, Some(number)),
            // These end with the container, which is killed.
            Ended::Process(End::OutputLimit) => (Reason::OutputLimit, 128 + SIGKILL, Some(SIGKILL)),
            Ended::Deadline => (Reason::Timeout, 128 + SIGKILL, Some(SIGKILL)),
            Ended::CpuTime => (Reason::Cpu, 128 + SIGKILL, Some(SIGKILL)),
            Ended::Killed => (Reason::Signal, 128 + SIGKILL, Some(SIGKILL)),
            Ended::Memory => (Reason::Oom, 128 + SIGKILL, Some(SIGKILL)),
        };
        let ending = match ended {
            Ended::Deadline | Ended::CpuTime | Ended::Killed | Ended::Process(End::OutputLimit) => {
                Some(Ending::Asked)
            }
            Ended::Memory => Some(Ending::Lost),
            Ended::Process(_) => None,
        };
        let written = written.unwrap_or(now);
        let timings = Timings {
            dispatch: written - called,
            first_byte: output.first_byte().map(|first| first.saturating_duration_since(written)),
            run: now - written,
            total: now - called,
        };
        let (stdout, stderr) = output.take();
        let shown = output.take_shown();
        let chunks = output.passed();
        Self {
            stdout,
            stderr,
            shown,
            reason,
            exit_code,
            signal,
            path,
            timings,
            chunks,
            egress: None,
            ending,
        }
    }

    /// How the container has ended, or is to end, with the call: what ran in it may still run. `None`: it
    /// goes on.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending
    }
}
