//! Several pools on one engine.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    task::JoinHandle,
    time::{sleep, Instant},
};

use super::fake::{config, now, rest, Answer, Bed, CREATE, DESTROY};
use crate::{
    config::{PoolConfig, PoolSize},
    error::{Code, Result},
    pool::{Lease, Pool},
};

type Fake = super::fake::Fake;

const MINUTE: Duration = Duration::from_secs(60);

/// A pool with no bound of its own.
fn shared(pool_size: usize) -> PoolConfig {
    PoolConfig { max: None, ..config(pool_size, 0) }
}

/// Has both reach the engine, and fill up.
async fn warm(one: &Bed, two: &Bed) {
    one.pool.initialize().await.unwrap();
    two.pool.initialize().await.unwrap();
}

/// Two pools on one engine with room for so many bytes, whose containers take one and `second` bytes.
fn two(memory: u64, first: PoolConfig, second: (u64, PoolConfig)) -> (Bed, Bed) {
    let one = Bed::new(first);
    one.engine.budget.set_memory(memory);
    let two = Bed::on(&one.engine, second.0, second.1);
    (one, two)
}

fn acquire(pool: &Pool<Fake>) -> JoinHandle<Result<Lease<Fake>>> {
    let pool = pool.clone();
    tokio::spawn(async move {
        pool.acquire(Some(MINUTE * 10), pending()).await.map(|acquired| acquired.lease)
    })
}

