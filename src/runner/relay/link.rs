//! One connection: what has come of it and what is to go to it, each bounded by its window.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{mpsc, OwnedSemaphorePermit},
};

use super::frames::{say, Said};

/// As `relay.py` has it.
pub const WINDOW: usize = 512 << 10;
/// What is acknowledged at once. As much again is left until that comes.
const ENOUGH: usize = WINDOW / 2;
/// The most bytes of one that go before others have their turn.
const TURN: usize = 64 << 10;

/// Those that have something to say, each once.
pub type Due = mpsc::UnboundedSender<Arc<Link>>;

pub struct Link {
    pub number: u32,
    due: Due,
    state: Mutex<State>,
}

struct State {
    /// What has come of it and is not yet taken.
    held: BytesMut,
    /// Bytes that were taken and are not yet acknowledged.
    taken: usize,
    reader: Option<Waker>,
    /// What is to go to it.
    out: BytesMut,
    /// Bytes that may still be put there.
    credit: usize,
    writer: Option<Waker>,
    /// Whether no more comes of it.
    heard: bool,
    told: Told,
    /// By the other side, or with all the others.
    is_broken: bool,
    /// Nobody reads any more.
    is_deaf: bool,
    is_due: bool,
}

/// What is said of the end of what goes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    No,
    /// Once all has gone.
    Soon,
    /// The same; it is broken off then.
    BreaksOff,
    Yes,
}

fn wake(waiting: &mut Option<Waker>) {
    if let Some(waker) = waiting.take() {
        waker.wake();
    }
}

fn against_the_rules() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

impl Link {
    pub fn new(number: u32, due: Due) -> Arc<Self> {
        let state = State {
            held: BytesMut::new(),
            taken: 0,
            reader: None,
            out: BytesMut::new(),
            credit: WINDOW,
            writer: None,
            heard: false,
            told: Told::No,
            is_broken: false,
            is_deaf: false,
            is_due: false,
        };
        Arc::new(Self { number, due, state: Mutex::new(state) })
    }

    /// Takes what is said of it; gives whether it is over.
    ///
    /// # Errors
    ///
    /// That must not be said.
    pub fn hear(self: &Arc<Self>, said: Said) -> io::Result<bool> {
        let mut state = self.lock();
        match said {
            Said::Data(_) if state.heard => return Err(against_the_rules()),
            Said::Data(_) if state.is_deaf => {
                state.told = Told::BreaksOff;
                self.has_more(&mut state);
            }
            Said::Data(data) => {
                if state.held.len() + state.taken + data.len() > WINDOW {
                    return Err(against_the_rules());
                }
                state.held.extend_from_slice(data);
            }
            Said::Gone(count) => {
                // What is still here can't have gone.
                let under_way = WINDOW - state.credit - state.out.len();
                if count as usize > under_way {
                    return Err(against_the_rules());
                }
                state.credit += count as usize;
                wake(&mut state.writer);
                return Ok(false);
            }
            Said::Ends => state.heard = true,
            Said::BrokenOff => {
                state.break_off();
                return Ok(true);
            }
            Said::Listens | Said::Begins => return Err(against_the_rules()),
        }
        wake(&mut state.reader);
        Ok(state.is_over())
    }

    /// Says what there is to say of it; gives whether it is over.
    pub fn speak(self: &Arc<Self>, into: &mut BytesMut) -> bool {
        let mut state = self.lock();
        state.is_due = false;
        if state.is_broken {
            return true;
        }
        if state.taken >= ENOUGH {
            say(self.number, Said::Gone(state.taken as u32), into);
            state.taken = 0;
        }
        if !state.out.is_empty() {
            let count = state.out.len().min(TURN);
            say(self.number, Said::Data(&state.out[..count]), into);
            state.out.advance(count);
        }
        if !state.out.is_empty() {
            self.has_more(&mut state);
            return false;
        }
        match state.told {
            Told::Soon => {
                say(self.number, Said::Ends, into);
                state.told = Told::Yes;
            }
            Told::BreaksOff => {
                say(self.number, Said::BrokenOff, into);
                return true;
            }
            Told::No | Told::Yes => {}
        }
        state.is_over()
    }

