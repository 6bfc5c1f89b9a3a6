//! The connections that a container's processes make to the proxy on their loopback, where the engine itself
//! can't listen there: `relay.py` does, in an exec of its own. It hands the socket over and ends, or passes the
//! connections on.
//!
//! It runs as the scripts do, and is no more than they are: what it says is bounded, and ends the exec where it
//! breaks the rules.

pub mod frames;
mod link;

use std::{
    collections::{hash_map, HashMap},
    future::pending,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::BytesMut;
use futures_util::stream::poll_fn;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::{mpsc, Semaphore},
    time::timeout,
};

use self::{
    frames::{Frames, Said},
    link::{Due, Link, LinkStream},
};
use super::exec;
use crate::{
    engine::{Connection, Connections, Engine, ExecSpec, ExecStream, Handover, Output, Stream},
    error::{Code, Error, Result},
    task,
};

/// How long it may take to come up.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is written at once, or little more.
const ENOUGH: usize = 64 << 10;

/// How many connections are kept of each that may be: as many again may be broken off, and not be noticed yet.
const KEPT: usize = 2;

/// Starts it in a container. `most`: connections at once.
///
/// # Errors
///
/// It did not come up.
pub async fn start(
    engine: &dyn Engine,
    id: &str,
    port: u16,
    most: usize,
    handover: Option<Handover>,
) -> Result<Connections> {
    let program = ["python3", "-I", "-S", "-c", include_str!("../relay.py")].map(String::from);
    let path = handover.as_ref().map(|handover| handover.path.to_owned());
    let argv = program.into_iter().chain([port.to_string(), most.to_string()]).chain(path);
    let spec = ExecSpec { argv: argv.collect(), ..ExecSpec::default() };
    let ExecStream { stdin, output, .. } = exec::start(engine, id, spec).await?;
    let (due, queue) = mpsc::unbounded_channel();
    let mut hearing = Hearing::new(output, Arc::default(), due, most);
    let listens = async {
        while !hearing.listens {
            if hearing.read().await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
        Ok(())
    };
    let (handed_over, is_vain) = match handover {
        Some(Handover { connections, is_vain, .. }) => (Some(connections), Some(is_vain)),
        None => (None, None),
    };
    let handed_over = async {
        match handed_over {
            Some(connections) => connections.await,
            None => pending().await,
        }
    };
    let listens = tokio::select! {
        biased;
        Ok(connections) = handed_over => return Ok(connections),
        listens = timeout(PATIENCE, listens) => listens,
    };
    if !matches!(listens, Ok(Ok(()))) {
        let complaint = String::from_utf8_lossy(&hearing.complaint);
        let why = complaint.trim().lines().last().unwrap_or("it did not begin to listen");
        let message = format!("network.allow: the relay in the container did not start: {why}.");
        return Err(Error::new(Code::EngineError, message).container(id));
    }
    // It came up without handing its socket over.
    if let Some(is_vain) = is_vain {
        is_vain();
    }
    let (connections, mut made) = mpsc::channel(KEPT * most);
    task::spawn(async move {
        let table = hearing.table.clone();
        // Its end is that of the container's network, and nothing else.
        let _ = tokio::select! {
            ended = speak(stdin, queue, &table) => ended,
            ended = hear(hearing, &connections) => ended,
            () = connections.closed() => Ok(()),
        };
        for link in lock(&table).values() {
            link.break_off();
        }
    });
    Ok(Box::pin(poll_fn(move |context| {
        made.poll_recv(context)
            .map(|next| next.map(|stream| Ok(Box::new(stream) as Box<dyn Connection>)))
    })))
}

/// Those under way, by number, on either side.
type Table = Arc<Mutex<HashMap<u32, Arc<Link>>>>;

fn lock(table: &Table) -> MutexGuard<'_, HashMap<u32, Arc<Link>>> {
    // Nothing done under this lock can leave it half-changed.
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What comes of it.
struct Hearing {
    output: Box<dyn Output>,
    frames: Frames,
    listens: bool,
    /// What it says of itself before it listens.
    complaint: Vec<u8>,
    table: Table,
    due: Due,
    most: usize,
    /// Connections that have come and are not yet passed on.
    begun: Vec<Arc<Link>>,
}

impl Hearing {
    fn new(output: Box<dyn Output>, table: Table, due: Due, most: usize) -> Self {
        let (frames, listens, complaint, begun) = Default::default();
        Self { output, frames, listens, complaint, table, due, most, begun }
    }

    /// Takes what comes next; gives how many bytes that is, 0 at the end.
    async fn read(&mut self) -> io::Result<usize> {
        let Self { output, frames, listens, complaint, table, due, most, begun } = self;
        let mut fed = Ok(());
        let read = output.read(|stream, bytes| match stream {
            Stream::Stderr if !*listens => complaint.extend_from_slice(bytes),
            Stream::Stdout if fed.is_ok() => {
                fed = frames.feed(bytes, |number, said| match said {
                    Said::Listens if !*listens => {
                        *listens = true;
                        Ok(())
                    }
                    said if !*listens => Err(against_the_rules(said)),
                    Said::Begins => {
                        let link = begin(number, table, due, *most)?;
                        begun.push(link);
                        Ok(())
                    }
                    said => take(number, said, table),
                });
            }
            _ => {}
        });
        let size = read.await?;
        fed.map(|()| size)
    }
}

fn against_the_rules(said: Said) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{said:?}"))
}

