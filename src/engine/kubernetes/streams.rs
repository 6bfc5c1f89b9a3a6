//! The streams of a pod: that of its lifeline, and those of what runs in it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::AttachedProcess;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time::{interval, MissedTickBehavior},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    engine::{output::Buffer, ExecStatus, Output, Stream},
    task,
};

/// Between two words to process 1, which ends when it hears none for much longer.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The stream to process 1: while this lives, and is not cancelled, process 1 hears that it is to go on.
pub(super) struct Lifeline(#[allow(dead_code)] AbortOnDropHandle<()>);

impl Lifeline {
    pub fn hold(mut attached: AttachedProcess, closed: CancellationToken) -> Self {
        let work = async move {
            let Some(mut stdin) = attached.stdin() else { return };
            let mut beat = interval(HEARTBEAT);
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                beat.tick().await;
                if stdin.write_all(b"\n").await.is_err() {
                    return;
                }
            }
        };
        Self(AbortOnDropHandle::new(task::spawn(async move {
            tokio::select! {
                () = work => {}
                () = closed.cancelled() => {}
            }
        })))
    }
}

/// What keeps a process's connection; it ends with the last of its streams, or when it is told to.
struct Kept {
    process: Mutex<Option<AttachedProcess>>,
    closing: Mutex<Option<AbortOnDropHandle<()>>>,
    _lifeline: Option<Lifeline>,
}

pub(super) struct Stdin {
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    _kept: Arc<Kept>,
}

pub(super) struct Pieces {
    stdout: Option<Pipe>,
    stderr: Option<Pipe>,
    _kept: Arc<Kept>,
}

struct Pipe {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    buffer: Buffer,
}

/// How a process ended, as soon as that is told.
pub(super) type Ending = watch::Receiver<Option<ExecStatus>>;

/// The streams of a process, and its ending; `closed` cuts its connection.
pub(super) fn streams(
    mut process: AttachedProcess,
    lifeline: Option<Lifeline>,
    closed: CancellationToken,
) -> io::Result<(Stdin, Pieces, Ending)> {
    let missing = || io::Error::other("the API server gave no such stream");
    let writer = Box::pin(process.stdin().ok_or_else(missing)?);
    let pipe = |reader: Pin<Box<dyn AsyncRead + Send>>| Pipe { reader, buffer: Buffer::new() };
    let stdout = pipe(Box::pin(process.stdout().ok_or_else(missing)?));
    let stderr = pipe(Box::pin(process.stderr().ok_or_else(missing)?));
    let status = process.take_status().ok_or_else(missing)?;
    let (tell, ending) = watch::channel(None);
    task::spawn(async move {
        if let Some(status) = status.await {
            tell.send_replace(Some(end_of(&status)));
        }
    });
    let kept = Arc::new(Kept {
        process: Mutex::new(Some(process)),
        closing: Mutex::default(),
        _lifeline: lifeline,
    });
    let weak = Arc::downgrade(&kept);
    let closing = AbortOnDropHandle::new(task::spawn(async move {
        closed.cancelled().await;
        if let Some(kept) = weak.upgrade() {
            kept.close();
        }
    }));
    *kept.closing.lock().unwrap_or_else(PoisonError::into_inner) = Some(closing);
    let stdin = Stdin { writer, _kept: kept.clone() };
    Ok((stdin, Pieces { stdout: Some(stdout), stderr: Some(stderr), _kept: kept }, ending))
}

impl Kept {
    fn close(&self) {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// A process killed by signal n has the code 128 + n, as in a shell, so an exit with such a code looks the
/// same.
fn end_of(status: &Status) -> ExecStatus {
    if status.status.as_deref() == Some("Success") {
        return ExecStatus::Exited(0);
    }
    let causes = status.details.iter().flat_map(|details| details.causes.iter().flatten());
    let code = causes
        .filter(|cause| cause.reason.as_deref() == Some("ExitCode"))
        .find_map(|cause| cause.message.as_ref()?.parse::<u32>().ok());
    match code {
        Some(code @ 129..=192) => ExecStatus::Signaled(code - 128),
        Some(code) => ExecStatus::Exited(code & 0xff),
        // Not begun: as a shell would tell of it.
        None => ExecStatus::Exited(126),
    }
}

impl AsyncWrite for Stdin {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writer.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_shutdown(context)
    }
}

impl Output for Pieces {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        take: &mut dyn FnMut(Stream, &[u8]),
    ) -> Poll<io::Result<usize>> {
        let mut waits = false;
        for (pipe, stream) in
            [(&mut self.stderr, Stream::Stderr), (&mut self.stdout, Stream::Stdout)]
        {
            let Some(Pipe { reader, buffer }) = pipe else { continue };
            match buffer.poll_read(reader, context, |bytes| take(stream, bytes)) {
                Poll::Ready(Ok(0)) => *pipe = None,
                Poll::Ready(read) => return Poll::Ready(read),
                Poll::Pending => waits = true,
            }
        }
        if waits {
            return Poll::Pending;
        }
        Poll::Ready(Ok(0))
    }
}
