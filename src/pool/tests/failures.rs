use std::{future::pending, iter::repeat_n, time::Duration};

use futures_util::{future::join_all, poll};
use tokio::time::{sleep, Instant};

use super::fake::{config, now, rest, Answer, Bed, CREATE};
use crate::{
    config::PoolConfig,
    error::Code,
    pool::{During, Event, PoolState},
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_failed_create_is_its_callers_error() {
    let bed = Bed::warm(config(0, 4)).await;
    bed.engine.creates([Answer::Fail(Code::EngineError)]);
    let error = bed.pool.acquire(Some(SECOND), pending()).await.err().unwrap();
    assert_eq!(error.code, Code::EngineError);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_another_create_makes_good_is_nobodys_error() {
    let bed = Bed::warm(config(1, 4)).await;
    bed.engine.creates([Answer::Fail(Code::EngineError), Answer::After(CREATE * 2)]);
    let _warm = bed.pool.try_acquire().unwrap().unwrap();
    let acquired = bed.pool.acquire(Some(SECOND), pending()).await.unwrap();
    assert_eq!(acquired.waited, CREATE * 2);
    assert_eq!(bed.pool.stats().totals.errors, 1);
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_a_create_begun_before_a_caller_came_is_not_its_error() {
    let bed = Bed::warm(PoolConfig { create_concurrency: 1, ..config(1, 4) }).await;
    bed.engine.creates([Answer::Fail(Code::EngineError)]);
    // The refill's create begins here.
    let _taken = bed.pool.try_acquire().unwrap().unwrap();
    sleep(CREATE / 2).await;
    let acquired = bed.pool.acquire(Some(SECOND), pending()).await.unwrap();
    assert_eq!(acquired.waited, CREATE / 2 + CREATE);
}

#[tokio::test(start_paused = true)]
async fn what_hits_everyone_is_told_to_everyone_for_whom_nothing_is_under_way() {
    let bed = Bed::warm(config(0, 4)).await;
    bed.engine.creates([Answer::Fail(Code::EngineUnavailable), Answer::After(CREATE * 2)]);
    let calls = join_all((0..4).map(|_| bed.pool.acquire(Some(SECOND), pending()))).await;
    let codes: Vec<_> = calls.iter().map(|call| call.as_ref().err().map(|e| e.code)).collect();
    let gone = Some(Code::EngineUnavailable);
    assert_eq!(codes, [None, gone, gone, gone]);
    assert_eq!(bed.engine.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_prepare_is_told_to_everyone() {
    let bed = Bed::new(config(1, 4));
    bed.engine.prepares([Answer::Fail(Code::ImageNotFound)]);
    let calls = join_all((0..3).map(|_| bed.pool.acquire(Some(SECOND), pending()))).await;
    assert!(calls
        .iter()
        .all(|call| call.as_ref().is_err_and(|error| error.code == Code::ImageNotFound)));
    assert!(bed.pool.acquire(Some(SECOND), pending()).await.is_ok(), "the next try works");
}

#[tokio::test(start_paused = true)]
async fn when_creates_fail_again_and_again_the_refill_backs_off() {
    let bed = Bed::warm(config(2, 4)).await;
    bed.engine.creates(repeat_n(Answer::Fail(Code::EngineError), 10_000));
    let _taken = bed.pool.try_acquire().unwrap().unwrap();
    let before = bed.engine.asked();
    sleep(SECOND * 600).await;
    let asked = bed.engine.asked() - before;
    assert!((150..450).contains(&asked), "{asked} in ten minutes, at 2.6 s on average");
    assert_eq!(bed.pool.stats().state, PoolState::Degraded);
}

#[tokio::test(start_paused = true)]
async fn while_degraded_one_create_at_a_time_is_under_way_and_each_caller_gets_the_real_error() {
    let bed = Bed::warm(PoolConfig { create_concurrency: 4, ..config(0, 10) }).await;
    bed.engine.creates([Answer::Fail(Code::EngineError); 20]);
    let mut first = Box::pin(bed.pool.acquire(None, pending()));
    assert!(poll!(&mut first).is_pending());
    assert!(first.await.is_err());
    let mut calls: Vec<_> = (0..6).map(|_| Box::pin(bed.pool.acquire(None, pending()))).collect();
    for call in &mut calls {
        assert!(poll!(call).is_pending());
    }
    assert_eq!(bed.counts(), [0, 1, 0, 0, 6]);
    for call in calls {
        assert_eq!(call.await.err().unwrap().code, Code::EngineError);
    }
    assert_eq!(bed.engine.peaks().creates, 1);
}

#[tokio::test(start_paused = true)]
async fn recovery_is_prompt_and_a_caller_does_not_wait_for_the_backoff() {
    let bed = Bed::warm(config(1, 4)).await;
    bed.engine.creates([Answer::Fail(Code::EngineUnavailable); 50]);
    let _taken = bed.pool.try_acquire().unwrap().unwrap();
    sleep(SECOND * 60).await;
    bed.engine.recover();
    let mut before = bed.counts();
    while before[1] > 0 {
        now().await;
        before = bed.counts();
    }
    let start = Instant::now();
    let _acquired = bed.pool.acquire(Some(SECOND), pending()).await.unwrap();
    assert!(start.elapsed() <= CREATE);
    assert_eq!(bed.pool.stats().state, PoolState::Healthy);
    rest().await;
    assert_eq!(bed.pool.stats().warm, 1);
}

#[tokio::test(start_paused = true)]
async fn without_any_caller_the_pool_recovers_by_itself() {
    let bed = Bed::warm(config(2, 4)).await;
    bed.engine.creates([Answer::Fail(Code::EngineUnavailable); 5]);
    drop(bed.pool.try_acquire().unwrap());
    rest().await;
    assert_eq!(bed.counts(), [2, 0, 0, 0, 0]);
    let states = bed.heard(|event| match event {
        Event::State { state } => Some(*state),
        _ => None,
    });
    assert_eq!(states, [PoolState::Healthy, PoolState::Degraded, PoolState::Healthy]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_create_is_an_error_and_the_refill_lives_on() {
    let bed = Bed::warm(config(1, 4)).await;
    bed.engine.creates([Answer::Panic, Answer::Panic]);
    drop(bed.pool.try_acquire().unwrap());
    rest().await;
    assert_eq!(bed.counts(), [1, 0, 0, 0, 0]);
    let told = bed.heard(|event| match event {
        Event::Error { error, during: During::Create } => Some(error.message.clone()),
        _ => None,
    });
    assert_eq!(told.len(), 1, "the second says the same");
    assert!(told[0].contains("the provider panics"), "{}", told[0]);
}

#[tokio::test(start_paused = true)]
async fn a_create_that_hangs_is_cut_off_at_its_deadline() {
    let bed = Bed::warm(config(1, 1)).await;
    bed.engine.creates([Answer::Never]);
    drop(bed.pool.try_acquire().unwrap());
    let error = bed.pool.acquire(Some(SECOND * 60), pending()).await.err().unwrap();
    assert_eq!(error.timeout, Some(10_000));
    assert_eq!(bed.engine.half_made(), 0);
    rest().await;
    assert_eq!(bed.counts(), [1, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_container_dead_on_arrival_is_a_failed_create() {
    let bed = Bed::warm(config(0, 2)).await;
    bed.engine.creates([Answer::Mortal(Duration::ZERO)]);
    let error = bed.pool.acquire(Some(SECOND), pending()).await.err().unwrap();
    assert_eq!(error.code, Code::ContainerLost);
    rest().await;
    let totals = bed.pool.stats().totals;
    assert_eq!((totals.created, totals.lost, totals.destroyed, totals.errors), (1, 1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_late_container_goes_to_the_pool() {
    let bed = Bed::warm(config(1, 2)).await;
    bed.engine.creates([Answer::After(SECOND * 5)]);
    drop(bed.pool.try_acquire().unwrap());
    let error = bed.pool.acquire(Some(CREATE / 2), pending()).await.err().unwrap();
    assert_eq!(error.code, Code::AcquireTimeout);
    rest().await;
    assert_eq!(bed.counts(), [1, 0, 0, 0, 0]);
    assert_eq!(bed.engine.live().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_one_event_however_often_the_refill_tries() {
    let bed = Bed::warm(config(2, 4)).await;
    bed.engine.creates(repeat_n(Answer::Fail(Code::EngineUnavailable), 10_000));
    let _taken = bed.pool.try_acquire().unwrap().unwrap();
    sleep(SECOND * 600).await;
    let told = bed.heard(|event| matches!(event, Event::Error { .. }).then_some(()));
    assert_eq!(told.len(), 1);
    assert!(bed.pool.stats().totals.errors > 100);
}

#[tokio::test(start_paused = true)]
async fn when_the_engine_is_back_the_refill_goes_on_at_once() {
    let bed = Bed::warm(config(2, 4)).await;
    bed.engine.creates(repeat_n(Answer::Fail(Code::EngineUnavailable), 10_000));
    let _taken = bed.pool.try_acquire().unwrap().unwrap();
    sleep(SECOND * 600).await;
    // Between two tries.
    while bed.counts()[1] > 0 {
        now().await;
    }
    bed.engine.come_back();
    sleep(CREATE + Duration::from_millis(2)).await;
    assert_eq!(bed.counts(), [2, 0, 1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn panics_are_counted() {
    let bed = Bed::warm(config(1, 4)).await;
    bed.engine.creates([Answer::Panic]);
    bed.engine.destroys([Answer::Panic]);
    drop(bed.pool.try_acquire().unwrap());
    rest().await;
    assert_eq!(bed.pool.stats().totals.panics, 2);
    assert_eq!(bed.counts(), [1, 0, 0, 0, 0]);
}

/// A pool of one whose containers have been dying young; the one it holds now lives.
async fn troubled() -> Bed {
    let bed = Bed::warm(config(1, 4)).await;
    let mortal = Answer::Mortal(Duration::from_millis(1));
    bed.engine.creates([mortal, mortal]);
    drop(bed.pool.try_acquire().unwrap());
    while bed.pool.totals().lost < 2 || bed.counts() != [1, 0, 0, 0, 0] {
        now().await;
    }
    assert_eq!(bed.pool.state(), PoolState::Degraded);
    bed
}

#[tokio::test(start_paused = true)]
async fn a_container_that_was_used_ends_the_trouble_with_those_that_died_young() {
    let bed = troubled().await;
    drop(bed.pool.try_acquire().unwrap().unwrap());
    assert_eq!(bed.pool.state(), PoolState::Healthy);
}

#[tokio::test(start_paused = true)]
async fn one_that_died_in_use_does_not() {
    let bed = troubled().await;
    let acquired = bed.pool.try_acquire().unwrap().unwrap();
    bed.engine.kill(acquired.lease.id());
    now().await;
    drop(acquired);
    assert_eq!(bed.pool.state(), PoolState::Degraded);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_not_used_does_not_either_before_it_has_lasted() {
    let bed = troubled().await;
    bed.pool.ready()[0].destroy().await.unwrap();
    assert_eq!(bed.pool.state(), PoolState::Degraded);
    sleep(SECOND * 6).await;
    assert_eq!(bed.pool.state(), PoolState::Healthy);
}
