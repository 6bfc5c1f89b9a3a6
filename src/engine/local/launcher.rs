//! The launcher's process, and what is said over the socket to it.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Mutex, MutexGuard, PoisonError,
    },
    time::Duration,
};

use rustix::process::Pid;
use scientist_pool_protocol::{
    Answer, Call, Channel, ChannelError, ContainerId, ExecId, Exit, Failure, Message, Request,
    VERSION,
};
use tokio::{
    io::{unix::AsyncFd, Interest},
    sync::{oneshot, watch, Mutex as Turn},
    time::timeout,
};

use super::advice::explained;
use crate::{
    budget::Budget,
    engine::{EngineState, Health, Told},
    error::{Code, Error, Result},
    task,
};

/// The longest that the launcher may take to come up. It makes a process and a few mounts.
const START: Duration = Duration::from_secs(10);
/// The longest that it may take to say something, when it has left a call unanswered.
const PULSE: Duration = Duration::from_secs(2);

type Socket = AsyncFd<Channel<Call, Message>>;
type Reply = (Answer, Vec<OwnedFd>);

/// Starts the launcher when there is something for it to do, and another one when it is gone.
pub(super) struct Launcher {
    program: PathBuf,
    /// The longest that one call may take.
    limit: Duration,
    budget: Arc<Budget>,
    health: watch::Sender<Health>,
    running: Turn<Option<Arc<Link>>>,
}

impl Launcher {
    pub(super) fn new(program: PathBuf, limit: Duration, budget: Arc<Budget>) -> Self {
        let (health, _) = watch::channel(Health::good());
        Self { program, limit, budget, health, running: Turn::default() }
    }

    pub(super) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// The launcher that runs, started if there is none.
    pub(super) async fn link(&self) -> Result<Arc<Link>> {
        let mut running = self.running.lock().await;
        if let Some(link) = running.as_ref().filter(|link| !link.is_over()) {
            return Ok(link.clone());
        }
        let link = Link::open(&self.program).await;
        let health = match &link {
            Ok(_) => Health::good(),
            Err(error) => {
                Health { state: EngineState::Down, error: Some(error.clone()), ..Health::good() }
            }
        };
        self.health.send_if_modified(|known| {
            let changed = known.state != health.state;
            *known = health;
            changed
        });
        let link = link?;
        *running = Some(link.clone());
        Ok(link)
    }

    /// The answer to a request, within its time.
    pub(super) async fn ask(&self, link: &Arc<Link>, request: Request) -> Result<Reply> {
        match timeout(self.limit, link.ask(request)).await {
            Ok(answered) => answered,
            Err(_) => {
                let link = link.clone();
                task::spawn(async move { link.end_if_silent().await });
                let message = format!("the launcher did not answer within {:?}", self.limit);
                Err(Error::new(Code::EngineUnavailable, message))
            }
        }
    }

    /// Has the launcher end if no container of it runs, and none is on its way. The next create starts
    /// another one.
    pub(super) async fn rest(&self) {
        let mut running = self.running.lock().await;
        // Who begins to use it takes it under this lock.
        if let Some(link) = running.take_if(|link| Link::is_idle(link)) {
            link.end();
        }
    }

    /// The link, if a launcher runs.
    pub(super) async fn running(&self) -> Option<Arc<Link>> {
        self.running.lock().await.clone().filter(|link| !link.is_over())
    }
}

impl std::fmt::Display for Launcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this machine")
    }
}

/// One launcher, for as long as it runs. It ends with the last of those who hold this.
pub(super) struct Link {
    /// Tells its containers from those of other launchers.
    name: String,
    /// The launcher's keeper.
    process: Pid,
    socket: Socket,
    state: Arc<Mutex<State>>,
    calls: AtomicU64,
    /// Of containers and of their commands.
    ids: AtomicU64,
}

#[derive(Default)]
struct State {
    /// It has ended; nothing will be answered any more.
    over: bool,
    waiting: HashMap<u64, oneshot::Sender<Reply>>,
    known: HashMap<ContainerId, Known>,
}

/// What is known of a container, for as long as somebody wants to hear of it.
#[derive(Default)]
struct Known {
    told: watch::Sender<Told>,
    /// Its commands; `None`: it has not ended.
    execs: HashMap<ExecId, Option<Exit>>,
}

impl Known {
    fn tell_end(&self) {
        self.told.send_modify(|told| told.dead = true);
    }
}

