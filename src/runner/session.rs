//! The connection to the supervisor of one container.
//!
//! One task owns it from the boot on, for an end of the stream must be noticed while nobody runs
//! anything: it is the container's death.

use std::{future::Future, io, time::Duration};

use futures_util::FutureExt;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::{mpsc, oneshot},
    time::{sleep, Instant},
};
use tokio_util::sync::CancellationToken;

use super::{
    files::HELPER,
    job::{data_frames, encode_boot, end_frame, interrupt_frame, Job},
    lifeline::Lifeline,
    listener::Listener,
    output::{Output, Pieces, Room, Wanted},
    report::{Report, Reports, Told},
    stdin::{Piece, Pipe},
};
use crate::engine::{self, Stream};

/// What PID 1 runs, in this order.
const PROGRAM: [&str; 2] = [
    include_str!(concat!(env!("OUT_DIR"), "/launch.py")),
    include_str!(concat!(env!("OUT_DIR"), "/supervisor.py")),
];
const SPARE: &str = concat!(
    include_str!(concat!(env!("OUT_DIR"), "/spare.py")),
    include_str!(concat!(env!("OUT_DIR"), "/park.py"))
);
/// What nearly every tool call imports; the spare does so while it waits.
pub const IDLE_IMPORTS: [&str; 2] = ["json", "traceback"];

/// Between two reads of what a job writes on that has gone beyond its limit.
const FLOOD_PAUSE: Duration = Duration::from_millis(1);

/// What speaks to us as PID 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supervisor {
    /// `supervisor.py`, run by the image's `python3` with [`Supervisor::command`].
    Python,
    /// The engine's own program, which is there already and needs no Python for itself.
    Own,
}

impl Supervisor {
    /// The command that starts a container's PID 1: it reads the supervisor's source from its stdin.
    ///
    /// `-I -S`: neither the image's variables nor its site packages touch the supervisor.
    pub fn command() -> Vec<String> {
        ["python3", "-I", "-S", "-c", include_str!("boot.py")].map(String::from).to_vec()
    }
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Exit(u32),
    Signal(u32),
    Oom(u32),
    /// It wrote more than it may, and still runs.
    OutputLimit,
}

/// Why there is no supervisor to talk to, or no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionError {
    /// The container ended, or the connection to it, before anything of the job was sent.
    Unsent,
    /// The container ended, or the connection to it.
    Lost,
    /// The stream is not what it must be.
    Protocol(String),
    /// The container can't start another process; what the system said. It goes on.
    NotStarted(String),
}

/// Why a supervisor is not up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootError {
    /// The container ended, or the connection to it; or what runs there is no supervisor.
    Lost,
    /// No interpreter could be parked, or it could not import what it was to; why.
    Failed(String),
    /// The image's Python has no way to keep scripts out of the supervisor.
    Unshielded,
}

struct Request {
    job: Job,
    listener: Listener,
    written: oneshot::Sender<Instant>,
    ended: oneshot::Sender<Result<End, SessionError>>,
}

/// A supervisor that is up. Dropping it closes the connection, which ends the container.
pub struct Session {
    supervisor: Supervisor,
    /// Boxed, as a channel sets aside room for 32 of what goes through it, from the first one until its
    /// last handle is gone, which is when JavaScript's garbage collector has come by.
    requests: mpsc::Sender<Box<Request>>,
    lifeline: Lifeline,
    /// Why there is no interpreter, in words where there are any.
    interpreter: Result<(), String>,
}

impl Session {
    /// Sends the supervisor what it needs, and waits until it says that an interpreter is parked, or that
    /// there is none.
    pub async fn boot(
        supervisor: Supervisor,
        stdin: Box<dyn AsyncWrite + Send + Unpin>,
        said: Box<dyn engine::Output>,
        preload: &[String],
    ) -> Result<Self, BootError> {
        let program: &[&str] = match supervisor {
            Supervisor::Python => &PROGRAM,
            Supervisor::Own => &[],
        };
        let boot = encode_boot(program, SPARE, preload, &IDLE_IMPORTS);
        Self::connect(supervisor, stdin, said, boot, preload.is_empty()).await
    }

    /// Python's supervisor without an interpreter to park: it takes no [`Work::Script`].
    ///
    /// [`Work::Script`]: super::job::Work::Script
    pub async fn boot_alone(
        stdin: Box<dyn AsyncWrite + Send + Unpin>,
        said: Box<dyn engine::Output>,
    ) -> Result<Self, BootError> {
        let boot = encode_boot(&PROGRAM, "", &[], &[]);
        Self::connect(Supervisor::Python, stdin, said, boot, true).await
    }

