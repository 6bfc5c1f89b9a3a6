//! An engine in memory, whose every answer a test can choose.

use std::{
    collections::{BTreeMap, VecDeque},
    future::{pending, Future},
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    sync::{watch, Notify},
    time::sleep,
};

use crate::{
    budget::{Budget, Lane},
    config::{PoolConfig, PoolSize},
    error::{Code, Error, Result},
    pool::{Event, Pool, Pooled, Prepared, Provider},
};

pub const CREATE: Duration = Duration::from_millis(100);
pub const DESTROY: Duration = Duration::from_millis(50);

/// How a call goes, in place of going well in its usual time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    After(Duration),
    /// Fails after the usual time.
    Fail(Code),
    Never,
    Panic,
    /// Makes a container that ends this long after it is ready; zero: before anybody can look.
    Mortal(Duration),
}

pub struct Engine {
    pub budget: Arc<Budget>,
    world: Mutex<World>,
    back: Arc<Notify>,
}

#[derive(Default)]
struct World {
    next_id: usize,
    /// What runs, with the switch that ends it.
    live: BTreeMap<String, watch::Sender<bool>>,
    half_made: usize,
    being_destroyed: usize,
    peaks: Peaks,
    prepares: VecDeque<Answer>,
    creates: VecDeque<Answer>,
    destroys: VecDeque<Answer>,
    prepared: usize,
    max: Option<usize>,
    /// How long a create lasts beyond its lane.
    boot: Duration,
    /// Creates asked for, ever.
    asked: usize,
}

/// The most there was at once.
#[derive(Default, Clone, Copy)]
pub struct Peaks {
    pub containers: usize,
    pub creates: usize,
    pub destroys: usize,
}

impl Engine {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// How the next creates go, in turn.
    pub fn creates(&self, answers: impl IntoIterator<Item = Answer>) {
        self.world().creates.extend(answers);
    }

    pub fn destroys(&self, answers: impl IntoIterator<Item = Answer>) {
        self.world().destroys.extend(answers);
    }

    pub fn prepares(&self, answers: impl IntoIterator<Item = Answer>) {
        self.world().prepares.extend(answers);
    }

    /// From now on everything goes well.
    pub fn recover(&self) {
        let mut world = self.world();
        world.creates.clear();
        world.destroys.clear();
        world.prepares.clear();
    }

    /// As [`Engine::recover`], and says so.
    pub fn come_back(&self) {
        self.recover();
        self.back.notify_waiters();
    }

    /// What prepare finds out.
    pub fn set_max(&self, max: usize) {
        self.world().max = Some(max);
    }

    /// From now on a create takes so much longer, without its lane.
    pub fn set_boot(&self, boot: Duration) {
        self.world().boot = boot;
    }

    pub fn live(&self) -> Vec<String> {
        self.world().live.keys().cloned().collect()
    }

    pub fn half_made(&self) -> usize {
        self.world().half_made
    }

    pub fn prepared(&self) -> usize {
        self.world().prepared
    }

    pub fn asked(&self) -> usize {
        self.world().asked
    }

    pub fn peaks(&self) -> Peaks {
        self.world().peaks
    }

    /// Ends a container from outside.
    pub fn kill(&self, id: &str) {
        let switch = self.world().live.remove(id);
        if let Some(switch) = switch {
            switch.send_replace(true);
        }
    }
}

/// An engine, and the bytes of a container on it.
pub struct Fake(pub Arc<Engine>, pub u64);

#[derive(Debug)]
pub struct Container {
    id: String,
    dead: watch::Receiver<bool>,
}

impl Pooled for Container {
    fn id(&self) -> &str {
        &self.id
    }

    fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut dead = self.dead.clone();
        async move {
            if dead.wait_for(|dead| *dead).await.is_err() {
                pending().await
            }
        }
    }
}

/// Counts a call that is under way.
struct Under<'a>(&'a Engine, fn(&mut World) -> &mut usize);

impl<'a> Under<'a> {
    fn new(engine: &'a Engine, count: fn(&mut World) -> &mut usize) -> Self {
        let mut world = engine.world();
        *count(&mut world) += 1;
        let world = &mut *world;
        world.peaks.creates = world.peaks.creates.max(world.half_made);
        world.peaks.destroys = world.peaks.destroys.max(world.being_destroyed);
        world.peaks.containers = world.peaks.containers.max(world.live.len() + world.half_made);
        Self(engine, count)
    }
}

impl Drop for Under<'_> {
    fn drop(&mut self) {
        *(self.1)(&mut self.0.world()) -= 1;
    }
}

