//! A running container, and how a call finds its way into it.

use std::{
    future::Future,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        Arc, OnceLock,
    },
    time::Duration,
};

use futures_util::{future::Either, FutureExt};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout, Instant},
};
use tokio_util::sync::CancellationToken;

use super::{
    call::{reached, Call, Ended, Outcome, Path, SIGKILL},
    ending::Ending,
    way_out::{Account, WayOut},
};
use crate::{
    config::Narrowed,
    engine::{Engine, Vitals},
    error::{Code, Error, Result},
    pool::Pooled,
    runner::{
        beside, exec,
        guide::Guide,
        job::{Command, Job, Work},
        lifeline::Lifeline,
        listener::Listener,
        output::Output,
        pace::Crowd,
        session::{End, Session, SessionError, Supervisor},
        startup::counts_only_at_start,
        stdin::Stdin,
        MAX_INPUT, MAX_WORDS,
    },
};

/// How long the news of a kill for memory may take behind the end of the process.
const OOM_EVENT: Duration = Duration::from_millis(250);
/// The least time between two questions for a container's CPU time.
const CPU_POLL: Duration = Duration::from_millis(25);

/// As the JavaScript side says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing has run in it.
    Ready,
    /// Something runs in it, or has.
    Busy,
    /// It is gone, or about to be.
    Terminated,
}

/// How many calls went which way.
#[derive(Debug, Default)]
pub struct Paths {
    warm: AtomicU64,
    cold: AtomicU64,
}

