//! What a job writes: kept up to a limit, counted in full, and passed on piece by piece if wanted.

use std::sync::{
    atomic::{AtomicU32, Ordering},
    Arc, Mutex, MutexGuard, PoisonError,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep_until, Instant},
};

use super::pace::{Crowd, Pace};
use crate::engine::Stream;

/// How many pieces may be on their way to a caller; each has at most what one read gives, 64 KiB. Few, as
/// Node hands over all that have come before its event loop goes on: twenty writers with 16 pieces each kept
/// it for up to 90 ms, with 2 each for up to 30, and all was taken as fast.
const WINDOW: u32 = 2;

/// What may come beside what is to be shown: what it is called, and what was left out. And what a bundle counts
/// for itself.
const NAMES: u64 = 1 << 20;
const BUNDLE: u64 = 64;

/// A piece of output on its way to the caller.
pub struct Chunk {
    pub stream: Stream,
    pub bytes: Vec<u8>,
    /// Dropped when the caller is done with the piece, which makes room for another.
    pub pending: Pending,
}

/// A place in the window of pieces on their way.
pub type Pending = OwnedSemaphorePermit;

/// Passes pieces of output on as they come. While the window is full, nothing more is read from the
/// job, and in the end its own writes wait.
#[derive(Clone)]
pub struct Tap {
    deliver: Arc<dyn Fn(Chunk) + Send + Sync>,
    window: Arc<Semaphore>,
    passed: Arc<AtomicU32>,
    awaited: bool,
}

impl Tap {
    /// `deliver` is called on the runtime's threads and must not block. `awaited`: the call is over when
    /// the caller is done with every piece, and not as soon as the last one is on its way.
    pub fn new(awaited: bool, deliver: impl Fn(Chunk) + Send + Sync + 'static) -> Self {
        Self {
            deliver: Arc::new(deliver),
            window: Arc::new(Semaphore::new(WINDOW as usize)),
            passed: Arc::default(),
            awaited,
        }
    }

    async fn pass_on(&self, stream: Stream, bytes: Vec<u8>) {
        // The window is closed when the call is over.
        if let Ok(pending) = self.window.clone().acquire_owned().await {
            // Before it goes, so that nobody waits for fewer than there are.
            self.passed.fetch_add(1, Ordering::Relaxed);
            (self.deliver)(Chunk { stream, bytes, pending });
        }
    }

    /// Resolves when the caller is done with every piece, if that is to be waited for.
    async fn drained(&self) {
        if !self.awaited {
            return;
        }
        let _ = self.window.acquire_many(WINDOW).await;
    }
}

/// How much of the output is wanted, and how.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The most bytes of one stream; one byte more ends the job. `None`: any number.
    pub limit: Option<u64>,
    /// Whether the result is to hold the output.
    pub collect: bool,
    /// The most bytes of what is to be shown; `None`: nothing is.
    pub display: Option<u64>,
}

/// One stream's output so far.
#[derive(Debug, Default)]
pub struct Collected {
    pub bytes: Vec<u8>,
    /// How many bytes the job wrote, as far as they were read.
    pub total: u64,
    pub truncated: bool,
}

#[derive(Debug)]
struct Streams {
    stdout: Collected,
    stderr: Collected,
    /// Bundles, each behind its length in four bytes.
    shown: Collected,
    first_byte: Option<Instant>,
    pace: Pace,
    /// The call is over, whatever else the job may write.
    closed: bool,
}

/// Where a job's output goes. Shared: a call that runs out of time still has what came until then.
#[derive(Clone)]
pub struct Output {
    wanted: Wanted,
    streams: Arc<Mutex<Streams>>,
    tap: Option<Tap>,
}

/// Pieces that came in one read, to be passed on.
pub(super) type Pieces = Vec<(Stream, Vec<u8>)>;

/// Whether more may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    Left,
    /// The stream has gone past its limit.
    None,
}

impl Output {
    /// Output that is read at its own pace, whatever else is under way.
    pub fn new(wanted: Wanted, tap: Option<Tap>) -> Self {
        Self::among(Crowd::default(), wanted, tap)
    }

    /// Output that is read with regard to the others of a crowd.
    pub fn among(crowd: Crowd, wanted: Wanted, tap: Option<Tap>) -> Self {
        let streams = Streams {
            stdout: Collected::default(),
            stderr: Collected::default(),
            shown: Collected::default(),
            first_byte: None,
            pace: Pace::among(crowd),
            closed: false,
        };
        Self { wanted, streams: Arc::new(Mutex::new(streams)), tap }
    }

