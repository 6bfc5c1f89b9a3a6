use std::{
    future::pending,
    iter::repeat_n,
    time::{Duration, SystemTime},
};

use tokio::time::{sleep, Instant};

use super::fake::{config, now, rest, Answer, Bed, CREATE};
use crate::{
    config::{PoolConfig, PoolSize},
    pool::{Event, PoolState},
};

const MINUTE: Duration = Duration::from_secs(60);
/// How closely a change is watched: every create and removal lasts several of these.
const TICK: Duration = Duration::from_millis(10);

#[tokio::test(start_paused = true)]
async fn after_a_storm_of_acquires_the_pool_settles_at_its_size() {
    let bed = Bed::warm(config(2, 12)).await;
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let pool = bed.pool.clone();
            tokio::spawn(async move {
                let acquired = pool.acquire(Some(MINUTE), pending()).await.unwrap();
                sleep(CREATE / 3).await;
                drop(acquired);
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    rest().await;
    assert_eq!(bed.counts(), [2, 0, 0, 0, 0]);
    assert_eq!(bed.engine.live().len(), 2);
    assert!(bed.engine.peaks().containers <= 12);
    assert!(bed.engine.peaks().creates <= 2);
}

#[tokio::test(start_paused = true)]
async fn the_pool_grows_to_a_new_size() {
    let bed = Bed::warm(config(1, 10)).await;
    bed.pool.resize(PoolSize::fixed(4));
    rest().await;
    assert_eq!(bed.counts(), [4, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn the_pool_shrinks_to_a_new_size() {
    let bed = Bed::warm(config(4, 10)).await;
    bed.pool.resize(PoolSize::fixed(1));
    assert_eq!(bed.counts(), [1, 0, 0, 3, 0]);
    rest().await;
    assert_eq!(bed.engine.live().len(), 1);
    assert_eq!(bed.pool.stats().totals.surplus, 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_being_made_when_the_pool_shrinks_is_destroyed() {
    let bed = Bed::new(config(2, 10));
    let warming = tokio::spawn({
        let pool = bed.pool.clone();
        async move { pool.initialize().await }
    });
    sleep(CREATE + CREATE / 2).await;
    assert_eq!(bed.counts(), [0, 2, 0, 0, 0]);
    bed.pool.resize(PoolSize::fixed(0));
    warming.await.unwrap().unwrap();
    rest().await;
    assert_eq!(bed.counts(), [0; 5]);
    assert!(bed.engine.live().is_empty());
}

#[tokio::test(start_paused = true)]
async fn resizing_opens_nothing() {
    let bed = Bed::new(config(1, 10));
    bed.pool.resize(PoolSize::fixed(3));
    rest().await;
    assert_eq!(bed.engine.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_warm_container_that_dies_is_replaced() {
    let bed = Bed::warm(config(2, 4)).await;
    let dead = bed.pool.ready().remove(0);
    bed.engine.kill(dead.id());
    now().await;
    assert_eq!(bed.pool.ready().len(), 1);
    rest().await;
    assert_eq!(bed.counts(), [2, 0, 0, 0, 0]);
    assert!(bed.pool.ready().iter().all(|member| member.id() != dead.id()));
    let lost = bed.heard(|event| match event {
        Event::Lost { id } => Some(id.clone()),
        _ => None,
    });
    assert_eq!(lost, [dead.id()]);
    assert_eq!(bed.pool.stats().state, PoolState::Healthy);
}

#[tokio::test(start_paused = true)]
async fn all_dying_at_once_is_no_reason_to_back_off() {
    let bed = Bed::warm(PoolConfig { create_concurrency: 8, ..config(8, 20) }).await;
    for member in bed.pool.ready() {
        bed.engine.kill(member.id());
    }
    now().await;
    assert_eq!(bed.pool.stats().state, PoolState::Healthy);
    sleep(CREATE).await;
    assert_eq!(bed.pool.stats().warm, 8);
}

#[tokio::test(start_paused = true)]
async fn containers_that_die_young_again_and_again_are_replaced_slower_and_slower() {
    let bed = Bed::new(config(1, 4));
    bed.engine.creates(repeat_n(Answer::Mortal(CREATE), 10_000));
    bed.pool.initialize().await.unwrap();
    sleep(MINUTE * 10).await;
    assert_eq!(bed.pool.stats().state, PoolState::Degraded);
    let made = bed.engine.asked();
    assert!((150..600).contains(&made), "{made} in ten minutes, at 2.7 s on average");
    bed.engine.recover();
    sleep(MINUTE).await;
    assert_eq!(bed.counts(), [1, 0, 0, 0, 0]);
    assert_eq!(bed.pool.stats().state, PoolState::Healthy);
}

#[tokio::test(start_paused = true)]
async fn an_old_container_is_replaced_when_its_successor_is_there() {
    let bed = Bed::warm(PoolConfig { max_lifetime: Some(MINUTE), ..config(1, 4) }).await;
    let old = bed.pool.ready().remove(0);
    let start = Instant::now();
    while bed.pool.ready().iter().any(|member| member.id() == old.id()) {
        assert_eq!(bed.pool.ready().len(), 1);
        sleep(TICK).await;
    }
    assert_eq!(bed.pool.ready().len(), 1, "never without");
    let age = start.elapsed();
    assert!(age >= MINUTE.mul_f64(0.9) - CREATE && age <= MINUTE.mul_f64(1.1) + CREATE * 2);
    let totals = bed.pool.stats().totals;
    assert_eq!((totals.expired, totals.surplus), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn containers_of_one_age_are_replaced_one_at_a_time() {
    let bed =
        Bed::warm(PoolConfig { max_idle: Some(MINUTE), create_concurrency: 4, ..config(4, 10) })
            .await;
    // Slower than the jitter spreads them: several are too old at once.
    bed.engine.creates(repeat_n(Answer::After(MINUTE / 10), 20));
    sleep(MINUTE.mul_f64(0.89)).await;
    let mut fewest = usize::MAX;
    let mut most = 0;
    for _ in 0..10_000 {
        sleep(TICK).await;
        let stats = bed.pool.stats();
        fewest = fewest.min(stats.warm);
        most = most.max(stats.warm + stats.creating);
        if stats.totals.expired == 4 {
            break;
        }
    }
    assert_eq!((fewest, most), (4, 5));
    assert_eq!(bed.pool.stats().totals.expired, 4);
}

#[tokio::test(start_paused = true)]
async fn at_max_an_old_container_goes_first_and_one_at_a_time() {
    let bed = Bed::warm(PoolConfig { max_idle: Some(MINUTE), ..config(3, 3) }).await;
    // Slower than the jitter spreads them: several are too old at once.
    bed.engine.creates(repeat_n(Answer::After(MINUTE / 10), 20));
    sleep(MINUTE.mul_f64(0.89)).await;
    let mut fewest = usize::MAX;
    for _ in 0..10_000 {
        sleep(TICK).await;
        let stats = bed.pool.stats();
        fewest = fewest.min(stats.warm);
        if stats.totals.expired == 3 && stats.warm == 3 {
            break;
        }
    }
    assert_eq!(fewest, 2);
    assert_eq!(bed.pool.stats().totals.expired, 3);
    assert!(bed.engine.peaks().containers <= 3);
}

#[tokio::test(start_paused = true)]
async fn expiry_can_be_read_while_warm() {
    let bed = Bed::warm(PoolConfig { max_lifetime: Some(MINUTE), ..config(1, 2) }).await;
    let left = bed.pool.ready()[0].expiry().unwrap().duration_since(SystemTime::now()).unwrap();
    assert!(left > MINUTE.mul_f64(0.89) && left < MINUTE.mul_f64(1.11), "{left:?}");
    let acquired = bed.pool.try_acquire().unwrap().unwrap();
    assert_eq!(acquired.lease.expiry(), None);
    let forever = Bed::warm(config(1, 2)).await;
    assert_eq!(forever.pool.ready()[0].expiry(), None);
}

#[tokio::test(start_paused = true)]
async fn a_leased_container_does_not_expire() {
    let bed = Bed::warm(PoolConfig { max_lifetime: Some(MINUTE), ..config(1, 1) }).await;
    let acquired = bed.pool.try_acquire().unwrap().unwrap();
    sleep(MINUTE * 3).await;
    assert_eq!(bed.counts(), [0, 0, 1, 0, 0]);
    assert_eq!(bed.pool.stats().totals.expired, 0);
    drop(acquired);
}

#[tokio::test(start_paused = true)]
async fn stats_read_as_javascript_expects_them() {
    let bed = Bed::warm(config(1, 2)).await;
    let stats = serde_json::to_value(bed.pool.stats()).unwrap();
    assert_eq!(stats["poolSize"], 1);
    assert_eq!(stats["state"], "healthy");
    assert_eq!(stats["totals"]["acquiredOnDemand"], 0);
    assert_eq!(stats["latency"]["create"]["count"], 1);
    assert!(stats["latency"]["create"]["p50"].as_f64().unwrap() >= 99.0);
}