impl Paths {
    fn count(&self, path: Path) {
        let counter = match path {
            Path::Warm => &self.warm,
            Path::Cold => &self.cold,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Warm, cold.
    pub fn counts(&self) -> (u64, u64) {
        (self.warm.load(Ordering::Relaxed), self.cold.load(Ordering::Relaxed))
    }
}

/// What PID 1 is.
pub(super) enum Init {
    Supervisor(Session),
    /// A process that only waits for its stdin to end. `python`: the image has one all the same.
    Idle {
        lifeline: Lifeline,
        python: bool,
    },
}

/// A running container.
pub struct Container {
    id: String,
    engine: Arc<dyn Engine>,
    init: Init,
    vitals: Vitals,
    paths: Arc<Paths>,
    /// `None`: nothing leads out of it.
    way_out: Option<WayOut>,
    used: AtomicBool,
    /// Whether the supervisor has a job. It takes one at a time: two would share its streams.
    supervising: AtomicBool,
    /// Set before `terminated` is.
    ending: OnceLock<Ending>,
    terminated: CancellationToken,
}

impl Container {
    pub(super) fn new(
        id: String,
        engine: Arc<dyn Engine>,
        init: Init,
        vitals: Vitals,
        paths: Arc<Paths>,
        way_out: Option<WayOut>,
    ) -> Self {
        Self {
            id,
            engine,
            init,
            vitals,
            paths,
            way_out,
            used: AtomicBool::new(false),
            supervising: AtomicBool::new(false),
            ending: OnceLock::new(),
            terminated: CancellationToken::new(),
        }
    }

    pub fn status(&self) -> Status {
        if self.terminated.is_cancelled() {
            Status::Terminated
        } else if self.used.load(Ordering::Acquire) {
            Status::Busy
        } else {
            Status::Ready
        }
    }

    /// Marks the container as gone, before it goes: running calls end as that says. The first to say
    /// so counts; nobody ends one that is gone already.
    pub(super) fn terminate(&self, ending: Ending) {
        self.ending.get_or_init(|| match self.lost().now_or_never() {
            Some(()) => Ending::Lost,
            None => ending,
        });
        self.terminated.cancel();
        if let Some(way_out) = &self.way_out {
            way_out.end();
        }
    }

    /// Resolves when the container has ended, or is about to: with the error of a call that lasted
    /// until then.
    pub async fn ended(&self) -> Error {
        tokio::select! {
            biased;
            () = self.terminated.cancelled() => self.ending_error(),
            () = self.lost() => self.session_error(SessionError::Lost),
        }
    }

    /// Runs a call. After an error that does not [spare](Error::spares_container) it, and after an
    /// outcome with an [`ending`](Outcome::ending), the container is of no more use and must be destroyed.
    ///
    /// # Errors
    ///
    /// `ContainerTerminated`: destroyed before or meanwhile, or the caller cancelled.
    /// `ContainerLost`: it ended, or its connection broke. `InvalidArgument`: more input than a job
    /// can have. What the engine says to an exec, where one is needed.
    pub async fn execute(&self, call: Call) -> Result<Outcome> {
        let called = Instant::now();
        self.used.store(true, Ordering::Release);
        let Call { job, deadline, cpu_time, wanted, tap, network, cancel, kill } = call;
        check_size(&job)?;
        let mut job = self.showing(job, wanted.display)?;
        if self.terminated.is_cancelled() {
            return Err(self.ending_error());
        }
        let is_files = matches!(job.work, Work::Files(_));
        let way_out = self.way_out.as_ref().filter(|_| !is_files);
        let account = way_out.map(|way_out| way_out.account(network.as_ref())).transpose()?;
        if let Some(way_out) = way_out {
            way_out.tell(&mut job.env);
        }

        let output = Output::among(Crowd::process(), wanted, tap);
        let (written, mut on_written) = oneshot::channel();
        let oom_kills = self.vitals.oom_kills();
        let (path, work) = self.dispatch(job, output.clone(), written);
        if !is_files {
            self.paths.count(path);
        }
        let work = async {
            let end = work.await?;
            output.delivered().await;
            Ok(end)
        };
        let ended = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(self.terminated_error()),
            // Before the container's own end: a result that was reached is not thrown away.
            end = work => end.map(Ended::Process),
            () = self.terminated.cancelled() => Err(self.ending_error()),
            () = kill.cancelled() => Ok(Ended::Killed),
            () = reached(deadline.map(|deadline| called + deadline)) => Ok(Ended::Deadline),
            spent = self.spend(cpu_time) => spent.map(|()| Ended::CpuTime),
        };
        output.close();
        let ended = match ended {
            // A script can see to it that of all processes the first one has the most memory.
            Err(error)
                if error.code == Code::ContainerLost
                    && !error.unsent
                    && self.died_for_memory(oom_kills).await =>
            {
                Ok(Ended::Memory)
            }
            ended => ended,
        };
        let ended = ended.map_err(|error| self.or_going(error))?;
        let mut outcome = Outcome::new(ended, &output, path, called, on_written.try_recv().ok());
        if let Some(account) = account {
            outcome.egress = Some(account.close(outcome.ending().is_some()).await);
        }
        Ok(outcome)
    }

    fn has_python(&self) -> bool {
        match &self.init {
            Init::Supervisor(session) => session.has_python(),
            Init::Idle { python, .. } => *python,
        }
    }

    /// Returns when the container has used that much more CPU time; `None`: never.
    ///
    /// The engine counts it, so what a script does to its processes does not matter. It is asked when
    /// the limit can have been reached at the earliest, so a script that waits costs next to nothing.
    pub(super) async fn spend(&self, limit: Option<Duration>) -> Result<()> {
        let Some(limit) = limit else {
            return std::future::pending().await;
        };
        let before =
            self.engine.cpu_time(&self.id).await.map_err(|error| self.exec_error(error))?;
        let mut used = before.used;
        loop {
            let left = (before.used + limit).saturating_sub(used);
            if left.is_zero() {
                return Ok(());
            }
            sleep(left.div_f64(before.processors).max(CPU_POLL)).await;
            used =
                self.engine.cpu_time(&self.id).await.map_err(|error| self.exec_error(error))?.used;
        }
    }

    /// A script that is to show something, as the parked interpreter does it.
    fn showing(&self, job: Job, most: Option<u64>) -> Result<Job> {
        match (job.work, most) {
            // Without a `python3` it comes to nothing, as any other.
            (Work::Script { source, args, cwd }, Some(most)) if self.has_python() => {
                self.telling_session("display", &job.env)?;
                let guide = Guide::script(most, cwd.as_deref());
                let work = Work::Telling { guide, stdin: Stdin::Whole(source), args };
                Ok(Job { work, env: job.env })
            }
            (work, _) => Ok(Job { work, env: job.env }),
        }
    }

    /// The way to an interpreter that tells more than its output.
    fn telling_session(&self, what: &str, env: &[(String, String)]) -> Result<&Session> {
        let refused = |code, message| Err(Error::new(code, message).container(&self.id).refused());
        if let Some((name, _)) = env.iter().find(|(name, _)| counts_only_at_start(name)) {
            let message = format!(
                "env[{name:?}] only counts as an interpreter starts, and {what} takes one that runs already; \
                 set it in the image."
            );
            return refused(Code::InvalidArgument, message);
        }
        match &self.init {
            Init::Supervisor(session) if session.has_python() => Ok(session),
            _ => {
                let message = format!(
                    "{what} takes an interpreter that is kept ready, and the image's python3 can't be."
                );
                refused(Code::EngineError, message)
            }
        }
    }

    fn busy_error(&self) -> Error {
        let message =
            "Another call or session has the container's interpreter: wait for it or close it, or \
                       acquire another container.";
        Error::new(Code::ContainerBusy, message).container(&self.id)
    }

    /// Runs an interpreter that stays for many runs, until it ends.
    ///
    /// # Errors
    ///
    /// As [`Container::execute`]; and `ContainerBusy`.
    pub(super) async fn interpret(&self, mut job: Job, listener: Listener) -> Result<End> {
        if let Some(way_out) = &self.way_out {
            way_out.tell(&mut job.env);
        }
        self.used.store(true, Ordering::Release);
        if self.terminated.is_cancelled() {
            return Err(self.ending_error());
        }
        let session = self.telling_session("a session", &job.env)?;
        let turn = Turn::take(&self.supervising).ok_or_else(|| self.busy_error())?;
        tokio::select! {
            biased;
            end = self.supervise(session, turn, job, listener, oneshot::channel().0) => {
                end.map_err(|error| self.or_going(error))
            }
            () = self.terminated.cancelled() => Err(self.ending_error()),
        }
    }

    /// Notes a run of such an interpreter.
    pub(super) fn count_run(&self) {
        self.paths.count(Path::Warm);
    }

    pub(super) fn account(&self, network: Option<&Narrowed>) -> Result<Option<Account<'_>>> {
        self.way_out.as_ref().map(|way_out| way_out.account(network)).transpose()
    }

