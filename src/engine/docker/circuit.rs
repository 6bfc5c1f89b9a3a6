//! One circuit for each engine.
//!
//! ```text
//!            a create, start … fails there        no answer, and none to a probe either
//!  Healthy ────────────────────────────▶ Degraded ─────────────────────────────────────▶ Down
//!     ▲ ◀──────────────────────────────────┘ │                                            │
//!     │       the same call succeeds         └── from Healthy, too                        │
//!     └───────────────────────────────────────────────────────────────────────────────────┘
//!                                a probe, or any call, is answered
//! ```
//!
//! While it is down, calls fail at once with what the last probe found, and only the prober calls, with
//! growing pauses: a hundred pools on an engine that hangs send it one ping. A call cuts a pause short
//! and waits for that probe's verdict, so the first call after the engine's return works.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Mutex, MutexGuard, PoisonError, Weak,
    },
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{watch, Notify},
    time::{sleep, Instant},
};

use super::{
    super::health::{EngineState, Health},
    fault::Fault,
};
use crate::{
    backoff::delay,
    error::{Error, Result},
    task,
};

/// The longest a probe may take.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// The shortest pause between two probes, whoever is in a hurry.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// Failures of these on the engine's side mean that it is not well, whoever called. Others (an image it
/// can't pull, a command it can't find) are about what was asked for.
const VITAL: [&str; 4] =
    ["create container", "attach to container", "start container", "remove container"];

/// Asks the engine for any answer at all.
pub(super) type Probe =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send + Sync>;

pub(super) struct Circuit {
    health: watch::Sender<Health>,
    findings: Mutex<Findings>,
    probe: Probe,
    probing: AtomicBool,
    /// Rung to cut the prober's pause short.
    hurry: Arc<Notify>,
    /// When the last probe that has ended was begun.
    probed: watch::Sender<Option<Instant>>,
}

#[derive(Default)]
struct Findings {
    down: Option<Error>,
    /// The vital calls whose last attempt went wrong, by name.
    troubled: BTreeMap<&'static str, Error>,
}

impl Circuit {
    pub fn new(probe: Probe) -> Arc<Self> {
        Arc::new(Self {
            health: watch::Sender::new(Health::good()),
            findings: Mutex::default(),
            probe,
            probing: AtomicBool::new(false),
            hurry: Arc::default(),
            probed: watch::Sender::new(None),
        })
    }

    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Resolves when the engine is not down.
    pub async fn closed(&self) {
        // An error would mean that the circuit is gone; it is borrowed.
        let _ = self.health.subscribe().wait_for(|health| !health.is_down()).await;
    }

    /// Lets a call through; while the engine is down, only after a probe that was answered.
    pub async fn admit(&self) -> Result<(), Fault> {
        if !self.health.borrow().is_down() {
            return Ok(());
        }
        // What a probe finds that is under way already may be out of date: the engine may have come back
        // since it was begun.
        let asked = Instant::now();
        let mut probed = self.probed.subscribe();
        self.hurry.notify_one();
        let verdict = probed.wait_for(|begun| begun.is_some_and(|begun| begun >= asked));
        tokio::select! {
            // An error would mean that the circuit is gone; it is borrowed.
            _ = verdict => {}
            () = self.closed() => return Ok(()),
        }
        match &self.findings().down {
            Some(error) => Err(Fault::Unreachable(error.clone())),
            None => Ok(()),
        }
    }

    /// Takes the end of a call: `error` is what its caller is told, `fault` what lies beneath.
    pub fn report(self: &Arc<Self>, call: &'static str, fault: Option<(&Fault, Error)>) {
        let vital = VITAL.contains(&call);
        match fault {
            None => self.answered(call),
            Some((Fault::Refused { status, .. }, _)) if *status < 500 => self.answered(call),
            Some((Fault::Refused { .. } | Fault::Failed(_) | Fault::Garbled(_), error)) => {
                self.find(|findings| {
                    findings.down = None;
                    if vital {
                        findings.troubled.insert(call, error);
                    }
                });
            }
            Some((Fault::Unreachable(_), _)) => self.investigate(),
            Some((Fault::Unanswered(_) | Fault::Overdue(_), error)) => {
                if vital {
                    self.find(|findings| drop(findings.troubled.insert(call, error)));
                }
                self.investigate();
            }
        }
    }

    fn answered(&self, call: &'static str) {
        self.find(|findings| {
            findings.down = None;
            findings.troubled.remove(call);
        });
    }

    /// Probes the engine now, and on until it answers, unless that is being done.
    pub fn investigate(self: &Arc<Self>) {
        if self.probing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (mut prober, hurry) = (Prober(Arc::downgrade(self)), self.hurry.clone());
        task::spawn(async move {
            for streak in 1.. {
                if prober.probe().await {
                    return;
                }
                let pause = delay(streak, &mut rand::rng()).max(SHORTEST_PAUSE);
                tokio::select! {
                    () = sleep(pause) => {}
                    () = async { sleep(SHORTEST_PAUSE).await; hurry.notified().await } => {}
                }
            }
        });
    }

    fn findings(&self) -> MutexGuard<'_, Findings> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known, and tells of it where the engine stands differently now.
    fn find(&self, change: impl FnOnce(&mut Findings)) {
        let mut findings = self.findings();
        change(&mut findings);
        let (state, error) = match (&findings.down, findings.troubled.values().next()) {
            (Some(error), _) => (EngineState::Down, Some(error.clone())),
            (None, Some(error)) => (EngineState::Degraded, Some(error.clone())),
            (None, None) => (EngineState::Healthy, None),
        };
        self.health.send_if_modified(|health| {
            let changed = health.state != state;
            if changed {
                *health = Health { state, since: SystemTime::now(), error };
            }
            changed
        });
    }
}

