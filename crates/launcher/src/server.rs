//! Calls, answers and events. Nothing here waits for anything but all of it at once.

use std::{
    collections::{hash_map::Entry, HashMap, VecDeque},
    os::fd::{AsFd, OwnedFd},
    process::ExitCode,
    time::{Duration, Instant},
};

use rustix::{
    event::{epoll, Timespec},
    io::Errno,
    process::{waitid, Pid, WaitId, WaitIdOptions},
};
use scientist_pool_protocol::{
    Answer, Call, Channel, ChannelError, ContainerId, Created, ExecId, Failure, FailureKind,
    Message, Process as Command, Request, Spec, VERSION,
};

use crate::{
    container::Container,
    exec::Exec,
    failure::{invalid, of_kind, During, Result},
    network::take_listener,
    probe,
    process::{Process, Start},
    workshop::Workshop,
};

/// What an event is about: the socket, or by the lowest bits a process, its report, or its memory.
const SOCKET: u64 = u64::MAX;
const PROCESS: u64 = 0;
const REPORT: u64 = 1;
const MEMORY: u64 = 2;
/// How many bits that are, which ids leave free.
const KIND_BITS: u32 = 2;
const HIGHEST_ID: ContainerId = (u64::MAX >> KIND_BITS) - 1;
/// How often something is tried again that the kernel is not ready for yet.
const AGAIN: Duration = Duration::from_millis(2);
/// How long after a notice of a kill for memory the kernel may take to count it.
const COUNTED: Duration = Duration::from_millis(50);
/// How long a cgroup may stay busy after its last process has ended.
const BUSY: Duration = Duration::from_secs(5);

/// Serves the pool until its end of the socket is closed. `ready`: why no container can be made.
pub fn run(channel: Channel<Message, Call>, workshop: Workshop, ready: Result<()>) -> ExitCode {
    let server = epoll::create(epoll::CreateFlags::CLOEXEC).map(|epoll| Server {
        channel,
        workshop,
        fault: ready.err(),
        epoll,
        containers: HashMap::new(),
        execs: HashMap::new(),
        outbox: VecDeque::new(),
        adopts: false,
        ended: false,
    });
    match server.and_then(Server::serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(errno) => {
            eprintln!("scientist-pool-launcher: {errno}");
            ExitCode::FAILURE
        }
    }
}

struct Server {
    channel: Channel<Message, Call>,
    workshop: Workshop,
    fault: Option<Failure>,
    epoll: OwnedFd,
    containers: HashMap<ContainerId, Container>,
    /// None of them outlives its container.
    execs: HashMap<ExecId, Exec>,
    /// What the socket had no room for.
    outbox: VecDeque<(Message, Vec<OwnedFd>)>,
    /// There may be children that this process has from a template that has ended.
    adopts: bool,
    /// The other end is closed.
    ended: bool,
}

impl Server {
    fn serve(mut self) -> rustix::io::Result<()> {
        let incoming = epoll::EventFlags::IN;
        epoll::add(&self.epoll, &self.channel, epoll::EventData::new_u64(SOCKET), incoming)?;
        self.say(Message::Hello { version: VERSION, fault: self.fault.clone() }, Vec::new());
        let mut events = Vec::with_capacity(64);
        while !self.ended {
            events.clear();
            let timeout = self.is_impatient().then(|| timespec(AGAIN));
            let spare = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, spare, timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
            for event in &events {
                match event.data.u64() {
                    SOCKET => self.listen(),
                    about => match (about >> KIND_BITS, about & ((1 << KIND_BITS) - 1)) {
                        (id, PROCESS) => self.process_ended(id),
                        (id, REPORT) => self.hear(id),
                        (id, _) => self.notice_kill(id),
                    },
                }
            }
            self.tell_of_kills();
            self.clear_doomed();
            self.bury_adopted();
            self.flush();
        }
        Ok(())
    }

    /// Whether something is to be tried again that no event will tell of.
    fn is_impatient(&self) -> bool {
        !self.outbox.is_empty()
            || self.adopts
            || self.containers.values().any(|c| c.doomed.is_some() || c.memory.noticed.is_some())
    }