    async fn supervise(
        &self,
        session: &Session,
        turn: Turn<'_>,
        job: Job,
        listener: Listener,
        written: oneshot::Sender<Instant>,
    ) -> Result<End> {
        let oom_kills = self.vitals.oom_kills();
        let end = session.run(job, listener, written).await;
        drop(turn);
        let end = end.map_err(|error| self.session_error(error))?;
        Ok(match end {
            // Where scripts see no control groups, the supervisor sees none either.
            End::Signal(SIGKILL) if self.tells_of_kills(oom_kills).await == Some(true) => {
                End::Oom(SIGKILL)
            }
            end => end,
        })
    }

    /// Chooses the way of a job, and sends it there.
    fn dispatch(
        &self,
        job: Job,
        output: Output,
        written: oneshot::Sender<Instant>,
    ) -> (Path, impl Future<Output = Result<End>> + Send + '_) {
        if let Init::Supervisor(session) = &self.init {
            if let Some(turn) = Turn::take(&self.supervising) {
                let (path, job) = match &job.work {
                    Work::Script { cwd, .. }
                        if cwd.is_some()
                            || !session.has_python()
                            || job.env.iter().any(|(name, _)| counts_only_at_start(name)) =>
                    {
                        (Path::Cold, Job { work: Work::Command(job.work.into_command()), ..job })
                    }
                    _ => (Path::Warm, job),
                };
                let listener = match &job.work {
                    Work::Telling { guide, .. } => Listener::telling(output, guide),
                    _ => output.into(),
                };
                let work = self.supervise(session, turn, job, listener, written);
                return (path, Either::Left(work));
            }
        }
        let work = async move {
            if matches!(job.work, Work::Telling { .. }) {
                return Err(self.busy_error());
            }
            if matches!(job.work, Work::Files(_)) && !self.has_python() {
                let message =
                    "Files can't be written or read: the image has no python3 that could do it, or \
                               memory, pidsLimit or ulimits are too small for one.";
                return Err(Error::new(Code::FileError, message).container(&self.id));
            }
            let oom_kills = self.vitals.oom_kills();
            let end = tokio::select! {
                end = self.run_cold(job, output, written) => end?,
                () = self.lost() => return Err(self.session_error(SessionError::Lost)),
            };
            Ok(match end {
                End::Signal(SIGKILL) if self.killed_for_memory(oom_kills).await => {
                    End::Oom(SIGKILL)
                }
                end => end,
            })
        };
        (Path::Cold, Either::Right(work))
    }

