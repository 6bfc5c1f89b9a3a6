//! Generated sequences of everything that callers, owners and engines do, and what must hold whatever
//! they do:
//!
//! 1. A container has at most one holder, ever.
//! 2. Warm, creating, leased and destroying containers never exceed `max`.
//! 3. Every container ends removed, or its removal is reported as given up.
//! 4. Every call settles by its deadline, and nobody in line is overtaken by a later comer.
//! 5. After a shutdown the engine has nothing of this pool.
//! 6. With no faults and no load the pool holds exactly its size, and never more is warm; a size that
//!    follows demand is then at its minimum.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::{pending, poll_fn, Future},
    pin::pin,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
    time::Duration,
};

use proptest::{prelude::*, test_runner::RngAlgorithm};
use tokio::{
    sync::oneshot,
    task::{yield_now, AbortHandle},
    time::{sleep, timeout, Instant},
};

use super::fake::{config, now, Answer, Bed, Fake};
use crate::{
    config::{PoolConfig, PoolSize},
    error::Code,
    pool::{Acquired, During, Event, PoolState},
};

/// Enough for a removal that hangs at every attempt to be given up.
const CALM: Duration = Duration::from_secs(1_000);

#[derive(Debug, Clone)]
enum Op {
    /// Milliseconds.
    Acquire(Option<u64>),
    /// Cancels a call that is waiting; the numbers pick one of those there are.
    Cancel(usize),
    /// Drops a call that is waiting.
    Forget(usize),
    Drop(usize),
    Destroy(usize),
    /// Destroys a container that is leased, twice at once, the lease kept.
    DestroyTwice(usize),
    Claim(usize),
    DestroyWarm(usize),
    /// Ends a container from outside.
    Kill(usize),
    Prepares(Answer),
    Creates(Answer),
    Destroys(Answer),
    Recover,
    Resize(PoolSize),
    Initialize,
    Shutdown(u64),
    Yield,
    /// From now until the next wait no caller gets to run: what is on its way to them stays there.
    Freeze(u64),
    Wait(u64),
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        2 => prop::sample::select(vec![0, 1, 99, 150, 3_000]).prop_map(|ms| Answer::After(Duration::from_millis(ms))),
        3 => prop::sample::select(vec![
            Code::EngineError,
            Code::EngineUnavailable,
            Code::ImageNotFound,
        ]).prop_map(Answer::Fail),
        1 => Just(Answer::Never),
        1 => Just(Answer::Panic),
    ]
}

fn created() -> impl Strategy<Value = Answer> {
    prop_oneof![
        4 => answer(),
        1 => prop::sample::select(vec![0, 1, 50, 2_000]).prop_map(|ms| Answer::Mortal(Duration::from_millis(ms))),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let deadline =
        prop::sample::select(vec![None, Some(0), Some(50), Some(100), Some(200), Some(5_000)]);
    prop_oneof![
        8 => deadline.prop_map(Op::Acquire),
        2 => any::<usize>().prop_map(Op::Cancel),
        2 => any::<usize>().prop_map(Op::Forget),
        4 => any::<usize>().prop_map(Op::Drop),
        2 => any::<usize>().prop_map(Op::Destroy),
        1 => any::<usize>().prop_map(Op::DestroyTwice),
        1 => any::<usize>().prop_map(Op::Claim),
        1 => any::<usize>().prop_map(Op::DestroyWarm),
        2 => any::<usize>().prop_map(Op::Kill),
        1 => answer().prop_filter("a prepare bounds itself", |answer| *answer != Answer::Never).prop_map(Op::Prepares),
        4 => created().prop_map(Op::Creates),
        2 => answer().prop_map(Op::Destroys),
        1 => Just(Op::Recover),
        1 => pool_size().prop_map(Op::Resize),
        2 => Just(Op::Initialize),
        1 => prop::sample::select(vec![0, 100, 10_000]).prop_map(Op::Shutdown),
        2 => Just(Op::Yield),
        3 => prop::sample::select(vec![1, 51, 101, 251]).prop_map(Op::Freeze),
        8 => prop::sample::select(vec![1, 49, 50, 51, 100, 150, 1_000, 6_000, 70_000]).prop_map(Op::Wait),
    ]
}

fn pool_size() -> impl Strategy<Value = PoolSize> {
    (0_usize..5, prop_oneof![Just(0), 1_usize..5])
        .prop_map(|(min, more)| PoolSize { min, max: min + more })
}

fn pool_config() -> impl Strategy<Value = PoolConfig> {
    (
        pool_size(),
        1_usize..5,
        prop::option::weighted(0.2, 0_usize..3),
        1_usize..4,
        1_usize..3,
        prop::option::weighted(0.1, Just(Duration::from_secs(20))),
    )
        .prop_map(|(pool_size, max, max_waiting, creates, destroys, max_idle)| PoolConfig {
            max_waiting,
            create_concurrency: creates,
            destroy_concurrency: destroys,
            max_idle,
            pool_size,
            ..config(0, max)
        })
}

/// Keeps callers from running.
#[derive(Default)]
struct Gate {
    shut: bool,
    held_up: Vec<Waker>,
}

/// Runs `work`, but not while the gate is shut.
async fn behind<T>(gate: Arc<Mutex<Gate>>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        {
            let mut gate = gate.lock().unwrap();
            if gate.shut {
                gate.held_up.push(context.waker().clone());
                return Poll::Pending;
            }
        }
        work.as_mut().poll(context)
    })
    .await
}

