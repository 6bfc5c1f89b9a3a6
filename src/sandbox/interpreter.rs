//! An interpreter that stays in a container for many runs, one after another.

use std::{
    future::Future,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Mutex, OnceLock, PoisonError,
    },
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::{
    sync::{oneshot, watch, Mutex as Line},
    time::{timeout, Instant},
};

use super::{
    call::{reached, Call, Ended, Outcome, Path, Reason},
    container::Status,
    ending::Ending,
    sandbox::Sandbox,
};
use crate::{
    error::{excerpt, Code, Error, Result},
    runner::{
        guide::Guide,
        job::{Job, Work},
        listener::{Begun, Fault, Listener},
        output::{Output, Wanted},
        pace::Crowd,
        session::End,
        stdin::{self, Feed, Stdin},
    },
    task,
};

/// The most that is read of what an interpreter says that does not come up.
const LAST_WORDS: u64 = 4 << 10;

/// An interpreter with what its runs have left in it. Dropping it has it end as a script does.
pub struct Interpreter {
    sandbox: Arc<Sandbox>,
    /// `None`: it is closed.
    feed: Mutex<Option<Feed>>,
    listener: Listener,
    /// What it came to; `None`: it runs.
    end: watch::Receiver<Option<Result<End>>>,
    /// Runs take place in the order in which they ask.
    line: Line<()>,
    closing: AtomicBool,
    /// How long it may take to let go of what it is interrupted in, and to end.
    grace: Duration,
}

/// Why a run is not to go on.
#[derive(Clone, Copy)]
enum Stop {
    Cancelled,
    Because(Reason),
    /// It can't be heard any more when it ends.
    Unheard,
}

impl Interpreter {
    /// Starts one; returns when it is ready for a run.
    ///
    /// # Errors
    ///
    /// `ContainerBusy`: another call or session has the container's interpreter. `EngineError`: it did not come
    /// up, and what it said. Else as [`super::Container::execute`].
    pub async fn start(
        sandbox: Arc<Sandbox>,
        env: Vec<(String, String)>,
        cwd: Option<String>,
        grace: Duration,
    ) -> Result<Self> {
        sandbox.take()?;
        let guide = Guide::interpreter(cwd.as_deref());
        let listener = Listener::of_runs(&guide);
        let wanted = Wanted { limit: Some(LAST_WORDS), collect: true, display: None };
        let output = Output::new(wanted, None);
        let Begun { done, .. } = listener.begin(&output).await;
        let (feed, pipe) = stdin::pipe();
        let work = Work::Telling { guide, stdin: Stdin::Piped(pipe), args: Vec::new() };
        let (told, end) = watch::channel(None);
        let (member, heard) = (sandbox.member().clone(), listener.clone());
        task::spawn(async move {
            let end = member.interpret(Job { work, env }, heard).await;
            let _ = told.send(Some(end));
        });
        let ready = ended(done, end.clone()).await;
        let interpreter = Self {
            sandbox,
            feed: Mutex::new(Some(feed)),
            listener,
            end,
            line: Line::default(),
            closing: AtomicBool::new(false),
            grace,
        };
        let failed = match ready {
            Ok((_, true)) => return Ok(interpreter),
            Ok((end, false)) => {
                let (_, stderr) = output.take();
                let said = String::from_utf8_lossy(&stderr.bytes).trim().to_owned();
                let message =
                    format!("The session's interpreter {}: {}", words(end), excerpt(&said));
                Error::new(Code::EngineError, message).container(interpreter.sandbox.id()).refused()
            }
            Err(error) => error,
        };
        let failed = Err(failed);
        interpreter.sandbox.conclude(&failed);
        failed.map(|_| interpreter)
    }

    /// Whether it has ended, or its container has.
    pub fn is_over(&self) -> bool {
        self.closing.load(Ordering::Acquire)
            || self.end.borrow().is_some()
            || self.sandbox.status() == Status::Terminated
    }

    /// Runs Python source in it, once those that asked before are through. What is to stop is interrupted first;
    /// what does not let go of it within the grace ends with its container.
    ///
    /// # Errors
    ///
    /// `SessionEnded`: it has ended before. `ContainerTerminated`: the container was destroyed, or the caller
    /// cancelled. `ContainerLost`. `EngineError`: what the engine says of the CPU time.
    pub async fn run(&self, call: Call) -> Result<Outcome> {
        let result =
            self.run_in_turn(call).await.map_err(|error| self.sandbox.member().or_going(error));
        self.sandbox.conclude(&result);
        result
    }