async fn got(acquiring: JoinHandle<Result<Lease<Fake>>>) -> Lease<Fake> {
    acquiring.await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn pools_together_start_no_more_at_once_than_the_one_with_the_most_may() {
    let (one, two) = two(100, shared(10), (1, shared(10)));
    tokio::try_join!(one.pool.initialize(), two.pool.initialize()).unwrap();
    assert_eq!(one.engine.live().len(), 20);
    assert_eq!(one.engine.peaks().creates, 2);
}

#[tokio::test(start_paused = true)]
async fn pools_together_remove_no_more_at_once_than_the_one_with_the_most_may() {
    let (one, two) = two(100, shared(10), (1, shared(10)));
    tokio::try_join!(one.pool.initialize(), two.pool.initialize()).unwrap();
    tokio::try_join!(one.pool.shutdown(MINUTE), two.pool.shutdown(MINUTE)).unwrap();
    assert!(one.engine.live().is_empty());
    assert_eq!(one.engine.peaks().destroys, 2);
}

#[tokio::test(start_paused = true)]
async fn pools_together_never_take_more_than_the_memory() {
    let (one, two) = two(7, shared(2), (3, shared(2)));
    let calls: Vec<_> = (0..30)
        .map(|n| {
            let call = acquire(if n % 2 == 0 { &one.pool } else { &two.pool });
            tokio::spawn(async move {
                let lease = got(call).await;
                sleep(CREATE).await;
                drop(lease);
            })
        })
        .collect();
    while !calls.iter().all(JoinHandle::is_finished) {
        let taken = |bed: &Bed| bed.counts()[..4].iter().sum::<usize>() as u64;
        assert!(taken(&one) + 3 * taken(&two) <= 7);
        sleep(Duration::from_millis(5)).await;
    }
    assert!(one.engine.budget.usage().used <= 7);
}

#[tokio::test(start_paused = true)]
async fn callers_of_all_pools_are_served_in_the_order_in_which_they_came() {
    let (one, two) = two(100, shared(0), (1, shared(0)));
    warm(&one, &two).await;
    let served = Arc::new(Mutex::new(Vec::new()));
    let mut calls = Vec::new();
    for n in 0..12 {
        let pool = if n % 3 == 0 { &one.pool } else { &two.pool };
        let (call, served) = (acquire(pool), served.clone());
        calls.push(tokio::spawn(async move {
            let lease = got(call).await;
            served.lock().unwrap().push(n);
            lease
        }));
        now().await;
    }
    futures_util::future::join_all(calls).await;
    let served = served.lock().unwrap();
    for (place, n) in served.iter().enumerate() {
        // Two are made side by side, and end at once.
        assert!(place.abs_diff(*n) <= 1, "{served:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_goes_before_the_refill_of_every_pool() {
    let (one, two) = two(100, shared(50), (1, shared(0)));
    two.pool.initialize().await.unwrap();
    let warming = one.pool.clone();
    let warming = tokio::spawn(async move { warming.initialize().await });
    sleep(CREATE * 3).await;
    let asked = Instant::now();
    drop(got(acquire(&two.pool)).await);
    assert!(asked.elapsed() <= CREATE * 2, "{:?}", asked.elapsed());
    warming.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn refills_take_turns() {
    let (one, two) = two(100, shared(40), (1, shared(4)));
    let warming = one.pool.clone();
    let warming = tokio::spawn(async move { warming.initialize().await });
    now().await;
    let asked = Instant::now();
    two.pool.initialize().await.unwrap();
    assert!(asked.elapsed() <= CREATE * 6, "{:?}", asked.elapsed());
    warming.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_pool_without_room_is_woken_when_another_pools_container_is_gone() {
    let (one, two) = two(1, shared(0), (1, shared(0)));
    let lease = got(acquire(&one.pool)).await;
    let waiting = acquire(&two.pool);
    sleep(MINUTE).await;
    assert_eq!(two.counts(), [0, 0, 0, 0, 1]);
    let ended = Instant::now();
    drop(lease);
    drop(got(waiting).await);
    assert!(ended.elapsed() <= DESTROY + CREATE * 2, "{:?}", ended.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_warm_container_gives_way_to_another_pools_caller() {
    let (one, two) = two(3, shared(3), (1, shared(0)));
    one.pool.initialize().await.unwrap();
    let lease = got(acquire(&two.pool)).await;
    rest().await;
    assert_eq!(one.counts(), [2, 0, 0, 0, 0], "one gave way, and is not refilled meanwhile");
    drop(lease);
    rest().await;
    assert_eq!(one.counts(), [3, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn as_many_give_way_as_a_larger_container_takes_and_no_more() {
    let (one, two) = two(5, shared(5), (3, shared(0)));
    one.pool.initialize().await.unwrap();
    let _lease = got(acquire(&two.pool)).await;
    rest().await;
    assert_eq!(one.counts(), [2, 0, 0, 0, 0]);
    assert_eq!(one.pool.stats().totals.surplus, 3);
}

#[tokio::test(start_paused = true)]
async fn no_warm_container_gives_way_to_a_refill() {
    let (one, two) = two(3, shared(3), (1, shared(2)));
    one.pool.initialize().await.unwrap();
    two.pool.initialize().await.unwrap();
    rest().await;
    assert_eq!(one.counts(), [3, 0, 0, 0, 0]);
    assert_eq!(two.counts(), [0; 5]);
}

#[tokio::test(start_paused = true)]
async fn a_large_container_is_not_passed_over_for_ever() {
    let (one, two) = two(3, shared(0), (3, shared(0)));
    warm(&one, &two).await;
    let mut leases = vec![got(acquire(&one.pool)).await, got(acquire(&one.pool)).await];
    let large = acquire(&two.pool);
    now().await;
    let small = acquire(&one.pool);
    sleep(MINUTE).await;
    assert!(!small.is_finished(), "there is room for it, but not its turn");
    leases.clear();
    drop(got(large).await);
    drop(got(small).await);
}

#[tokio::test(start_paused = true)]
async fn a_container_larger_than_all_the_memory_is_made_alone() {
    let (one, two) = two(2, shared(2), (9, shared(0)));
    one.pool.initialize().await.unwrap();
    let lease = got(acquire(&two.pool)).await;
    assert_eq!(one.engine.live().len(), 1);
    drop(lease);
}

#[tokio::test(start_paused = true)]
async fn a_bound_of_its_own_holds_in_place_of_the_memory_and_counts_in_it() {
    let (one, two) = two(2, config(3, 4), (1, shared(1)));
    one.pool.initialize().await.unwrap();
    assert_eq!(one.counts(), [3, 0, 0, 0, 0]);
    two.pool.initialize().await.unwrap();
    assert_eq!(two.counts(), [0; 5]);
    assert_eq!(one.engine.budget.usage().used, 3);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_while_it_waits_for_room_leaves_nothing() {
    let (one, two) = two(1, shared(0), (1, shared(0)));
    warm(&one, &two).await;
    let lease = got(acquire(&one.pool)).await;
    let waiting = acquire(&two.pool);
    now().await;
    assert_eq!(one.engine.budget.usage().waiting, 1);
    waiting.abort();
    now().await;
    assert_eq!(one.engine.budget.usage().waiting, 0);
    drop(lease);
    rest().await;
    assert_eq!((one.engine.asked(), one.engine.budget.usage().used), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_lane_counts_for_no_create_timeout() {
    let limit = PoolConfig { create_timeout: CREATE * 2, ..shared(0) };
    let (one, two) = two(100, limit.clone(), (1, limit));
    let calls: Vec<_> =
        (0..20).map(|n| acquire(if n % 2 == 0 { &one.pool } else { &two.pool })).collect();
    for call in calls {
        drop(got(call).await);
    }
    assert_eq!(one.pool.stats().totals.errors + two.pool.stats().totals.errors, 0);
}

#[tokio::test(start_paused = true)]
async fn the_next_start_begins_while_the_last_container_boots() {
    let bed = Bed::new(PoolConfig { create_concurrency: 1, ..config(0, 10) });
    bed.engine.set_boot(CREATE);
    let asked = Instant::now();
    let calls: Vec<_> = (0..4).map(|_| acquire(&bed.pool)).collect();
    for call in calls {
        drop(got(call).await);
    }
    // The first is prepared for.
    assert!(asked.elapsed() <= CREATE * 6 + DESTROY, "{:?}", asked.elapsed());
    assert_eq!(bed.engine.peaks().creates, 2);
}

#[tokio::test(start_paused = true)]
async fn a_create_that_fails_gives_its_part_back() {
    let (one, two) = two(1, shared(0), (1, shared(0)));
    one.engine.creates([Answer::Fail(Code::EngineError), Answer::Panic]);
    assert!(acquire(&one.pool).await.unwrap().is_err());
    assert!(acquire(&one.pool).await.unwrap().is_err());
    drop(got(acquire(&two.pool)).await);
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_gone_holds_nothing_back() {
    let (one, two) = two(1, shared(1), (1, shared(0)));
    one.pool.initialize().await.unwrap();
    drop(one);
    drop(got(acquire(&two.pool)).await);
    rest().await;
    assert_eq!(two.engine.budget.usage().used, 0);
}

#[tokio::test(start_paused = true)]
async fn few_removals_run_while_a_caller_waits_for_a_start_and_all_when_none_does() {
    let wide = |size| PoolConfig { destroy_concurrency: 8, ..shared(size) };
    let (one, two) = two(100, wide(8), (1, wide(0)));
    warm(&one, &two).await;
    let calls: Vec<_> = (0..20).map(|_| acquire(&two.pool)).collect();
    now().await;
    one.pool.resize(PoolSize::fixed(0));
    sleep(DESTROY * 2).await;
    assert_eq!(one.engine.peaks().destroys, 2);
    for call in calls {
        drop(got(call).await);
    }
    two.pool.resize(PoolSize::fixed(8));
    rest().await;
    two.pool.resize(PoolSize::fixed(0));
    rest().await;
    assert_eq!(one.engine.peaks().destroys, 8);
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_starts_nothing_sets_no_bound_for_the_others() {
    let wide = PoolConfig { create_concurrency: 8, ..shared(0) };
    let (one, two) = two(100, wide, (1, shared(2)));
    let three = Bed::on(&one.engine, 1, shared(2));
    one.pool.initialize().await.unwrap();
    tokio::try_join!(two.pool.initialize(), three.pool.initialize()).unwrap();
    assert_eq!(one.engine.peaks().creates, 2);
}