/// A call to acquire.
struct Call {
    cancel: Option<oneshot::Sender<()>>,
    task: AbortHandle,
    /// Aborted by the sequence.
    forgotten: bool,
}

/// What the calls leave for the checks.
#[derive(Default)]
struct Seen {
    /// In the order in which they came to the pool.
    begun: Vec<usize>,
    /// When each call that has begun, and has a deadline, must have settled.
    due: BTreeMap<usize, Instant>,
    settled: BTreeSet<usize>,
    /// Got a container, since the last look.
    served: Vec<usize>,
    leases: Vec<Acquired<Fake>>,
    ever_held: BTreeSet<String>,
    wrong: Option<String>,
    /// From now on a lease is dropped as soon as it is got.
    calm: bool,
}

impl Seen {
    fn hold(&mut self, acquired: Acquired<Fake>) {
        if !self.ever_held.insert(acquired.lease.id().to_owned()) {
            self.wrong.get_or_insert(format!("{} has a second holder", acquired.lease.id()));
        }
        if !self.calm {
            self.leases.push(acquired);
        }
    }
}

struct Run {
    bed: Bed,
    max: usize,
    calls: Vec<Call>,
    gate: Arc<Mutex<Gate>>,
    seen: Arc<Mutex<Seen>>,
    /// How many were lost by the end of the last wait but one, and of the last one.
    lost: [u64; 2],
    /// Calls to initialize and shutdown, with when each must have settled.
    others: Vec<(&'static str, Option<Instant>, AbortHandle)>,
}

type Check = Result<(), String>;

fn must(holds: bool, otherwise: impl FnOnce() -> String) -> Check {
    if holds {
        Ok(())
    } else {
        Err(otherwise())
    }
}

fn pick<T>(items: &mut Vec<T>, number: usize) -> Option<T> {
    (!items.is_empty()).then(|| items.remove(number % items.len()))
}

impl Run {
    fn new(config: PoolConfig) -> Self {
        let max = config.max.unwrap_or(usize::MAX);
        Self {
            bed: Bed::new(config),
            max,
            calls: Vec::new(),
            gate: Arc::default(),
            seen: Arc::default(),
            lost: [0; 2],
            others: Vec::new(),
        }
    }

    fn waiting(&self) -> Vec<usize> {
        let seen = self.seen.lock().unwrap();
        (0..self.calls.len())
            .filter(|number| !seen.settled.contains(number) && !self.calls[*number].forgotten)
            .collect()
    }

    fn acquire(&mut self, deadline: Option<Duration>) {
        let number = self.calls.len();
        let (cancel, cancelled) = oneshot::channel();
        let (pool, seen) = (self.bed.pool.clone(), self.seen.clone());
        let gate = self.gate.clone();
        let task = tokio::spawn(async move {
            let cancelled = async move {
                if cancelled.await.is_err() {
                    pending().await
                }
            };
            let call = async {
                let due = deadline.map(|limit| Instant::now() + limit);
                {
                    let mut seen = seen.lock().unwrap();
                    seen.due.extend(due.map(|due| (number, due)));
                    seen.begun.push(number);
                }
                pool.acquire(deadline, cancelled).await
            };
            let result = behind(gate, call).await;
            let mut seen = seen.lock().unwrap();
            seen.settled.insert(number);
            if let Ok(acquired) = result {
                seen.served.push(number);
                seen.hold(acquired);
            }
        });
        self.calls.push(Call { cancel: Some(cancel), task: task.abort_handle(), forgotten: false });
    }

