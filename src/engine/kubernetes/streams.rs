//! The streams of what an exec runs in a pod.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use k8s_openapi::apimachinery::pkg::apis::meta::v1;
use kube::api::AttachedProcess;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    engine::{output::Readers, ExecStatus, Output, Stream},
    task,
};

pub(super) type Writer = Pin<Box<dyn AsyncWrite + Send>>;
type Reader = Pin<Box<dyn AsyncRead + Send>>;
/// What is told of a process's end; `None`: the connection ended before.
pub(super) type Status = BoxFuture<'static, Option<v1::Status>>;

/// A process with its streams.
pub(super) struct Opened {
    /// Keeps the connection.
    pub process: AttachedProcess,
    pub writer: Writer,
    pub pipes: Pipes,
    pub status: Status,
}

/// # Errors
///
/// It has not all of them.
pub(super) fn opened(mut process: AttachedProcess) -> io::Result<Opened> {
    let missing = || io::Error::other("the API server gave no such stream");
    let writer = Box::pin(process.stdin().ok_or_else(missing)?);
    let stdout: Reader = Box::pin(process.stdout().ok_or_else(missing)?);
    let stderr: Reader = Box::pin(process.stderr().ok_or_else(missing)?);
    let status = Box::pin(process.take_status().ok_or_else(missing)?);
    Ok(Opened { process, writer, pipes: Readers::new(stdout, stderr), status })
}

/// What a process writes.
pub(super) type Pipes = Readers<Reader>;

/// What keeps a process's connection; it ends with the last of its streams, or when it is told to.
struct Kept {
    process: Mutex<Option<AttachedProcess>>,
    closing: Mutex<Option<AbortOnDropHandle<()>>>,
}

pub(super) struct Stdin {
    writer: Writer,
    _kept: Arc<Kept>,
}

pub(super) struct Pieces {
    pipes: Pipes,
    _kept: Arc<Kept>,
}

/// How a process ended, as soon as that is told.
pub(super) type Ending = watch::Receiver<Option<ExecStatus>>;

/// The streams of a process, and its ending; `closed` cuts its connection.
pub(super) fn streams(
    process: AttachedProcess,
    closed: CancellationToken,
) -> io::Result<(Stdin, Pieces, Ending)> {
    let Opened { process, writer, pipes, status } = opened(process)?;
    let (tell, ending) = watch::channel(None);
    task::spawn(async move {
        if let Some(status) = status.await {
            tell.send_replace(Some(end_of(&status)));
        }
    });
    let kept = Arc::new(Kept { process: Mutex::new(Some(process)), closing: Mutex::default() });
    let weak = Arc::downgrade(&kept);
    let closing = AbortOnDropHandle::new(task::spawn(async move {
        closed.cancelled().await;
        if let Some(kept) = weak.upgrade() {
            kept.close();
        }
    }));
    *kept.closing.lock().unwrap_or_else(PoisonError::into_inner) = Some(closing);
    let stdin = Stdin { writer, _kept: kept.clone() };
    Ok((stdin, Pieces { pipes, _kept: kept }, ending))
}

impl Kept {
    fn close(&self) {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// A process killed by signal n has the code 128 + n, as in a shell, so an exit with such a code looks the
/// same.
fn end_of(status: &v1::Status) -> ExecStatus {
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
        self.pipes.poll_read(context, take)
    }
}
