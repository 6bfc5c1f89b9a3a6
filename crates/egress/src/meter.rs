//! What goes through a connection, counted and bounded.

use std::{
    io,
    pin::Pin,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    task::{Context, Poll},
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
}

impl Tally {
    /// Sent and received.
    pub fn bytes(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
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

/// Counts; an error when that is more than may be.
fn count(counter: &AtomicU64, bytes: usize, limit: Option<u64>) -> io::Result<()> {
    let before = counter.fetch_add(bytes as u64, Ordering::Relaxed);
    match limit {
        Some(limit) if before + bytes as u64 > limit => {
            Err(io::Error::new(io::ErrorKind::QuotaExceeded, "more bytes than may go through"))
        }
        _ => Ok(()),
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = polled {
            count(&self.tally.received, buf.filled().len() - before, self.limits.received)?;
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = polled {
            count(&self.tally.sent, bytes, self.limits.sent)?;
        }
        polled
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
    async fn no_more_than_the_limits_goes_through() {
        let (mut near, mut far) =
            metered(Limits { sent: Some(2), received: Some(2), ..Limits::default() });
        near.write_all(b"ab").await.unwrap();
        assert!(near.write_all(b"c").await.is_err());
        far.write_all(b"abc").await.unwrap();
        assert!(near.read_exact(&mut [0; 3]).await.is_err());
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
