//! The streams of a container's process, which are pipes.

use std::{
    io,
    os::fd::OwnedFd,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::AsyncWrite,
    net::unix::pipe::{Receiver, Sender},
};

use crate::engine::output::Readers;

/// Its stdin, until that is shut down: a pipe that is only flushed has no end.
pub(super) struct Stdin(Option<Sender>);

impl Stdin {
    pub(super) fn new(stdin: OwnedFd) -> io::Result<Self> {
        Sender::from_owned_fd(stdin).map(|pipe| Self(Some(pipe)))
    }
}

impl AsyncWrite for Stdin {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Some(pipe) => Pin::new(pipe).poll_write(context, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 = None;
        Poll::Ready(Ok(()))
    }
}

/// Its stdout and stderr.
pub(super) type Pipes = Readers<Receiver>;

pub(super) fn pipes(stdout: OwnedFd, stderr: OwnedFd) -> io::Result<Pipes> {
    Ok(Readers::new(Receiver::from_owned_fd(stdout)?, Receiver::from_owned_fd(stderr)?))
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_stdin_that_is_shut_down_has_come_to_its_end() {
        let (mut reading, writing) = io::pipe().unwrap();
        let mut stdin = Stdin::new(OwnedFd::from(writing)).unwrap();
        stdin.write_all(b"all").await.unwrap();
        stdin.shutdown().await.unwrap();
        assert_eq!(io::read_to_string(&mut reading).unwrap(), "all");
        assert_eq!(stdin.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