async fn go(answer: Option<Answer>, usual: Duration) -> Result<Option<Duration>> {
    match answer {
        None => sleep(usual).await,
        Some(Answer::After(time)) => sleep(time).await,
        Some(Answer::Never) => pending().await,
        // As a panic, but silent: the generated sequences have thousands.
        Some(Answer::Panic) => resume_unwind(Box::new("the provider panics")),
        Some(Answer::Fail(code)) => {
            sleep(usual).await;
            return Err(Error::new(code, format!("{code:?}")));
        }
        Some(Answer::Mortal(life)) => {
            sleep(usual).await;
            return Ok(Some(life));
        }
    }
    Ok(None)
}

impl Provider for Fake {
    type Item = Container;

    fn budget(&self) -> Arc<Budget> {
        self.0.budget.clone()
    }

    fn bytes(&self) -> u64 {
        self.1
    }

    async fn prepare(&self) -> Result<Prepared> {
        let answer = self.0.world().prepares.pop_front();
        go(answer, CREATE).await?;
        let mut world = self.0.world();
        world.prepared += 1;
        Ok(Prepared { max: world.max })
    }

    async fn create(&self, lane: Lane) -> Result<Container> {
        let answer = {
            let mut world = self.0.world();
            world.asked += 1;
            world.creates.pop_front()
        };
        let _under = Under::new(&self.0, |world| &mut world.half_made);
        let boot = self.0.world().boot;
        let life = go(answer, CREATE).await?;
        drop(lane);
        sleep(boot).await;
        let (switch, dead) = watch::channel(false);
        let id = {
            let mut world = self.0.world();
            world.next_id += 1;
            let id = format!("c{:04}", world.next_id);
            world.live.insert(id.clone(), switch);
            id
        };
        match life {
            Some(Duration::ZERO) => self.0.kill(&id),
            Some(life) => {
                let (engine, id) = (self.0.clone(), id.clone());
                tokio::spawn(async move {
                    sleep(life).await;
                    engine.kill(&id);
                });
            }
            None => {}
        }
        Ok(Container { id, dead })
    }

    fn recovered(&self) -> impl Future<Output = ()> + Send + 'static {
        let back = self.0.back.clone();
        async move { back.notified().await }
    }

    async fn destroy(&self, item: &Container) -> Result<()> {
        let answer = self.0.world().destroys.pop_front();
        let _under = Under::new(&self.0, |world| &mut world.being_destroyed);
        go(answer, DESTROY).await?;
        self.0.world().live.remove(&item.id);
        Ok(())
    }
}

/// A pool on an engine in memory.
pub struct Bed {
    pub pool: Pool<Fake>,
    pub engine: Arc<Engine>,
    pub events: Arc<Mutex<Vec<Event>>>,
}

pub fn config(pool_size: usize, max: usize) -> PoolConfig {
    PoolConfig {
        pool_size: PoolSize::fixed(pool_size),
        max: Some(max),
        max_waiting: None,
        create_concurrency: 2,
        destroy_concurrency: 2,
        max_lifetime: None,
        max_idle: None,
        create_timeout: Duration::from_secs(10),
    }
}

impl Bed {
    pub fn new(config: PoolConfig) -> Self {
        let budget = Budget::new();
        let engine = Engine { budget, world: Mutex::default(), back: Arc::default() };
        Self::on(&Arc::new(engine), 1, config)
    }

    /// A further pool on that engine, with containers of so many bytes.
    pub fn on(engine: &Arc<Engine>, bytes: u64, config: PoolConfig) -> Self {
        let engine = engine.clone();
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = events.clone();
        let pool = Pool::with_seed(
            Fake(engine.clone(), bytes),
            config,
            tokio::runtime::Handle::current(),
            Arc::new(move |event| heard.lock().unwrap().push(event)),
            7,
        );
        Self { pool, engine, events }
    }

    /// A pool that is warm.
    pub async fn warm(config: PoolConfig) -> Self {
        let bed = Self::new(config);
        bed.pool.initialize().await.unwrap();
        bed
    }

    /// The events, as far as `pick` takes them.
    pub fn heard<T>(&self, pick: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        self.events.lock().unwrap().iter().filter_map(pick).collect()
    }

    /// Warm, creating, leased, destroying, in line.
    pub fn counts(&self) -> [usize; 5] {
        self.pool.counts()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.pool.violation(), None);
        }
    }
}

/// Lets everything that can come to rest do so.
pub async fn rest() {
    sleep(Duration::from_secs(30)).await;
}

/// Lets everything happen that takes no time.
pub async fn now() {
    sleep(Duration::from_millis(1)).await;
}