/// A new connection. It counts as long as it is there for `relay.py`, too, which has no more than may be.
fn begin(number: u32, table: &Table, due: &Due, most: usize) -> io::Result<Arc<Link>> {
    let mut links = lock(table);
    let has_room = links.len() < most;
    match links.entry(number) {
        hash_map::Entry::Vacant(place) if has_room => {
            Ok(place.insert(Link::new(number, due.clone())).clone())
        }
        _ => Err(against_the_rules(Said::Begins)),
    }
}

/// Takes what is said of a connection. What is said of one that is over was on its way.
fn take(number: u32, said: Said, table: &Table) -> io::Result<()> {
    let mut links = lock(table);
    if let hash_map::Entry::Occupied(link) = links.entry(number) {
        if link.get().hear(said)? {
            link.remove();
        }
    }
    Ok(())
}

/// Passes connections on, until it ends, breaks the rules, or nobody takes them any more.
async fn hear(mut hearing: Hearing, connections: &mpsc::Sender<LinkStream>) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(KEPT * hearing.most));
    loop {
        for link in std::mem::take(&mut hearing.begun) {
            let place = room.clone().acquire_owned().await.map_err(io::Error::other)?;
            let stream = LinkStream { link, _place: place };
            if !stream.is_broken() {
                connections.send(stream).await.map_err(io::Error::other)?;
            }
        }
        if hearing.read().await? == 0 {
            return Ok(());
        }
    }
}

/// Says what there is to say of connections, in turn.
async fn speak(
    mut stdin: Box<dyn AsyncWrite + Send + Unpin>,
    mut queue: mpsc::UnboundedReceiver<Arc<Link>>,
    table: &Table,
) -> io::Result<()> {
    let mut bytes = BytesMut::new();
    let mut next = None;
    loop {
        let link = match next.take() {
            Some(link) => link,
            None => match queue.recv().await {
                Some(link) => link,
                None => return Ok(()),
            },
        };
        if link.speak(&mut bytes) {
            let mut links = lock(table);
            // Another one may have its number.
            if links.get(&link.number).is_some_and(|own| Arc::ptr_eq(own, &link)) {
                links.remove(&link.number);
            }
        }
        if bytes.len() < ENOUGH {
            next = queue.try_recv().ok();
            if next.is_some() {
                continue;
            }
        }
        stdin.write_all(&bytes).await?;
        stdin.flush().await?;
        bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use super::*;
    use crate::runner::relay::frames::say;

    /// Says something, and no more.
    struct Words(Option<Vec<u8>>);

    impl Output for Words {
        fn poll_read(
            &mut self,
            _: &mut Context<'_>,
            take: &mut dyn FnMut(Stream, &[u8]),
        ) -> Poll<io::Result<usize>> {
            let Some(words) = self.0.take() else { return Poll::Ready(Ok(0)) };
            take(Stream::Stdout, &words);
            Poll::Ready(Ok(words.len()))
        }
    }

    /// How it ends for who says that once it listens, how many connections there are then, and how many were
    /// passed on.
    async fn heard(
        all: impl IntoIterator<Item = (u32, Said<'_>)>,
    ) -> (io::Result<()>, usize, usize) {
        let mut words = BytesMut::new();
        say(0, Said::Listens, &mut words);
        for (number, one) in all {
            say(number, one, &mut words);
        }
        let (due, _queue) = mpsc::unbounded_channel();
        let table = Table::default();
        let hearing = Hearing::new(Box::new(Words(Some(words.to_vec()))), table.clone(), due, 2);
        let (connections, made) = mpsc::channel(KEPT * 2);
        let ended = hear(hearing, &connections).await;
        let under_way = lock(&table).len();
        (ended, under_way, made.len())
    }

    #[tokio::test]
    async fn connections_that_are_broken_off_at_once_are_none() {
        let all = (1..100).flat_map(|number| [(number, Said::Begins), (number, Said::BrokenOff)]);
        let (ended, under_way, passed_on) = heard(all).await;
        assert!(ended.is_ok());
        assert_eq!((under_way, passed_on), (0, 0));
    }

    #[tokio::test]
    async fn more_connections_than_may_be_break_the_rules() {
        let begin = |number| (number, Said::Begins);
        let (ended, ..) = heard([begin(1), begin(2)]).await;
        assert!(ended.is_ok());
        for all in [vec![begin(1), begin(2), begin(3)], vec![begin(1), begin(1)]] {
            assert!(heard(all).await.0.is_err());
        }
    }

    #[tokio::test]
    async fn what_is_said_of_a_connection_that_is_over_was_on_its_way() {
        let (ended, ..) = heard([(9, Said::Data(b"a")), (9, Said::Gone(1)), (9, Said::Ends)]).await;
        assert!(ended.is_ok());
    }
}
