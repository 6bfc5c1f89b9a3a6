use std::{future::pending, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::time::{sleep, Instant};

use super::fake::{config, now, rest, Answer, Bed, DESTROY};
use crate::{
    error::Code,
    pool::{During, Event, Stage},
};

#[tokio::test(start_paused = true)]
async fn destroy_returns_when_the_engine_confirms() {
    let bed = Bed::warm(config(0, 2)).await;
    let lease = bed.pool.acquire(None, pending()).await.unwrap().lease;
    let start = Instant::now();
    lease.destroy().await.unwrap();
    assert_eq!(start.elapsed(), DESTROY);
    assert!(bed.engine.live().is_empty());
    assert_eq!(lease.stage(), Stage::Gone);
    assert_eq!(bed.pool.stats().totals.destroyed, 1);
}

#[tokio::test(start_paused = true)]
async fn concurrent_destroys_share_one_removal_and_its_result() {
    let bed = Bed::warm(config(0, 2)).await;
    let lease = bed.pool.acquire(None, pending()).await.unwrap().lease;
    let other = lease.member().clone();
    bed.engine.destroys([Answer::Fail(Code::EngineError)]);
    let (a, b) = tokio::join!(lease.destroy(), other.destroy());
    assert_eq!(a.unwrap_err().code, Code::EngineError);
    assert_eq!(b.unwrap_err().code, Code::EngineError);
    rest().await;
    lease.destroy().await.unwrap();
    assert_eq!(bed.pool.stats().totals.destroyed, 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_lease_ends_its_container() {
    let bed = Bed::warm(config(0, 2)).await;
    drop(bed.pool.acquire(None, pending()).await.unwrap());
    assert_eq!(bed.counts(), [0, 0, 0, 1, 0]);
    rest().await;
    assert_eq!(bed.counts(), [0; 5]);
    assert!(bed.engine.live().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_its_holder_ends_its_container() {
    let bed = Bed::warm(config(0, 2)).await;
    let holder = async {
        let _acquired = bed.pool.acquire(None, pending()).await.unwrap();
        panic!("the holder panics");
    };
    assert!(AssertUnwindSafe(holder).catch_unwind().await.is_err());
    rest().await;
    assert!(bed.engine.live().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_destroy_that_is_dropped_goes_on() {
    let bed = Bed::warm(config(0, 2)).await;
    let lease = bed.pool.acquire(None, pending()).await.unwrap().lease;
    assert!(lease.destroy().now_or_never().is_none());
    rest().await;
    assert!(bed.engine.live().is_empty());
}

#[test]
fn a_lease_may_be_dropped_outside_the_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let (bed, acquired) = runtime.block_on(async {
        let bed = Bed::warm(config(0, 2)).await;
        let acquired = bed.pool.acquire(None, pending()).await.unwrap();
        (bed, acquired)
    });
    std::thread::spawn(move || drop(acquired)).join().unwrap();
    runtime.block_on(rest());
    assert!(bed.engine.live().is_empty());
}

#[test]
fn a_lease_may_outlive_the_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let (bed, acquired) = runtime.block_on(async {
        let bed = Bed::warm(config(2, 4)).await;
        let acquired = bed.pool.acquire(None, pending()).await.unwrap();
        (bed, acquired)
    });
    drop(runtime);
    assert_eq!(
        bed.pool.acquire(None, pending()).now_or_never().unwrap().err().unwrap().code,
        Code::PoolClosed
    );
    let destroyed = acquired.lease.destroy().now_or_never().unwrap();
    assert_eq!(destroyed.unwrap_err().code, Code::PoolClosed);
}

#[tokio::test(start_paused = true)]
async fn a_failed_removal_is_tried_again_and_counts_until_it_succeeds() {
    let bed = Bed::warm(config(0, 1)).await;
    bed.engine.destroys([Answer::Fail(Code::EngineError), Answer::Panic]);
    let lease = bed.pool.acquire(None, pending()).await.unwrap().lease;
    assert_eq!(lease.destroy().await.unwrap_err().code, Code::EngineError);
    assert_eq!(bed.counts(), [0, 0, 0, 1, 0]);
    rest().await;
    assert_eq!(bed.counts(), [0; 5]);
    assert!(bed.engine.live().is_empty());
    let totals = bed.pool.stats().totals;
    assert_eq!((totals.destroyed, totals.errors, totals.abandoned), (1, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_never_succeeds_is_given_up_and_named() {
    let bed = Bed::warm(config(0, 1)).await;
    bed.engine.destroys([Answer::Fail(Code::EngineUnavailable); 10]);
    let lease = bed.pool.acquire(None, pending()).await.unwrap().lease;
    let _ = lease.destroy().await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(bed.counts(), [0; 5]);
    assert_eq!(bed.pool.stats().totals.abandoned, 1);
    let told = bed.heard(|event| match event {
        Event::Error { error, during: During::Destroy } => Some(error.clone()),
        _ => None,
    });
    assert_eq!(told.len(), 2, "the first failure, and the end: {told:?}");
    assert_eq!(told[1].container_id.as_deref(), Some(lease.id()));
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_hangs_does_not_hold_its_lane_for_ever() {
    let bed = Bed::warm(config(0, 2)).await;
    bed.engine.destroys([Answer::Never]);
    let lease = bed.pool.acquire(None, pending()).await.unwrap().lease;
    let error = lease.destroy().await.unwrap_err();
    assert_eq!(error.timeout, Some(60_000));
    rest().await;
    assert!(bed.engine.live().is_empty());
}

#[tokio::test(start_paused = true)]
async fn removals_run_side_by_side_and_bounded() {
    let bed = Bed::warm(config(6, 12)).await;
    let leases: Vec<_> = (0..6).map(|_| bed.pool.try_acquire().unwrap().unwrap()).collect();
    drop(leases);
    rest().await;
    assert_eq!(bed.engine.peaks().destroys, 2);
    assert_eq!(bed.counts(), [6, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_removal_delays_no_acquire_below_max() {
    let bed = Bed::warm(config(1, 3)).await;
    bed.engine.destroys([Answer::Never]);
    drop(bed.pool.try_acquire().unwrap());
    sleep(Duration::from_secs(1)).await;
    assert!(bed.pool.try_acquire().unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_leased_container_that_dies_is_counted_and_its_destroy_succeeds() {
    let bed = Bed::warm(config(0, 1)).await;
    let lease = bed.pool.acquire(None, pending()).await.unwrap().lease;
    bed.engine.kill(lease.id());
    now().await;
    assert!(lease.is_lost());
    assert_eq!((bed.pool.stats().totals.lost, bed.counts()), (1, [0, 0, 1, 0, 0]));
    lease.destroy().await.unwrap();
    assert_eq!(bed.pool.stats().totals.lost, 1);
}

#[tokio::test(start_paused = true)]
async fn a_warm_container_can_be_claimed_by_name_once() {
    let bed = Bed::warm(config(2, 4)).await;
    let second = &bed.pool.ready()[1];
    let found = bed.pool.find(second.id()).unwrap();
    let lease = found.lease().unwrap();
    assert!(found.lease().is_none());
    assert_eq!(lease.id(), second.id());
    rest().await;
    assert_eq!(bed.counts(), [2, 0, 1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_warm_container_can_be_destroyed_and_is_replaced() {
    let bed = Bed::warm(config(2, 4)).await;
    let warm = bed.pool.ready().remove(0);
    warm.destroy().await.unwrap();
    assert!(bed.pool.find(warm.id()).is_none());
    rest().await;
    assert_eq!(bed.counts(), [2, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_owner_in_an_event_harms_nobody() {
    let bed = Bed::warm(config(0, 1)).await;
    let pool = crate::pool::Pool::with_seed(
        super::fake::Fake(bed.engine.clone(), 1),
        config(1, 2),
        tokio::runtime::Handle::current(),
        std::sync::Arc::new(|_| panic!("the owner panics")),
        7,
    );
    pool.initialize().await.unwrap();
    pool.acquire(None, pending()).await.unwrap().lease.destroy().await.unwrap();
    rest().await;
    assert_eq!(pool.stats().warm, 1);
}
