use std::{future::pending, time::Duration};

use futures_util::poll;
use tokio::time::{sleep, Instant};

use super::fake::{config, now, rest, Answer, Bed, CREATE, DESTROY};
use crate::{error::Code, pool::PoolState};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn it_destroys_every_container() {
    let bed = Bed::warm(config(3, 6)).await;
    bed.pool.shutdown(SECOND).await.unwrap();
    assert!(bed.engine.live().is_empty());
    assert_eq!(bed.counts(), [0; 5]);
    assert_eq!(bed.pool.stats().state, PoolState::Closed);
}

#[tokio::test(start_paused = true)]
async fn it_closes_at_once() {
    let bed = Bed::warm(config(1, 2)).await;
    let mut shutdown = Box::pin(bed.pool.shutdown(SECOND));
    assert!(poll!(&mut shutdown).is_pending());
    let error = bed.pool.acquire(None, pending()).await.err().unwrap();
    assert_eq!(error.code, Code::PoolClosed);
    shutdown.await.unwrap();
    let error = bed.pool.acquire(None, pending()).await.err().unwrap();
    assert_eq!(error.code, Code::PoolClosed);
}

#[tokio::test(start_paused = true)]
async fn those_in_line_are_turned_away_at_once() {
    let bed = Bed::warm(config(1, 1)).await;
    let taken = bed.pool.try_acquire().unwrap().unwrap();
    let mut waiting = Box::pin(bed.pool.acquire(None, pending()));
    assert!(poll!(&mut waiting).is_pending());
    let start = Instant::now();
    let (shutdown, waited) = tokio::join!(bed.pool.shutdown(SECOND), async {
        let error = waiting.await.err().unwrap();
        (error.code, start.elapsed())
    });
    assert_eq!(waited, (Code::PoolClosed, Duration::ZERO));
    shutdown.unwrap();
    drop(taken);
}

#[tokio::test(start_paused = true)]
async fn leases_get_their_grace() {
    let bed = Bed::warm(config(1, 2)).await;
    let acquired = bed.pool.try_acquire().unwrap().unwrap();
    let start = Instant::now();
    let (shutdown, ()) = tokio::join!(bed.pool.shutdown(SECOND * 10), async {
        sleep(SECOND * 3).await;
        acquired.lease.destroy().await.unwrap();
    });
    shutdown.unwrap();
    assert_eq!(start.elapsed(), SECOND * 3 + DESTROY);
}