    /// Takes one call; the next one comes with the next event, after those of others.
    fn listen(&mut self) {
        match self.channel.receive() {
            Ok(Some((Call { number, request }, _))) => self.carry_out(number, request),
            Ok(None) => self.ended = true,
            Err(error) if error.would_block() => {}
            // Its call keeps its own time.
            Err(ChannelError::Lost) => {}
            Err(ChannelError::Malformed(why)) => {
                // The pool and we are not of one release; nothing sensible can follow.
                eprintln!("scientist-pool-launcher: {why}");
                self.ended = true;
            }
            Err(_) => self.ended = true,
        }
    }

    fn carry_out(&mut self, number: u64, request: Request) {
        match request {
            Request::Create { id, spec, template } => {
                if let Err(failure) = self.create(number, id, spec, template) {
                    self.answer(number, Answer::Failed(failure));
                }
            }
            Request::Exec { id, exec, process } => {
                if let Err(failure) = self.exec(number, id, exec, &process) {
                    self.answer(number, Answer::Failed(failure));
                }
            }
            Request::Remove { id } => match self.containers.entry(id) {
                Entry::Vacant(_) => self.answer(number, Answer::Removed),
                Entry::Occupied(mut entry) => {
                    let container = entry.get_mut();
                    container.removers.push(number);
                    match container.exit {
                        Some(_) => container.doomed = Some(Instant::now()),
                        None => container.process.kill(),
                    }
                }
            },
            Request::Usage { id } => {
                self.tell_of_kills_in(id);
                let answer = match self.containers.get(&id) {
                    Some(container) => Answer::Usage(container.usage()),
                    None => Answer::Failed(no_such(id)),
                };
                self.answer(number, answer);
            }
            Request::List => {
                let ids = self.containers.keys().copied().collect();
                self.answer(number, Answer::Containers(ids));
            }
            Request::Probe { runtime } => {
                let report = probe::report(&self.workshop, runtime.as_deref());
                self.answer(number, Answer::Report(report));
            }
        }
    }

