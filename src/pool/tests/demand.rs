//! The pool whose size follows demand, beside one of the same average size that is fixed, on recorded
//! arrivals: each is a list of times, drawn from a model with a seed.

use std::{
    future::pending,
    iter::repeat_n,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
    time::Duration,
};

use rand::{rngs::StdRng, Rng, SeedableRng};
use tokio::time::{sleep, sleep_until, Instant};

use super::fake::{config, Answer, Bed};
use crate::{
    config::{PoolConfig, PoolSize},
    error::Code,
    pool::PoolState,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// As an engine with a daemon takes on two cores, three side by side: 8.6 a second.
const CREATE: Duration = Duration::from_millis(350);
/// How long a caller keeps what it got.
const USE: Duration = Duration::from_millis(100);
const RANGE: PoolSize = PoolSize { min: 2, max: 40 };

/// What a pool made of some arrivals.
#[derive(Debug)]
struct Played {
    calls: usize,
    /// Calls that were answered from what was warm.
    warm: usize,
    /// Over time.
    average: f64,
    highest: usize,
    /// When all is over.
    last: usize,
}

impl Played {
    fn share(&self) -> f64 {
        self.warm as f64 / self.calls as f64
    }
}

fn on_a_real_engine(pool_size: PoolSize) -> PoolConfig {
    PoolConfig { pool_size, create_concurrency: 3, destroy_concurrency: 4, ..config(0, 200) }
}

async fn play(pool_size: PoolSize, arrivals: &[Duration]) -> Played {
    let bed = Bed::warm(on_a_real_engine(pool_size)).await;
    bed.engine.creates(repeat_n(Answer::After(CREATE), 10 * arrivals.len()));
    let begin = Instant::now();
    let end = arrivals.last().copied().unwrap_or_default() + 10 * MINUTE;
    let warm = Arc::new(AtomicUsize::new(0));
    for at in arrivals {
        let (pool, warm, at) = (bed.pool.clone(), warm.clone(), begin + *at);
        tokio::spawn(async move {
            sleep_until(at).await;
            let acquired = pool.acquire(None, pending()).await.unwrap();
            warm.fetch_add(usize::from(acquired.warm), Ordering::Relaxed);
            sleep(USE).await;
        });
    }
    let (mut sum, mut looks, mut highest) = (0, 0_u32, 0);
    while begin.elapsed() < end {
        let size = bed.pool.pool_size();
        assert!((pool_size.min..=pool_size.max).contains(&size), "{size}");
        (sum, looks, highest) = (sum + size, looks + 1, highest.max(size));
        sleep(SECOND).await;
    }
    let stats = bed.pool.stats();
    assert_eq!([stats.warm, stats.leased, stats.waiting], [stats.pool_size, 0, 0]);
    Played {
        calls: arrivals.len(),
        warm: warm.load(Ordering::Relaxed),
        average: sum as f64 / f64::from(looks),
        highest,
        last: stats.pool_size,
    }
}

/// With the size that follows demand, and with the average of that, rounded up.
async fn compare(arrivals: &[Duration]) -> (Played, Played) {
    let following = play(RANGE, arrivals).await;
    let fixed = play(PoolSize::fixed(following.average.ceil() as usize), arrivals).await;
    (following, fixed)
}

/// Draws times.
struct Model {
    rng: StdRng,
    now: Duration,
    arrivals: Vec<Duration>,
}

impl Model {
    fn new(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), now: Duration::ZERO, arrivals: Vec::new() }
    }

    /// Lets a time pass as between two independent events.
    fn pause(&mut self, mean: Duration) {
        let time = self.exponential(mean);
        self.now += time;
    }

    fn exponential(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.rng.random::<f64>()).ln())
    }

    /// So many calls, spread evenly over a time.
    fn burst(&mut self, calls: usize, within: Duration) {
        for _ in 0..calls {
            let at = self.now + within.mul_f64(self.rng.random());
            self.arrivals.push(at);
        }
    }

    fn end(mut self) -> Vec<Duration> {
        self.arrivals.sort();
        self.arrivals
    }
}

