//! A socket of this process's that listens on a container's loopback.

use std::{
    io,
    os::fd::OwnedFd,
    task::{ready, Poll},
};

use futures_util::stream;
use tokio::net::TcpListener;

use super::{Connection, Connections};

/// What connects to it.
///
/// # Errors
///
/// It can't be used.
pub(super) fn accepted(listener: OwnedFd) -> io::Result<Connections> {
    let listener = std::net::TcpListener::from(listener);
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    Ok(Box::pin(stream::poll_fn(move |context| {
        let accepted = ready!(listener.poll_accept(context));
        Poll::Ready(Some(accepted.map(|(stream, _)| {
            // Else a small piece waits until the one before it is acknowledged, which takes up to 40 ms.
            let _ = stream.set_nodelay(true);
            Box::new(stream) as Box<dyn Connection>
        })))
    })))
}