    /// Takes a piece, and puts into `pieces` what is to be passed on by [`Output::pass_on`].
    pub(super) fn push(&self, stream: Stream, bytes: &[u8], pieces: &mut Pieces) -> Room {
        if bytes.is_empty() {
            return Room::Left;
        }
        let mut streams = self.lock();
        if streams.closed {
            return Room::Left;
        }
        let now = Instant::now();
        streams.first_byte.get_or_insert(now);
        streams.pace.took(bytes.len(), now);
        let collected = match stream {
            Stream::Stdout => &mut streams.stdout,
            Stream::Stderr => &mut streams.stderr,
        };
        let room = match self.wanted.limit {
            Some(limit) => usize::try_from(limit.saturating_sub(collected.total)),
            None => Ok(usize::MAX),
        };
        let kept = &bytes[..bytes.len().min(room.unwrap_or(usize::MAX))];
        collected.total += bytes.len() as u64;
        if self.wanted.collect {
            collected.bytes.extend_from_slice(kept);
        }
        if self.tap.is_some() && !kept.is_empty() {
            match pieces.last_mut() {
                // Many small writes that came in one read are one piece.
                Some((last, piece)) if *last == stream => piece.extend_from_slice(kept),
                _ => pieces.push((stream, kept.to_vec())),
            }
        }
        if kept.len() < bytes.len() {
            collected.truncated = true;
            return Room::None;
        }
        Room::Left
    }

    /// The longest bundle that may come; where none is wanted, there is nothing to be read of one.
    pub(super) fn most_shown(&self) -> usize {
        self.wanted.display.map_or(1, |limit| usize::try_from(limit + NAMES).unwrap_or(usize::MAX))
    }

    /// Takes a bundle that is to be shown; `None`: one that is more than can be taken.
    pub(super) fn show(&self, bundle: Option<&[u8]>) {
        let mut streams = self.lock();
        let (false, Some(limit)) = (streams.closed, self.wanted.display) else { return };
        let now = Instant::now();
        streams.pace.took(bundle.map_or(0, <[u8]>::len), now);
        let shown = &mut streams.shown;
        match bundle {
            Some(bundle) if shown.total + bundle.len() as u64 <= limit + NAMES => {
                shown.total += bundle.len() as u64 + BUNDLE;
                shown.bytes.extend_from_slice(&(bundle.len() as u32).to_le_bytes());
                shown.bytes.extend_from_slice(bundle);
            }
            _ => shown.truncated = true,
        }
    }

    /// Gives the pieces to the caller, as fast as it takes them, and holds back a job that floods.
    pub(super) async fn pass_on(&self, pieces: &mut Pieces) {
        let due = self.lock().pace.due(Instant::now());
        // Not without need: a sleep that is over takes a millisecond all the same.
        if let Some(due) = due {
            sleep_until(due).await;
        }
        if let Some(tap) = &self.tap {
            for (stream, bytes) in pieces.drain(..) {
                tap.pass_on(stream, bytes).await;
            }
        }
    }

    /// Resolves when the caller is done with every piece that was passed on.
    pub async fn delivered(&self) {
        if let Some(tap) = &self.tap {
            tap.drained().await;
        }
    }

    /// The call is over: nothing that comes later is counted or passed on, and nothing waits for the
    /// caller to be done with a piece.
    pub fn close(&self) {
        {
            let mut streams = self.lock();
            streams.closed = true;
            streams.pace.leave();
        }
        if let Some(tap) = &self.tap {
            tap.window.close();
        }
    }

    /// What came: stdout, stderr.
    pub fn take(&self) -> (Collected, Collected) {
        let mut streams = self.lock();
        (std::mem::take(&mut streams.stdout), std::mem::take(&mut streams.stderr))
    }

    /// What is to be shown; `None`: nothing was to be.
    pub fn take_shown(&self) -> Option<Collected> {
        self.wanted.display?;
        Some(std::mem::take(&mut self.lock().shown))
    }

    /// How many pieces were passed on.
    pub fn passed(&self) -> u32 {
        self.tap.as_ref().map_or(0, |tap| tap.passed.load(Ordering::Relaxed))
    }