    /// Nothing comes of it any more, and nothing goes to it.
    pub fn break_off(&self) {
        self.lock().break_off();
    }

    fn has_more(self: &Arc<Self>, state: &mut State) {
        if !state.is_due {
            // Where nobody hears it, all are broken off.
            state.is_due = self.due.send(self.clone()).is_ok();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing done under this lock can leave it half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_over(&self) -> bool {
        self.heard && self.told == Told::Yes
    }

    fn break_off(&mut self) {
        self.is_broken = true;
        (self.held, self.out) = Default::default();
        wake(&mut self.reader);
        wake(&mut self.writer);
    }
}

/// Its end on this side. Dropped, no more goes to it, and what comes of it is of no use.
pub struct LinkStream {
    pub link: Arc<Link>,
    /// A place among those that there may be at once.
    pub _place: OwnedSemaphorePermit,
}

impl LinkStream {
    pub fn is_broken(&self) -> bool {
        self.link.lock().is_broken
    }
}

impl AsyncRead for LinkStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.link.lock();
        if state.is_broken {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if state.held.is_empty() && !state.heard {
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = state.held.len().min(buffer.remaining());
        buffer.put_slice(&state.held[..count]);
        state.held.advance(count);
        state.taken += count;
        if state.taken >= ENOUGH && !state.heard {
            self.link.has_more(&mut state);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LinkStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.link.lock();
        if state.is_broken || state.told != Told::No {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if state.credit == 0 {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = bytes.len().min(state.credit);
        state.out.extend_from_slice(&bytes[..count]);
        state.credit -= count;
        self.link.has_more(&mut state);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.link.lock();
        if state.told == Told::No {
            state.told = Told::Soon;
            self.link.has_more(&mut state);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for LinkStream {
    fn drop(&mut self) {
        let mut state = self.link.lock();
        state.is_deaf = true;
        // As if it had been read: who waits for that is to learn that nobody does.
        state.taken += std::mem::take(&mut state.held).len();
        if state.told == Told::No {
            state.told = Told::Soon;
        }
        self.link.has_more(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::Semaphore,
        time::timeout,
    };

    use super::*;

    const NUMBER: u32 = 7;

    struct Both {
        link: Arc<Link>,
        stream: LinkStream,
        queue: mpsc::UnboundedReceiver<Arc<Link>>,
    }

    fn both() -> Both {
        let (due, queue) = mpsc::unbounded_channel();
        let link = Link::new(NUMBER, due);
        let room = Arc::new(Semaphore::new(1));
        let stream = LinkStream { link: link.clone(), _place: room.try_acquire_owned().unwrap() };
        Both { link, stream, queue }
    }

    /// All that there is to say, and whether it is over.
    fn said(queue: &mut mpsc::UnboundedReceiver<Arc<Link>>) -> (Vec<u8>, bool) {
        let (mut bytes, mut is_over) = (BytesMut::new(), false);
        while let Ok(link) = queue.try_recv() {
            is_over = link.speak(&mut bytes);
        }
        (bytes.to_vec(), is_over)
    }

    fn frames(all: &[Said]) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        for one in all {
            say(NUMBER, *one, &mut bytes);
        }
        bytes.to_vec()
    }

    #[tokio::test]
    async fn what_comes_is_read_to_its_end() {
        let Both { link, mut stream, queue: _queue } = both();
        for data in [&b"ab"[..], b"c"] {
            assert!(!link.hear(Said::Data(data)).unwrap());
        }
        link.hear(Said::Ends).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"abc");
    }

    #[tokio::test]
    async fn what_was_read_is_acknowledged_once_it_is_enough() {
        let Both { link, mut stream, mut queue } = both();
        link.hear(Said::Data(&vec![0; ENOUGH])).unwrap();
        stream.read_exact(&mut vec![0; ENOUGH - 1]).await.unwrap();
        assert_eq!(said(&mut queue).0, b"");
        stream.read_exact(&mut [0]).await.unwrap();
        assert_eq!(said(&mut queue).0, frames(&[Said::Gone(ENOUGH as u32)]));
    }

    #[tokio::test]
    async fn no_more_comes_than_its_window() {
        let Both { link, mut stream, queue: _queue } = both();
        link.hear(Said::Data(&vec![0; WINDOW])).unwrap();
        stream.read_exact(&mut [0; 9]).await.unwrap();
        // They are not acknowledged yet.
        assert!(link.hear(Said::Data(b"a")).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_goes_than_its_window_until_it_is_acknowledged() {
        let Both { link, mut stream, mut queue } = both();
        let mut write = std::pin::pin!(async {
            stream.write_all(&vec![b'x'; WINDOW + 1]).await.unwrap();
            stream
        });
        assert!(timeout(Duration::from_secs(1), &mut write).await.is_err());
        let gone = said(&mut queue).0.iter().filter(|byte| **byte == b'x').count();
        assert_eq!(gone, WINDOW);
        link.hear(Said::Gone(1)).unwrap();
        let _stream = write.await;
        assert_eq!(said(&mut queue).0, frames(&[Said::Data(b"x")]));
    }

    #[tokio::test]
    async fn what_was_not_sent_is_not_acknowledged() {
        let Both { link, mut stream, mut queue } = both();
        stream.write_all(b"ab").await.unwrap();
        // It is still here.
        assert!(link.hear(Said::Gone(1)).is_err());
        said(&mut queue);
        assert!(link.hear(Said::Gone(3)).is_err());
        assert!(link.hear(Said::Gone(2)).is_ok());
    }

    #[tokio::test]
    async fn it_is_over_when_both_sides_have_ended() {
        let Both { link, mut stream, mut queue } = both();
        stream.shutdown().await.unwrap();
        assert_eq!(said(&mut queue), (frames(&[Said::Ends]), false));
        assert!(link.hear(Said::Ends).unwrap());
        assert!(link.hear(Said::Data(b"a")).is_err());
    }

    #[tokio::test]
    async fn one_that_is_dropped_says_what_was_written_and_ends() {
        let Both { link, mut stream, mut queue } = both();
        stream.write_all(b"refused").await.unwrap();
        // What it was sent, and nobody has read, takes nothing from that.
        link.hear(Said::Data(b"a body")).unwrap();
        drop(stream);
        assert_eq!(said(&mut queue).0, frames(&[Said::Data(b"refused"), Said::Ends]));
        assert!(link.hear(Said::Ends).unwrap());
    }

    #[tokio::test]
    async fn one_that_is_dropped_is_broken_off_by_what_still_comes() {
        let Both { link, mut stream, mut queue } = both();
        stream.write_all(b"refused").await.unwrap();
        drop(stream);
        link.hear(Said::Data(b"more of a body")).unwrap();
        let all = frames(&[Said::Data(b"refused"), Said::BrokenOff]);
        assert_eq!(said(&mut queue), (all, true));
    }

    #[tokio::test]
    async fn who_waits_for_one_that_is_dropped_does_not_wait_for_ever() {
        let Both { link, stream, mut queue } = both();
        link.hear(Said::Data(&vec![0; WINDOW])).unwrap();
        drop(stream);
        let all = frames(&[Said::Gone(WINDOW as u32), Said::Ends]);
        assert_eq!(said(&mut queue), (all, false));
        link.hear(Said::Data(b"more")).unwrap();
        assert_eq!(said(&mut queue), (frames(&[Said::BrokenOff]), true));
    }

    #[tokio::test]
    async fn one_that_is_broken_off_fails_for_who_waits() {
        let Both { link, mut stream, queue: _queue } = both();
        let reading = tokio::spawn(async move {
            let read = stream.read_u8().await.map_err(|error| error.kind());
            (read, stream.write_all(b"a").await.map_err(|error| error.kind()))
        });
        tokio::task::yield_now().await;
        assert!(link.hear(Said::BrokenOff).unwrap());
        let failed = (Err(io::ErrorKind::ConnectionReset), Err(io::ErrorKind::BrokenPipe));
        assert_eq!(reading.await.unwrap(), failed);
    }
}
