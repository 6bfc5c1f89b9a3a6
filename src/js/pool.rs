//! A pool, as JavaScript holds it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use napi::{
    bindgen_prelude::{Either, FnArgs, Function, Object},
    Env, Error, Result,
};
use napi_derive::napi;
use once_cell::sync::Lazy;
use serde::Serialize;
use tokio_util::task::AbortOnDropHandle;
use zeroize::Zeroizing;

use super::{
    call::{millis, NativeCall},
    container::NativeContainer,
    failure,
    messenger::Messenger,
    programs,
    promise::promise,
    runtime,
};
use crate::{
    budget::Usage,
    config::{Config, PoolSize},
    engine::{
        choice::Engines, security::Unhonoured, Engine, EngineInfo, EngineKind, Health, KeptImage,
        Orphan, PullProgress, TemplateStatus,
    },
    pool::{Acquired, Event, Pool, Stats},
    sandbox::{Border, Packages, Paths, Record, Sandbox, Sandboxes, Traffic},
    task,
};

/// What JavaScript is told as it happens.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Pool(Event),
    Engine(EngineEvent<'a>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum EngineEvent<'a> {
    /// A step of a pull.
    Pull(PullProgress),
    /// The engine has answered; these orphans of dead processes were removed.
    Engine { engine: &'a EngineInfo, swept: Vec<String> },
    /// The engine stands differently now.
    EngineState(Health),
    /// What interpreters are forked from does.
    Template(TemplateStatus),
    /// Something went out of a container, or was not let out.
    Egress {
        id: &'a str,
        #[serde(flatten)]
        record: &'a Record,
    },
}

/// A container whose owner is provably gone.
#[napi(object)]
pub struct NativeOrphan {
    pub id: String,
    pub image: String,
    /// When it was made, in s since the epoch.
    pub created: i64,
    pub pid: u32,
}

impl From<Orphan> for NativeOrphan {
    fn from(Orphan { id, image, created, pid }: Orphan) -> Self {
        Self { id, image, created, pid }
    }
}

/// An image that the engine keeps for the package.
#[napi(object)]
pub struct NativeImage {
    pub name: String,
    pub digest: String,
    /// Bytes.
    pub size: i64,
    /// When it was got or made, in s since the epoch.
    pub since: i64,
    pub in_use: bool,
}

impl From<KeptImage> for NativeImage {
    fn from(KeptImage { name, digest, size, since, in_use }: KeptImage) -> Self {
        let whole = |number| i64::try_from(number).unwrap_or(i64::MAX);
        Self { name, digest, size: whole(size), since: whole(since), in_use }
    }
}

/// The pool's numbers, which way the calls went, and how the engine stands.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot {
    #[serde(flatten)]
    pool: Stats,
    calls_warm: u64,
    calls_cold: u64,
    engine: EngineSnapshot,
    template: Option<TemplateStatus>,
    /// `None`: nothing leads out of the containers.
    egress: Option<Traffic>,
}

#[derive(Serialize)]
struct EngineSnapshot {
    kind: EngineKind,
    address: String,
    #[serde(flatten)]
    health: Health,
    budget: Usage,
}

/// Every pool of the process on one engine shares its connections.
static ENGINES: Lazy<Engines> = Lazy::new(|| Engines::new(programs::folder()));

#[napi]
pub struct NativePool {
    pool: Arc<Pool<Sandboxes>>,
    paths: Arc<Paths>,
    engine: Arc<dyn Engine>,
    /// Tells JavaScript how the engine stands.
    _telling: AbortOnDropHandle<()>,
    unhonoured: Arc<Mutex<Vec<Unhonoured>>>,
    border: Option<Arc<Border>>,
}

#[napi]
impl NativePool {
    /// `config` is [`Config`] as JSON, `on_event` gets each event as JSON. Contacts nothing.
    ///
    /// Throws an error whose message is a failure when the engine's address makes no sense.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        env: &Env,
        config: String,
        on_event: Function<'_, FnArgs<(String,)>, ()>,
    ) -> Result<Self> {
        // It has secrets in it.
        let config = Zeroizing::new(config);
        let config: Config = serde_json::from_slice(config.as_bytes())
            .map_err(|error| Error::from_reason(format!("The configuration: {error}.")))?;
        let on_event = on_event.create_ref()?;
        // Waiting for events keeps no process alive.
        let events = Messenger::new(
            env,
            || false,
            move |env, text: String| on_event.borrow_back(env)?.call(FnArgs::from((text,))),
        )?;
        let tell = Arc::new(move |told: Told<'_>| {
            if let Ok(text) = serde_json::to_string(&told) {
                events.send(text);
            }
        });
        let (on_pull, on_ready, on_pool, on_record, on_health) =
            (tell.clone(), tell.clone(), tell.clone(), tell.clone(), tell);

        let border = Border::of(
            &config.container,
            &config.egress,
            Arc::new(move |id, record| {
                on_record(Told::Engine(EngineEvent::Egress { id, record }));
            }),
        );
        let border = border.map_err(|error| Error::from_reason(failure::text(&error)))?;
        let border = border.map(Arc::new);
        let packages = config.packages.map(|packages| {
            let container = Packages::container(&config.container, &packages);
            let engine = ENGINES.choose(config.engine.clone(), container.clone())?;
            Packages::new(packages, engine, &container)
        });
        let packages = packages.transpose();
        let packages = packages.map_err(|error| Error::from_reason(failure::text(&error)))?;
        let engine = ENGINES
            .choose(config.engine, config.container.clone())
            .map_err(|error| Error::from_reason(failure::text(&error)))?;
        let provider = Sandboxes::new(
            engine.clone(),
            &config.container,
            Arc::new(move |step| on_pull(Told::Engine(EngineEvent::Pull(step)))),
            Arc::new(move |engine, swept| {
                on_ready(Told::Engine(EngineEvent::Engine { engine, swept }));
            }),
            border.clone(),
        )
        .with(packages);
        let paths = provider.paths();
        let unhonoured = provider.unhonoured();
        let on_event = Arc::new(move |event| on_pool(Told::Pool(event)));
        let pool = Pool::new(provider, config.pool, runtime::handle()?.clone(), on_event);
        let mut health = engine.health();
        let mut template = engine.template();
        let telling = task::spawn_on(runtime::handle()?, async move {
            loop {
                let event = tokio::select! {
                    Ok(()) = health.changed() => {
                        EngineEvent::EngineState(health.borrow_and_update().clone())
                    }
                    Ok(()) = template.changed() => {
                        let Some(status) = template.borrow_and_update().clone() else { continue };
                        EngineEvent::Template(status)
                    }
                    else => return,
                };
                on_health(Told::Engine(event));
            }
        });
        let pool = Arc::new(pool);
        // A worker that is terminated leaves calls behind that nobody waits for.
        env.add_env_cleanup_hook(Arc::downgrade(&pool), |pool| {
            if let (Some(pool), Ok(handle)) = (pool.upgrade(), runtime::handle()) {
                task::spawn_on(handle, async move {
                    let _ = pool.shutdown(Duration::ZERO).await;
                });
            }
        })?;
        let _telling = AbortOnDropHandle::new(telling);
        Ok(Self { pool, paths, engine, _telling, unhonoured, border })
    }

    /// Resolves with nothing when the pool is warm, or with a failure.
    #[napi(catch_unwind, ts_return_type = "Promise<string | null>")]
    pub fn initialize<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let pool = self.pool.clone();
        promise(env, async move { failure::or_null(pool.initialize().await) })
    }

    /// A warm container, if there is one and nobody is in line; or a failure.
    #[napi(catch_unwind)]
    pub fn try_acquire(&self) -> Option<Either<NativeContainer, String>> {
        match self.pool.try_acquire() {
            Ok(acquired) => acquired.map(|acquired| Either::A(hold(acquired))),
            Err(error) => Some(Either::B(failure::text(&error))),
        }
    }

    /// Resolves with a container, or with a failure. A `timeout_ms` of 0 waits for ever.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeContainer | string>")]
    pub fn acquire<'env>(
        &self,
        env: &'env Env,
        timeout_ms: f64,
        line: Option<&NativeCall>,
    ) -> Result<Object<'env>> {
        let pool = self.pool.clone();
        let cancel = line.map(NativeCall::token).unwrap_or_default();
        let deadline = (timeout_ms > 0.0).then(|| Duration::from_millis(timeout_ms as u64));
        promise(env, async move {
            failure::or_value(pool.acquire(deadline, cancel.cancelled()).await.map(hold))
        })
    }

    /// The target for the warm containers, as of now.
    #[napi(catch_unwind)]
    pub fn pool_size(&self) -> u32 {
        u32::try_from(self.pool.pool_size()).unwrap_or(u32::MAX)
    }

    /// Has the target follow demand from `min` to `max`; equal ones fix it.
    #[napi(catch_unwind)]
    pub fn resize(&self, min: u32, max: u32) {
        self.pool.resize(PoolSize { min: min as usize, max: max as usize });
    }

    /// The warm containers, oldest first.
    #[napi(catch_unwind)]
    pub fn ready(&self) -> Vec<NativeContainer> {
        let seen = |member| NativeContainer::new(Sandbox::seen(member), 0.0);
        self.pool.ready().into_iter().map(seen).collect()
    }

    /// The warm or acquired container with that id.
    #[napi(catch_unwind)]
    pub fn find(&self, id: String) -> Option<NativeContainer> {
        self.pool.find(&id).map(|member| NativeContainer::new(Sandbox::seen(member), 0.0))
    }

    /// Resolves with the containers of processes that are gone, or with a failure. Removes nothing.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeOrphan[] | string>")]
    pub fn orphans<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let engine = self.engine.clone();
        promise(env, async move { told::<_, NativeOrphan>(engine.orphans().await) })
    }

    /// Resolves with the images that the engine keeps for the package, or with a failure.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeImage[] | string>")]
    pub fn images<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let engine = self.engine.clone();
        promise(env, async move { told::<_, NativeImage>(engine.images().await) })
    }

    /// Removes those of them that are not in use. Resolves with them, or with a failure.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeImage[] | string>")]
    pub fn prune_images<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let engine = self.engine.clone();
        promise(env, async move { told::<_, NativeImage>(engine.prune_images().await) })
    }

    /// The protections that are not given, as JSON.
    #[napi(catch_unwind)]
    pub fn unhonoured(&self) -> Result<String> {
        let unhonoured = self.unhonoured.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::to_string(&*unhonoured).map_err(|error| Error::from_reason(error.to_string()))
    }

    /// The pool's numbers as JSON.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> Result<String> {
        let (calls_warm, calls_cold) = self.paths.counts();
        let address = self.engine.address().to_string();
        let health = self.engine.health().borrow().clone();
        let budget = self.engine.budget().usage();
        let engine = EngineSnapshot { kind: self.engine.kind(), address, health, budget };
        let template = self.engine.template().borrow().clone();
        let egress = self.border.as_ref().map(|border| border.usage());
        let pool = self.pool.stats();
        let snapshot = Snapshot { pool, calls_warm, calls_cold, engine, template, egress };
        serde_json::to_string(&snapshot).map_err(|error| Error::from_reason(error.to_string()))
    }

    /// Resolves with nothing when everything is gone, or with a failure.
    #[napi(catch_unwind, ts_return_type = "Promise<string | null>")]
    pub fn shutdown<'env>(&self, env: &'env Env, grace_ms: f64) -> Result<Object<'env>> {
        let pool = self.pool.clone();
        let grace = Duration::from_millis(grace_ms as u64);
        promise(env, async move { failure::or_null(pool.shutdown(grace).await) })
    }
}

/// Each as JavaScript has it.
fn told<T, N: From<T>>(found: crate::error::Result<Vec<T>>) -> Either<Vec<N>, String> {
    failure::or_value(found.map(|all| all.into_iter().map(N::from).collect()))
}

fn hold(acquired: Acquired<Sandboxes>) -> NativeContainer {
    NativeContainer::new(Sandbox::held(acquired.lease), millis(acquired.waited))
}
