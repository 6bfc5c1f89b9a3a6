//! What a process in a container writes, as an engine hands it over.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll},
};

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
