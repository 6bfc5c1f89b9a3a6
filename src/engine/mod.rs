//! What the rest of the crate asks of a container engine. [`docker`] answers for Docker and Podman.

pub mod docker;
mod health;
pub mod security;
mod vitals;

use std::{future::Future, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

pub use self::{
    health::{EngineState, Health},
    vitals::{Told, Vitals},
};

use self::security::{Isolation, Unhonoured};
use crate::{
    budget::Budget,
    error::{Error, Result},
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
    /// Where it was reached, as in `DOCKER_HOST`.
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
    /// Which of the protections asked for it does not give.
    pub unhonoured: Vec<Unhonoured>,
}

/// The process a container starts as.
#[derive(Debug, Clone)]
pub struct Init {
    pub argv: Vec<String>,
}

/// A container that runs, with the connection to its PID 1.
///
/// The engine closes PID 1's stdin when `writer` and `reader` are gone (`StdinOnce`), and removes the
/// container when PID 1 ends (`AutoRemove`). That is the lifeline: it holds however this process ends.
pub struct Attached {
    pub id: ContainerId,
    /// The raw multiplexed stream of stdout and stderr.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// What the engine tells of it from now on.
    pub vitals: Vitals,
}

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

/// An exec under way. Its end is only known by [`Engine::exec_status`]: the stream may end earlier or later.
pub struct ExecStream {
    pub exec_id: String,
    /// The raw multiplexed stream of stdout and stderr.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// Its stdin; shut down, the command reads its end. To be written beside the reading.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
}

/// How an exec stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecStatus {
    Running,
    /// The exit code as the engine gives it, cut to 32 bits.
    Exited(i64),
}

/// What a container has used of its processors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CpuTime {
    /// By all its processes together, since it was started.
    pub used: Duration,
    /// The most processors it can keep busy at once.
    pub processors: f64,
}

/// A container engine. Every call keeps a deadline of its own.
pub trait Engine: Send + Sync + 'static {
    /// How the engine stands, and each change of it.
    fn health(&self) -> watch::Receiver<Health>;

    /// What all pools of the process on this engine share.
    fn budget(&self) -> &Arc<Budget>;

    /// Talks to the engine once, and settles on an API version.
    fn connect(&self) -> impl Future<Output = Result<EngineInfo>> + Send;

    /// Makes sure the network and the image are there; pulls of one image under way at once share one pull.
    fn prepare(&self, on_pull: OnPull) -> impl Future<Output = Result<()>> + Send;

    /// Creates, attaches to and starts a container. What fails half-way, or is dropped half-way, is removed.
    fn create(&self, init: Init) -> impl Future<Output = Result<Attached, CreateError>> + Send;

    /// Starts a command in a running container, attached.
    fn exec(&self, id: &str, spec: ExecSpec) -> impl Future<Output = Result<ExecStream>> + Send;

    fn exec_status(&self, exec_id: &str) -> impl Future<Output = Result<ExecStatus>> + Send;

    /// How much CPU time a container has used.
    fn cpu_time(&self, id: &str) -> impl Future<Output = Result<CpuTime>> + Send;

    /// Kills and removes a container; returns when the engine confirms that it is gone.
    /// One that is gone already is a success.
    fn remove(&self, id: &str) -> impl Future<Output = Result<()>> + Send;

    /// Removes a container behind the caller's back; [`Engine::settle`] waits for it. Must be called
    /// inside a tokio runtime.
    fn discard(&self, id: &str);

    /// Removes containers whose owner is provably gone; returns their ids.
    fn sweep(&self) -> impl Future<Output = Result<Vec<ContainerId>>> + Send;

    /// Waits until nothing is being cleaned up behind the calls any more: creates that failed or were
    /// dropped half-way, and what was discarded. Bounded: an engine that does not answer is given up on
    /// after a minute.
    fn settle(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}