    async fn run_cold(
        &self,
        job: Job,
        output: Output,
        written: oneshot::Sender<Instant>,
    ) -> Result<End> {
        let engine = &*self.engine;
        match self.init {
            Init::Supervisor(ref session) if session.supervisor() == Supervisor::Python => {
                beside::run(engine, &self.id, job, output, written).await.map_err(|error| {
                    match error {
                        beside::Failed::Engine(error) => self.exec_error(error),
                        beside::Failed::Session(error) => self.session_error(error),
                    }
                })
            }
            _ => exec::run(engine, &self.id, job, output, written)
                .await
                .map_err(|error| self.exec_error(error)),
        }
    }

    /// Whether the engine tells of a kill for memory beyond those there had been. An exec's status does
    /// not say (`OOMKilled` is about PID 1), and the event may come after it.
    async fn killed_for_memory(&self, before: u32) -> bool {
        match self.tells_of_kills(before).await {
            Some(more) => more,
            None => timeout(OOM_EVENT, self.vitals.oom_kill_after(before)).await.is_ok(),
        }
    }

    /// Whether there have been kills for memory beyond those; `None`: it may be told later.
    async fn tells_of_kills(&self, before: u32) -> Option<bool> {
        self.engine.catch_up(&self.id).await.then(|| self.vitals.oom_kills() > before)
    }

    async fn died_for_memory(&self, before: u32) -> bool {
        timeout(OOM_EVENT, self.vitals.died_for_memory(before)).await.unwrap_or(false)
    }

    /// What breaks because the container goes is told as its going.
    pub(super) fn or_going(&self, error: Error) -> Error {
        if self.terminated.is_cancelled() && !error.spares_container() {
            return self.ending_error();
        }
        error
    }

    pub(super) fn ending_error(&self) -> Error {
        match self.ending.get() {
            Some(Ending::Lost) => self.session_error(SessionError::Lost),
            _ => self.terminated_error(),
        }
    }

    pub(super) fn terminated_error(&self) -> Error {
        let message = "The container was destroyed before the call ended.";
        Error::new(Code::ContainerTerminated, message).container(&self.id)
    }

    fn session_error(&self, error: SessionError) -> Error {
        let lost = |message: &str| Error::new(Code::ContainerLost, message).container(&self.id);
        match error {
            SessionError::Unsent => {
                lost("The container ended before the call began; acquire a new one and try again.")
                    .unsent()
            }
            SessionError::Lost => lost(
                "The container ended during the call, or the connection to it broke; acquire a new \
                 one and try again.",
            ),
            SessionError::NotStarted(why) => {
                let message = format!(
                    "The call could not be started: {why}. What earlier calls have left running uses \
                     up what pidsLimit and ulimits allow; acquire a new container."
                );
                Error::new(Code::EngineError, message).container(&self.id).refused()
            }
            SessionError::Protocol(what) => lost(&format!(
                "The connection to the container broke: {what}; acquire a new one."
            )),
        }
    }

