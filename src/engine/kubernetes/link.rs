//! The streams of a supervisor, which outlive a connection that breaks before anything has run.
//!
//! The API server carries the connection, and a supervisor ends with it. As long as no job has been given to it,
//! another one in the same pod is as good: it is started with the same words as the first, and must say the same.
//! Those are what is written until it says something. Who writes meanwhile waits for that.

use std::{
    io,
    pin::Pin,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Mutex, MutexGuard, PoisonError,
    },
    task::{ready, Context, Poll, Waker},
    time::Duration,
};

use futures_util::{future::BoxFuture, FutureExt};
use kube::api::AttachedProcess;
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    client::Client,
    fault::Fault,
    lifeline::Lifeline,
    streams::{opened, Opened, Pipes, Status, Writer},
    way::Way,
};
use crate::{
    engine::{Output, Stream},
    task,
};

/// A supervisor says no more than this at first.
const LONGEST_ANSWER: usize = 64;
/// How long a job waits for a connection that is opened anew; then its container is lost.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a supervisor may take to say what the one before it has said.
const BOOT: Duration = Duration::from_secs(30);

/// What tells one supervisor from another: nothing, if this is the same.
pub(super) struct Ground {
    pub way: Way,
    pub argv: Arc<[String]>,
    /// Keeps one copy of what all supervisors of a kind are sent first.
    pub share: Box<dyn Fn(Vec<u8>) -> Arc<[u8]> + Send + Sync>,
    /// Something has run in the pod, whoever started it: what a supervisor says there after that is to be believed
    /// only of one that was there before.
    pub used: Arc<AtomicBool>,
    pub closed: CancellationToken,
}

enum Progress {
    /// What it has been sent so far.
    Booting(Vec<u8>),
    /// What it was sent, and what it said to that.
    Idle(Arc<[u8]>, Vec<u8>),
    /// It has been given a job.
    Used,
}

struct State {
    progress: Progress,
    /// `None`: there is no connection.
    writer: Option<Writer>,
    process: Option<AttachedProcess>,
    /// There will be none again.
    over: bool,
    /// Of one who writes while there is none.
    waiting: Option<Waker>,
}

struct Shared {
    state: Mutex<State>,
    /// Somebody writes while there is no connection.
    wanted: Notify,
    closing: Mutex<Option<AbortOnDropHandle<()>>>,
    _lifeline: Lifeline,
}

pub(super) struct Stdin(Arc<Shared>);

pub(super) struct Said {
    shared: Arc<Shared>,
    ground: Arc<Ground>,
    pipes: Pipes,
    status: Status,
    mending: Option<BoxFuture<'static, Option<Opened>>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The streams of a supervisor that has just been started.
pub(super) fn link(
    process: AttachedProcess,
    lifeline: Lifeline,
    ground: Ground,
) -> io::Result<(Stdin, Said)> {
    let Opened { process, writer, pipes, status } = opened(process)?;
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            progress: Progress::Booting(Vec::new()),
            writer: Some(writer),
            process: Some(process),
            over: false,
            waiting: None,
        }),
        wanted: Notify::new(),
        closing: Mutex::default(),
        _lifeline: lifeline,
    });
    let (weak, closed) = (Arc::downgrade(&shared), ground.closed.clone());
    let closing = AbortOnDropHandle::new(task::spawn(async move {
        closed.cancelled().await;
        if let Some(shared) = weak.upgrade() {
            shared.lock().process.take();
        }
    }));
    *shared.closing.lock().unwrap_or_else(PoisonError::into_inner) = Some(closing);
    let stdin = Stdin(shared.clone());
    let ground = Arc::new(ground);
    Ok((stdin, Said { shared, ground, pipes, status, mending: None }))
}