/// Users come now and then; each has its agents work for a minute or so: rounds of 15 to 30 tool calls
/// within half a second, 4 to 10 seconds apart.
fn agents(seed: u64) -> Vec<Duration> {
    let mut model = Model::new(seed);
    while model.now < 4 * HOUR {
        model.pause(12 * MINUTE);
        for _ in 0..model.rng.random_range(6..14) {
            let calls = model.rng.random_range(15..=30);
            model.burst(calls, SECOND / 2);
            model.now += SECOND.mul_f64(model.rng.random_range(4.0..10.0));
        }
    }
    model.end()
}

/// A job each quarter of an hour: twelve batches of 30 calls, eight seconds apart.
fn jobs(seed: u64) -> Vec<Duration> {
    let mut model = Model::new(seed);
    for job in 0..16_u32 {
        model.now = 15 * MINUTE * job;
        for _ in 0..12 {
            model.burst(30, SECOND);
            model.now += 8 * SECOND;
        }
    }
    model.end()
}

/// On and off, both of random length (a minute, and a quarter of an hour on average); while it is on,
/// groups of 1 to 29 calls at random times, a group in eight seconds on average.
fn on_and_off(seed: u64) -> Vec<Duration> {
    let mut model = Model::new(seed);
    while model.now < 4 * HOUR {
        let off = model.now + model.exponential(MINUTE);
        while model.now < off {
            let calls = model.rng.random_range(1..30);
            model.burst(calls, SECOND / 5);
            model.pause(8 * SECOND);
        }
        model.pause(15 * MINUTE);
    }
    model.end()
}

/// Independent calls, so many a second for half an hour.
fn steady(seed: u64, rate: u32) -> Vec<Duration> {
    let mut model = Model::new(seed);
    while model.now < HOUR / 2 {
        model.pause(SECOND / rate);
        model.arrivals.push(model.now);
    }
    model.end()
}

/// Independent calls, from none to six a second in ten minutes, and back.
fn ramp(seed: u64) -> Vec<Duration> {
    let mut model = Model::new(seed);
    while model.now < 20 * MINUTE {
        model.pause(SECOND / 6);
        let height = 1.0 - (model.now.as_secs_f64() / (10 * MINUTE).as_secs_f64() - 1.0).abs();
        if model.rng.random::<f64>() < height {
            model.arrivals.push(model.now);
        }
    }
    model.end()
}

