//! Process 1 of a container: takes jobs from its stdin, runs each as a child, tells what comes of it.
//!
//! It is the launcher's own, a copy of it that executes no program, so it is there in any image. It speaks
//! as `supervisor.py` does, which defines the frames; of what that tells it never says `O` (nothing is
//! counted where it could look) and `U` (it is never in a script's reach), and it says one thing more:
//!
//! ```text
//!     C  commands only  (empty) answers the boot: the image has no `python3`
//! ```
//!
//! | file | what it owns |
//! | --- | --- |
//! | `frames` | what comes on stdin, and what goes to stdout |
//! | `child` | a process of a job: its pipes, and its way to its program |
//! | `files` | a child that handles files, as `files.py` does |
//! | `source` | what it is that an interpreter is parked by |
//! | `spare` | the parked interpreter |
//! | `foster` | one that a template has sent |
//! | `output` | what jobs write, and what comes when nobody wants to hear it |
//! | `pipe` | how both are read and written |
//! | `job` | a process under way |
//! | `wait` | waiting for descriptors |
//!
//! It keeps itself out of the reach of scripts: by another user than theirs, where there are others, and by
//! memory that is closed and belongs to a user namespace outside of the container's, so that not even
//! `CAP_SYS_PTRACE` within that opens it. No script holds a stream of it. So an end that is told is one that
//! the kernel told.

mod child;
mod files;
mod foster;
mod frames;
mod job;
mod output;
mod pipe;
pub mod source;
mod spare;
mod wait;

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::Instant,
};

use rustix::{
    event::PollFlags,
    io::Errno,
    process::{wait as wait_for_children, Pid, WaitOptions, WaitStatus},
    stdio::{stdin, stdout},
    thread::set_name,
};
use scientist_pool_protocol::{Privileges, User};

use self::{
    child::{Failed, Task},
    foster::Foster,
    frames::{Channel, Fields, Input},
    job::Job,
    output::{Output, Strays},
    pipe::CHUNK,
    source::Source,
    spare::Spare,
    wait::{Ready, Wait},
};
use crate::{
    fences::Fence,
    ids::{self, Mapping},
    sys,
};

/// Input is left in the pipe while this much waits for a job that does not read.
const STDIN_BACKLOG: usize = 1 << 18;

/// Who the children of process 1 are, and what they begin with.
pub struct Household {
    /// `NAME=value`
    pub env: Vec<String>,
    pub mapping: Mapping,
    pub user: User,
    pub privileges: Privileges,
    /// Whether each child is to set its filters; else they are set already, and inherited.
    pub filters: bool,
    /// What the kernel adds to the memory of process 1 when it looks for a process to kill, and where that
    /// is written; `None`: it can't be.
    pub oom_score: Option<(OwnedFd, i16)>,
    /// Where the first spare comes that a template sends; `None`: it is booted.
    pub foster: Option<OwnedFd>,
}

/// Is process 1, until its stdin ends. Of its descriptors the first three stay open, and those of `household`.
pub fn run(household: Household) -> ! {
    sys::ignore_signals_of_writing();
    // As it is listed: it has no name of its own yet.
    let _ = set_name(c"init");
    let alone = household.leave_all_else();
    let code = match alone.and_then(Init::new).and_then(Init::serve) {
        Ok(()) => 0,
        // There is nobody left to tell: the connection ends with this.
        Err(_) => 1,
    };
    sys::exit(code)
}

/// Is process 1 of no container, whose children are as this process is, until its stdin ends. For tests.
pub fn run_here() -> ! {
    let household = Household {
        env: environment(),
        mapping: Mapping::own(),
        // Nobody becomes that user where ids are one's own; but it has no capabilities to keep.
        user: User { uid: 65_534, gid: 65_534 },
        privileges: Privileges {
            capabilities: Vec::new(),
            no_new_privileges: false,
            seccomp: Vec::new(),
        },
        filters: false,
        oom_score: None,
        foster: None,
    };
    match ids::open_memory(false) {
        Ok(()) => run(household),
        Err(_) => sys::exit(1),
    }
}

/// This process's own variables, as a household has them.
pub fn environment() -> Vec<String> {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        Some(format!("{}={}", name.into_string().ok()?, value.into_string().ok()?))
    });
    variables.collect()
}

