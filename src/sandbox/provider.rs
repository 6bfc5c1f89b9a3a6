//! Makes containers for the pool: warm where the image has Python, else idle.

use std::{
    future::Future,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Mutex, MutexGuard, PoisonError,
    },
};

use super::{
    container::{Container, Init, Paths},
    ending::Ending,
    packages::Packages,
    trust,
    way_out::{Border, WayOut},
};
use crate::{
    budget::{Budget, Lane},
    config::ContainerConfig,
    engine::{
        security::{Protection, Unhonoured},
        Attached, Connections, CreateError, Engine, EngineInfo, Health, Init as Program, OnPull,
        Port, Vitals,
    },
    error::{Code, Error, Result},
    pool::{Pooled, Prepared, Provider},
    runner::{
        lifeline::Lifeline,
        session::{BootError, Session, Supervisor},
    },
};

/// Gets what the engine says of itself, and the ids of the orphans that were removed.
pub type OnReady = Arc<dyn Fn(&EngineInfo, Vec<String>) + Send + Sync>;

/// Makes the containers of one pool.
pub struct Sandboxes {
    engine: Arc<dyn Engine>,
    image: String,
    memory: u64,
    preload: Vec<String>,
    on_pull: OnPull,
    on_ready: OnReady,
    paths: Arc<Paths>,
    /// What is put on top of the image; `None`: nothing.
    packages: Option<Packages>,
    /// `None`: nothing leads out of the containers.
    border: Option<Arc<Border>>,
    /// The image has no `python3`.
    no_python: AtomicBool,
    /// The image's `python3` has run a supervisor.
    has_python: AtomicBool,
    /// With [`Protection::Shield`] in it, the image's `python3` can't keep scripts out of a supervisor.
    unhonoured: Arc<Mutex<Vec<Unhonoured>>>,
}

impl Sandboxes {
    pub fn new(
        engine: Arc<dyn Engine>,
        config: &ContainerConfig,
        on_pull: OnPull,
        on_ready: OnReady,
        border: Option<Arc<Border>>,
    ) -> Self {
        Self {
            engine,
            image: config.image.clone(),
            memory: config.memory.unsigned_abs(),
            preload: config.preload.clone(),
            on_pull,
            on_ready,
            paths: Arc::default(),
            packages: None,
            border,
            no_python: AtomicBool::new(false),
            has_python: AtomicBool::new(false),
            unhonoured: Arc::default(),
        }
    }

    /// With packages on top of the image.
    pub fn with(self, packages: Option<Packages>) -> Self {
        Self { packages, ..self }
    }

    /// One container whose image has Python, for nobody's pool.
    ///
    /// # Errors
    ///
    /// As [`Provider::create`]; `InvalidArgument`: it has none.
    pub(super) async fn one(&self, lane: Lane) -> Result<Container> {
        self.warm(&mut Some(lane)).await?.ok_or_else(|| {
            let message = "packages take a python3 in the image that can be kept ready.";
            Error::new(Code::InvalidArgument, message).image(&self.image)
        })
    }