    async fn connect(
        supervisor: Supervisor,
        stdin: Box<dyn AsyncWrite + Send + Unpin>,
        said: Box<dyn engine::Output>,
        boot: Vec<u8>,
        needs_no_python: bool,
    ) -> Result<Self, BootError> {
        let mut connection = Connection { supervisor, stdin, said };
        let wanted = Wanted { limit: Some(0), collect: false, display: None };
        let output = Output::new(wanted, None).into();
        let interpreter = match connection.converse((boot, None), &output, None).await {
            Ok(Conversation::Ended(Report::Ready)) => Ok(()),
            Ok(Conversation::Ended(Report::Commands)) => Err(String::new()),
            // The engine's own runs commands all the same.
            Ok(Conversation::Ended(Report::Failed(why)))
                if supervisor == Supervisor::Own && needs_no_python =>
            {
                Err(why)
            }
            Ok(Conversation::Ended(Report::Failed(why))) => return Err(BootError::Failed(why)),
            Ok(Conversation::Ended(Report::Unshielded)) => return Err(BootError::Unshielded),
            Err(SessionError::Protocol(what)) => return Err(BootError::Failed(what)),
            Ok(_) | Err(_) => return Err(BootError::Lost),
        };
        let (requests, queue) = mpsc::channel(1);
        let lifeline = Lifeline::of(connection.serve(queue));
        Ok(Self { supervisor, requests, lifeline, interpreter })
    }

    pub fn supervisor(&self) -> Supervisor {
        self.supervisor
    }

    /// Whether an interpreter is parked, or can be; else there is no [`Work::Script`](super::job::Work) to be
    /// run.
    pub fn has_python(&self) -> bool {
        self.interpreter.is_ok()
    }

    /// What there was to say as the image's interpreter did not come up; empty: it has none.
    pub fn no_python(&self) -> Option<&str> {
        self.interpreter.as_ref().err().map(String::as_str)
    }

    /// Runs a job; jobs run one after another. `written` is told when it has been handed over.
    ///
    /// Dropping the future abandons the job, not its process: end the container.
    pub async fn run(
        &self,
        job: Job,
        listener: impl Into<Listener>,
        written: oneshot::Sender<Instant>,
    ) -> Result<End, SessionError> {
        let (ended, end) = oneshot::channel();
        let request = Box::new(Request { job, listener: listener.into(), written, ended });
        self.requests.send(request).await.map_err(|_| SessionError::Unsent)?;
        // One that has begun is answered.
        end.await.unwrap_or(Err(SessionError::Unsent))
    }

    /// Resolves when the connection has ended.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        self.lifeline.lost()
    }
}

#[derive(Debug)]
enum Conversation {
    Ended(Report),
    OutputLimit,
}

/// Both directions of the connection to PID 1.
struct Connection {
    supervisor: Supervisor,
    stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// What PID 1 reports; and what its interpreter says of itself.
    said: Box<dyn engine::Output>,
}

impl Connection {
    async fn serve(mut self, mut queue: mpsc::Receiver<Box<Request>>) {
        loop {
            tokio::select! {
                request = queue.recv() => {
                    let Some(request) = request else { return };
                    // What has not been sent to a dead container can still go to another one.
                    if self.listen().now_or_never().is_some_and(|quiet| !quiet)
                        || !self.answer(*request).await
                    {
                        return;
                    }
                }
                quiet = self.listen() => {
                    if !quiet {
                        return;
                    }
                }
            }
        }
    }

    /// Between jobs the supervisor says nothing. At its end, and at anything else, this is `false`.
    async fn listen(&mut self) -> bool {
        let mut quiet = true;
        let read = self.said.read(|stream, _| quiet &= stream != Stream::Stdout).await;
        quiet && matches!(read, Ok(1..))
    }

    /// Runs one job; says whether the connection can run another.
    async fn answer(&mut self, request: Request) -> bool {
        let Request { job, listener, written, ended } = request;
        let helper = match self.supervisor {
            Supervisor::Python => HELPER,
            Supervisor::Own => "",
        };
        let end = match self.converse(job.encode(helper), &listener, Some(written)).await {
            Ok(Conversation::Ended(Report::Exit(code))) => Ok(End::Exit(code.into())),
            Ok(Conversation::Ended(Report::Signal(number))) => Ok(End::Signal(number.into())),
            Ok(Conversation::Ended(Report::Oom(number))) => Ok(End::Oom(number.into())),
            Ok(Conversation::Ended(Report::NotStarted(why))) => Err(SessionError::NotStarted(why)),
            Ok(Conversation::OutputLimit) => Ok(End::OutputLimit),
            Ok(Conversation::Ended(report)) => {
                Err(SessionError::Protocol(format!("a job ended with {report:?}")))
            }
            Err(error) => Err(error),
        };
        let usable = match end {
            Ok(End::OutputLimit) => {
                let _ = ended.send(end);
                self.wait_for_the_end().await;
                return false;
            }
            Ok(_) | Err(SessionError::NotStarted(_)) => true,
            Err(_) => false,
        };
        // A caller that is gone has ended the container, or is about to.
        let _ = ended.send(end);
        usable
    }