impl Household {
    /// Closes all descriptors that are not ours: they are copies of the launcher's.
    fn leave_all_else(mut self) -> rustix::io::Result<Self> {
        const FIRST: i32 = 3;
        let (score, own) = self.oom_score.take().unzip();
        let mut kept = [score, self.foster.take()];
        let mut places: Vec<_> = kept.iter_mut().filter(|file| file.is_some()).collect();
        // The lowest first, which no other is in the way of.
        places.sort_by_key(|file| file.as_ref().map(AsRawFd::as_raw_fd));
        let rest = FIRST as u32 + places.len() as u32;
        for (number, place) in (FIRST..).zip(places) {
            if let Some(file) = place.take() {
                *place = Some(sys::duplicate_as(file, number)?);
            }
        }
        let [score, foster] = kept;
        (self.oom_score, self.foster) = (score.zip(own), foster);
        if Fence::Descriptors.stands() {
            sys::close_from(rest)?;
        } else {
            sys::leave_open_from(rest);
        }
        Ok(self)
    }
}

/// What to do about a descriptor.
#[derive(Clone, Copy)]
enum Duty {
    Receive,
    Reap,
    Flush,
    PassOn(usize),
    Hear,
    Feed,
    Booted,
    Foster,
    /// One of the strays, by its number.
    Discard(i32),
}

struct Init {
    household: Household,
    children: OwnedFd,
    wait: Wait,
    input: Input,
    channel: Channel,
    buffer: Vec<u8>,
    /// What spares are made of, once the boot has come.
    source: Option<Source>,
    /// Where the first spare comes from, while it has not.
    foster: Option<Foster>,
    /// It waits for its job.
    spare: Option<(Spare, [Output; 2])>,
    /// The boot has not been answered.
    booting: bool,
    job: Option<Job>,
    strays: Strays,
    /// The other end of stdin is gone.
    ended: bool,
}

impl Init {
    fn new(mut household: Household) -> rustix::io::Result<Self> {
        Ok(Self {
            foster: household.foster.take().map(Foster::new),
            household,
            children: sys::ends_of_children()?,
            wait: Wait::new()?,
            input: Input::default(),
            channel: Channel::new()?,
            buffer: Vec::with_capacity(CHUNK),
            source: None,
            spare: None,
            booting: false,
            job: None,
            strays: Strays::default(),
            ended: false,
        })
    }

    fn serve(mut self) -> rustix::io::Result<()> {
        loop {
            let now = Instant::now();
            let rest = self.strays.rest(now);
            let left = self.foster.as_ref().and_then(|foster| foster.left(now));
            let limit = rest.into_iter().chain(left).min();
            let duties = self.duties(rest.is_some());
            let awaited: Vec<_> = duties.iter().map(|(fd, flags, _)| (*fd, *flags)).collect();
            let ready = self.wait.wait(&awaited, limit)?;
            let due: Vec<_> = ready
                .into_iter()
                .filter_map(|Ready { at, flags }| Some((duties.get(at)?.2, flags)))
                .collect();
            for (duty, flags) in due {
                self.attend(duty, flags)?;
            }
            if left.is_some_and(|left| left.is_zero()) {
                self.take_foster()?;
            }
            self.settle()?;
            if self.ended {
                return Ok(());
            }
        }
    }

    /// What to wait for, and what to do about it. `resting`: strays are not looked at.
    fn duties(&self, resting: bool) -> Vec<(BorrowedFd<'_>, PollFlags, Duty)> {
        let full = self.job.as_ref().is_some_and(|job| job.backlog() >= STDIN_BACKLOG);
        // A hang-up is told even where nothing else is asked for.
        let wanted = if full { PollFlags::empty() } else { PollFlags::IN };
        let mut duties = vec![
            (stdin(), wanted, Duty::Receive),
            (self.children.as_fd(), PollFlags::IN, Duty::Reap),
        ];
        if self.channel.is_full() {
            duties.push((stdout(), PollFlags::OUT, Duty::Flush));
        } else if let Some(job) = &self.job {
            for (at, output) in job.outputs.iter().enumerate() {
                duties.extend(output.pipe().map(|fd| (fd, PollFlags::IN, Duty::PassOn(at))));
            }
            let told = job.told.as_ref().and_then(Output::pipe);
            duties.extend(told.map(|fd| (fd, PollFlags::IN, Duty::Hear)));
        }
        if let Some(stdin) = self.job.as_ref().and_then(Job::blocked) {
            duties.push((stdin, PollFlags::OUT, Duty::Feed));
        }
        if let (true, Some((Spare { line: Some(line), .. }, _))) = (self.booting, &self.spare) {
            duties.push((line.as_fd(), PollFlags::IN, Duty::Booted));
        }
        if let (Some(foster), Some(_)) = (&self.foster, &self.source) {
            duties.push((foster.line(), PollFlags::IN, Duty::Foster));
        }
        if !resting {
            let unwanted = self.spare.iter().flat_map(|(_, outputs)| outputs);
            for stray in unwanted.chain(self.strays.outputs()) {
                let fd = stray.pipe();
                duties.extend(fd.map(|fd| (fd, PollFlags::IN, Duty::Discard(stray.number()))));
            }
        }
        duties
    }

