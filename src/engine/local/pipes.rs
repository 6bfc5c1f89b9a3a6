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

use crate::engine::{output::Buffer, Output, Stream};

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
pub(super) struct Pipes {
    /// Those that have not come to their end. The one that was read last is the last to be asked.
    open: Vec<(Stream, Receiver)>,
    buffer: Buffer,
}

impl Pipes {
    pub(super) fn new(stdout: OwnedFd, stderr: OwnedFd) -> io::Result<Self> {
        let open = vec![
            (Stream::Stdout, Receiver::from_owned_fd(stdout)?),
            (Stream::Stderr, Receiver::from_owned_fd(stderr)?),
        ];
        Ok(Self { open, buffer: Buffer::new() })
    }
}

impl Output for Pipes {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        take: &mut dyn FnMut(Stream, &[u8]),
    ) -> Poll<io::Result<usize>> {
        let mut at = 0;
        while let Some((stream, pipe)) = self.open.get_mut(at) {
            match self.buffer.poll_read(pipe, context, |bytes| take(*stream, bytes))? {
                Poll::Pending => at += 1,
                Poll::Ready(0) => drop(self.open.remove(at)),
                Poll::Ready(size) => {
                    self.open.rotate_left(at + 1);
                    return Poll::Ready(Ok(size));
                }
            }
        }
        if self.open.is_empty() {
            return Poll::Ready(Ok(0));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::fd::OwnedFd};

    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::engine::output::IDLE_BUFFER;

    async fn next(pipes: &mut Pipes) -> Vec<(Stream, Vec<u8>)> {
        let mut taken = Vec::new();
        let output: &mut dyn Output = pipes;
        output.read(|stream, bytes| taken.push((stream, bytes.to_vec()))).await.unwrap();
        taken
    }

    #[tokio::test]
    async fn a_stdin_that_is_shut_down_has_come_to_its_end() {
        let (mut reading, writing) = io::pipe().unwrap();
        let mut stdin = Stdin::new(OwnedFd::from(writing)).unwrap();
        stdin.write_all(b"all").await.unwrap();
        stdin.shutdown().await.unwrap();
        assert_eq!(io::read_to_string(&mut reading).unwrap(), "all");
        assert_eq!(stdin.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn each_stream_is_read_in_turn_and_the_end_is_that_of_both() {
        let (stdout, mut out) = io::pipe().unwrap();
        let (stderr, mut err) = io::pipe().unwrap();
        let mut pipes = Pipes::new(OwnedFd::from(stdout), OwnedFd::from(stderr)).unwrap();
        out.write_all(&[b'o'; IDLE_BUFFER + 1]).unwrap();
        err.write_all(b"e").unwrap();
        assert_eq!(next(&mut pipes).await, [(Stream::Stdout, vec![b'o'; IDLE_BUFFER])]);
        assert_eq!(next(&mut pipes).await, [(Stream::Stderr, b"e".to_vec())]);
        drop(err);
        assert_eq!(next(&mut pipes).await, [(Stream::Stdout, b"o".to_vec())]);
        drop(out);
        assert_eq!(next(&mut pipes).await, []);
    }
}