    /// The protections that are missing: as the engine last said, and for the image.
    pub fn unhonoured(&self) -> Arc<Mutex<Vec<Unhonoured>>> {
        self.unhonoured.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Unhonoured>> {
        self.unhonoured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_shielded(&self) -> bool {
        !self.lock().iter().any(is_shield)
    }

    /// How many calls went which way.
    pub fn paths(&self) -> Arc<Paths> {
        self.paths.clone()
    }

    async fn start(&self, argv: Vec<String>) -> Result<Attached, CreateError> {
        self.engine.create(Program { argv }).await
    }

    /// `None`: the image can't, and the lane is still there. It is dropped early where it is known that
    /// the image can: what an interpreter does as it comes up is its own work, not the engine's.
    async fn warm(&self, lane: &mut Option<Lane>) -> Result<Option<Container>> {
        let (supervisor, started) = match self.engine.create_supervised().await {
            Some(started) => (Supervisor::Own, started),
            None => (Supervisor::Python, self.start(Supervisor::command()).await),
        };
        let attached = match started {
            Ok(attached) => attached,
            Err(CreateError::NoSuchProgram(error)) => {
                if !self.preload.is_empty() {
                    return Err(self.nothing_to_preload_into().cause(error));
                }
                self.no_python.store(true, Ordering::Relaxed);
                return Ok(None);
            }
            Err(CreateError::Other(error)) => return Err(error),
        };
        if self.has_python.load(Ordering::Relaxed) {
            drop(lane.take());
        }
        let Attached { id, stdin, output, vitals, port } = attached;
        let given_up = Booting { engine: &*self.engine, id: &id };
        let error = match Session::boot(supervisor, stdin, output, &self.preload).await {
            Ok(session) if !session.has_python() && !self.preload.is_empty() => {
                return Err(self.nothing_to_preload_into());
            }
            // The same python3 has come up before.
            Ok(session) if !session.has_python() && self.has_python.load(Ordering::Relaxed) => {
                BootError::Failed(session.no_python().unwrap_or_default().to_owned())
            }
            Ok(session) => {
                self.has_python.fetch_or(session.has_python(), Ordering::Relaxed);
                let connections = match (&self.border, port) {
                    (Some(border), Port::Free(handover)) if session.has_python() => {
                        Some(border.relay(&*self.engine, &id, handover).await?)
                    }
                    (_, port) => port.heard(),
                };
                let way_out = self.way_out(&id, connections, Some(&session)).await?;
                std::mem::forget(given_up);
                let init = Init::Supervisor(session);
                return Ok(Some(self.container(id, init, vitals, way_out)));
            }
            Err(error) => error,
        };
        // The lifeline is cut, so the container is about to go; this waits for it, and makes sure.
        self.engine.remove(&id).await?;
        std::mem::forget(given_up);
        match error {
            BootError::Unshielded => {
                let mut unhonoured = self.lock();
                if !unhonoured.iter().any(is_shield) {
                    unhonoured.push(unshielded());
                }
                Ok(None)
            }
            BootError::Failed(said) if !self.preload.is_empty() => {
                let message =
                    format!("preload: {said}; take it off the list or add it to the image.");
                Err(Error::new(Code::EngineError, message).container(id).image(&self.image))
            }
            // The same python3 has done it before: this container ended, or the connection to it.
            error if self.has_python.load(Ordering::Relaxed) => {
                let why = match error {
                    BootError::Failed(said) => format!(" ({said})"),
                    BootError::Lost | BootError::Unshielded => String::new(),
                };
                let message = format!("The container ended as it started{why}; try again.");
                Err(Error::new(Code::ContainerLost, message).container(id).image(&self.image))
            }
            // A python3 that can't run the supervisor.
            _ => Ok(None),
        }
    }

    fn nothing_to_preload_into(&self) -> Error {
        let message = "preload: the image has no python3 to import modules into.";
        Error::new(Code::EngineError, message).image(&self.image)
    }

    /// A container whose PID 1 waits for the end of its stdin; every call goes through an exec.
    async fn idle(&self) -> Result<Container> {
        let Attached { id, stdin, output, vitals, port } =
            self.start(vec!["cat".to_owned()]).await.map_err(|error| match error {
                CreateError::Other(error) => error,
                CreateError::NoSuchProgram(error) => {
                    let message =
                        "The image has neither python3 nor cat, so nothing can run in it.";
                    Error::new(Code::EngineError, message).cause(error).image(&self.image)
                }
            })?;
        let given_up = Booting { engine: &*self.engine, id: &id };
        let way_out = self.way_out(&id, port.heard(), None).await?;
        std::mem::forget(given_up);
        let lifeline = Lifeline::hold(stdin, output);
        let python = !self.is_shielded();
        Ok(self.container(id, Init::Idle { lifeline, python }, vitals, way_out))
    }

    fn container(
        &self,
        id: String,
        init: Init,
        vitals: Vitals,
        way_out: Option<WayOut>,
    ) -> Container {
        Container::new(id, self.engine.clone(), init, vitals, self.paths.clone(), way_out)
    }

    /// `None`: nothing is to go out.
    async fn way_out(
        &self,
        id: &str,
        connections: Option<Connections>,
        session: Option<&Session>,
    ) -> Result<Option<WayOut>> {
        let Some(border) = &self.border else { return Ok(None) };
        let connections = connections.ok_or_else(|| self.no_way_out())?;
        let failed = |why: String| {
            let message =
                format!("The container's certificates can't be put into /dev/shm: {why}.");
            Error::new(Code::EngineError, message).container(id).image(&self.image)
        };
        if let Some(bundle) = border.bundle().map_err(failed)? {
            let put = match session {
                Some(session) => trust::put(session, bundle).await,
                None => Err("nothing in it handles files".to_owned()),
            };
            put.map_err(failed)?;
        }
        Ok(Some(border.open(id, connections)))
    }

    fn no_way_out(&self) -> Error {
        let message =
            "network.allow takes a python3 in the image on this engine, to relay what goes \
                       out; use an image that has one, or the engine 'local'.";
        Error::new(Code::InvalidArgument, message).image(&self.image)
    }
}

/// A container that is starting up. One whose start is given up half-way, or that could not be removed
/// after it failed, has lost its lifeline but need not heed that: it is removed in the background.
struct Booting<'a> {
    engine: &'a dyn Engine,
    id: &'a str,
}

impl Drop for Booting<'_> {
    fn drop(&mut self) {
        self.engine.discard(self.id);
    }
}

