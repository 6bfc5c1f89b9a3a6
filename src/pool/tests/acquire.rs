use std::{
    future::{pending, ready},
    sync::Arc,
    time::Duration,
};

use futures_util::{poll, FutureExt};
use tokio::{
    sync::Notify,
    time::{sleep, timeout, Instant},
};

use super::fake::{config, now, rest, Answer, Bed, CREATE, DESTROY};
use crate::{
    config::{PoolConfig, PoolSize},
    error::Code,
    pool::{Event, Stage},
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_warm_container_is_there_at_once_without_a_task_switch() {
    let bed = Bed::warm(config(2, 4)).await;
    let acquired = bed.pool.acquire(None, pending()).now_or_never().unwrap().unwrap();
    assert!(acquired.warm);
    assert_eq!(acquired.waited, Duration::ZERO);
    assert_eq!(acquired.lease.stage(), Stage::Leased);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_goes_first() {
    let bed = Bed::warm(config(3, 6)).await;
    let ready: Vec<_> = bed.pool.ready().iter().map(|member| member.id().to_owned()).collect();
    let first = bed.pool.try_acquire().unwrap().unwrap();
    let second = bed.pool.try_acquire().unwrap().unwrap();
    assert_eq!([first.lease.id(), second.lease.id()], [&*ready[0], &*ready[1]]);
}

#[tokio::test(start_paused = true)]
async fn an_acquire_starts_a_refill_in_the_background() {
    let bed = Bed::warm(config(2, 4)).await;
    let _lease = bed.pool.try_acquire().unwrap().unwrap();
    assert_eq!(bed.counts(), [1, 1, 1, 0, 0]);
    rest().await;
    assert_eq!(bed.counts(), [2, 0, 1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_pool_creates_on_demand() {
    let bed = Bed::new(config(0, 4));
    let acquired = bed.pool.acquire(Some(SECOND), pending()).await.unwrap();
    assert!(!acquired.warm);
    assert_eq!(acquired.waited, CREATE * 2, "a prepare and a create");
    let stats = bed.pool.stats();
    assert_eq!((stats.totals.acquired_warm, stats.totals.acquired_on_demand), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn it_works_before_initialize_and_fills_the_pool() {
    let bed = Bed::new(config(2, 4));
    let _acquired = bed.pool.acquire(Some(SECOND), pending()).await.unwrap();
    rest().await;
    assert_eq!(bed.counts(), [2, 0, 1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_takes_whichever_comes_first() {
    let bed = Bed::warm(config(1, 4)).await;
    bed.engine.creates([Answer::After(SECOND), Answer::After(SECOND * 3)]);
    let _warm = bed.pool.try_acquire().unwrap().unwrap();
    let waiting = bed.pool.acquire(None, pending()).await.unwrap();
    assert_eq!(waiting.waited, SECOND, "the refill's, not its own");
}

#[tokio::test(start_paused = true)]
async fn at_max_callers_wait_in_line_and_are_served_in_order() {
    let bed = Bed::warm(config(1, 1)).await;
    let first = bed.pool.try_acquire().unwrap().unwrap();
    let served = Arc::new(std::sync::Mutex::new(Vec::new()));
    for name in ["a", "b", "c"] {
        let (pool, served) = (bed.pool.clone(), served.clone());
        tokio::spawn(async move {
            let acquired = pool.acquire(None, pending()).await.unwrap();
            served.lock().unwrap().push(name);
            sleep(SECOND).await;
            drop(acquired);
        });
        now().await;
    }
    assert_eq!(bed.counts(), [0, 0, 1, 0, 3]);
    drop(first);
    rest().await;
    assert_eq!(*served.lock().unwrap(), ["a", "b", "c"]);
    assert_eq!(bed.engine.peaks().containers, 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_overtakes_the_line() {
    let bed = Bed::warm(config(1, 1)).await;
    let first = bed.pool.try_acquire().unwrap().unwrap();
    let mut early = Box::pin(bed.pool.acquire(None, pending()));
    assert!(poll!(&mut early).is_pending());
    first.lease.destroy().await.unwrap();
    sleep(CREATE).await;
    assert!(bed.pool.try_acquire().unwrap().is_none(), "what was made is on its way to another");
    assert!(early.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_deadline_holds_and_the_error_says_why() {
    let bed = Bed::warm(config(1, 1)).await;
    let _taken = bed.pool.try_acquire().unwrap().unwrap();
    let start = Instant::now();
    let error = bed.pool.acquire(Some(SECOND), pending()).await.err().unwrap();
    assert_eq!(start.elapsed(), SECOND);
    assert_eq!((error.code, error.timeout), (Code::AcquireTimeout, Some(1000)));
    assert!(error.message.contains("1 leased") && error.message.contains("max 1"), "{error}");
    let stats = bed.pool.stats();
    assert_eq!((stats.totals.timeouts, stats.waiting), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_names_the_failed_create_as_its_cause() {
    let bed = Bed::warm(config(1, 2)).await;
    bed.engine.creates([Answer::Fail(Code::EngineError), Answer::Never]);
    let _taken = bed.pool.try_acquire().unwrap().unwrap();
    sleep(CREATE + CREATE).await;
    let error = bed.pool.acquire(Some(SECOND), pending()).await.err().unwrap();
    assert_eq!(error.cause.unwrap().code, Code::EngineError);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_covers_preparing_and_the_error_says_so() {
    let bed = Bed::new(config(1, 1));
    bed.engine.prepares([Answer::Never]);
    let error = bed.pool.acquire(Some(SECOND), pending()).await.err().unwrap();
    assert_eq!(error.code, Code::AcquireTimeout);
    assert!(error.message.contains("initialize()"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_full_line_turns_callers_away() {
    let bed = Bed::warm(PoolConfig { max_waiting: Some(1), ..config(0, 1) }).await;
    let mut served = Box::pin(bed.pool.acquire(None, pending()));
    assert!(poll!(&mut served).is_pending(), "there is room for this one");
    let mut waiting = Box::pin(bed.pool.acquire(None, pending()));
    assert!(poll!(&mut waiting).is_pending(), "this one is in line");
    let error = bed.pool.acquire(None, pending()).await.err().unwrap();
    assert_eq!(error.code, Code::PoolExhausted);
    let _lease = served.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_line_of_none_still_creates_on_demand() {
    let bed = Bed::warm(PoolConfig { max_waiting: Some(0), ..config(0, 2) }).await;
    let (a, b, c) = tokio::join!(
        bed.pool.acquire(None, pending()),
        bed.pool.acquire(None, pending()),
        bed.pool.acquire(None, pending()),
    );
    assert!(a.is_ok() && b.is_ok());
    assert_eq!(c.err().unwrap().code, Code::PoolExhausted);
}

#[tokio::test(start_paused = true)]
async fn cancelled_before_it_began_it_takes_nothing() {
    let bed = Bed::warm(config(1, 1)).await;
    let error = bed.pool.acquire(None, ready(())).await.err().unwrap();
    assert_eq!(error.code, Code::ContainerTerminated);
    assert_eq!(bed.counts(), [1, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn cancelled_in_line_it_leaves() {
    let bed = Bed::warm(config(1, 1)).await;
    let _taken = bed.pool.try_acquire().unwrap().unwrap();
    let cancel = Notify::new();
    let mut waiting = Box::pin(bed.pool.acquire(None, cancel.notified()));
    assert!(poll!(&mut waiting).is_pending());
    cancel.notify_one();
    assert_eq!(waiting.await.err().unwrap().code, Code::ContainerTerminated);
    assert_eq!(bed.pool.stats().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_to_a_caller_who_is_gone_goes_to_the_next() {
    let bed = Bed::warm(config(0, 1)).await;
    let mut gone = Box::pin(bed.pool.acquire(None, pending()));
    assert!(poll!(&mut gone).is_pending());
    let mut next = Box::pin(bed.pool.acquire(None, pending()));
    assert!(poll!(&mut next).is_pending());
    sleep(CREATE + DESTROY).await;
    assert_eq!(bed.counts(), [0, 0, 1, 0, 1], "handed over, not received");
    drop(gone);
    let acquired = next.now_or_never().unwrap().unwrap();
    assert_eq!(bed.engine.asked(), 1);
    assert_eq!(acquired.lease.id(), "c0001");
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_to_a_caller_who_is_gone_is_warm_again_if_the_pool_lacks_one() {
    let bed = Bed::warm(config(1, 1)).await;
    let taken = bed.pool.try_acquire().unwrap().unwrap();
    let mut gone = Box::pin(bed.pool.acquire(None, pending()));
    assert!(poll!(&mut gone).is_pending());
    drop(taken);
    sleep(DESTROY + CREATE * 2).await;
    assert_eq!(bed.counts(), [0, 0, 1, 0, 0]);
    drop(gone);
    assert_eq!(bed.counts(), [1, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_to_a_caller_who_is_gone_is_destroyed_if_nobody_needs_it() {
    let bed = Bed::warm(config(0, 1)).await;
    let mut gone = Box::pin(bed.pool.acquire(None, pending()));
    assert!(poll!(&mut gone).is_pending());
    sleep(CREATE + DESTROY).await;
    assert_eq!(bed.counts(), [0, 0, 1, 0, 0]);
    drop(gone);
    rest().await;
    assert_eq!(bed.counts(), [0; 5]);
    assert!(bed.engine.live().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_caller_gone_at_any_moment_leaves_no_container_behind() {
    for millis in 0..=250 {
        let bed = Bed::new(config(0, 2));
        let gone = timeout(Duration::from_millis(millis), bed.pool.acquire(None, pending())).await;
        drop(gone);
        rest().await;
        assert_eq!(bed.counts(), [0; 5], "gone after {millis} ms");
        assert!(bed.engine.live().is_empty(), "gone after {millis} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_warm_container_that_has_just_died_is_not_handed_out() {
    let bed = Bed::warm(config(2, 4)).await;
    let ready = bed.pool.ready();
    // The pool's own tasks have not run yet when the caller comes.
    bed.engine.kill(ready[0].id());
    let acquired = bed.pool.acquire(None, pending()).now_or_never().unwrap().unwrap();
    assert_eq!(acquired.lease.id(), ready[1].id());
    let stats = bed.pool.stats();
    assert_eq!((stats.totals.lost, stats.totals.acquired_warm), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn one_that_died_on_its_way_to_a_caller_in_line_is_exchanged_and_the_place_kept() {
    let bed = Bed::warm(config(0, 1)).await;
    let mut first = Box::pin(bed.pool.acquire(None, pending()));
    assert!(poll!(&mut first).is_pending());
    let mut second = Box::pin(bed.pool.acquire(None, pending()));
    assert!(poll!(&mut second).is_pending());
    sleep(CREATE + DESTROY).await;
    bed.engine.kill("c0001");
    assert!(poll!(&mut first).is_pending(), "exchanged");
    sleep(DESTROY + CREATE * 2).await;
    let acquired = first.now_or_never().unwrap().unwrap();
    assert_eq!(acquired.lease.id(), "c0002");
    assert_eq!(bed.pool.stats().totals.acquired_on_demand, 1);
}

#[tokio::test(start_paused = true)]
async fn what_died_on_its_way_to_a_caller_who_is_gone_is_not_warm_again() {
    let bed = Bed::warm(config(1, 1)).await;
    let taken = bed.pool.try_acquire().unwrap().unwrap();
    let mut gone = Box::pin(bed.pool.acquire(None, pending()));
    assert!(poll!(&mut gone).is_pending());
    drop(taken);
    sleep(DESTROY + CREATE * 2).await;
    assert_eq!(bed.counts(), [0, 0, 1, 0, 0]);
    bed.engine.kill("c0002");
    now().await;
    drop(gone);
    assert_eq!(bed.counts(), [0, 0, 0, 1, 0]);
    rest().await;
    assert_eq!(bed.pool.ready()[0].id(), "c0003");
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_container_died_on_its_way_takes_the_warm_one_there_is_by_then() {
    let bed = Bed::warm(config(1, 2)).await;
    let taken = bed.pool.try_acquire().unwrap().unwrap();
    bed.engine.creates([Answer::After(CREATE), Answer::Never]);
    let mut waiting = Box::pin(bed.pool.acquire(None, pending()));
    assert!(poll!(&mut waiting).is_pending());
    bed.pool.resize(PoolSize::fixed(2));
    drop(taken);
    bed.engine.recover();
    sleep(CREATE * 4).await;
    let warm = bed.pool.ready();
    assert_eq!((warm.len(), bed.counts()), (1, [1, 0, 1, 0, 0]));
    bed.engine.kill("c0002");
    let acquired = waiting.now_or_never().unwrap().unwrap();
    assert_eq!(acquired.lease.id(), warm[0].id());
}

#[tokio::test(start_paused = true)]
async fn it_tells_the_owner() {
    let bed = Bed::warm(config(1, 2)).await;
    let acquired = bed.pool.try_acquire().unwrap().unwrap();
    let heard = bed.heard(|event| match event {
        Event::Acquired { id, warm, waited_ms } => Some((id.clone(), *warm, *waited_ms)),
        _ => None,
    });
    assert_eq!(heard, [(acquired.lease.id().to_owned(), true, 0.0)]);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_in_line_are_served_within_the_bound() {
    let bed = Bed::new(PoolConfig { create_concurrency: 50, ..config(2, 100) });
    let calls: Vec<_> = (0..10_000)
        .map(|_| {
            let pool = bed.pool.clone();
            tokio::spawn(async move { pool.acquire(None, pending()).await.map(drop) })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    rest().await;
    assert_eq!(bed.counts(), [2, 0, 0, 0, 0]);
    assert!(bed.engine.peaks().containers <= 100);
}

#[test]
fn it_needs_no_runtime_around_the_caller() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let bed = {
        let _context = runtime.enter();
        Bed::new(config(0, 1))
    };
    let wait = std::thread::spawn(move || {
        let mut call = Box::pin(bed.pool.acquire(Some(Duration::from_secs(60)), pending()));
        let acquired = futures_executor(&mut call).unwrap();
        drop(acquired);
        bed.pool.stats().leased
    });
    assert_eq!(wait.join().unwrap(), 0);
}

/// The least there is of an executor: a parked thread.
fn futures_executor<T>(call: &mut (impl std::future::Future<Output = T> + Unpin)) -> T {
    struct Thread(std::thread::Thread);
    impl std::task::Wake for Thread {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::task::Waker::from(Arc::new(Thread(std::thread::current())));
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        match std::pin::Pin::new(&mut *call).poll(&mut context) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
