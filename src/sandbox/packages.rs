//! Packages on top of an image: installed by pip in a container, once for all that want the same.
//!
//! `install.py` runs in a container of the plain image that has the pool's hardening, limits of its own, and the
//! way to the index alone. What it writes to its stdout is a layer, by which the engine derives an image. Nothing
//! of it but that comes out: neither pip nor a package's own code runs outside of that container.

use std::{
    fs::File,
    io::{self, Seek, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use memchr::memchr;
use serde::Deserialize;
use tokio::time::{timeout_at, Instant};
use tokio_util::sync::CancellationToken;

use super::{
    call::{Call, Outcome, Reason},
    provider::Sandboxes,
    way_out::Border,
};
use crate::{
    budget::Grant,
    config::{ContainerConfig, EgressConfig, Hidden, Network, PackagesConfig, PullPolicy},
    engine::{Engine, Layer, OnPull, PullProgress, Recipe, Stream},
    error::{excerpt, Code, Error, Result},
    pool::Pooled,
    runner::{
        job::{Job, Work},
        output::{Tap, Wanted},
    },
};

const INSTALL: &str = include_str!("install.py");
/// Of the recipe: another number where the same requirements come to another layer.
const VERSION: u32 = 1;
/// Where the packages are in a container.
const PLACE: &str = "/usr/lib/scientist-pool";
/// What an installation may use; bytes, and what it unpacks is in memory.
const MEMORY: i64 = 4 << 30;
const ROOM: &str = "rw,nosuid,nodev,exec,size=3g,mode=1777";
const PROCESSES: i64 = 256;
const PROCESSORS: i64 = 2;
const FILES: i64 = 4096;
/// Of what it says on stderr; bytes.
const MOST_SAID: usize = 256 << 10;
/// How many requirements a title names.
const NAMED: usize = 4;

/// What is to be installed, and with what.
pub struct Packages {
    config: PackagesConfig,
    image: String,
    limit: Duration,
    engine: Arc<dyn Engine>,
    installer: Box<Sandboxes>,
}

/// A line of `install.py`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Step { step: String },
    Failed { failed: Kind, why: String },
}

/// What is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// What was asked for.
    Packages,
    /// The index, or the way to it.
    Index,
    /// The image, or the engine.
    Image,
}

/// What came out of an installation so far.
struct Product {
    layer: File,
    size: u64,
    /// Why it could not be kept.
    broken: Option<io::Error>,
    /// What came of the line of stderr that is not over, and the last one that was none of ours.
    line: BytesMut,
    last: BytesMut,
    failed: Option<(Kind, String)>,
}

impl Packages {
    /// The container that packages are installed in, for a pool with containers of the other kind.
    pub fn container(pool: &ContainerConfig, packages: &PackagesConfig) -> ContainerConfig {
        let mut container = pool.clone();
        container.pull = PullPolicy::Never;
        container.network = Network::Proxied(packages.way.clone());
        if let Network::Proxied(way) = &mut container.network {
            way.allow.clone_from(&packages.hosts);
        }
        container.memory = MEMORY;
        container.swap = Some(0);
        container.pids_limit = PROCESSES;
        container.cpu_quota = PROCESSORS.saturating_mul(container.cpu_period);
        container.mounts.clear();
        container.tmpfs.insert(PLACE.to_owned(), ROOM.to_owned());
        container.ulimits.remove("fsize");
        container.ulimits.insert("nofile".to_owned(), (FILES, FILES));
        container.preload.clear();
        container.template = false;
        container
    }

    /// `engine`: with containers of that kind, which are `container`s.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`: no such host can be reached.
    pub fn new(
        config: PackagesConfig,
        engine: Arc<dyn Engine>,
        container: &ContainerConfig,
    ) -> Result<Self> {
        let border = Border::of(container, &EgressConfig::default(), Arc::new(|_, _| {}))
            .map_err(|error| Error { message: format!("indexUrl: {}", error.message), ..error })?;
        let border = border.map(|border| Arc::new(border.trusting_machine()));
        let (quiet, unheard) = (Arc::new(|_| {}), Arc::new(|_: &_, _| {}));
        let installer = Box::new(Sandboxes::new(engine.clone(), container, quiet, unheard, border));
        let (image, limit) = (container.image.clone(), container.pull_timeout);
        Ok(Self { config, image, limit, engine, installer })
    }

    /// Has containers of the other kind made of the image with the packages, installed first if need be.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`: there is no such package, or none that fits. `ImagePullFailed`: the index, or this
    /// machine, failed.
    pub(super) async fn derive(&self, engine: &dyn Engine, on_pull: OnPull) -> Result<()> {
        let until = Instant::now() + self.limit;
        let recipe = self.recipe();
        let layer = Box::pin(self.install(on_pull.clone(), until));
        let derived = engine.derive(&recipe, on_pull, layer);
        if self.limit == Duration::ZERO {
            return derived.await;
        }
        timeout_at(until, derived).await.unwrap_or_else(|_| Err(self.overdue()))
    }

    fn recipe(&self) -> Recipe {
        let PackagesConfig { requirements, index, only_binary, .. } = &self.config;
        let text = format!("{VERSION}\n{index}\n{only_binary}\n{}", requirements.join("\n"));
        let names = requirements.iter().filter(|line| !line.starts_with('-'));
        let mut names: Vec<&str> = names.filter_map(|line| line.split([' ', ';']).next()).collect();
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Recipe { text, title: format!("{}{more}", names.join(" ")) }
    }