#[tokio::test(start_paused = true)]
async fn bursty_arrivals_are_answered_from_warm_twice_as_often_as_by_a_fixed_size() {
    for (name, model) in
        [("agents", agents as fn(u64) -> Vec<Duration>), ("jobs", jobs), ("on and off", on_and_off)]
    {
        for seed in 1..=2 {
            let (following, fixed) = compare(&model(seed)).await;
            println!(
                "{name}, seed {seed}: {} calls, {:.0} % warm at {:.1} on average (at most {}), {:.0} % at {}",
                following.calls,
                following.share() * 100.0,
                following.average,
                following.highest,
                fixed.share() * 100.0,
                fixed.last,
            );
            let row = format!("{name}, seed {seed}: {following:?} {fixed:?}");
            assert!(following.share() >= 2.0 * fixed.share(), "{row}");
            assert!(following.share() >= 0.5, "{row}");
            assert_eq!(following.last, RANGE.min, "{row}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn steady_arrivals_and_ramps_are_answered_from_warm() {
    for (name, arrivals) in [
        ("one a second", steady(1, 1)),
        ("four a second", steady(2, 4)),
        ("six a second", steady(3, 6)),
        ("a ramp", ramp(4)),
    ] {
        let played = play(RANGE, &arrivals).await;
        println!("{name}: {:.1} % warm at {:.1}", played.share() * 100.0, played.average);
        assert!(played.share() >= 0.97, "{name}: {played:?}");
        assert_eq!(played.last, RANGE.min, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_spike_is_ready_for_once_more_and_then_forgotten() {
    let bed = Bed::warm(on_a_real_engine(RANGE)).await;
    for round in 0..2 {
        let calls: Vec<_> = (0..25).map(|_| tokio::spawn(call(&bed))).collect();
        let mut warm = 0;
        for call in calls {
            warm += usize::from(call.await.unwrap());
        }
        assert_eq!(warm, [RANGE.min, 25][round]);
        assert_eq!(bed.pool.pool_size(), 25);
        sleep(15 * SECOND).await;
        assert_eq!(bed.pool.ready().len(), 25);
    }
    let mut last = 25;
    for _ in 0..180 {
        sleep(SECOND).await;
        let warm = bed.pool.ready().len();
        assert!(warm <= last && last - warm <= 2, "{last} to {warm}");
        last = warm;
    }
    assert_eq!(last, RANGE.min);
    assert_eq!(bed.pool.totals().surplus, 23);
}

#[tokio::test(start_paused = true)]
async fn idle_it_stays_at_its_minimum() {
    for min in [0, 3] {
        let bed = Bed::warm(on_a_real_engine(PoolSize { min, max: 9 })).await;
        sleep(HOUR).await;
        assert_eq!(bed.counts(), [min, 0, 0, 0, 0]);
        assert_eq!(bed.engine.asked(), min);
    }
}

#[tokio::test(start_paused = true)]
async fn the_bound_on_all_containers_goes_before_the_size() {
    let bed = Bed::warm(PoolConfig { max: Some(10), ..on_a_real_engine(RANGE) }).await;
    let calls: Vec<_> = (0..30).map(|_| tokio::spawn(call(&bed))).collect();
    for call in calls {
        call.await.unwrap();
    }
    sleep(10 * SECOND).await;
    assert_eq!(bed.pool.ready().len(), 10);
    assert!(bed.engine.peaks().containers <= 10);
}

#[tokio::test(start_paused = true)]
async fn while_creates_fail_nothing_warm_is_given_up() {
    let bed = Bed::warm(on_a_real_engine(RANGE)).await;
    let calls: Vec<_> = (0..20).map(|_| tokio::spawn(call(&bed))).collect();
    for call in calls {
        call.await.unwrap();
    }
    sleep(10 * SECOND).await;
    bed.engine.creates(repeat_n(Answer::Fail(Code::EngineError), 10_000));
    assert!(call(&bed).await);
    sleep(10 * MINUTE).await;
    assert_eq!(bed.pool.stats().state, PoolState::Degraded);
    assert_eq!((bed.pool.pool_size(), bed.pool.ready().len()), (20, 19));
    bed.engine.recover();
    sleep(10 * SECOND).await;
    assert_eq!(bed.pool.ready().len(), 20);
    sleep(10 * MINUTE).await;
    assert_eq!(bed.counts(), [RANGE.min, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_fixed_size_can_begin_to_follow_demand_and_end_it() {
    let bed = Bed::warm(on_a_real_engine(PoolSize::fixed(5))).await;
    for _ in 0..20 {
        call(&bed).await;
    }
    bed.pool.resize(RANGE);
    assert_eq!(bed.pool.pool_size(), RANGE.min, "what was before doesn't count");
    let calls: Vec<_> = (0..8).map(|_| tokio::spawn(call(&bed))).collect();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(bed.pool.pool_size(), 8);
    assert_eq!(bed.pool.stats().pool_size_range, RANGE);
    bed.pool.resize(PoolSize::fixed(3));
    sleep(MINUTE).await;
    assert_eq!(bed.counts(), [3, 0, 0, 0, 0]);
}

/// Acquires and drops; whether it was warm.
fn call(bed: &Bed) -> impl std::future::Future<Output = bool> + Send + 'static {
    let pool = bed.pool.clone();
    async move {
        let acquired = pool.acquire(None, pending()).await.unwrap();
        let warm = acquired.warm;
        sleep(USE).await;
        drop(acquired);
        warm
    }
}
