use std::time::Duration;

use tokio::time::{timeout, Instant};

use super::fake::{config, now, rest, Answer, Bed, CREATE};
use crate::{
    error::Code,
    pool::{Event, PoolState},
};

#[tokio::test(start_paused = true)]
async fn making_a_pool_starts_nothing() {
    let bed = Bed::new(config(2, 4));
    rest().await;
    assert_eq!(bed.engine.asked(), 0);
    assert_eq!(bed.pool.stats().state, PoolState::New);
}

#[tokio::test(start_paused = true)]
async fn it_warms_the_pool_to_its_size() {
    let bed = Bed::warm(config(3, 10)).await;
    assert_eq!(bed.counts(), [3, 0, 0, 0, 0]);
    assert_eq!(bed.engine.live().len(), 3);
    let ready = bed.heard(|event| match event {
        Event::Ready { size } => Some(*size),
        _ => None,
    });
    assert_eq!(ready, [3]);
}

#[tokio::test(start_paused = true)]
async fn creates_run_side_by_side_and_bounded() {
    let start = Instant::now();
    let bed = Bed::warm(config(4, 10)).await;
    assert_eq!(start.elapsed(), CREATE * 3, "one prepare, two rounds of two creates");
    assert_eq!(bed.engine.peaks().creates, 2);
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_share_one_warm_up() {
    let bed = Bed::new(config(2, 10));
    let (a, b, c) =
        tokio::join!(bed.pool.initialize(), bed.pool.initialize(), bed.pool.initialize());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!((bed.engine.prepared(), bed.engine.asked()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_full_pool_is_initialized_at_once() {
    let bed = Bed::warm(config(2, 4)).await;
    let start = Instant::now();
    bed.pool.initialize().await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(bed.engine.prepared(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pool_of_none_is_prepared_all_the_same() {
    let bed = Bed::warm(config(0, 4)).await;
    assert_eq!((bed.engine.prepared(), bed.engine.asked()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_leased_meanwhile_counts_as_made() {
    let bed = Bed::new(config(2, 2));
    let (warmed, a, b) = tokio::join!(
        bed.pool.initialize(),
        bed.pool.acquire(None, std::future::pending()),
        bed.pool.acquire(None, std::future::pending()),
    );
    warmed.unwrap();
    assert_eq!(bed.counts(), [0, 0, 2, 0, 0]);
    drop((a, b));
}

#[tokio::test(start_paused = true)]
async fn at_max_there_is_nothing_to_wait_for() {
    let bed = Bed::warm(config(2, 2)).await;
    let _a = bed.pool.try_acquire().unwrap().unwrap();
    let _b = bed.pool.try_acquire().unwrap().unwrap();
    timeout(CREATE, bed.pool.initialize()).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_rejects_with_the_error_of_a_create_and_the_pool_fills_up_behind_it() {
    let bed = Bed::new(config(2, 4));
    bed.engine.creates([Answer::Fail(Code::EngineError)]);
    assert_eq!(bed.pool.initialize().await.unwrap_err().code, Code::EngineError);
    rest().await;
    assert_eq!(bed.counts(), [2, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_prepare_is_tried_again_by_the_next_call_only() {
    let bed = Bed::new(config(2, 4));
    bed.engine.prepares([Answer::Fail(Code::ImagePullFailed)]);
    assert_eq!(bed.pool.initialize().await.unwrap_err().code, Code::ImagePullFailed);
    rest().await;
    assert_eq!((bed.engine.prepared(), bed.engine.asked()), (0, 0));
    assert_eq!(bed.pool.stats().state, PoolState::Degraded);
    bed.pool.initialize().await.unwrap();
    assert_eq!(bed.counts(), [2, 0, 0, 0, 0]);
    assert_eq!(bed.pool.stats().state, PoolState::Healthy);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_prepare_is_an_error() {
    let bed = Bed::new(config(2, 4));
    bed.engine.prepares([Answer::Panic]);
    assert_eq!(bed.pool.initialize().await.unwrap_err().code, Code::EngineError);
    bed.pool.initialize().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn prepare_is_shared_with_the_first_acquire() {
    let bed = Bed::new(config(1, 4));
    let (warmed, acquired) =
        tokio::join!(bed.pool.initialize(), bed.pool.acquire(None, std::future::pending()));
    warmed.unwrap();
    assert!(!acquired.unwrap().warm);
    assert_eq!(bed.engine.prepared(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_provider_tells_max_if_the_owner_does_not() {
    let bed = Bed::new(crate::config::PoolConfig { max: None, ..config(5, 0) });
    bed.engine.set_max(3);
    bed.pool.initialize().await.unwrap();
    assert_eq!(bed.pool.stats().max, Some(3));
    assert_eq!(bed.counts(), [3, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn after_an_image_went_missing_the_next_call_prepares_again() {
    let bed = Bed::warm(config(1, 4)).await;
    bed.engine.creates([Answer::Fail(Code::ImageNotFound)]);
    drop(bed.pool.try_acquire().unwrap());
    rest().await;
    assert_eq!(bed.counts(), [0, 0, 0, 0, 0], "nobody asks, nothing is pulled");
    bed.pool.initialize().await.unwrap();
    assert_eq!(bed.engine.prepared(), 2);
    assert_eq!(bed.counts(), [1, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_for_the_backoff() {
    let bed = Bed::new(config(1, 4));
    bed.engine.creates([Answer::Fail(Code::EngineError); 12]);
    for _ in 0..6 {
        let _ = bed.pool.initialize().await;
    }
    bed.engine.recover();
    let start = Instant::now();
    while bed.pool.initialize().await.is_err() {}
    assert!(start.elapsed() <= CREATE * 2, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_disturbs_nobody() {
    let bed = Bed::new(config(2, 4));
    let gone = timeout(CREATE / 2, bed.pool.initialize()).await;
    assert!(gone.is_err());
    bed.pool.initialize().await.unwrap();
    now().await;
    assert_eq!(bed.counts(), [2, 0, 0, 0, 0]);
}
