//! What goes through a connection, counted and bounded.

use std::{
    io,
    pin::Pin,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, OnceLock,
    },
    task::{ready, Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::sleep,
};

use crate::rules::Limits;

/// Bytes of one connection.
#[derive(Debug, Default)]
pub struct Tally {
    sent: AtomicU64,
    received: AtomicU64,
    fault: OnceLock<String>,
}

impl Tally {
    /// Sent and received.
    pub fn bytes(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }

    /// Why no more could go through.
    pub fn fault(&self) -> Option<String> {
        self.fault.get().cloned()
    }

    /// Keeps it: those who read and write may not tell.
    fn seen<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.inspect_err(|error| {
            let _ = self.fault.set(error.to_string());
        })
    }

    /// Resolves when nothing has gone through for that long, or not until twice that.
    pub async fn idle(&self, limit: Duration) {
        let mut last = self.bytes();
        loop {
            sleep(limit).await;
            let now = self.bytes();
            if now == last {
                return;
            }
            last = now;
        }
    }
}

/// A connection to a host.
pub struct Metered<S> {
    inner: S,
    tally: Arc<Tally>,
    limits: Limits,
}

impl<S> Metered<S> {
    pub fn new(inner: S, tally: Arc<Tally>, limits: Limits) -> Self {
        Self { inner, tally, limits }
    }
}

/// The most bytes that are looked at in one piece where they are about to be too many.
const PIECE: usize = 4 << 10;

/// How many more may go through.
fn left(counter: &AtomicU64, limit: Option<u64>) -> usize {
    let left =
        limit.map_or(u64::MAX, |limit| limit.saturating_sub(counter.load(Ordering::Relaxed)));
    usize::try_from(left).unwrap_or(usize::MAX)
}

fn too_many() -> io::Error {
    io::Error::new(io::ErrorKind::QuotaExceeded, "more bytes than may go through")
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let left = left(&self.tally.received, self.limits.received);
        if left < buf.remaining() {
            // One more than may come shows whether this is the end.
            let mut space = [0; PIECE + 1];
            let mut piece = ReadBuf::new(&mut space[..=left.min(PIECE)]);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut piece))?;
            if piece.filled().len() > left {
                return Poll::Ready(self.tally.seen(Err(too_many())));
            }
            buf.put_slice(piece.filled());
        } else {
            let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
            self.tally.seen(read)?;
        }
        let came = (buf.filled().len() - before) as u64;
        self.tally.received.fetch_add(came, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let left = left(&self.tally.sent, self.limits.sent);
        if left == 0 && !buf.is_empty() {
            return Poll::Ready(self.tally.seen(Err(too_many())));
        }
        let went = ready!(Pin::new(&mut self.inner).poll_write(cx, &buf[..buf.len().min(left)]));
        let went = self.tally.seen(went)?;
        self.tally.sent.fetch_add(went as u64, Ordering::Relaxed);
        Poll::Ready(Ok(went))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{duplex, AsyncReadExt, AsyncWriteExt},
        time::Instant,
    };

    use super::*;

    fn metered(limits: Limits) -> (Metered<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (near, far) = duplex(1024);
        (Metered::new(near, Arc::default(), limits), far)
    }

    #[tokio::test]
    async fn bytes_are_counted_each_way() {
        let (mut near, mut far) = metered(Limits::default());
        near.write_all(b"abc").await.unwrap();
        far.write_all(b"de").await.unwrap();
        near.read_exact(&mut [0; 2]).await.unwrap();
        assert_eq!(near.tally.bytes(), (3, 2));
    }

    #[tokio::test]
    async fn no_more_than_the_limit_is_sent() {
        let (mut near, mut far) = metered(Limits { sent: Some(2), ..Limits::default() });
        assert!(near.write_all(b"abc").await.is_err());
        drop(near);
        let mut came = Vec::new();
        far.read_to_end(&mut came).await.unwrap();
        assert_eq!(came, b"ab");
    }

    #[tokio::test]
    async fn no_more_than_the_limit_is_received() {
        for (coming, whole) in [(&b"ab"[..], true), (b"abc", false)] {
            let (mut near, mut far) = metered(Limits { received: Some(2), ..Limits::default() });
            far.write_all(coming).await.unwrap();
            drop(far);
            let mut came = Vec::new();
            assert_eq!(near.read_to_end(&mut came).await.is_ok(), whole);
            assert!(came.len() <= 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_when_nothing_has_gone_through() {
        let (mut near, mut far) = metered(Limits::default());
        let tally = near.tally.clone();
        let began = Instant::now();
        let busy = async {
            for _ in 0..3 {
                sleep(Duration::from_secs(1)).await;
                near.write_all(b"a").await.unwrap();
                far.read_u8().await.unwrap();
            }
        };
        tokio::join!(tally.idle(Duration::from_secs(2)), busy);
        assert!((4..=8).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    }
}