    /// Reads on after a job that has gone beyond its limit. It ends with its container, which is its
    /// holder's to end: a connection cut here would look like a loss to all others.
    async fn wait_for_the_end(&mut self) {
        while let Ok(1..) = self.said.read(|_, _| {}).await {
            sleep(FLOOD_PAUSE).await;
        }
    }

    /// Writes the frames, and then what the pipe brings, while it reads, until a report has come.
    ///
    /// Neither must wait for the other: a job may write before it has read all of its stdin, and read
    /// while its output waits for a caller. And the writing goes on to the end of a frame where a job
    /// ends without reading: half a frame would be taken for the beginning of the next job.
    async fn converse(
        &mut self,
        (frames, mut pipe): (Vec<u8>, Option<Pipe>),
        listener: &Listener,
        written: Option<oneshot::Sender<Instant>>,
    ) -> Result<Conversation, SessionError> {
        let Self { stdin, said, .. } = self;
        let ended = CancellationToken::new();
        let writing = async {
            stdin.write_all(&frames).await?;
            stdin.flush().await?;
            drop(frames);
            if let Some(written) = written {
                let _ = written.send(Instant::now());
            }
            if let Some(pipe) = &mut pipe {
                pump(pipe, stdin, &ended).await?;
            }
            Ok::<(), io::Error>(())
        };
        tokio::pin!(writing);
        let mut all_written = false;
        let mut reports = Reports::default();
        let mut report = None;
        let mut pieces = Pieces::new();
        loop {
            match report {
                Some(report) if all_written => return Ok(Conversation::Ended(report)),
                Some(_) => ended.cancel(),
                None => {}
            }
            let mut room = Room::Left;
            let mut bad = None;
            let read = tokio::select! {
                // A failed write is the end of the connection, which the reading tells.
                _ = &mut writing, if !all_written => {
                    all_written = true;
                    continue;
                }
                read = said.read(|stream, bytes| {
                    // On its stderr there is what an interpreter says as it breaks down.
                    if stream == Stream::Stderr || bad.is_some() {
                        return;
                    }
                    let heard = reports.feed(bytes, |told| match told {
                        Told::Output(stream, bytes) if room == Room::Left => {
                            room = listener.push(stream, bytes, &mut pieces);
                        }
                        Told::Output(..) => {}
                        Told::Line(bytes) => listener.hear(bytes),
                        Told::Report(told) => report = Some(told),
                    });
                    bad = heard.err();
                }) => read,
            };
            let passing = listener.pass_on(&mut pieces);
            tokio::pin!(passing);
            loop {
                tokio::select! {
                    biased;
                    () = &mut passing => break,
                    _ = &mut writing, if !all_written => all_written = true,
                }
            }
            listener.settle();
            match read {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(SessionError::Protocol(error.to_string()));
                }
                Ok(0) | Err(_) => return Err(SessionError::Lost),
                Ok(_) => {}
            }
            if let Some(bad) = bad {
                return Err(SessionError::Protocol(bad.to_string()));
            }
            if room == Room::None {
                return Ok(Conversation::OutputLimit);
            }
        }
    }
}

/// Writes what a pipe brings, to its end or that of the job.
async fn pump(
    pipe: &mut Pipe,
    stdin: &mut (impl AsyncWrite + Unpin),
    ended: &CancellationToken,
) -> io::Result<()> {
    loop {
        let piece = tokio::select! {
            biased;
            () = ended.cancelled() => return Ok(()),
            piece = pipe.next() => piece,
        };
        let piece = match piece {
            Some(Piece::Data(piece)) => piece,
            Some(Piece::Interrupt) => {
                stdin.write_all(&interrupt_frame()).await?;
                stdin.flush().await?;
                continue;
            }
            None => {
                stdin.write_all(&end_frame()).await?;
                return stdin.flush().await;
            }
        };
        for frame in data_frames(&piece) {
            if ended.is_cancelled() {
                return Ok(());
            }
            stdin.write_all(&frame).await?;
        }
        stdin.flush().await?;
    }
}