    async fn run_in_turn(&self, call: Call) -> Result<Outcome> {
        let Call { job, deadline, cpu_time, wanted, tap, cancel, .. } = call;
        let Work::Script { source, .. } = job.work else {
            return Err(Error::new(Code::InvalidArgument, "A session runs Python source."));
        };
        let _turn = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(self.sandbox.terminated_error().refused()),
            turn = self.line.lock() => turn,
        };
        let called = Instant::now();
        let feed = self.feed().filter(|_| self.end.borrow().is_none());
        let Some(feed) = feed else { return Err(self.ended_error()) };
        let container = self.sandbox.member();
        container.count_run();
        let account = container.account(None)?;
        let output = Output::among(Crowd::process(), wanted, tap);
        let Begun { done, fault } = self.listener.begin(&output).await;
        let written = OnceLock::new();
        let heard = async {
            // One that ends meanwhile is heard of.
            feed.write(message(&source, wanted.display)).await;
            let _ = written.set(Instant::now());
            ended(done, self.end.clone()).await
        };
        let stopped = async {
            tokio::select! {
                biased;
                () = cancel.cancelled() => Ok(Stop::Cancelled),
                Ok(fault) = fault => Ok(match fault {
                    Fault::Output => Stop::Because(Reason::OutputLimit),
                    Fault::Line => Stop::Unheard,
                }),
                () = reached(deadline.map(|deadline| called + deadline)) => {
                    Ok(Stop::Because(Reason::Timeout))
                }
                spent = container.spend(cpu_time) => spent.map(|()| Stop::Because(Reason::Cpu)),
            }
        };
        let ended = self.follow(&feed, &output, heard, stopped).await;
        output.close();
        let (ended, stop) = ended?;
        if let Some(Stop::Cancelled) = stop {
            let error = self.sandbox.terminated_error();
            return Err(if matches!(ended, Ended::Killed) { error } else { error.refused() });
        }
        let mut outcome = Outcome::new(ended, &output, Path::Warm, called, written.get().copied());
        if let Some(Stop::Because(reason)) = stop {
            outcome.reason = reason;
        }
        if let Some(account) = account {
            outcome.egress = Some(account.close(outcome.ending().is_some()).await);
        }
        Ok(outcome)
    }

    /// How a run ends, and why it was stopped, if it was.
    async fn follow(
        &self,
        feed: &Feed,
        output: &Output,
        heard: impl Future<Output = Result<(End, bool)>>,
        stopped: impl Future<Output = Result<Stop>>,
    ) -> Result<(Ended, Option<Stop>)> {
        let heard = async {
            let (end, _) = heard.await?;
            output.delivered().await;
            Ok(Ended::Process(end))
        };
        tokio::pin!(heard);
        let stop = tokio::select! {
            biased;
            end = &mut heard => return end.map(|end| (end, None)),
            stop = stopped => stop?,
        };
        if let Stop::Unheard = stop {
            return Ok((Ended::Killed, None));
        }
        let let_go = async {
            feed.interrupt().await;
            heard.await
        };
        match timeout(self.grace, let_go).await {
            Ok(end) => end.map(|end| (end, Some(stop))),
            Err(_) => Ok((Ended::Killed, Some(stop))),
        }
    }

    /// Has it end as a script does, behind the runs that have been asked for. One that does not end within the
    /// grace ends with its container.
    pub async fn close(&self) {
        self.closing.store(true, Ordering::Release);
        let _turn = self.line.lock().await;
        drop(self.lock().take());
        let mut end = self.end.clone();
        if timeout(self.grace, end.wait_for(Option::is_some)).await.is_err() {
            self.sandbox.end(Ending::Asked);
        }
    }

    fn feed(&self) -> Option<Feed> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Feed>> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended_error(&self) -> Error {
        if self.sandbox.status() == Status::Terminated {
            return self.sandbox.member().ending_error();
        }
        let how = match &*self.end.borrow() {
            Some(Err(error)) => return error.clone(),
            Some(Ok(end)) if self.feed().is_some() => {
                format!("its interpreter {} during a run", words(*end))
            }
            _ => "it was closed".to_owned(),
        };
        let message = format!("The session has ended: {how}; container.session() begins another.");
        Error::new(Code::SessionEnded, message).container(self.sandbox.id())
    }
}

/// How a run ends: with a word of its interpreter (`true`), or with that.
async fn ended(
    done: oneshot::Receiver<u8>,
    mut end: watch::Receiver<Option<Result<End>>>,
) -> Result<(End, bool)> {
    tokio::select! {
        biased;
        Ok(code) = done => Ok((End::Exit(code.into()), true)),
        end = end.wait_for(Option::is_some) => match end.as_deref() {
            Ok(Some(end)) => end.clone().map(|end| (end, false)),
            // The runtime is going.
            _ => Err(Error::new(Code::ContainerLost, "The process is ending.")),
        },
    }
}

fn message(source: &[u8], display: Option<u64>) -> Bytes {
    let limit = display.map_or(0, |limit| u32::try_from(limit).unwrap_or(u32::MAX));
    let mut message = BytesMut::with_capacity(9 + source.len());
    // It is checked against what a job may have.
    message.put_u32_le(source.len() as u32);
    message.put_u8(display.is_some().into());
    message.put_u32_le(limit);
    message.put_slice(source);
    message.freeze()
}

fn words(end: End) -> String {
    match end {
        End::Exit(code) => format!("exited with {code}"),
        End::Signal(number) => format!("was ended by signal {number}"),
        End::Oom(_) => "was ended for want of memory".to_owned(),
        // It is no end of one that stays.
        End::OutputLimit => "wrote too much".to_owned(),
    }
}
