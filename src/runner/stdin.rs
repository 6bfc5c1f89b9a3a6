//! What a job reads from its stdin: all of it known beforehand, or written while the job runs.

use bytes::Bytes;
use tokio::sync::mpsc;

/// What a job reads.
#[derive(Debug)]
pub enum Stdin {
    Whole(Bytes),
    Piped(Pipe),
}

impl Default for Stdin {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

/// The job's end of its stdin.
#[derive(Debug)]
pub struct Pipe(mpsc::Receiver<Piece>);

/// What comes through it.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Data(Bytes),
    /// SIGINT, once all that came before it has been passed on.
    Interrupt,
}

/// The caller's end. Dropped, the job reads its end.
#[derive(Debug, Clone)]
pub struct Feed(mpsc::Sender<Piece>);

/// Both ends. Between them is one piece at a time, so who writes is held back as the job is.
pub fn pipe() -> (Feed, Pipe) {
    let (feed, pipe) = mpsc::channel(1);
    (Feed(feed), Pipe(pipe))
}

impl Feed {
    /// Waits until there is room for a piece; `false`: the job has ended, or its connection has.
    pub async fn write(&self, piece: Bytes) -> bool {
        self.0.send(Piece::Data(piece)).await.is_ok()
    }

    /// Interrupts the job, if it has not ended.
    pub async fn interrupt(&self) {
        let _ = self.0.send(Piece::Interrupt).await;
    }
}

impl Pipe {
    /// The next piece; `None`: that was all.
    pub async fn next(&mut self) -> Option<Piece> {
        self.0.recv().await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn data(bytes: &'static [u8]) -> Option<Piece> {
        Some(Piece::Data(Bytes::from_static(bytes)))
    }

    #[tokio::test(start_paused = true)]
    async fn who_writes_waits_while_the_job_does_not_read() {
        let (feed, mut pipe) = pipe();
        assert!(feed.write(Bytes::from_static(b"a")).await);
        let second = feed.write(Bytes::from_static(b"b"));
        tokio::pin!(second);
        assert!(timeout(Duration::from_secs(3600), &mut second).await.is_err());
        assert_eq!(pipe.next().await, data(b"a"));
        assert!(second.await);
    }

    #[tokio::test]
    async fn the_job_reads_all_that_was_written_and_then_the_end() {
        let (feed, mut pipe) = pipe();
        assert!(feed.write(Bytes::from_static(b"a")).await);
        drop(feed);
        assert_eq!(pipe.next().await, data(b"a"));
        assert_eq!(pipe.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_writes_is_told_that_the_job_has_ended_even_while_it_waits() {
        let (feed, pipe) = pipe();
        assert!(feed.write(Bytes::from_static(b"a")).await);
        let (second, ()) = tokio::join!(feed.write(Bytes::from_static(b"b")), async { drop(pipe) });
        assert!(!second);
        assert!(!feed.write(Bytes::from_static(b"c")).await);
    }
}