    async fn play(&mut self, op: Op) -> Check {
        let lease = |number| pick(&mut self.seen.lock().unwrap().leases, number);
        match op {
            Op::Acquire(ms) => self.acquire(ms.map(Duration::from_millis)),
            Op::Cancel(number) => {
                if let Some(call) = pick(&mut self.waiting(), number) {
                    self.calls[call].cancel.take().map(|cancel| cancel.send(()));
                }
            }
            Op::Forget(number) => {
                if let Some(call) = pick(&mut self.waiting(), number) {
                    self.calls[call].task.abort();
                    self.calls[call].forgotten = true;
                }
            }
            Op::Drop(number) => drop(lease(number)),
            Op::Destroy(number) => {
                if let Some(acquired) = lease(number) {
                    tokio::spawn(async move { acquired.lease.destroy().await });
                }
            }
            Op::DestroyTwice(number) => {
                if let Some(acquired) = lease(number) {
                    for _ in 0..2 {
                        let member = acquired.lease.member().clone();
                        tokio::spawn(async move { member.destroy().await });
                    }
                    self.seen.lock().unwrap().leases.push(acquired);
                }
            }
            Op::Claim(number) => {
                let claimed =
                    pick(&mut self.bed.pool.ready(), number).and_then(|warm| warm.lease());
                if let Some(lease) = claimed {
                    let acquired = Acquired { lease, warm: true, waited: Duration::ZERO };
                    self.seen.lock().unwrap().hold(acquired);
                }
            }
            Op::DestroyWarm(number) => {
                if let Some(warm) = pick(&mut self.bed.pool.ready(), number) {
                    tokio::spawn(async move { warm.destroy().await });
                }
            }
            Op::Kill(number) => {
                if let Some(id) = pick(&mut self.bed.engine.live(), number) {
                    self.bed.engine.kill(&id);
                }
            }
            Op::Prepares(answer) => self.bed.engine.prepares([answer]),
            Op::Creates(answer) => self.bed.engine.creates([answer]),
            Op::Destroys(answer) => self.bed.engine.destroys([answer]),
            Op::Recover => self.bed.engine.recover(),
            Op::Resize(size) => self.bed.pool.resize(size),
            Op::Initialize => {
                let pool = self.bed.pool.clone();
                let task = tokio::spawn(async move { pool.initialize().await });
                self.others.push(("initialize", None, task.abort_handle()));
            }
            Op::Shutdown(grace) => {
                let pool = self.bed.pool.clone();
                let grace = Duration::from_millis(grace);
                let task = tokio::spawn(async move { pool.shutdown(grace).await });
                let by = Instant::now() + grace + Duration::from_secs(32);
                self.others.push(("shutdown", Some(by), task.abort_handle()));
            }
            Op::Yield => yield_now().await,
            Op::Freeze(ms) => {
                self.gate.lock().unwrap().shut = true;
                sleep(Duration::from_millis(ms)).await;
            }
            Op::Wait(ms) => {
                self.thaw();
                let (served, waiting) = (self.take_served(), self.waiting());
                now().await;
                if self.bed.pool.totals().lost == self.lost[0] {
                    self.not_overtaken(&served, &waiting)?;
                }
                sleep(Duration::from_millis(ms)).await;
                now().await;
                self.lost = [self.lost[1], self.bed.pool.totals().lost];
                self.settled_in_time()?;
            }
        }
        self.check()
    }

    fn thaw(&self) {
        let held_up = {
            let mut gate = self.gate.lock().unwrap();
            gate.shut = false;
            std::mem::take(&mut gate.held_up)
        };
        held_up.into_iter().for_each(Waker::wake);
    }

    fn take_served(&self) -> Vec<usize> {
        std::mem::take(&mut self.seen.lock().unwrap().served)
    }

    /// Whoever waited before this instant, and still does after everything has run that can, was in line
    /// all the while: nobody who came later can have been served. A container that dies while it is
    /// handed over sends its caller back to the line, maybe behind the back of a later one: not looked at
    /// here, so nothing may have been lost since the wait before the one in which these were served.
    fn not_overtaken(&self, served: &[usize], waited: &[usize]) -> Check {
        let still = self.waiting();
        let begun = &self.seen.lock().unwrap().begun;
        let turn = |call: &usize| begun.iter().position(|begun| begun == call);
        let latest_served = served.iter().filter_map(turn).max();
        let first_waiting =
            waited.iter().filter(|call| still.contains(call)).filter_map(turn).min();
        match (latest_served, first_waiting) {
            (Some(served), Some(waiting)) => must(served < waiting, || {
                format!(
                    "call {} was served before call {}, which is still in line",
                    begun[served], begun[waiting]
                )
            }),
            _ => Ok(()),
        }
    }

    fn settled_in_time(&self) -> Check {
        let now = Instant::now();
        for number in self.waiting() {
            let due = self.seen.lock().unwrap().due.get(&number).copied();
            must(due.is_none_or(|due| now <= due), || {
                format!("call {number} is still waiting after its deadline")
            })?;
        }
        for (what, by, task) in &self.others {
            must(task.is_finished() || by.is_none_or(|by| now <= by), || {
                format!("a {what} is still under way after its deadline")
            })?;
        }
        Ok(())
    }

    /// Removals that were reported as given up.
    fn given_up(&self) -> BTreeSet<String> {
        self.bed
            .heard(|event| match event {
                Event::Error { error, during: During::Destroy }
                    if error.message.starts_with("gave up") =>
                {
                    error.container_id.clone()
                }
                _ => None,
            })
            .into_iter()
            .collect()
    }

