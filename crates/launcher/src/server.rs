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
};
use scientist_pool_protocol::{
    Answer, Call, Channel, ChannelError, ContainerId, Created, Failure, FailureKind, Message,
    Request, VERSION,
};

use crate::{
    container::Container,
    failure::{invalid, of_kind, During, Result},
    probe,
    workshop::Workshop,
};

/// What an event is about: the socket, or a container's process or report.
const SOCKET: u64 = u64::MAX;
/// Ids have room for one bit beside them.
const HIGHEST_ID: ContainerId = (u64::MAX >> 1) - 1;
/// How often something is tried again that the kernel is not ready for yet.
const AGAIN: Duration = Duration::from_millis(2);
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
        outbox: VecDeque::new(),
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
    /// What the socket had no room for.
    outbox: VecDeque<(Message, Vec<OwnedFd>)>,
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
                    about if about & 1 == 0 => self.process_ended(about >> 1),
                    about => self.hear(about >> 1),
                }
            }
            self.clear_doomed();
            self.flush();
        }
        Ok(())
    }

    /// Whether something is to be tried again that no event will tell of.
    fn is_impatient(&self) -> bool {
        !self.outbox.is_empty() || self.containers.values().any(|c| c.doomed.is_some())
    }

    /// Takes one call; the next one comes with the next event, after those of others.
    fn listen(&mut self) {
        match self.channel.receive() {
            Ok(Some((Call { number, request }, _))) => self.carry_out(number, request),
            Ok(None) => self.ended = true,
            Err(error) if error.would_block() => {}
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
            Request::Create { id, spec } => {
                if let Err(failure) = self.create(number, id, spec) {
                    self.answer(number, Answer::Failed(failure));
                }
            }
            Request::Remove { id } => match self.containers.entry(id) {
                Entry::Vacant(_) => self.answer(number, Answer::Removed),
                Entry::Occupied(mut entry) => {
                    let container = entry.get_mut();
                    container.removers.push(number);
                    match container.end {
                        Some(_) => container.doomed = Some(Instant::now()),
                        None => container.kill(),
                    }
                }
            },
            Request::Usage { id } => {
                let answer = match self.containers.get(&id) {
                    Some(container) => Answer::Usage(container.usage()),
                    None => Answer::Failed(of_kind(
                        FailureKind::NoSuchContainer,
                        format!("there is no container {id}"),
                    )),
                };
                self.answer(number, answer);
            }
            Request::List => {
                let ids = self.containers.keys().copied().collect();
                self.answer(number, Answer::Containers(ids));
            }
            Request::Probe => {
                let report = probe::report(&self.workshop);
                self.answer(number, Answer::Report(report));
            }
        }
    }

    fn create(
        &mut self,
        number: u64,
        id: ContainerId,
        spec: Box<scientist_pool_protocol::Spec>,
    ) -> Result<()> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        if id > HIGHEST_ID || self.containers.contains_key(&id) {
            return Err(invalid(format!("the id {id} is in use, or too high")));
        }
        let container = Container::begin(&mut self.workshop, id, number, spec)?;
        let incoming = epoll::EventFlags::IN;
        let data = epoll::EventData::new_u64;
        let watched = epoll::add(&self.epoll, &container.pidfd, data(id << 1), incoming)
            .and_then(|()| match &container.start {
                Some(start) => epoll::add(&self.epoll, start.report(), data(id << 1 | 1), incoming),
                None => Ok(()),
            })
            .during("watch the new process");
        if let Err(failure) = watched {
            container.abort(&mut self.workshop);
            return Err(failure);
        }
        self.containers.insert(id, container);
        Ok(())
    }

    /// A new process tells something, or executes its program.
    fn hear(&mut self, id: ContainerId) {
        let Some(container) = self.containers.get_mut(&id) else { return };
        let Some(start) = &mut container.start else { return };
        let Some(outcome) = start.outcome() else { return };
        let Some(start) = container.start.take() else { return };
        match outcome {
            Ok(()) => {
                let created = Created { unkept: start.unkept };
                let mut descriptors = Vec::from(start.stdio);
                match container.pidfd.try_clone() {
                    Ok(pidfd) => {
                        descriptors.push(pidfd);
                        let answer = Answer::Created(created);
                        self.say(Message::Answer { number: start.number, answer }, descriptors);
                        return;
                    }
                    Err(error) => {
                        let failed = Err::<(), _>(error).during("copy a descriptor");
                        container.failed = failed.err().map(|failure| (start.number, failure));
                    }
                }
            }
            Err(failure) => container.failed = Some((start.number, failure)),
        }
        container.kill();
    }

    fn process_ended(&mut self, id: ContainerId) {
        // What it told comes first, whichever of the two was noticed first.
        self.hear(id);
        let Some(container) = self.containers.get_mut(&id) else { return };
        if container.end.is_some() || container.reap().is_err() {
            return;
        }
        let _ = epoll::delete(&self.epoll, &container.pidfd);
        if container.failed.is_some() || !container.removers.is_empty() {
            container.doomed = Some(Instant::now());
        }
        if let (None, Some(end)) = (&container.failed, container.end) {
            self.say(Message::Ended { id, end }, Vec::new());
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
            let Some(container) = self.containers.remove(&id) else { continue };
            let Container { pidfd, mapping, failed, removers, .. } = container;
            // Nothing of it is left when that is said.
            drop(pidfd);
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
                Err(error) => {
                    eprintln!("scientist-pool-launcher: {error}");
                    self.ended = true;
                    return;
                }
            }
        }
    }
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