#[tokio::test(start_paused = true)]
async fn after_the_grace_leases_end_too() {
    let bed = Bed::warm(config(1, 2)).await;
    let acquired = bed.pool.try_acquire().unwrap().unwrap();
    let start = Instant::now();
    bed.pool.shutdown(SECOND).await.unwrap();
    assert_eq!(start.elapsed(), SECOND + DESTROY);
    assert!(bed.engine.live().is_empty());
    acquired.lease.destroy().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_creates_under_way_and_ends_what_they_make() {
    let bed = Bed::warm(config(2, 4)).await;
    bed.engine.creates([Answer::After(SECOND * 5)]);
    drop(bed.pool.try_acquire().unwrap());
    let start = Instant::now();
    bed.pool.shutdown(Duration::ZERO).await.unwrap();
    assert_eq!(start.elapsed(), SECOND * 5 + DESTROY);
    assert!(bed.engine.live().is_empty());
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_share_one_shutdown_and_the_shortest_grace() {
    let bed = Bed::warm(config(1, 2)).await;
    let _acquired = bed.pool.try_acquire().unwrap().unwrap();
    let start = Instant::now();
    let (a, b) = tokio::join!(bed.pool.shutdown(SECOND * 600), async {
        sleep(SECOND).await;
        bed.pool.shutdown(Duration::ZERO).await
    });
    a.unwrap();
    b.unwrap();
    assert_eq!(start.elapsed(), SECOND + DESTROY);
    bed.pool.shutdown(SECOND).await.unwrap();
    assert_eq!(start.elapsed(), SECOND + DESTROY);
}

#[tokio::test(start_paused = true)]
async fn of_a_pool_that_never_began_it_is_done_at_once() {
    let bed = Bed::new(config(1, 2));
    bed.pool.shutdown(SECOND).await.unwrap();
    assert_eq!(bed.pool.try_acquire().err().unwrap().code, Code::PoolClosed);
}

#[tokio::test(start_paused = true)]
async fn during_initialize_both_settle_and_nothing_is_left() {
    for millis in 0..=250 {
        let bed = Bed::new(config(2, 4));
        let (warmed, shutdown) = tokio::join!(bed.pool.initialize(), async {
            sleep(Duration::from_millis(millis)).await;
            bed.pool.shutdown(Duration::ZERO).await
        });
        shutdown.unwrap();
        if let Err(error) = warmed {
            assert_eq!(error.code, Code::PoolClosed, "after {millis} ms");
        }
        assert!(bed.engine.live().is_empty(), "after {millis} ms");
        assert_eq!(bed.engine.half_made(), 0, "after {millis} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_prepare_under_way_is_cut_off() {
    let bed = Bed::new(config(1, 2));
    bed.engine.prepares([Answer::Never]);
    let start = Instant::now();
    let (warmed, shutdown) = tokio::join!(bed.pool.initialize(), async {
        sleep(SECOND).await;
        bed.pool.shutdown(SECOND).await
    });
    assert_eq!(warmed.unwrap_err().code, Code::PoolClosed);
    shutdown.unwrap();
    assert_eq!(start.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn initialize_opens_the_pool_again() {
    let bed = Bed::warm(config(2, 4)).await;
    bed.pool.shutdown(SECOND).await.unwrap();
    bed.pool.initialize().await.unwrap();
    assert_eq!(bed.counts(), [2, 0, 0, 0, 0]);
    assert!(bed.pool.try_acquire().unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn initialize_during_a_shutdown_waits_for_its_end() {
    let bed = Bed::warm(config(1, 2)).await;
    let (shutdown, warmed) = tokio::join!(bed.pool.shutdown(SECOND), bed.pool.initialize());
    shutdown.unwrap();
    warmed.unwrap();
    assert_eq!(bed.counts(), [1, 0, 0, 0, 0]);
    assert_eq!(bed.engine.live(), ["c0002"]);
}

#[tokio::test(start_paused = true)]
async fn it_is_bounded_when_removals_hang_and_names_what_may_be_left() {
    let bed = Bed::warm(config(2, 4)).await;
    bed.engine.destroys([Answer::Never; 50]);
    let start = Instant::now();
    let error = bed.pool.shutdown(SECOND).await.unwrap_err();
    assert!(start.elapsed() <= SECOND * 32);
    assert!(error.message.contains("c0001") && error.message.contains("c0002"), "{error}");
    assert_eq!(bed.pool.stats().state, PoolState::Closed);
}

#[tokio::test(start_paused = true)]
async fn it_is_bounded_when_creates_hang() {
    let config = crate::config::PoolConfig { create_timeout: SECOND * 3600, ..config(2, 4) };
    let bed = Bed::warm(config).await;
    bed.engine.creates([Answer::Never]);
    drop(bed.pool.try_acquire().unwrap());
    let start = Instant::now();
    let error = bed.pool.shutdown(SECOND).await.unwrap_err();
    assert!(start.elapsed() <= SECOND * 32);
    assert!(error.message.contains("1 create(s)"), "{error}");
    assert_eq!((bed.engine.half_made(), bed.counts()), (0, [0; 5]));
}

#[tokio::test(start_paused = true)]
async fn a_removal_given_up_on_the_way_is_named() {
    let bed = Bed::warm(config(1, 2)).await;
    bed.engine.destroys([Answer::Fail(Code::EngineError); 10]);
    let error = bed.pool.shutdown(SECOND).await.unwrap_err();
    assert!(error.message.contains("c0001"), "{error}");
    assert_eq!(error.cause.unwrap().code, Code::EngineError);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_waits_to_be_tried_again_is_tried_at_once() {
    let bed = Bed::warm(config(1, 4)).await;
    bed.engine.destroys([Answer::Fail(Code::EngineError); 7]);
    drop(bed.pool.try_acquire().unwrap());
    // The seventh has failed, and the pauses are seconds now.
    while bed.pool.totals().errors < 7 {
        now().await;
    }
    let start = Instant::now();
    bed.pool.shutdown(SECOND).await.unwrap();
    assert!(start.elapsed() <= DESTROY * 2, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_next_one_tries_what_was_given_up_once_more() {
    let bed = Bed::warm(config(2, 4)).await;
    // One given up in the course of things, one in the shutdown.
    bed.engine.destroys([Answer::Fail(Code::EngineError); 20]);
    drop(bed.pool.try_acquire().unwrap());
    rest().await;
    assert_eq!(bed.pool.stats().totals.abandoned, 1);
    bed.engine.destroys([Answer::Fail(Code::EngineError); 50]);
    bed.pool.shutdown(SECOND).await.unwrap_err();
    assert_eq!(bed.engine.live().len(), 3);
    bed.engine.recover();
    bed.pool.shutdown(SECOND).await.unwrap();
    assert_eq!(bed.engine.live(), Vec::<String>::new());
    assert_eq!(bed.counts(), [0; 5]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_goes_on() {
    let bed = Bed::warm(config(2, 4)).await;
    let mut shutdown = Box::pin(bed.pool.shutdown(SECOND));
    assert!(poll!(&mut shutdown).is_pending());
    drop(shutdown);
    rest().await;
    assert!(bed.engine.live().is_empty());
    assert_eq!(bed.pool.stats().state, PoolState::Closed);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_ends_what_is_warm_and_leaves_leases_alone() {
    let bed = Bed::warm(config(2, 3)).await;
    let acquired = bed.pool.try_acquire().unwrap().unwrap();
    sleep(CREATE).await;
    let engine = bed.engine.clone();
    drop(bed);
    rest().await;
    assert_eq!(engine.live(), [acquired.lease.id()]);
    drop(acquired);
    rest().await;
    assert!(engine.live().is_empty());
}