    async fn install(&self, on_pull: OnPull, until: Instant) -> Result<Layer> {
        self.engine.connect().await?;
        self.engine.prepare(Arc::new(|_| {})).await?;
        let Grant { room: _room, lane } = self.engine.budget().one(MEMORY.unsigned_abs()).await;
        let container = self.installer.one(lane).await?;
        let ended = Ending { engine: &*self.engine, id: container.id().to_owned() };
        let product =
            Product::new().map_err(|error| self.failed(&format!("keep a layer: {error}")))?;
        let product = Arc::new(Mutex::new(product));
        let outcome = container.execute(self.call(product.clone(), on_pull, until)).await;
        let removed = self.engine.remove(container.id()).await;
        std::mem::forget(ended);
        self.engine.settle().await;
        let outcome = outcome?;
        removed?;
        let mut product = product.lock().unwrap_or_else(PoisonError::into_inner);
        self.judge(&outcome, &mut product)?;
        let layer = product.layer.try_clone().and_then(|mut file| file.rewind().map(|()| file));
        let file = layer.map_err(|error| self.failed(&format!("keep a layer: {error}")))?;
        Ok(Layer { file, size: product.size })
    }

    fn call(&self, product: Arc<Mutex<Product>>, on_pull: OnPull, until: Instant) -> Call {
        let PackagesConfig { requirements, index_url: Hidden(url), only_binary, .. } = &self.config;
        let wanted = serde_json::json!({
            "requirements": requirements, "indexUrl": url.as_str(), "onlyBinary": only_binary,
            "processors": PROCESSORS,
        });
        let image = self.image.clone();
        let tap = Tap::new(true, move |chunk| {
            let mut product = product.lock().unwrap_or_else(PoisonError::into_inner);
            for status in product.take(chunk.stream, &chunk.bytes) {
                let image = image.clone();
                on_pull(PullProgress { image, layer: None, status, current: None, total: None });
            }
        });
        let source = Bytes::from_static(INSTALL.as_bytes());
        let args = vec![PLACE.to_owned(), wanted.to_string()];
        Call {
            job: Job { work: Work::Script { source, args, cwd: None }, env: Vec::new() },
            deadline: Some(until.saturating_duration_since(Instant::now()))
                .filter(|_| self.limit > Duration::ZERO),
            cpu_time: None,
            wanted: Wanted { limit: None, collect: false, display: None },
            tap: Some(tap),
            network: None,
            cancel: CancellationToken::new(),
            kill: CancellationToken::new(),
        }
    }

    fn judge(&self, outcome: &Outcome, product: &mut Product) -> Result<()> {
        if let Some((kind, why)) = product.failed.take() {
            let PackagesConfig { option, index, .. } = &self.config;
            let why = excerpt(&why);
            return Err(match kind {
                Kind::Packages => {
                    let message = format!("{option} can't be installed: {why}");
                    Error::new(Code::InvalidArgument, message).image(&self.image)
                }
                Kind::Index => {
                    let message =
                        format!("{option} can't be installed from indexUrl, {index}: {why}");
                    Error::new(Code::ImagePullFailed, message).image(&self.image)
                }
                Kind::Image => self.failed(&why),
            });
        }
        match outcome.reason {
            Reason::Exit if outcome.exit_code == 0 => {}
            Reason::Timeout => return Err(self.overdue()),
            Reason::Oom => {
                let most = MEMORY >> 30;
                return Err(self.failed(&format!("it took more than {most} GiB of memory")));
            }
            reason => {
                let last = String::from_utf8_lossy(&product.last).trim().to_owned();
                let end = format!("it ended by {} with {}", reason.as_str(), outcome.exit_code);
                return Err(self.failed(&format!("{end} {}", excerpt(&last))));
            }
        }
        match product.broken.take() {
            Some(error) => Err(self.failed(&format!("keep a layer: {error}"))),
            None => Ok(()),
        }
    }

    fn failed(&self, why: &str) -> Error {
        let message = format!("{} can't be installed: {why}", self.config.option);
        Error::new(Code::ImagePullFailed, message).image(&self.image)
    }

    fn overdue(&self) -> Error {
        let limit = self.limit.as_millis();
        let message = format!(
            "installing {} took longer than {limit} ms; raise pullTimeout",
            self.config.option
        );
        Error::new(Code::ImagePullFailed, message).image(&self.image).timeout(self.limit)
    }
}

impl Product {
    fn new() -> io::Result<Self> {
        let layer = tempfile::tempfile()?;
        let (line, last) = (BytesMut::new(), BytesMut::new());
        Ok(Self { layer, size: 0, broken: None, line, last, failed: None })
    }

    /// Takes a piece of output; gives the steps that it tells of.
    fn take(&mut self, stream: Stream, bytes: &[u8]) -> Vec<String> {
        let mut steps = Vec::new();
        match stream {
            Stream::Stdout => {
                self.size += bytes.len() as u64;
                if let Err(error) = self.layer.write_all(bytes) {
                    self.broken.get_or_insert(error);
                }
            }
            Stream::Stderr => {
                self.line.extend_from_slice(bytes);
                while let Some(end) = memchr(b'\n', &self.line) {
                    let line = self.line.split_to(end + 1);
                    match serde_json::from_slice(&line) {
                        Ok(Said::Step { step }) => steps.push(step),
                        Ok(Said::Failed { failed, why }) => self.failed = Some((failed, why)),
                        // Of a traceback.
                        Err(_) => self.last = line,
                    }
                }
                self.line.truncate(MOST_SAID);
            }
        }
        steps
    }
}

/// A container that packages are installed in. One that is given up half-way is removed in the background.
struct Ending<'a> {
    engine: &'a dyn Engine,
    id: String,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.engine.discard(&self.id);
    }
}
