//! The command line.

use std::{
    io::{self, BufRead, Read, Write},
    path::{Path, PathBuf},
    process::{exit, ExitCode},
    sync::{mpsc, Arc},
    thread,
};

use rustix::process::{
    getrlimit, set_parent_process_death_signal, setrlimit, Resource, Rlimit, Signal,
};
use scientist_pool_images::{
    archive::{self, Form},
    derived,
    failure::{During, Failure, Result},
    registry::{OnStep, Remote, Step},
    store::{self, Damage, Store, Tree},
};
use scientist_pool_protocol::images::{Answer, Credentials, Fault};

/// The most memory; bytes. What is unpacked is never in it as a whole.
const MEMORY: u64 = 512 << 20;
/// Threads that unpack, and that look up names; each layer under way has one of them.
const BLOCKING: usize = 8;
/// Of a layer that comes by stdin: how many pieces may wait, and how large one is, in bytes.
const PIECES: usize = 16;
const PIECE: usize = 64 << 10;
/// Of its size, and the line feed.
const MOST_DIGITS: u64 = 21;
/// What it takes to walk the deepest folder that a name leads to; bytes.
const STACK: usize = 8 << 20;

pub fn run() -> ExitCode {
    bound();
    // One that was stopped goes on when whoever started it is gone, and hears of the end of its stdin.
    let _ = set_parent_process_death_signal(Some(Signal::CONT));
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match *words {
        ["pull", image, policy] => pull(image, policy),
        ["derive", base, tree, name, recipe] => derive(base, tree, name, recipe),
        ["list"] => list(),
        ["prune"] => prune(),
        _ => {
            eprintln!(
                "usage: scientist-pool-images pull IMAGE always|missing|never | derive BASE TREE IMAGE RECIPE | \
                 list | prune"
            );
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let place = Store::place().unwrap_or_default();
            let Failure { fault, message, .. } = failure.explained(&place);
            say(&Answer::Failed { fault, message });
            ExitCode::FAILURE
        }
    }
}

/// What an archive says must not use up this machine: its memory, or this process's descriptors half-way
/// down a deep folder.
fn bound() {
    let lower = |hard: Option<u64>| Some(hard.map_or(MEMORY, |hard| hard.min(MEMORY)));
    let memory = lower(getrlimit(Resource::Data).maximum);
    let _ = setrlimit(Resource::Data, Rlimit { current: memory, maximum: memory });
    let files = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files, maximum: files });
}

/// A reader who has gone wants nothing more.
fn say(answer: &Answer) {
    let line = match serde_json::to_string(answer) {
        Ok(line) => line,
        Err(error) => error.to_string(),
    };
    if writeln!(io::stdout().lock(), "{line}").is_err() {
        exit(1);
    }
}

fn open() -> Result<(PathBuf, Store)> {
    let place = Store::place().ok_or_else(|| {
        let message =
            "there is no folder for images: neither XDG_CACHE_HOME nor HOME is an absolute path";
        Failure::new(Fault::System, message)
    })?;
    let store = Store::open(&place, Box::new(damaged))?;
    Ok((place, store))
}

fn damaged(what: Damage<'_>) {
    match what {
        Damage::Tree(id) => progress(Some(id), "Damaged in the store; made again", None),
        Damage::Note(name) => {
            progress(
                None,
                &format!("What the store has noted of {name} is damaged; made again"),
                None,
            );
        }
    }
}

fn pull(name: &str, policy: &str) -> Result<()> {
    let (give, lines) = mpsc::channel();
    thread::spawn(move || listen(&give));
    let (_, store) = open()?;
    let store = Arc::new(store);
    let (image, _tree) = get(&store, name, policy, &lines)?;
    say(&Answer::Image(store.shown(image, true)));
    // The tree is held until then.
    while lines.recv().is_ok() {}
    Ok(())
}