    /// When the first byte came.
    pub fn first_byte(&self) -> Option<Instant> {
        self.lock().first_byte
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn output(limit: u64) -> Output {
        Output::new(Wanted { limit: Some(limit), collect: true, display: None }, None)
    }

    #[test]
    fn a_stream_is_cut_at_its_limit_and_says_so() {
        let output = output(4);
        let mut none = Vec::new();
        assert_eq!(output.push(Stream::Stdout, b"abc", &mut none), Room::Left);
        assert_eq!(output.push(Stream::Stderr, b"wxyz", &mut none), Room::Left);
        assert_eq!(output.push(Stream::Stdout, b"def", &mut none), Room::None);
        let (stdout, stderr) = output.take();
        assert_eq!((&stdout.bytes[..], stdout.total, stdout.truncated), (&b"abcd"[..], 6, true));
        assert_eq!((&stderr.bytes[..], stderr.total, stderr.truncated), (&b"wxyz"[..], 4, false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_held_back_and_what_is_no_flood_is_not() {
        let output = Output::new(Wanted { limit: None, collect: false, display: None }, None);
        let piece = vec![b'x'; 1 << 20];
        let start = Instant::now();
        output.push(Stream::Stdout, &piece, &mut Vec::new());
        output.pass_on(&mut Vec::new()).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..128 {
            output.push(Stream::Stdout, &piece, &mut Vec::new());
            output.pass_on(&mut Vec::new()).await;
        }
        assert!(start.elapsed() > Duration::from_secs(1), "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn pieces_reach_the_caller_in_order_and_only_up_to_the_limit() {
        let (sender, mut chunks) = tokio::sync::mpsc::unbounded_channel();
        let tap = Tap::new(true, move |chunk| sender.send(chunk).unwrap_or_default());
        let output =
            Output::new(Wanted { limit: Some(3), collect: false, display: None }, Some(tap));
        let mut pieces = Vec::new();
        output.push(Stream::Stdout, b"ab", &mut pieces);
        output.pass_on(&mut pieces).await;
        output.push(Stream::Stdout, b"cd", &mut pieces);
        output.pass_on(&mut pieces).await;
        assert_eq!(chunks.recv().await.map(|chunk| chunk.bytes), Some(b"ab".to_vec()));
        assert_eq!(chunks.recv().await.map(|chunk| chunk.bytes), Some(b"c".to_vec()));
        output.delivered().await;
        assert!(output.take().0.bytes.is_empty());
        assert_eq!(output.passed(), 2);
    }

    #[test]
    fn what_one_stream_brought_in_a_row_is_one_piece() {
        let tap = Tap::new(true, |_| {});
        let output = Output::new(Wanted { limit: None, collect: false, display: None }, Some(tap));
        let mut pieces = Vec::new();
        for (stream, bytes) in
            [(Stream::Stdout, b"a"), (Stream::Stdout, b"b"), (Stream::Stderr, b"c")]
        {
            output.push(stream, bytes, &mut pieces);
        }
        assert_eq!(pieces, [(Stream::Stdout, b"ab".to_vec()), (Stream::Stderr, b"c".to_vec())]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_takes_its_time_holds_up_the_end_of_the_call_only_if_it_is_awaited() {
        for awaited in [true, false] {
            let (sender, _held) = tokio::sync::mpsc::unbounded_channel();
            let tap = Tap::new(awaited, move |chunk| sender.send(chunk).unwrap_or_default());
            let output =
                Output::new(Wanted { limit: None, collect: false, display: None }, Some(tap));
            let mut pieces = Vec::new();
            output.push(Stream::Stdout, b"x", &mut pieces);
            output.pass_on(&mut pieces).await;
            let hour = Duration::from_secs(3600);
            let delivered = tokio::time::timeout(hour, output.delivered()).await;
            assert_eq!(delivered.is_err(), awaited);
        }
    }

    #[tokio::test]
    async fn what_comes_after_the_end_of_the_call_is_neither_counted_nor_passed_on() {
        let (sender, mut chunks) = tokio::sync::mpsc::unbounded_channel();
        let tap = Tap::new(true, move |chunk| sender.send(chunk).unwrap_or_default());
        let output = Output::new(Wanted { limit: None, collect: true, display: None }, Some(tap));
        let mut pieces = Vec::new();
        output.push(Stream::Stdout, b"in time", &mut pieces);
        output.close();
        assert_eq!(output.take().0.total, 7);
        output.push(Stream::Stdout, b"too late", &mut pieces);
        output.pass_on(&mut pieces).await;
        assert_eq!(output.take().0.total, 0);
        assert!(chunks.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_passed_on_while_the_window_is_full() {
        let (sender, mut chunks) = tokio::sync::mpsc::unbounded_channel();
        let tap = Tap::new(true, move |chunk| sender.send(chunk).unwrap_or_default());
        let output = Output::new(Wanted { limit: None, collect: false, display: None }, Some(tap));
        let mut pieces = Vec::new();
        // In turn, as what comes from one stream in a row is one piece.
        for at in 0..=WINDOW {
            let stream = if at % 2 == 0 { Stream::Stdout } else { Stream::Stderr };
            output.push(stream, b"x", &mut pieces);
        }
        let mut passing = Box::pin(output.pass_on(&mut pieces));
        let moment = std::time::Duration::from_secs(1);
        assert!(tokio::time::timeout(moment, &mut passing).await.is_err());
        drop(chunks.recv().await);
        tokio::time::timeout(moment, passing).await.expect("there is room again");
    }
}