impl Link {
    async fn open(program: &Path) -> Result<Arc<Self>> {
        let unavailable = |what: &str, why: &dyn std::fmt::Display| {
            let message = format!("the launcher {} {what}: {why}", program.display());
            Error::new(Code::EngineUnavailable, message)
        };
        let (near, far) =
            Channel::pair().map_err(|error| unavailable("can't be spoken to", &error))?;
        // One to speak, one to listen, as each needs a buffer of its own.
        let ear = near.as_fd().try_clone_to_owned().map(Channel::new);
        let ear = ear.and_then(|ear| watched(ear, Interest::READABLE));
        let ear = ear.map_err(|error| unavailable("can't be spoken to", &error))?;
        let socket = watched(near, Interest::WRITABLE)
            .map_err(|error| unavailable("can't be spoken to", &error))?;
        let child = Command::new(program)
            .env_clear()
            .stdin(far)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| unavailable("can't be started", &error))?;
        let process = Pid::from_child(&child);
        let state = Arc::new(Mutex::new(State::default()));
        let (hello, greeted) = oneshot::channel();
        // Ends with this link, which is dropped where the launcher is of no use.
        task::spawn(listen(ear, state.clone(), hello, child));
        let link = Arc::new(Self {
            // With its process, so that who looks from outside knows whose a container is.
            name: format!("{:08x}{:08x}", process.as_raw_pid(), rand::random::<u32>()),
            process,
            socket,
            state,
            calls: AtomicU64::new(0),
            ids: AtomicU64::new(0),
        });
        match timeout(START, greeted).await {
            Ok(Ok(Ok(Hello { version, .. }))) if version != VERSION => {
                let why = format!("it speaks version {version}, not {VERSION}");
                Err(unavailable("is of another release", &why))
            }
            Ok(Ok(Ok(Hello { fault: Some(fault), .. }))) => {
                let why = explained(&fault.message, fault.errno.unwrap_or(0));
                Err(unavailable("can make no containers here", &why))
            }
            Ok(Ok(Ok(_))) => Ok(link),
            Ok(Ok(Err(said))) => Err(unavailable("ended", &said)),
            Ok(Err(_)) => Err(unavailable("ended", &"without a word")),
            Err(_) => {
                link.kill();
                Err(unavailable("did not come up", &"it is silent"))
            }
        }
    }

    /// Whether nobody holds it but its launcher's owner, and those who hear of containers that have ended.
    fn is_idle(link: &Arc<Self>) -> bool {
        let state = lock(&link.state);
        let has_ended = |known: &Known| known.told.borrow().dead;
        Arc::strong_count(link) == 1 + state.known.len() && state.known.values().all(has_ended)
    }

    /// Has the launcher end.
    fn end(&self) {
        // The other half of the socket is with the task that listens: this ends both.
        let _ = rustix::net::shutdown(self.socket.get_ref().as_fd(), rustix::net::Shutdown::Both);
    }

    pub(super) fn is_over(&self) -> bool {
        lock(&self.state).over
    }

    /// An id that no container of this launcher has had; and what is told of that container.
    pub(super) fn next(&self) -> (ContainerId, watch::Receiver<Told>) {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let known = Known::default();
        let told = known.told.subscribe();
        lock(&self.state).known.insert(id, known);
        (id, told)
    }

    /// An id for a command in a container; `None`: nobody wants to hear of that container any more.
    pub(super) fn next_exec(&self, container: ContainerId) -> Option<ExecId> {
        let mut state = lock(&self.state);
        let known = state.known.get_mut(&container)?;
        let exec = self.ids.fetch_add(1, Ordering::Relaxed);
        known.execs.insert(exec, None);
        Some(exec)
    }

    /// How a command stands, by its full id; `None`: nothing is known of it.
    pub(super) fn exec(&self, full: &str) -> Option<Option<Exit>> {
        let (container, exec) = full.rsplit_once('-')?;
        let container = self.own(container)?;
        lock(&self.state).known.get(&container)?.execs.get(&exec.parse().ok()?).copied()
    }

    /// The id as the rest knows it.
    pub(super) fn full(&self, id: ContainerId) -> String {
        format!("{}-{id}", self.name)
    }

    /// The launcher's own id of a container; `None`: it is another launcher's, which is gone.
    pub(super) fn own(&self, full: &str) -> Option<ContainerId> {
        let (name, id) = full.split_once('-')?;
        id.parse().ok().filter(|_| name == self.name)
    }

    /// Nobody wants to hear of the container any more.
    pub(super) fn forget(&self, id: ContainerId) {
        lock(&self.state).known.remove(&id);
    }

    /// Ends a launcher that says nothing any more, as one that was stopped: another takes its place. One that
    /// can be spoken to has its reasons: what a container's own processes do to a command holds up that alone.
    async fn end_if_silent(&self) {
        if timeout(PULSE, self.ask(Request::List)).await.is_err() {
            self.kill();
        }
    }

    /// Kills the launcher, and so all of its containers.
    fn kill(&self) {
        let state = lock(&self.state);
        // Until then nobody has waited for it: its number is no other process's.
        if !state.over {
            let _ = rustix::process::kill_process(self.process, rustix::process::Signal::KILL);
        }
    }

    async fn ask(&self, request: Request) -> Result<Reply> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let (give, reply) = oneshot::channel();
        let ended = || Error::new(Code::EngineUnavailable, "the launcher has ended");
        {
            let mut state = lock(&self.state);
            if state.over {
                return Err(ended());
            }
            state.waiting.insert(number, give);
        }
        let call = Call { number, request };
        loop {
            let Ok(mut ready) = self.socket.writable().await else { return Err(ended()) };
            match self.socket.get_ref().send(&call, &[]) {
                Ok(()) => break,
                Err(error) if error.would_block() => ready.clear_ready(),
                Err(error) => {
                    lock(&self.state).waiting.remove(&number);
                    return Err(match error {
                        ChannelError::Ended => ended(),
                        error => Error::new(Code::EngineError, error.to_string()),
                    });
                }
            }
        }
        reply.await.map_err(|_| ended())
    }
}