    fn check(&self) -> Check {
        if let Some(wrong) = self.seen.lock().unwrap().wrong.clone() {
            return Err(wrong);
        }
        if let Some(rule) = self.bed.pool.violation() {
            return Err(format!("the state: {rule}"));
        }
        let peaks = self.bed.engine.peaks();
        must(peaks.containers <= self.max + self.given_up().len(), || {
            format!("{} containers at once, with max {}", peaks.containers, self.max)
        })?;
        let seen = self.seen.lock().unwrap();
        for warm in self.bed.pool.ready() {
            must(!seen.ever_held.contains(warm.id()), || {
                format!("{} is warm and had a holder", warm.id())
            })?;
        }
        Ok(())
    }

    /// The engine is well again, nobody comes any more, and time passes.
    async fn calm_down(&mut self) -> Check {
        self.bed.engine.recover();
        self.thaw();
        let leases = {
            let mut seen = self.seen.lock().unwrap();
            seen.calm = true;
            std::mem::take(&mut seen.leases)
        };
        drop(leases);
        let until = Instant::now() + CALM;
        while Instant::now() < until {
            sleep(CALM / 20).await;
            let [_, creating, leased, destroying, waiting] = self.bed.counts();
            let rest = creating + leased + destroying + waiting == 0;
            if rest && self.others.iter().all(|(_, _, task)| task.is_finished()) {
                break;
            }
        }
        self.settled_in_time()?;
        self.check()?;
        must(self.waiting().is_empty(), || format!("calls {:?} never settled", self.waiting()))?;
        for (what, _, task) in &self.others {
            must(task.is_finished(), || format!("a {what} never settled"))?;
        }
        Ok(())
    }

    async fn is_exactly_full(&self) -> Check {
        let full = [self.bed.pool.pool_size().min(self.max), 0, 0, 0, 0];
        // One that is just being replaced for its age is given the time.
        for _ in 0..10 {
            if self.bed.counts() == full {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        must(self.bed.counts() == full, || {
            format!("at rest the pool holds {:?}, not {full:?}", self.bed.counts())
        })?;
        let warm: BTreeSet<_> =
            self.bed.pool.ready().iter().map(|warm| warm.id().to_owned()).collect();
        let live: BTreeSet<_> = self.bed.engine.live().into_iter().collect();
        must(warm.is_subset(&live), || {
            format!("warm and dead: {:?}", warm.difference(&live).collect::<Vec<_>>())
        })?;
        let unknown: Vec<_> = live.difference(&warm).collect();
        let given_up = self.given_up();
        must(unknown.iter().all(|id| given_up.contains(*id)), || {
            format!("nobody knows of {unknown:?}")
        })
    }

    /// Without demand the size falls to its minimum.
    async fn is_at_its_minimum(&self) -> Check {
        let min = self.bed.pool.stats().pool_size_range.min;
        let until = Instant::now() + CALM;
        while Instant::now() < until && self.bed.pool.pool_size() > min {
            sleep(Duration::from_secs(1)).await;
        }
        must(self.bed.pool.pool_size() == min, || {
            format!("at rest the size is {}, not {min}", self.bed.pool.pool_size())
        })
    }

    async fn play_all(mut self, ops: Vec<Op>) -> Check {
        for op in ops {
            self.play(op).await?;
        }
        self.calm_down().await?;
        let state = self.bed.pool.state();
        let open = matches!(state, PoolState::Healthy | PoolState::Degraded);
        if open && self.bed.pool.is_prepared() {
            self.is_exactly_full().await?;
        }
        timeout(CALM, self.bed.pool.initialize())
            .await
            .map_err(|_| "initialize never settled".to_owned())?
            .map_err(|error| format!("initialize: {error:?}"))?;
        self.is_at_its_minimum().await?;
        self.is_exactly_full().await?;
        timeout(CALM, self.bed.pool.shutdown(Duration::ZERO))
            .await
            .map_err(|_| "shutdown never settled".to_owned())?
            .map_err(|error| format!("shutdown: {error:?}"))?;
        // Not even what had been given up: a shutdown tries once more.
        let left = self.bed.engine.live();
        must(left.is_empty(), || format!("left after the shutdown: {left:?}"))?;
        must(self.bed.counts() == [0; 5] && self.bed.engine.half_made() == 0, || {
            format!("counted after the shutdown: {:?}", self.bed.counts())
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        // PROPTEST_CASES asks for more.
        cases: ProptestConfig::default().cases.max(10_000),
        max_shrink_iters: 20_000,
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_the_invariants_hold(
        config in pool_config(),
        ops in prop::collection::vec(op(), 1..25),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let result = runtime.block_on(async { Run::new(config).play_all(ops).await });
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }
}
