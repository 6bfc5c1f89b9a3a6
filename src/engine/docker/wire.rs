//! One connection to the engine, whatever it runs over.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// The reading half of a connection.
pub(super) type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// The writing half. Shutting it down tells the engine that no more input comes; dropping both halves
/// closes the connection.
pub(super) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

pub(super) enum Wire {
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
    #[cfg(windows)]
    Pipe(tokio::net::windows::named_pipe::NamedPipeClient),
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! each {
    ($wire:expr, $stream:ident => $do:expr) => {
        match $wire {
            #[cfg(unix)]
            Wire::Unix($stream) => $do,
            #[cfg(windows)]
            Wire::Pipe($stream) => $do,
            Wire::Tcp($stream) => $do,
            Wire::Tls($stream) => $do,
        }
    };
}

impl Wire {
    /// Parts the connection in two. `early` is what has been read of it already.
    pub(super) fn split(self, early: Bytes) -> (Reader, Writer) {
        match self {
            // These two part without a lock between the halves.
            #[cfg(unix)]
            Wire::Unix(stream) => {
                let (reader, writer) = stream.into_split();
                (behind(early, reader), Box::new(writer))
            }
            Wire::Tcp(stream) => {
                let (reader, writer) = stream.into_split();
                (behind(early, reader), Box::new(writer))
            }
            other => {
                let (reader, writer) = tokio::io::split(other);
                (behind(early, reader), Box::new(writer))
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        each!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // A pipe has no half-close. The engine's pipe is in message mode, where its Go side takes
            // an empty message for the end of input (github.com/microsoft/go-winio, `CloseWrite`).
            #[cfg(windows)]
            Wire::Pipe(stream) => Pin::new(stream).poll_write(cx, &[]).map_ok(drop),
            wire => each!(wire, stream => Pin::new(stream).poll_shutdown(cx)),
        }
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

fn behind<R: AsyncRead + Send + Unpin + 'static>(early: Bytes, inner: R) -> Reader {
    if early.is_empty() {
        Box::new(inner)
    } else {
        Box::new(Behind { early, inner })
    }
}

/// A reader that gives what was read early before the rest.
struct Behind<R> {
    early: Bytes,
    inner: R,
}

impl<R: AsyncRead + Unpin> AsyncRead for Behind<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.early.is_empty() {
            return Pin::new(&mut this.inner).poll_read(cx, buf);
        }
        let count = this.early.len().min(buf.remaining());
        buf.put_slice(&this.early[..count]);
        this.early.advance(count);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn what_was_read_early_comes_first_and_once() {
        let mut reader = behind(Bytes::from_static(b"early "), &b"late"[..]);
        let mut first = [0; 3];
        reader.read_exact(&mut first).await.unwrap();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).await.unwrap();
        assert_eq!((&first[..], &rest[..]), (&b"ear"[..], &b"ly late"[..]));
    }
}
