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
    sync::{mpsc, Semaphore},
    time::timeout,
};

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
    /// What comes of it; dropped, it is broken off.
    pieces: mpsc::UnboundedSender<Piece>,
    /// Bytes that may be sent of it.
    credit: Arc<Semaphore>,
    /// Bytes of it that may still come before some are acknowledged.
    coming: Arc<Semaphore>,
    /// Whether no more comes of it, and whether it is told that no more goes to it. With both it is over, for
    /// `relay.py` as well, which may have another one in its place then.
    heard: bool,
    told: bool,
}

enum Piece {
    Data(Bytes),
    End,
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
                take(frame, &table, most, &frames, &connections)?;
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

/// Takes one that has come.
fn take(
    Frame { number, kind, mut body }: Frame,
    table: &Table,
    most: usize,
    frames: &mpsc::Sender<Frame>,
    connections: &mpsc::Sender<DuplexStream>,
) -> io::Result<()> {
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let mut entries = lock(table);
    if kind == b'O' {
        if entries.len() >= most || entries.contains_key(&number) {
            return Err(broken());
        }
        let (near, far) = duplex(WINDOW);
        let (pieces, coming_pieces) = mpsc::unbounded_channel();
        let [credit, coming] = [(); 2].map(|()| Arc::new(Semaphore::new(WINDOW)));
        let carry = Carry {
            number,
            far,
            pieces: coming_pieces,
            credit: credit.clone(),
            coming: coming.clone(),
            frames: frames.clone(),
            table: table.clone(),
        };
        entries.insert(number, Entry { pieces, credit, coming, heard: false, told: false });
        let connections = connections.clone();
        task::spawn(async move {
            if connections.send(near).await.is_ok() {
                carry.run().await;
            }
        });
        return Ok(());
    }
    // What it says of one that is over was on its way.
    let Some(entry) = entries.get(&number) else { return Ok(()) };
    match kind {
        b'D' => {
            let bytes = u32::try_from(body.len()).map_err(|_| broken())?;
            entry.coming.try_acquire_many(bytes).map_err(|_| broken())?.forget();
            let _ = entry.pieces.send(Piece::Data(body));
        }
        b'A' if body.len() == 4 => {
            let bytes = body.get_u32_le() as usize;
            if entry.credit.available_permits().saturating_add(bytes) > WINDOW {
                return Err(broken());
            }
            entry.credit.add_permits(bytes);
        }
        b'E' => {
            let _ = entry.pieces.send(Piece::End);
            end(&mut entries, number, |entry| &mut entry.heard);
        }
        b'R' => drop(entries.remove(&number)),
        _ => return Err(broken()),
    }
    Ok(())
}

/// One connection.
struct Carry {
    number: u32,
    /// What the proxy has the other end of.
    far: DuplexStream,
    pieces: mpsc::UnboundedReceiver<Piece>,
    credit: Arc<Semaphore>,
    coming: Arc<Semaphore>,
    frames: mpsc::Sender<Frame>,
    table: Table,
}

impl Carry {
    /// Until both sides have ended; else it is broken off.
    async fn run(self) {
        let Self { number, far, mut pieces, credit, coming, frames, table } = self;
        let (mut reading, mut writing) = split(far);
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        let tell = |frame| async { frames.send(frame).await.map_err(|_| broken()) };
        let inward = async {
            while let Some(piece) = pieces.recv().await {
                let Piece::Data(bytes) = piece else {
                    return writing.shutdown().await;
                };
                writing.write_all(&bytes).await?;
                coming.add_permits(bytes.len());
                tell(Frame::ack(number, bytes.len())).await?;
            }
            Err(broken())
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
