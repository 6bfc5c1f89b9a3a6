//! What the rest of the crate asks of a container engine.
//!
//! An engine is a folder here that has an [`Engine`], and a line in [`choice`], where it is chosen.

mod auto;
mod background;
pub mod choice;
pub mod docker;
mod health;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
#[cfg(target_os = "linux")]
pub mod local;
#[cfg(target_os = "linux")]
mod loopback;
mod output;
pub mod registry;
mod seccomp;
pub mod security;
mod template;
mod vitals;

use std::{fmt::Display, fs::File, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{future::BoxFuture, stream::BoxStream};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

pub use self::{
    choice::EngineKind,
    health::{EngineState, Health},
    output::{Output, Stream},
    template::{TemplateState, TemplateStatus},
    vitals::{Told, Vitals},
};

use self::security::{Isolation, Provision, Unhonoured};
use crate::{
    budget::Budget,
    error::{Code, Error, Result},
};

/// The engine's full id of a container.
pub type ContainerId = String;

/// A container whose owner is provably gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    pub id: ContainerId,
    pub image: String,
    /// When it was made, in s since the epoch.
    pub created: i64,
    /// The process that made it, on this host.
    pub pid: u32,
}

/// An image that an engine keeps for the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptImage {
    /// As people know it.
    pub name: String,
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// When it was got or made, in s since the epoch.
    pub since: u64,
    /// A container has it, or a pool.
    pub in_use: bool,
}

/// One step of a pull, as the engine reports it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PullProgress {
    pub image: String,
    /// The layer's short id; `None` for a line about the whole image.
    pub layer: Option<String>,
    /// The engine's word for the step: `Downloading`, `Extracting`, `Pull complete` …
    pub status: String,
    /// Bytes done and bytes in all, of this layer in this step.
    pub current: Option<u64>,
    pub total: Option<u64>,
}

/// Gets each step of a pull. Called on the runtime's threads; must not block.
pub type OnPull = Arc<dyn Fn(PullProgress) + Send + Sync>;

/// What the engine says of itself.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineInfo {
    pub kind: EngineKind,
    /// Where it was reached.
    pub address: String,
    pub version: String,
    pub api_version: String,
    /// Bytes.
    pub memory: u64,
    pub cpus: u64,
    /// What it warns of, in its own words.
    pub warnings: Vec<String>,
    /// How it keeps its containers apart from its host.
    pub isolation: Isolation,
    /// The OCI runtime that this engine itself has its containers run by; `None`: none, or the engine does
    /// not tell.
    pub runtime: Option<Runtime>,
    /// Each fence that it builds of, where it tells them.
    pub fences: Vec<Provision>,
    /// Which of the protections asked for it does not give.
    pub unhonoured: Vec<Unhonoured>,
}

/// A program that runs containers (github.com/opencontainers/runtime-spec).
#[derive(Debug, Clone, Serialize)]
pub struct Runtime {
    pub path: String,
    /// In its own words.
    pub version: String,
}

/// What is put on top of an image.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// All that it comes from beside the image: with the same text and image, the same is derived.
    pub text: String,
    /// What people read of it.
    pub title: String,
}

impl Recipe {
    /// The name of what is derived from the image of that digest.
    pub fn key(&self, base: &str) -> String {
        let hash = Sha256::digest(format!("{base}\n{}", self.text));
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A layer of an image: a tar archive, which may be compressed.
pub struct Layer {
    /// At its beginning.
    pub file: File,
    /// Bytes.
    pub size: u64,
}

/// Makes a layer, once it is polled.
pub type Making<'a> = BoxFuture<'a, Result<Layer>>;

/// The process a container starts as.
#[derive(Debug, Clone)]
pub struct Init {
    pub argv: Vec<String>,
}

/// A container that runs, with the connection to its PID 1.
///
/// That is the lifeline: PID 1's stdin ends when `stdin` and `output` are gone, however this process ends,
/// and the container with PID 1.
pub struct Attached {
    pub id: ContainerId,
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    pub output: Box<dyn Output>,
    /// What the engine tells of it from now on.
    pub vitals: Vitals,
    pub port: Port,
}

/// The port of the proxy on a container's loopback.
pub enum Port {
    /// This process listens there.
    Heard(Connections),
    /// Nobody does yet. A process of the container that does may hand its socket over.
    Free(Option<Handover>),
}

impl Port {
    /// What connects to it, where this process listens.
    pub fn heard(self) -> Option<Connections> {
        match self {
            Port::Heard(connections) => Some(connections),
            Port::Free(_) => None,
        }
    }
}

/// The way by which a process of a container hands over a socket that listens. It connects to a Unix socket, sends
/// the descriptor with one byte (`SCM_RIGHTS`), and gets a byte back.
pub struct Handover {
    /// Where the Unix socket is in the container.
    pub path: &'static str,
    /// What connects to the socket, once that has come.
    pub connections: BoxFuture<'static, std::io::Result<Connections>>,
    /// To be called where it came to nothing, so that later containers are spared it.
    pub is_vain: Box<dyn FnOnce() + Send>,
}

/// A connection that a process of a container has made.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// The connections to a port of a container, as they come. It ends when no more can come; after an error others
/// may.
pub type Connections = BoxStream<'static, std::io::Result<Box<dyn Connection>>>;

/// Why a container did not start.
#[derive(Debug, Clone)]
pub enum CreateError {
    /// The image has no such program as `Init` names.
    NoSuchProgram(Error),
    Other(Error),
}

/// A command for a running container, run by the engine itself.
#[derive(Debug, Clone, Default)]
pub struct ExecSpec {
    pub argv: Vec<String>,
    /// `NAME=value`
    pub env: Vec<String>,
    pub cwd: Option<String>,
}

/// An exec under way. Its end is only known by [`Engine::exec_status`]: the output may end earlier or later.
pub struct ExecStream {
    pub exec_id: String,
    /// Shut down, the command reads its end. To be written beside the reading.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    pub output: Box<dyn Output>,
}

/// How an exec stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecStatus {
    Running,
    Exited(u32),
    /// Ended by the signal of that number.
    Signaled(u32),
}

/// What a container has used of its processors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CpuTime {
    /// By all its processes together, since it was started.
    pub used: Duration,
    /// The most processors it can keep busy at once.
    pub processors: f64,
}

