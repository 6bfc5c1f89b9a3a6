//! The connections that a container's processes make to the proxy on their loopback, where the engine itself
//! can't listen there: `relay.py` does, and passes them on over an exec of its own.
//!
//! It runs as the scripts do, and is no more than they are: what it says is bounded, and ends the exec where it
//! breaks the rules.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::stream::poll_fn;
use tokio::{
    io::{duplex, split, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    sync::{mpsc, Notify, Semaphore},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::exec;
use crate::{
    engine::{Connection, Connections, Engine, ExecSpec, ExecStream, Output, Stream},
    error::{Code, Error, Result},
    task,
};

/// As `relay.py` has them.
const WINDOW: usize = 256 << 10;
const PIECE: usize = 32 << 10;
const HEAD: usize = 9;
/// How long it may take to come up.
const PATIENCE: Duration = Duration::from_secs(20);
/// Frames on their way to it.
const QUEUE: usize = 16;

/// What goes each way.
struct Frame {
    number: u32,
    kind: u8,
    body: Bytes,
}

impl Frame {
    fn new(number: u32, kind: u8, body: Bytes) -> Self {
        Self { number, kind, body }
    }

    fn ack(number: u32, bytes: usize) -> Self {
        let count = u32::try_from(bytes).unwrap_or(u32::MAX);
        Self::new(number, b'A', Bytes::copy_from_slice(&count.to_le_bytes()))
    }

    /// The next one of what has come, if all of it is there.
    fn take(said: &mut BytesMut) -> io::Result<Option<Self>> {
        let Some((head, rest)) = said.split_first_chunk::<HEAD>() else { return Ok(None) };
        let [a, b, c, d, kind, length @ ..] = *head;
        let length = u32::from_le_bytes(length) as usize;
        if length > PIECE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if rest.len() < length {
            return Ok(None);
        }
        said.advance(HEAD);
        let body = said.split_to(length).freeze();
        Ok(Some(Self::new(u32::from_le_bytes([a, b, c, d]), kind, body)))
    }
}

/// Starts it in a container. `most`: connections at once.
///
/// # Errors
///
/// It did not come up.
pub async fn start(engine: &dyn Engine, id: &str, port: u16, most: usize) -> Result<Connections> {
    let program = ["python3", "-I", "-S", "-c", include_str!("relay.py")].map(String::from);
    let argv = program.into_iter().chain([port.to_string(), most.to_string()]).collect();
    let spec = ExecSpec { argv, ..ExecSpec::default() };
    let ExecStream { stdin, mut output, .. } = exec::start(engine, id, spec).await?;
    let mut said = BytesMut::new();
    let mut complaint = Vec::new();
    let listens = async {
        loop {
            if let Some(Frame { kind: b'L', .. }) = Frame::take(&mut said)? {
                return Ok(());
            }
            let read = output.read(|stream, bytes| match stream {
                Stream::Stdout => said.extend_from_slice(bytes),
                Stream::Stderr => complaint.extend_from_slice(bytes),
            });
            if read.await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
    };
    let listens = timeout(PATIENCE, listens).await;
    if !matches!(listens, Ok(Ok(()))) {
        let complaint = String::from_utf8_lossy(&complaint);
        let why = complaint.trim().lines().last().unwrap_or("it did not begin to listen");
        let message = format!("network.allow: the relay in the container did not start: {why}.");
        return Err(Error::new(Code::EngineError, message).container(id));
    }
    let (connections, mut made) = mpsc::channel(1);
    task::spawn(async move {
        // Its end is that of the container's network, and nothing else.
        let _ = carry_all(stdin, output, said, most, connections).await;
    });
    Ok(Box::pin(poll_fn(move |context| {
        made.poll_recv(context)
            .map(|next| next.map(|stream| Ok(Box::new(stream) as Box<dyn Connection>)))
    })))
}

/// What is known of a connection.
struct Entry {
    inbox: Arc<Inbox>,
    /// Bytes that may be sent of it.
    credit: Arc<Semaphore>,
    /// Bytes of it that may still come before some are acknowledged.
    coming: Arc<Semaphore>,
    /// Whether no more comes of it, and whether it is told that no more goes to it. With both it is over, for
    /// `relay.py` as well, which may have another one in its place then.
    heard: bool,
    told: bool,
    broken: CancellationToken,
}

/// What has come of a connection and is not yet on its way: no more than its window, in how small pieces ever.
#[derive(Default)]
struct Inbox {
    /// Its bytes, and whether no more come.
    held: Mutex<(BytesMut, bool)>,
    more: Notify,
}

impl Inbox {
    fn put(&self, bytes: &[u8]) {
        self.lock().0.extend_from_slice(bytes);
        self.more.notify_one();
    }

    fn end(&self) {
        self.lock().1 = true;
        self.more.notify_one();
    }

    /// The next of its bytes; `None`: no more come.
    async fn take(&self) -> Option<Bytes> {
        loop {
            {
                let (bytes, is_ended) = &mut *self.lock();
                if !bytes.is_empty() {
                    let count = bytes.len().min(PIECE);
                    return Some(bytes.split_to(count).freeze());
                }
                if *is_ended {
                    return None;
                }
            }
            self.more.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, (BytesMut, bool)> {
        // Nothing done under this lock can leave it half-changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Table = Arc<Mutex<HashMap<u32, Entry>>>;

/// One of its sides has ended.
fn end(entries: &mut HashMap<u32, Entry>, number: u32, side: impl FnOnce(&mut Entry) -> &mut bool) {
    if let Some(entry) = entries.get_mut(&number) {
        *side(entry) = true;
        if entry.heard && entry.told {
            entries.remove(&number);
        }
    }
}

fn lock(table: &Table) -> MutexGuard<'_, HashMap<u32, Entry>> {
    // Nothing done under this lock can leave it half-changed.
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes connections on until the exec ends, breaks the rules, or nobody takes them any more.
async fn carry_all(
    mut stdin: Box<dyn AsyncWrite + Send + Unpin>,
    mut output: Box<dyn Output>,
    mut said: BytesMut,
    most: usize,
    connections: mpsc::Sender<DuplexStream>,
) -> io::Result<()> {
    let (frames, mut queue) = mpsc::channel::<Frame>(QUEUE);
    let table = Table::default();
    // As many again may be over, and on their way to their ends.
    let room = Arc::new(Semaphore::new(2 * most));
    let writing = async move {
        while let Some(Frame { number, kind, body }) = queue.recv().await {
            let mut bytes = BytesMut::with_capacity(HEAD + body.len());
            bytes.extend_from_slice(&number.to_le_bytes());
            bytes.extend_from_slice(&[kind]);
            bytes.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(&body);
            stdin.write_all(&bytes).await?;
            stdin.flush().await?;
        }
        Ok(())
    };
    let reading = async {
        loop {
            while let Some(frame) = Frame::take(&mut said)? {
                if frame.kind == b'O' {
                    open(frame.number, &table, most, &room, &frames, &connections).await?;
                } else {
                    take(frame, &table)?;
                }
            }
            let read = output.read(|stream, bytes| {
                if stream == Stream::Stdout {
                    said.extend_from_slice(bytes);
                }
            });
            if read.await? == 0 {
                return Ok(());
            }
        }
    };
    tokio::select! {
        ended = writing => ended,
        ended = reading => ended,
        () = connections.closed() => Ok(()),
    }
}

fn broken() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// Begins a connection, as soon as of those before no more are left than may be.
async fn open(
    number: u32,
    table: &Table,
    most: usize,
    room: &Arc<Semaphore>,
    frames: &mpsc::Sender<Frame>,
    connections: &mpsc::Sender<DuplexStream>,
) -> io::Result<()> {
    let is_one_too_many = {
        let entries = lock(table);
        entries.len() >= most || entries.contains_key(&number)
    };
    if is_one_too_many {
        return Err(broken());
    }
    let place = room.clone().acquire_owned().await.map_err(|_| broken())?;
    let (near, far) = duplex(WINDOW);
    let inbox = Arc::<Inbox>::default();
    let [credit, coming] = [(); 2].map(|()| Arc::new(Semaphore::new(WINDOW)));
    let broken = CancellationToken::new();
    let carry = Carry {
        number,
        far,
        inbox: inbox.clone(),
        credit: credit.clone(),
        coming: coming.clone(),
        frames: frames.clone(),
        table: table.clone(),
    };
    let ended = broken.clone();
    let entry = Entry { inbox, credit, coming, heard: false, told: false, broken };
    lock(table).insert(number, entry);
    let connections = connections.clone();
    task::spawn(async move {
        let work = async {
            if connections.send(near).await.is_ok() {
                carry.run().await;
            }
        };
        ended.run_until_cancelled(work).await;
        drop(place);
    });
    Ok(())
}

/// Takes what is said of a connection.
fn take(Frame { number, kind, mut body }: Frame, table: &Table) -> io::Result<()> {
    let mut entries = lock(table);
    // What it says of one that is over was on its way.
    let Some(entry) = entries.get(&number) else { return Ok(()) };
    match kind {
        b'D' if !entry.heard => {
            let bytes = u32::try_from(body.len()).map_err(|_| broken())?;
            entry.coming.try_acquire_many(bytes).map_err(|_| broken())?.forget();
            entry.inbox.put(&body);
        }
        b'A' if body.len() == 4 => {
            let bytes = body.get_u32_le() as usize;
            if entry.credit.available_permits().saturating_add(bytes) > WINDOW {
                return Err(broken());
            }
            entry.credit.add_permits(bytes);
        }
        b'E' => {
            entry.inbox.end();
            end(&mut entries, number, |entry| &mut entry.heard);
        }
        b'R' => {
            if let Some(entry) = entries.remove(&number) {
                entry.broken.cancel();
            }
        }
        _ => return Err(broken()),
    }
    Ok(())
}

/// One connection.
struct Carry {
    number: u32,
    /// What the proxy has the other end of.
    far: DuplexStream,
    inbox: Arc<Inbox>,
    credit: Arc<Semaphore>,
    coming: Arc<Semaphore>,
    frames: mpsc::Sender<Frame>,
    table: Table,
}

impl Carry {
    /// Until both sides have ended; else it is broken off.
    async fn run(self) {
        let Self { number, far, inbox, credit, coming, frames, table } = self;
        let (mut reading, mut writing) = split(far);
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        let tell = |frame| async { frames.send(frame).await.map_err(|_| broken()) };
        let inward = async {
            while let Some(bytes) = inbox.take().await {
                writing.write_all(&bytes).await?;
                coming.add_permits(bytes.len());
                tell(Frame::ack(number, bytes.len())).await?;
            }
            writing.shutdown().await
        };
        let outward = async {
            let mut buffer = BytesMut::new();
            loop {
                buffer.reserve(PIECE);
                let bytes = reading.read_buf(&mut (&mut buffer).limit(PIECE)).await?;
                if bytes == 0 {
                    end(&mut lock(&table), number, |entry| &mut entry.told);
                    return tell(Frame::new(number, b'E', Bytes::new())).await;
                }
                let count = u32::try_from(bytes).map_err(|_| broken())?;
                credit.acquire_many(count).await.map_err(|_| broken())?.forget();
                tell(Frame::new(number, b'D', buffer.split().freeze())).await?;
            }
        };
        if tokio::try_join!(inward, outward).is_err() {
            lock(&table).remove(&number);
            let _ = frames.send(Frame::new(number, b'R', Bytes::new())).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_pieces_are_held_as_one() {
        let inbox = Inbox::default();
        for _ in 0..PIECE + 1 {
            inbox.put(b"a");
        }
        inbox.end();
        assert_eq!(inbox.take().await.map(|bytes| bytes.len()), Some(PIECE));
        assert_eq!(inbox.take().await.map(|bytes| bytes.len()), Some(1));
        assert_eq!(inbox.take().await, None);
    }

    #[tokio::test]
    async fn connections_that_are_broken_off_at_once_are_no_more_than_may_be() {
        let (frames, _queue) = mpsc::channel(QUEUE);
        // Nobody takes them.
        let (connections, _made) = mpsc::channel(1);
        let (table, room) = (Table::default(), Arc::new(Semaphore::new(4)));
        for number in 0..100 {
            open(number, &table, 2, &room, &frames, &connections).await.unwrap();
            take(Frame::new(number, b'R', Bytes::new()), &table).unwrap();
        }
        let _all_ended = room.acquire_many(4).await.unwrap();
        assert!(lock(&table).is_empty());
    }
}