    fn attend(&mut self, duty: Duty, flags: PollFlags) -> rustix::io::Result<()> {
        match duty {
            Duty::Receive if !flags.contains(PollFlags::IN) => self.ended = true,
            Duty::Receive => self.receive()?,
            Duty::Reap => self.reap()?,
            Duty::Flush => self.channel.flush()?,
            Duty::PassOn(at) => {
                if let Some(output) = self.job.as_mut().and_then(|job| job.outputs.get_mut(at)) {
                    output.pass_on(&mut self.buffer, &mut self.channel)?;
                }
            }
            Duty::Hear => {
                if let Some(job) = &mut self.job {
                    // What it tells stands behind what it has written.
                    for output in &mut job.outputs {
                        output.catch_up(&mut self.buffer, &mut self.channel)?;
                    }
                    if let Some(told) = &mut job.told {
                        told.pass_on(&mut self.buffer, &mut self.channel)?;
                    }
                }
            }
            Duty::Feed => {
                if let Some(job) = &mut self.job {
                    job.flush();
                }
            }
            Duty::Booted => self.booted()?,
            Duty::Foster => self.take_foster()?,
            Duty::Discard(number) => {
                let own = self.spare.as_mut().map(|(_, outputs)| outputs);
                self.strays.discard(own, number, &mut self.buffer);
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> rustix::io::Result<()> {
        // Before there is anything in the container from which it is to be closed: who writes this has an
        // answer from the launcher, which is done with it.
        ids::open_memory(false).map_err(|_| Errno::PERM)?;
        if !self.input.read(&mut self.buffer)? {
            self.ended = true;
        }
        while let Some((kind, payload)) = self.input.next()? {
            match kind {
                b'B' => self.boot(&payload)?,
                b'J' => self.begin(&payload)?,
                b'D' => {
                    if let Some(job) = &mut self.job {
                        job.feed(&payload);
                    }
                }
                b'E' => {
                    if let Some(job) = &mut self.job {
                        job.finish();
                    }
                }
                b'I' => {
                    if let Some(job) = &self.job {
                        job.interrupt();
                    }
                }
                _ => return Err(Errno::PROTO),
            }
        }
        Ok(())
    }

    fn boot(&mut self, payload: &[u8]) -> rustix::io::Result<()> {
        self.source = Some(Source::read(&mut Fields::of(payload))?);
        match &mut self.foster {
            Some(foster) => {
                foster.expect(Instant::now());
                Ok(())
            }
            None => self.boot_spare(),
        }
    }

    /// The template has sent its fork; or there is none.
    fn take_foster(&mut self) -> rustix::io::Result<()> {
        match self.foster.take().map(Foster::spare) {
            Some(Ok(spare)) => {
                self.spare = Some(spare);
                self.channel.send(b'R', &[])
            }
            Some(Err(_)) => self.boot_spare(),
            None => Ok(()),
        }
    }

    fn boot_spare(&mut self) -> rustix::io::Result<()> {
        let Some(source) = &self.source else { return Ok(()) };
        match Spare::start(&self.household, source, true) {
            Ok((spare, outputs)) => {
                (self.spare, self.booting) = (Some((spare, outputs)), true);
                Ok(())
            }
            Err(errno) => self.channel.send(b'F', words(errno).as_bytes()),
        }
    }

    /// The spare is parked; or it failed, and its reason came instead.
    fn booted(&mut self) -> rustix::io::Result<()> {
        self.booting = false;
        let Some((spare, outputs)) = &mut self.spare else { return Ok(()) };
        if let Some(failed) = spare.child.failed() {
            return match failed {
                Failed::Program(Errno::NOENT) => self.channel.send(b'C', &[]),
                failed => self.channel.send(b'F', failed.to_string().as_bytes()),
            };
        }
        let Some(line) = &spare.line else { return Ok(()) };
        match pipe::read(line.as_fd(), &mut self.buffer) {
            Ok(Some(b"ready")) => self.channel.send(b'R', &[]),
            Ok(Some(why @ [_, ..])) => self.channel.send(b'F', why),
            _ => {
                let [_, stderr] = outputs;
                stderr.empty(&mut self.buffer);
                self.channel.send(b'F', stderr.last_words())
            }
        }
    }

    fn begin(&mut self, payload: &[u8]) -> rustix::io::Result<()> {
        let fields = &mut Fields::of(payload);
        let begun = match fields.byte()? {
            b'S' => self.begin_script(fields.rest(), false),
            b'T' => self.begin_script(fields.rest(), true),
            mode => {
                let task = match mode {
                    b'C' | b'P' => Task::read(fields)?,
                    b'F' => Task::files(),
                    _ => return Err(Errno::PROTO),
                };
                let begun = child::start(&self.household, &task, &[]);
                begun.map(|(child, outputs)| Job::new(child, outputs, &task))
            }
        };
        match begun {
            Ok(job) => {
                self.job = Some(job);
                Ok(())
            }
            // Mostly for want of processes or descriptors, which what jobs have left running uses up.
            Err(errno) => self.channel.send(b'N', words(errno).as_bytes()),
        }
    }

    fn begin_script(&mut self, meta: &[u8], tells: bool) -> rustix::io::Result<Job> {
        let (spare, mut outputs) = match (self.spare.take(), &self.source) {
            (Some(spare), _) => spare,
            (None, Some(source)) => Spare::start(&self.household, source, false)?,
            (None, None) => return Err(Errno::PROTO),
        };
        for output in &mut outputs {
            // What has come through them is not the job's.
            output.empty(&mut self.buffer);
        }
        let mut job = Job::new(spare.child, outputs, &spare.task);
        job.told = tells.then(|| Output::new(b'3', spare.told));
        let size = u32::try_from(meta.len()).map_err(|_| Errno::PROTO)?;
        job.feed(&[&size.to_le_bytes(), meta].concat());
        Ok(job)
    }

    /// Takes note of every child that has ended, of the jobs' own too, whose parents have gone.
    fn reap(&mut self) -> rustix::io::Result<()> {
        pipe::empty(self.children.as_fd(), &mut self.buffer);
        loop {
            match wait_for_children(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.process_ended(pid, status)?,
                Ok(None) | Err(Errno::CHILD) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
    }

    fn process_ended(&mut self, pid: Pid, status: WaitStatus) -> rustix::io::Result<()> {
        if let Some(job) = self.job.as_mut().filter(|job| job.is(pid)) {
            job.end(status);
        } else if self.spare.as_ref().is_some_and(|(spare, _)| spare.child.is(pid)) {
            if self.booting {
                self.booted()?;
            }
            self.spare = None;
        }
        Ok(())
    }

    /// Passes on what a job that has ended left in its pipes, and then tells its end.
    fn settle(&mut self) -> rustix::io::Result<()> {
        let Some(job) = &mut self.job else { return Ok(()) };
        let Some(status) = job.status else { return Ok(()) };
        for output in job.outputs.iter_mut().chain(&mut job.told) {
            while !output.is_over() {
                if self.channel.is_full() {
                    return Ok(());
                }
                output.pass_on(&mut self.buffer, &mut self.channel)?;
            }
        }
        let Some(Job { child, outputs, told, name, cwd, .. }) = self.job.take() else {
            return Ok(());
        };
        let failed = child.failed();
        // Nothing of it is held when its end is told.
        drop(child);
        self.strays.add(outputs.into_iter().chain(told));
        match failed {
            None => self.tell(status),
            Some(failed) => match failed.as_in_a_shell(&name, &cwd) {
                Some((message, code)) => {
                    self.channel.send(b'2', message.as_bytes())?;
                    self.channel.send(b'X', &[code])
                }
                None => self.channel.send(b'N', failed.to_string().as_bytes()),
            },
        }
    }

    fn tell(&mut self, status: WaitStatus) -> rustix::io::Result<()> {
        let byte = |number: i32| [u8::try_from(number & 0xff).unwrap_or(u8::MAX)];
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => self.channel.send(b'X', &byte(code)),
            (None, Some(signal)) => self.channel.send(b'S', &byte(signal)),
            (None, None) => Err(Errno::CHILD),
        }
    }
}

/// As the system says it.
fn words(errno: Errno) -> String {
    let said = std::io::Error::from(errno).to_string();
    match said.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => said,
    }
}