    fn create(
        &mut self,
        number: u64,
        id: ContainerId,
        spec: Box<Spec>,
        template: Option<ContainerId>,
    ) -> Result<()> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        self.check_new(id)?;
        let template =
            template.and_then(|id| Some((id, self.containers.get(&id)?.template.as_ref()?)));
        let container = Container::begin(&mut self.workshop, id, number, spec, template)?;
        let watched = self
            .watch(id, &container.process)
            .and_then(|()| self.watch_memory(id, container.memory.notice.as_ref()));
        if let Err(failure) = watched {
            container.abort(&mut self.workshop);
            return Err(failure);
        }
        self.containers.insert(id, container);
        Ok(())
    }

    fn exec(
        &mut self,
        number: u64,
        id: ContainerId,
        exec: ExecId,
        command: &Command,
    ) -> Result<()> {
        self.check_new(exec)?;
        let container = self.containers.get(&id).ok_or_else(|| no_such(id))?;
        if !container.is_running() {
            return Err(of_kind(FailureKind::Gone, format!("the container {id} does not run")));
        }
        let begun = Exec::begin(&self.workshop, id, container, number, command)?;
        if let Err(failure) = self.watch(exec, &begun.process) {
            begun.process.kill();
            let _ = begun.process.reap();
            return Err(failure);
        }
        self.execs.insert(exec, begun);
        Ok(())
    }

    fn check_new(&self, id: u64) -> Result<()> {
        let known = self.containers.contains_key(&id) || self.execs.contains_key(&id);
        if id > HIGHEST_ID || known {
            return Err(invalid(format!("the id {id} is in use, or too high")));
        }
        Ok(())
    }

    fn watch(&self, id: u64, process: &Process) -> Result<()> {
        let add = |descriptor, about, flags| {
            let data = epoll::EventData::new_u64(id << KIND_BITS | about);
            epoll::add(&self.epoll, descriptor, data, flags)
        };
        // Of what is closed here, another new process may still have a copy for a moment, and with it the event
        // of its end: that is to come once.
        let once = epoll::EventFlags::IN | epoll::EventFlags::ET;
        add(process.pidfd.as_fd(), PROCESS, epoll::EventFlags::IN)
            .and_then(|()| process.report().map_or(Ok(()), |report| add(report, REPORT, once)))
            .during("watch the new process")
    }

    fn watch_memory(&self, id: ContainerId, notice: Option<&OwnedFd>) -> Result<()> {
        let Some(notice) = notice else { return Ok(()) };
        // Once for each notice, as nobody reads from it.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::PRI | epoll::EventFlags::ET;
        let about = epoll::EventData::new_u64(id << KIND_BITS | MEMORY);
        epoll::add(&self.epoll, notice, about, flags).during("watch the cgroup's memory")
    }

    /// A new process tells something, or executes its program.
    fn hear(&mut self, id: u64) {
        if let Some(container) = self.containers.get_mut(&id) {
            let Some(Start { call, stdio, .. }) = container.process.arrived() else { return };
            let pidfd = container.process.pidfd.try_clone().during("copy a descriptor");
            let listener = container.door.take().map(take_listener).transpose();
            match container.open_doors().and(pidfd).and_then(|pidfd| Ok((pidfd, listener?))) {
                Ok((pidfd, listener)) => {
                    let unkept = std::mem::take(&mut container.unkept);
                    let answer = Answer::Created(Created { unkept });
                    let descriptors = stdio.into_iter().chain([pidfd]).chain(listener).collect();
                    let fosterer = container.foster.take();
                    self.say(Message::Answer { number: call, answer }, descriptors);
                    if let Some((template, line)) = fosterer {
                        self.fork(template, line, id);
                    }
                }
                Err(failure) => container.process.fail(call, failure),
            }
        } else if let Some(exec) = self.execs.get_mut(&id) {
            let Some(Start { call, stdio, .. }) = exec.process.arrived() else { return };
            let message = Message::Answer { number: call, answer: Answer::Started };
            self.say(message, Vec::from(stdio));
        }
    }

    /// What fails here is told to process 1 by the end of its line, and it boots its interpreter itself.
    fn fork(&self, template: ContainerId, line: OwnedFd, into: ContainerId) {
        let template = self.containers.get(&template).and_then(|known| known.template.as_ref());
        if let (Some(template), Some(container)) = (template, self.containers.get(&into)) {
            let _ = container.fork_from(template, line);
        }
    }

    fn process_ended(&mut self, id: u64) {
        // What it told comes first, whichever of the two was noticed first.
        self.hear(id);
        if let Some(container) = self.containers.get_mut(&id) {
            if container.exit.is_some() {
                return;
            }
            // The kernel has process 1 end last: nothing of its pid namespace runs by then.
            let Ok(exit) = container.process.reap() else { return };
            container.exit = Some(exit);
            container.doors = None;
            // What it has forked and not sent out yet ends with that, and comes to this process.
            self.adopts |= container.template.take().is_some();
            let _ = epoll::delete(&self.epoll, &container.process.pidfd);
            let failed = container.process.failed.is_some();
            if failed || !container.removers.is_empty() {
                container.doomed = Some(Instant::now());
            }
            if !failed {
                self.tell_of_kills_in(id);
                self.say(Message::Ended { id, exit }, Vec::new());
            }
        } else if let Some(exec) = self.execs.remove(&id) {
            let _ = epoll::delete(&self.epoll, &exec.process.pidfd);
            let Ok(exit) = exec.process.reap() else { return };
            match exec.process.failed {
                Some((number, failure)) => self.answer(number, Answer::Failed(failure)),
                None => {
                    self.tell_of_kills_in(exec.container);
                    let message = Message::ExecEnded { id: exec.container, exec: id, exit };
                    self.say(message, Vec::new());
                }
            }
        }
    }

    fn notice_kill(&mut self, id: u64) {
        if let Some(container) = self.containers.get_mut(&id) {
            container.memory.noticed = Some(Instant::now());
        }
    }

    /// Tells of the kills for memory that the kernel has counted since it gave notice.
    fn tell_of_kills(&mut self) {
        let mut told = Vec::new();
        for (id, container) in &mut self.containers {
            let Some(noticed) = container.memory.noticed else { continue };
            told.extend(container.news_of_kills(*id));
            if noticed.elapsed() > COUNTED {
                container.memory.noticed = None;
            }
        }
        for message in told {
            self.say(message, Vec::new());
        }
    }

    /// Tells of those in one container, whether it gave notice or not.
    fn tell_of_kills_in(&mut self, id: ContainerId) {
        let news = self.containers.get_mut(&id).and_then(|container| container.news_of_kills(id));
        if let Some(news) = news {
            self.say(news, Vec::new());
        }
    }

    /// Removes what is left of those that have ended and are not wanted any more.
    fn clear_doomed(&mut self) {
        let doomed =
            self.containers.iter().filter_map(|(id, container)| Some((*id, container.doomed?)));
        let doomed: Vec<_> = doomed.collect();
        for (id, since) in doomed {
            let Some(container) = self.containers.get(&id) else { continue };
            let cleared = match container.clear() {
                Err(Errno::BUSY) if since.elapsed() < BUSY => continue,
                cleared => cleared.during("remove the cgroup"),
            };
            let Some(mut container) = self.containers.remove(&id) else { continue };
            let (mapping, failed) = (container.mapping, container.process.failed.take());
            let removers = std::mem::take(&mut container.removers);
            // Nothing of it is left when that is said.
            drop(container);
            self.workshop.give_ids_back(mapping);
            if let Some((number, failure)) = failed {
                self.answer(number, Answer::Failed(failure));
            }
            for number in removers {
                let answer = match &cleared {
                    Ok(()) => Answer::Removed,
                    Err(failure) => Answer::Failed(failure.clone()),
                };
                self.answer(number, answer);
            }
        }
    }

    /// Takes note of the ends of children that are none of its own making.
    fn bury_adopted(&mut self) {
        if !self.adopts {
            return;
        }
        let children = std::fs::read_to_string("/proc/self/task/1/children").unwrap_or_default();
        let containers = self.containers.values().map(|container| container.process.pid);
        let known: Vec<_> =
            containers.chain(self.execs.values().map(|exec| exec.process.pid)).collect();
        let pids = children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        let adopted: Vec<_> = pids.filter(|pid| !known.contains(pid)).collect();
        for pid in &adopted {
            let _ = waitid(WaitId::Pid(*pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
        self.adopts = !adopted.is_empty();
    }

    fn answer(&mut self, number: u64, answer: Answer) {
        self.say(Message::Answer { number, answer }, Vec::new());
    }

    fn say(&mut self, message: Message, descriptors: Vec<OwnedFd>) {
        self.outbox.push_back((message, descriptors));
        self.flush();
    }

    /// Sends as much as there is room for, in order.
    fn flush(&mut self) {
        while let Some((message, descriptors)) = self.outbox.front() {
            let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            match self.channel.send(message, &descriptors) {
                Ok(()) => {
                    self.outbox.pop_front();
                }
                Err(error) if error.would_block() || too_many_in_flight(&error) => return,
                Err(ChannelError::Ended) => {
                    self.ended = true;
                    return;
                }
                Err(error) => {
                    eprintln!("scientist-pool-launcher: {error}");
                    self.ended = true;
                    return;
                }
            }
        }
    }
}

fn no_such(id: ContainerId) -> Failure {
    of_kind(FailureKind::NoSuchContainer, format!("there is no container {id}"))
}

/// The other end has not taken the descriptors yet that were sent before.
fn too_many_in_flight(error: &ChannelError) -> bool {
    match error {
        ChannelError::Io(error) => Errno::from_io_error(error) == Some(Errno::TOOMANYREFS),
        _ => false,
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: 0, tv_nsec: duration.subsec_nanos().into() }
}
