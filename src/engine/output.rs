//! What a process in a container writes, as an engine hands it over.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{ready, Context, Poll},
};

use tokio::io::{AsyncRead, ReadBuf};

/// Enough for what an idle container says; a busy one gets [`BUSY_BUFFER`].
pub(super) const IDLE_BUFFER: usize = 2 * 1024;
/// As much as a pipe holds.
const BUSY_BUFFER: usize = 64 * 1024;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout = 1,
    Stderr = 2,
}

/// The two streams of a process, in the order in which the engine brings them.
pub trait Output: Send {
    /// Gives `take` what has come, in pieces borrowed from the engine's own buffer, and tells how many
    /// bytes that took off the connection: 0 at its end, and maybe more than the pieces have.
    ///
    /// # Errors
    ///
    /// Of the connection's; of kind `InvalidData` where it brings what it must not, or ends within a
    /// piece.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        take: &mut dyn FnMut(Stream, &[u8]),
    ) -> Poll<io::Result<usize>>;
}

impl dyn Output + '_ {
    /// Waits for what comes next. May be dropped at any point: what `take` was not given comes later.
    ///
    /// # Errors
    ///
    /// As [`Output::poll_read`].
    pub async fn read(&mut self, mut take: impl FnMut(Stream, &[u8])) -> io::Result<usize> {
        poll_fn(|context| self.poll_read(context, &mut take)).await
    }
}

/// What an engine reads an output into: it grows once a read has filled it.
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    pub(super) fn new() -> Self {
        Self(vec![0; IDLE_BUFFER])
    }

    /// Gives what one read brings to `take`, and how many bytes that is: 0 at the end.
    pub(super) fn poll_read(
        &mut self,
        reader: &mut (impl AsyncRead + Unpin),
        context: &mut Context<'_>,
        take: impl FnOnce(&[u8]),
    ) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(&mut self.0);
        ready!(Pin::new(reader).poll_read(context, &mut read))?;
        let bytes = read.filled();
        let size = bytes.len();
        if size > 0 {
            take(bytes);
        }
        if size == self.0.len() {
            self.0.resize(BUSY_BUFFER, 0);
        }
        Poll::Ready(Ok(size))
    }
}

/// The two streams of a process where each has a reader of its own.
pub(super) struct Readers<R> {
    /// Those that have not come to their end. The one that was read last is the last to be asked.
    open: Vec<(Stream, R)>,
    buffer: Buffer,
}

impl<R: AsyncRead + Unpin> Readers<R> {
    pub(super) fn new(stdout: R, stderr: R) -> Self {
        let open = vec![(Stream::Stdout, stdout), (Stream::Stderr, stderr)];
        Self { open, buffer: Buffer::new() }
    }

    /// What reads one of them, until that has come to its end.
    pub(super) fn get_mut(&mut self, stream: Stream) -> Option<&mut R> {
        self.open.iter_mut().find(|(open, _)| *open == stream).map(|(_, reader)| reader)
    }
}

impl<R: AsyncRead + Unpin + Send> Output for Readers<R> {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        take: &mut dyn FnMut(Stream, &[u8]),
    ) -> Poll<io::Result<usize>> {
        let mut at = 0;
        while let Some((stream, reader)) = self.open.get_mut(at) {
            match self.buffer.poll_read(reader, context, |bytes| take(*stream, bytes))? {
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
    use tokio::io::{duplex, AsyncWriteExt};

    use super::*;

    async fn next(readers: &mut dyn Output) -> Vec<(Stream, Vec<u8>)> {
        let mut taken = Vec::new();
        readers.read(|stream, bytes| taken.push((stream, bytes.to_vec()))).await.unwrap();
        taken
    }

    #[tokio::test]
    async fn each_stream_is_read_in_turn_and_the_end_is_that_of_both() {
        let (stdout, mut out) = duplex(BUSY_BUFFER);
        let (stderr, mut err) = duplex(BUSY_BUFFER);
        let mut readers = Readers::new(stdout, stderr);
        out.write_all(&[b'o'; IDLE_BUFFER + 1]).await.unwrap();
        err.write_all(b"e").await.unwrap();
        assert_eq!(next(&mut readers).await, [(Stream::Stdout, vec![b'o'; IDLE_BUFFER])]);
        assert_eq!(next(&mut readers).await, [(Stream::Stderr, b"e".to_vec())]);
        drop(err);
        assert_eq!(next(&mut readers).await, [(Stream::Stdout, b"o".to_vec())]);
        drop(out);
        assert_eq!(next(&mut readers).await, []);
        assert!(readers.get_mut(Stream::Stderr).is_none());
    }
}