fn derive(base: &str, tree: &str, name: &str, recipe: &str) -> Result<()> {
    let (give, pieces) = mpsc::sync_channel(PIECES);
    thread::spawn(move || pass_on(&give));
    let (_, store) = open()?;
    let layer = move || {
        let mut pieces = Pieces { pieces, piece: io::Cursor::default() };
        say(&Answer::Layer);
        let size = pieces.size().during("take the layer")?;
        Ok(pieces.take(size))
    };
    let (image, _tree) = derived::derive(&store, base, tree, name, recipe, layer)?;
    say(&Answer::Image(store.shown(image, true)));
    // The tree is held until then.
    loop {
        thread::park();
    }
}

/// Passes on what comes by stdin. At its end whoever started this has gone, or wants nothing more.
fn pass_on(give: &mpsc::SyncSender<Vec<u8>>) {
    let mut stdin = io::stdin().lock();
    let mut buffer = vec![0; PIECE];
    while let Ok(read @ 1..) = stdin.read(&mut buffer) {
        // The program may be past reading.
        let _ = give.send(buffer[..read].to_vec());
    }
    exit(0);
}

/// What came by stdin.
struct Pieces {
    pieces: mpsc::Receiver<Vec<u8>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Pieces {
    /// The line in front of a layer.
    fn size(&mut self) -> io::Result<u64> {
        let mut line = String::new();
        self.take(MOST_DIGITS).read_line(&mut line)?;
        let size = line.trim_end().parse();
        size.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.piece.fill_buf()?.is_empty() {
            // Without an end: with that of stdin this program ends.
            self.piece = io::Cursor::new(self.pieces.recv().unwrap_or_default());
        }
        self.piece.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.piece.consume(bytes);
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

/// Passes on the lines of stdin. At its end whoever started this has gone, or wants nothing more.
fn listen(give: &mpsc::Sender<String>) {
    for line in io::stdin().lines().map_while(io::Result::ok) {
        // The program may be past reading.
        let _ = give.send(line);
    }
    exit(0);
}

/// Asks for the credentials.
fn log_in(lines: &mpsc::Receiver<String>) -> Result<Option<Credentials>> {
    say(&Answer::Login);
    let line = lines.recv().unwrap_or_default();
    // serde's own words would have some of the secret.
    serde_json::from_str(&line)
        .map_err(|_| Failure::new(Fault::System, "the credentials on stdin can't be read"))
}

fn get(
    store: &Arc<Store>,
    name: &str,
    policy: &str,
    lines: &mpsc::Receiver<String>,
) -> Result<(store::Image, Tree)> {
    let forms = [("docker-archive:", Form::Docker), ("oci-archive:", Form::Oci)];
    for (prefix, form) in forms {
        if let Some(path) = name.strip_prefix(prefix) {
            let told = |layer: &_, status: &str| progress(Some(layer), status, None);
            return archive::load(store, name, form, Path::new(path), &told);
        }
    }
    if policy != "always" {
        if let Some(image) = store.image(name) {
            if let Some(tree) = image.chain.last().map(|top| store.tree(top)).transpose()?.flatten()
            {
                return Ok((image, tree));
            }
        }
    }
    if policy == "never" {
        return Err(Failure::new(Fault::NotFound, "it is not among the images of this user"));
    }
    let credentials = log_in(lines)?;
    let told: OnStep = Arc::new(|Step { layer, status, extent }| progress(layer, status, extent));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING)
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .during("begin to pull")?;
    runtime.block_on(Remote::new(name, told)?.pull(store.clone(), name, credentials))
}

fn progress(
    layer: Option<&scientist_pool_images::blob::Digest>,
    status: &str,
    extent: Option<(u64, u64)>,
) {
    say(&Answer::Progress {
        layer: layer.map(|digest| digest.short().to_owned()),
        status: status.to_owned(),
        current: extent.map(|(current, _)| current),
        total: extent.map(|(_, total)| total),
    });
}

fn list() -> Result<()> {
    let (place, store) = open()?;
    let images = store.images()?.into_iter();
    let images = images.map(|(image, in_use)| store.shown(image, in_use)).collect();
    say(&Answer::Images { store: place, images });
    Ok(())
}

fn prune() -> Result<()> {
    let (place, store) = open()?;
    let images = store.prune()?.into_iter().map(|image| store.shown(image, false)).collect();
    say(&Answer::Removed { store: place, images });
    Ok(())
}