impl Provider for Sandboxes {
    type Item = Container;

    fn budget(&self) -> Arc<Budget> {
        self.engine.budget().clone()
    }

    fn bytes(&self) -> u64 {
        self.memory
    }

    async fn prepare(&self) -> Result<Prepared> {
        let info = self.engine.connect().await?;
        // Orphans only cost room; failing to remove them is no reason not to begin.
        let swept = self.engine.sweep().await.unwrap_or_default();
        {
            let mut unhonoured = self.lock();
            unhonoured.retain(is_shield);
            unhonoured.splice(..0, info.unhonoured.iter().cloned());
        }
        (self.on_ready)(&info, swept);
        let memory = info.memory / 4 * 3;
        self.engine.budget().set_memory(memory);
        self.engine.prepare(self.on_pull.clone()).await?;
        if let Some(packages) = &self.packages {
            packages.derive(&*self.engine, self.on_pull.clone()).await?;
        }
        Ok(Prepared { max: Some(room(memory, self.memory)) })
    }

    async fn create(&self, lane: Lane) -> Result<Container> {
        let mut lane = Some(lane);
        if !self.no_python.load(Ordering::Relaxed) && self.is_shielded() {
            if let Some(container) = self.warm(&mut lane).await? {
                return Ok(container);
            }
        }
        self.idle().await
    }

    async fn destroy(&self, container: &Container) -> Result<()> {
        container.terminate(Ending::Asked);
        self.engine.remove(container.id()).await
    }

    fn recovered(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut health = self.engine.health();
        async move {
            let down = health.wait_for(Health::is_down).await.is_ok();
            if !down || health.wait_for(|health| !health.is_down()).await.is_err() {
                // The engine's client is gone.
                std::future::pending().await
            }
        }
    }

    async fn settle(&self) {
        self.engine.settle().await;
    }
}

fn is_shield(missing: &Unhonoured) -> bool {
    missing.name == Protection::Shield
}

fn unshielded() -> Unhonoured {
    Unhonoured {
        name: Protection::Shield,
        option: None,
        detail: "The image's python3 can't keep scripts out of the container's first process, which would \
                 tell how they end; so that process does not, and calls take the engine's exec, which \
                 is slower. Use an image whose python3 has ctypes (built with libffi)."
            .to_owned(),
    }
}

/// How many containers the memory allows; one in any case.
fn room(memory: u64, each: u64) -> usize {
    let room = memory.checked_div(each).unwrap_or(u64::MAX);
    usize::try_from(room).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::room;

    #[test]
    fn the_memory_is_shared_out_and_one_container_always_fits() {
        assert_eq!(room(12 << 30, 128 << 20), 96);
        assert_eq!(room(1 << 20, 128 << 20), 1);
    }
}