impl Stdin {
    /// Does something with the connection that there is. One that turns out to be broken before the first job is
    /// waited for.
    fn poll<T>(
        &self,
        context: &mut Context<'_>,
        act: impl FnOnce(Pin<&mut Writer>, &mut Context<'_>) -> Poll<io::Result<T>>,
        done: impl FnOnce(&mut Progress, &T),
    ) -> Poll<io::Result<T>> {
        let mut state = self.0.lock();
        let State { progress, writer, over, waiting, .. } = &mut *state;
        let acted = match writer {
            Some(writer) => ready!(act(Pin::new(writer), context)),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        match acted {
            Ok(value) => {
                done(progress, &value);
                Poll::Ready(Ok(value))
            }
            // The reading finds out whether there is to be another.
            Err(_) if matches!(progress, Progress::Idle(..)) && !*over => {
                *waiting = Some(context.waker().clone());
                self.0.wanted.notify_one();
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for Stdin {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(
            context,
            |writer, context| writer.poll_write(context, bytes),
            |progress, written| match progress {
                Progress::Booting(sent) => sent.extend_from_slice(&bytes[..*written]),
                Progress::Idle(..) => *progress = Progress::Used,
                Progress::Used => {}
            },
        )
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context, |writer, context| writer.poll_flush(context), |_, ()| {})
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context, |writer, context| writer.poll_shutdown(context), |_, ()| {})
    }
}

impl Said {
    /// Notes what it has said at first.
    fn note(shared: &Shared, ground: &Ground, bytes: &[u8]) {
        let mut state = shared.lock();
        match &mut state.progress {
            Progress::Booting(sent) => {
                let sent = (ground.share)(std::mem::take(sent));
                state.progress = Progress::Idle(sent, bytes.to_vec());
            }
            Progress::Idle(_, answer) => answer.extend_from_slice(bytes),
            Progress::Used => return,
        }
        let too_long =
            matches!(&state.progress, Progress::Idle(_, said) if said.len() > LONGEST_ANSWER);
        if too_long {
            state.progress = Progress::Used;
        }
    }

    /// The connection has ended: begins to open another, if that can be one to the same.
    fn mend(&mut self) -> bool {
        let Self { shared, ground, .. } = self;
        let mut state = shared.lock();
        if state.over {
            return false;
        }
        state.process.take();
        state.writer.take();
        // Told, it is its process that has ended.
        let is_told = matches!((&mut self.status).now_or_never(), Some(Some(_)));
        let lasts =
            !is_told && !ground.used.load(Ordering::Acquire) && !ground.closed.is_cancelled();
        match &state.progress {
            Progress::Idle(sent, answer) if lasts => {
                let boot = (sent.clone(), answer.clone());
                self.mending = Some(mend(shared.clone(), ground.clone(), boot).boxed());
                true
            }
            _ => {
                Self::give_up(&mut state);
                false
            }
        }
    }

    fn give_up(state: &mut State) {
        state.over = true;
        if let Some(waiting) = state.waiting.take() {
            waiting.wake();
        }
    }
}

/// Another supervisor, that has said what the one before has; `None`: there is none to be had.
async fn mend(
    shared: Arc<Shared>,
    ground: Arc<Ground>,
    (sent, answer): (Arc<[u8]>, Vec<u8>),
) -> Option<Opened> {
    let (sent, answer, argv) = (&*sent, &*answer, &ground.argv);
    let again = ground.way.again(|client: &Client, pod: &str| async move {
        let started = async {
            let process = client.exec(pod, argv).await?;
            boot(process, sent, answer).await.map_err(|why| Fault::Garbled(why.to_string()))
        };
        timeout(BOOT, started).await.unwrap_or(Err(Fault::Overdue(BOOT)))
    });
    let impatience = async {
        shared.wanted.notified().await;
        sleep(PATIENCE).await;
    };
    tokio::select! {
        opened = again => opened,
        () = impatience => None,
        () = ground.closed.cancelled() => None,
    }
}

async fn boot(process: AttachedProcess, sent: &[u8], answer: &[u8]) -> io::Result<Opened> {
    let mut opened = opened(process)?;
    opened.writer.write_all(sent).await?;
    let mut said = vec![0; answer.len()];
    if let Some(stdout) = opened.pipes.get_mut(Stream::Stdout) {
        stdout.read_exact(&mut said).await?;
    }
    if said != answer {
        return Err(io::Error::other("another supervisor says something else"));
    }
    Ok(opened)
}

impl Output for Said {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        take: &mut dyn FnMut(Stream, &[u8]),
    ) -> Poll<io::Result<usize>> {
        loop {
            if let Some(mending) = &mut self.mending {
                let mended = ready!(mending.poll_unpin(context));
                self.mending = None;
                let mut state = self.shared.lock();
                let Some(Opened { process, writer, pipes, status }) = mended else {
                    Self::give_up(&mut state);
                    return Poll::Ready(Ok(0));
                };
                (state.process, state.writer) = (Some(process), Some(writer));
                (self.pipes, self.status) = (pipes, status);
                if let Some(waiting) = state.waiting.take() {
                    waiting.wake();
                }
            }
            let Self { shared, ground, pipes, .. } = self;
            let read = pipes.poll_read(context, &mut |stream, bytes| {
                if stream == Stream::Stdout {
                    Self::note(shared, ground, bytes);
                }
                take(stream, bytes);
            });
            match ready!(read) {
                Ok(0) if self.mend() => {}
                read => return Poll::Ready(read),
            }
        }
    }
}