/// A container engine, and the kind of container that one pool has on it. Every call keeps a deadline of
/// its own.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    fn kind(&self) -> EngineKind;

    /// Where it is, as users are told.
    fn address(&self) -> &dyn Display;

    /// How the engine stands, and each change of it.
    fn health(&self) -> watch::Receiver<Health>;

    /// How the interpreter stands that those of containers are forked from, and each change of it but the count of
    /// forks; `None`: this engine has no such thing.
    fn template(&self) -> watch::Receiver<Option<TemplateStatus>> {
        watch::channel(None).1
    }

    /// What all pools of the process on this engine share.
    fn budget(&self) -> &Arc<Budget>;

    /// Talks to the engine once, and learns what it gives.
    async fn connect(&self) -> Result<EngineInfo>;

    /// Makes sure the network and the image are there; pulls of one image under way at once share one pull.
    async fn prepare(&self, on_pull: OnPull) -> Result<()>;

    /// Has containers made of what is derived from the prepared image by a recipe, until that is prepared again.
    /// What nobody has derived yet is made of a layer; `layer` is polled for that alone, by one at a time of all
    /// processes that want the same. Given up half-way, it leaves nothing that looks derived.
    ///
    /// # Errors
    ///
    /// The layer's; `ImagePullFailed` where the engine could not take it. `EngineError`: it keeps no images.
    async fn derive(&self, _: &Recipe, _: OnPull, _: Making<'_>) -> Result<()> {
        Err(Error::new(Code::EngineError, "this engine keeps no images, so none is derived there"))
    }

    /// The images that it keeps for the package: what was derived, and on the engine `local` what was pulled.
    async fn images(&self) -> Result<Vec<KeptImage>> {
        Ok(Vec::new())
    }

    /// Removes those that are not in use; returns them.
    async fn prune_images(&self) -> Result<Vec<KeptImage>> {
        Ok(Vec::new())
    }

    /// Creates, attaches to and starts a container. What fails half-way, or is dropped half-way, is removed.
    async fn create(&self, init: Init) -> Result<Attached, CreateError>;

    /// As [`Engine::create`], with a process 1 of the engine's own, which is there in any image and speaks as
    /// `supervisor.py` does; `None`: it has none.
    async fn create_supervised(&self) -> Option<Result<Attached, CreateError>> {
        None
    }

    /// Starts a command in a running container, attached.
    async fn exec(&self, id: &str, spec: ExecSpec) -> Result<ExecStream>;

    async fn exec_status(&self, exec_id: &str) -> Result<ExecStatus>;

    /// Returns when a container's vitals tell of all kills for memory that there have been by now; `false`:
    /// what they tell may come later.
    async fn catch_up(&self, id: &str) -> bool;

    /// How much CPU time a container has used.
    async fn cpu_time(&self, id: &str) -> Result<CpuTime>;

    /// Kills and removes a container; returns when the engine confirms that it is gone.
    /// One that is gone already is a success.
    async fn remove(&self, id: &str) -> Result<()>;

    /// Removes a container behind the caller's back; [`Engine::settle`] waits for it. Must be called
    /// inside a tokio runtime.
    fn discard(&self, id: &str);

    /// The containers whose owner is provably gone.
    async fn orphans(&self) -> Result<Vec<Orphan>>;

    /// Removes the orphans; returns their ids.
    async fn sweep(&self) -> Result<Vec<ContainerId>>;

    /// Waits until nothing is being cleaned up behind the calls any more: creates that failed or were
    /// dropped half-way, and what was discarded. Bounded: an engine that does not answer is given up on
    /// after a minute.
    async fn settle(&self);
}