fn watched(channel: Channel<Call, Message>, interest: Interest) -> io::Result<Socket> {
    // SAFETY: a channel keeps its one descriptor open for as long as it lives, and gives out no other.
    unsafe { AsyncFd::register_with_interest(channel, interest) }.map_err(io::Error::from)
}

/// What a launcher says of itself first.
struct Hello {
    version: u32,
    fault: Option<Failure>,
}

/// Hears what the launcher says, until it ends. `hello` gets its first words, or its last.
async fn listen(
    mut socket: Socket,
    state: Arc<Mutex<State>>,
    hello: oneshot::Sender<std::result::Result<Hello, String>>,
    child: Child,
) {
    let mut hello = Some(hello);
    loop {
        let Ok(mut ready) = socket.readable_mut().await else { break };
        let (message, descriptors) = match ready.get_inner_mut().receive() {
            Ok(Some(received)) => received,
            Err(error) if error.would_block() => {
                ready.clear_ready();
                continue;
            }
            // What waits for it waits in vain, for as long as it may.
            Err(ChannelError::Lost) => continue,
            Ok(None) | Err(_) => break,
        };
        match message {
            Message::Hello { version, fault } => {
                if let Some(hello) = hello.take() {
                    let _ = hello.send(Ok(Hello { version, fault }));
                }
            }
            Message::Answer { number, answer } => {
                let waiting = lock(&state).waiting.remove(&number);
                if let Some(waiting) = waiting {
                    // Descriptors of one that nobody waits for are closed, and so its lifeline is cut.
                    let _ = waiting.send((answer, descriptors));
                }
            }
            Message::Ended { id, .. } => {
                if let Some(known) = lock(&state).known.get(&id) {
                    known.tell_end();
                }
            }
            Message::OomKilled { id, oom_kills } => {
                if let Some(known) = lock(&state).known.get(&id) {
                    let oom_kills = u32::try_from(oom_kills).unwrap_or(u32::MAX);
                    known.told.send_modify(|told| told.oom_kills = oom_kills);
                }
            }
            Message::ExecEnded { id, exec, exit } => {
                if let Some(known) = lock(&state).known.get_mut(&id) {
                    known.execs.insert(exec, Some(exit));
                }
            }
        }
    }
    {
        let mut state = lock(&state);
        state.over = true;
        state.waiting.clear();
        // With the launcher all its containers have ended.
        for known in state.known.values() {
            known.tell_end();
        }
    }
    drop(socket);
    let said = tokio::task::spawn_blocking(|| last_words(child)).await.unwrap_or_default();
    if let Some(hello) = hello.take() {
        let _ = hello.send(Err(said));
    }
}

/// Waits for the launcher's end, which its socket's end is followed by.
fn last_words(child: Child) -> String {
    match child.wait_with_output() {
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Nothing done under this lock can leave it half-changed.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Link {
    fn drop(&mut self) {
        self.end();
    }
}
