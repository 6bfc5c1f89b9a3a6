//! The streams of a container's first process, which are pipes.

use std::{
    io,
    os::fd::OwnedFd,
    task::{Context, Poll},
};

use tokio::net::unix::pipe::Receiver;

use crate::engine::{output::Buffer, Output, Stream};

/// Stdout and stderr.
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

    use super::*;
    use crate::engine::output::IDLE_BUFFER;

    async fn next(pipes: &mut Pipes) -> Vec<(Stream, Vec<u8>)> {
        let mut taken = Vec::new();
        let output: &mut dyn Output = pipes;
        output.read(|stream, bytes| taken.push((stream, bytes.to_vec()))).await.unwrap();
        taken
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