    /// An engine that does not know the container, or says that it does not run, tells of its loss.
    fn exec_error(&self, error: Error) -> Error {
        match error.status_code {
            Some(404 | 409) => self.session_error(SessionError::Lost).cause(error),
            _ => error,
        }
    }
}

impl Pooled for Container {
    fn id(&self) -> &str {
        &self.id
    }

    fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        let cut = match &self.init {
            Init::Supervisor(session) => Either::Left(session.lost()),
            Init::Idle { lifeline, .. } => Either::Right(lifeline.lost()),
        };
        let dead = self.vitals.dead();
        async move {
            tokio::select! {
                () = cut => {}
                () = dead => {}
            }
        }
    }
}

/// The supervisor's attention, given back when dropped.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(supervising: &'a AtomicBool) -> Option<Self> {
        let free = supervising.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire);
        free.ok().map(|_| Self(supervising))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What is to be sent must fit its frames. The JavaScript side knows how much the container can hold, and
/// has refused more than that.
fn check_size(job: &Job) -> Result<()> {
    let words = |list: &[String]| list.iter().map(|word| word.len() + 4).sum::<usize>();
    let folder = |cwd: &Option<String>| ("cwd", cwd.as_ref().map_or(0, String::len), MAX_WORDS);
    let sizes = match &job.work {
        Work::Script { source, args, cwd } => {
            [("script", source.len(), MAX_INPUT), ("args", words(args), MAX_WORDS), folder(cwd)]
        }
        Work::Telling { args, .. } => {
            [("args", words(args), MAX_WORDS), folder(&None), folder(&None)]
        }
        Work::Command(Command { argv, cwd, stdin }) => {
            let whole = if let Stdin::Whole(bytes) = stdin { bytes.len() } else { 0 };
            [("stdin", whole, MAX_INPUT), ("cmd", words(argv), MAX_WORDS), folder(cwd)]
        }
        Work::Files(request) => {
            let none = folder(&None);
            [("files", request.len(), MAX_INPUT), none, none]
        }
    };
    let env = job.env.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
    for (what, size, most) in sizes.into_iter().chain([("env", env, MAX_WORDS)]) {
        if size > most {
            let message = format!("{what} has {size} bytes; the most is {most}.");
            return Err(Error::new(Code::InvalidArgument, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_a_frame_is_refused_by_its_name() {
        let refused = |work, env| {
            let error = check_size(&Job { work, env }).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            error.message
        };
        let long = "x".repeat(MAX_WORDS);
        let script = |args| Work::Script { source: Default::default(), args, cwd: None };
        let command = |argv, cwd| Work::Command(Command { argv, cwd, stdin: Stdin::default() });
        let env = vec![("A".to_owned(), long.clone())];
        assert!(refused(script(vec![long.clone()]), vec![]).starts_with("args has 67108868 bytes"));
        assert!(refused(script(vec![]), env).starts_with("env has"));
        assert!(refused(command(vec![long.clone()], None), vec![]).starts_with("cmd has"));
        assert!(refused(command(vec![], Some(long + "x")), vec![]).starts_with("cwd has"));
    }

    #[test]
    fn a_turn_is_given_to_one_at_a_time_however_often_it_is_asked_for() {
        let supervising = AtomicBool::new(false);
        let turn = Turn::take(&supervising);
        assert!(turn.is_some());
        assert!(Turn::take(&supervising).is_none());
        assert!(Turn::take(&supervising).is_none());
        drop(turn);
        assert!(Turn::take(&supervising).is_some());
    }
}