/// Whoever probes. Holds no circuit that nobody else does.
struct Prober(Weak<Circuit>);

impl Prober {
    /// Probes once; says whether there is nothing more to do.
    async fn probe(&mut self) -> bool {
        let Some(circuit) = self.0.upgrade() else { return true };
        let begun = Instant::now();
        let verdict = (circuit.probe)().await;
        let answered = verdict.is_ok();
        if answered {
            // Before the news is out: what fails after it must find nobody probing.
            self.retire();
        }
        circuit.find(|findings| {
            findings.down = verdict.err();
            if !answered {
                // What went wrong on its way down tells nothing of how it will be after.
                findings.troubled.clear();
            }
        });
        circuit.probed.send_replace(Some(begun));
        answered
    }

    fn retire(&mut self) {
        if let Some(circuit) = std::mem::take(&mut self.0).upgrade() {
            circuit.probing.store(false, Ordering::Release);
        }
    }
}

impl Drop for Prober {
    /// However the task ends: the next failure has the engine probed again.
    fn drop(&mut self) {
        self.retire();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::time::timeout;

    use super::*;
    use crate::error::Code;

    fn error() -> Error {
        Error::new(Code::EngineUnavailable, "no answer")
    }

    /// A circuit whose engine answers probes while the switch is on, and how often it was probed.
    fn circuit() -> (Arc<Circuit>, Arc<AtomicBool>, Arc<AtomicUsize>) {
        let (up, probes) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let (switch, count) = (up.clone(), probes.clone());
        let circuit = Circuit::new(Box::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let answers = switch.load(Ordering::SeqCst);
            Box::pin(async move {
                sleep(Duration::from_millis(1)).await;
                if answers {
                    Ok(())
                } else {
                    Err(error())
                }
            })
        }));
        (circuit, up, probes)
    }

    fn state(circuit: &Circuit) -> EngineState {
        circuit.health().borrow().state
    }

    fn fail(circuit: &Arc<Circuit>, call: &'static str, fault: &Fault) {
        circuit.report(call, Some((fault, error())));
    }

    const SOON: Duration = Duration::from_millis(10);
    const REFUSED: fn(u16) -> Fault = |status| Fault::Refused { status, message: "no".to_owned() };

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_answers_a_probe_is_not_down_whatever_happened_to_a_call() {
        let (circuit, ..) = circuit();
        fail(&circuit, "list containers", &Fault::Unanswered("reset".to_owned()));
        sleep(SOON).await;
        assert_eq!(state(&circuit), EngineState::Healthy);
        assert!(circuit.admit().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn while_it_is_down_calls_fail_with_what_the_probe_found_and_none_is_sent() {
        let (circuit, up, probes) = circuit();
        up.store(false, Ordering::SeqCst);
        fail(&circuit, "create container", &Fault::Unreachable(error()));
        sleep(SOON).await;
        assert_eq!(state(&circuit), EngineState::Down);
        let before = probes.load(Ordering::SeqCst);
        let admitted = futures_util::future::join_all((0..1000).map(|_| circuit.admit())).await;
        assert!(admitted.iter().all(|result| matches!(result, Err(Fault::Unreachable(_)))));
        assert!(probes.load(Ordering::SeqCst) <= before + 2, "a thousand calls share a probe");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_call_after_its_return_is_let_through() {
        let (circuit, up, _) = circuit();
        up.store(false, Ordering::SeqCst);
        fail(&circuit, "ping", &Fault::Overdue(SOON));
        sleep(Duration::from_secs(60)).await;
        up.store(true, Ordering::SeqCst);
        let asked = Instant::now();
        assert!(circuit.admit().await.is_ok());
        assert!(asked.elapsed() < SHORTEST_PAUSE * 2);
        assert_eq!(state(&circuit), EngineState::Healthy);
    }

    #[tokio::test(start_paused = true)]
    async fn it_recovers_without_a_call_and_an_outage_takes_few_probes() {
        let (circuit, up, probes) = circuit();
        up.store(false, Ordering::SeqCst);
        fail(&circuit, "ping", &Fault::Unreachable(error()));
        sleep(Duration::from_secs(600)).await;
        assert!(probes.load(Ordering::SeqCst) < 600);
        up.store(true, Ordering::SeqCst);
        timeout(PROBE_TIMEOUT * 2, circuit.closed()).await.expect("it recovers");
        let probed = probes.load(Ordering::SeqCst);
        sleep(Duration::from_secs(600)).await;
        assert_eq!(probes.load(Ordering::SeqCst), probed, "a healthy engine is not probed");
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_whose_creates_fail_is_degraded_until_one_succeeds() {
        let (circuit, ..) = circuit();
        fail(&circuit, "create container", &REFUSED(500));
        assert_eq!(state(&circuit), EngineState::Degraded);
        circuit.report("list containers", None);
        assert_eq!(state(&circuit), EngineState::Degraded, "another call proves nothing");
        circuit.report("create container", None);
        assert_eq!(state(&circuit), EngineState::Healthy);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_wrong_with_a_request_is_not_wrong_with_the_engine() {
        let (circuit, _, probes) = circuit();
        fail(&circuit, "create container", &REFUSED(404));
        fail(&circuit, "remove container", &REFUSED(409));
        fail(&circuit, "start exec", &REFUSED(500));
        assert_eq!(state(&circuit), EngineState::Healthy);
        assert_eq!(probes.load(Ordering::SeqCst), 0);
    }
}
