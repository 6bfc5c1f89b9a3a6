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
