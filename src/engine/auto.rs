//! An engine of which it is found out at the first call which one it is.

use std::{
    fmt::{self, Display},
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use tokio::sync::{watch, Mutex};

use super::{
    Attached, ContainerId, CpuTime, CreateError, Engine, EngineInfo, EngineKind, EngineState,
    ExecSpec, ExecStatus, ExecStream, Health, Init, KeptImage, Making, OnPull, Orphan, Recipe,
    TemplateStatus,
};
use crate::{
    budget::Budget,
    error::{Code, Error, Result},
    task,
};

/// An engine that may be the one, or why it can't be.
pub(super) struct Candidate {
    /// As the beginning of a sentence that tells of it.
    pub name: &'static str,
    pub engine: Result<Arc<dyn Engine>>,
}

/// The first of several engines that answers. It stays that one: an engine that is away for a moment must
/// not be exchanged for another one.
pub(super) struct Auto {
    /// In the order in which they are tried; none when one has answered.
    open: Mutex<Vec<Candidate>>,
    settled: OnceLock<Arc<dyn Engine>>,
    /// What users are told of where it is before that is known.
    tried: Tried,
    /// As the one that has answered tells it.
    health: watch::Sender<Health>,
    template: watch::Sender<Option<TemplateStatus>>,
    budget: Arc<Budget>,
}

/// Where an engine is looked for.
struct Tried(Vec<String>);

impl Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", or "))
    }
}

impl Auto {
    /// `budget`: that of each of the candidates.
    pub fn new(candidates: Vec<Candidate>, budget: Arc<Budget>) -> Self {
        let engines = candidates.iter().filter_map(|candidate| candidate.engine.as_ref().ok());
        let tried = Tried(engines.map(|engine| engine.address().to_string()).collect());
        let (health, template) = (watch::Sender::new(Health::good()), watch::Sender::default());
        let (open, settled) = (Mutex::new(candidates), OnceLock::new());
        Self { open, settled, tried, health, template, budget }
    }

    /// The engine, found out if it is not known.
    async fn engine(&self) -> Result<&dyn Engine> {
        match self.settled.get() {
            Some(engine) => Ok(&**engine),
            None => self.find().await.map(|(engine, _)| engine),
        }
    }

    /// The engine, and what it says of itself.
    async fn find(&self) -> Result<(&dyn Engine, EngineInfo)> {
        let mut open = self.open.lock().await;
        if let Some(engine) = self.settled.get() {
            return Ok((&**engine, engine.connect().await?));
        }
        let mut faults = Vec::new();
        for Candidate { name, engine } in open.iter() {
            let fault = match engine {
                Ok(engine) => match engine.connect().await {
                    Ok(info) => {
                        let engine = self.settled.get_or_init(|| engine.clone());
                        follow(engine.health(), &self.health);
                        follow(engine.template(), &self.template);
                        open.clear();
                        return Ok((&**engine, info));
                    }
                    Err(error) => error,
                },
                Err(error) => error.clone(),
            };
            faults.push((*name, fault));
        }
        let error = none(faults);
        self.health.send_if_modified(|known| {
            let changed = !known.is_down();
            let since = if changed { Health::good().since } else { known.since };
            *known = Health { state: EngineState::Down, since, error: Some(error.clone()) };
            changed
        });
        Err(error)
    }
}

/// Has `own` tell what is told.
fn follow<T: Clone + Send + Sync + 'static>(mut told: watch::Receiver<T>, own: &watch::Sender<T>) {
    let own = own.clone();
    own.send_replace(told.borrow_and_update().clone());
    task::spawn(async move {
        while told.changed().await.is_ok() {
            own.send_replace(told.borrow_and_update().clone());
        }
    });
}

/// The error for a machine on which no engine answers.
fn none(faults: Vec<(&str, Error)>) -> Error {
    let said: Vec<String> = faults
        .iter()
        .map(|(name, error)| format!("{name}: {}", error.message.trim_end_matches('.')))
        .collect();
    let message = format!("There is no engine to run containers. {}.", said.join(". "));
    let error = Error::new(Code::EngineUnavailable, message);
    match faults.into_iter().next() {
        Some((_, first)) => error.cause(first),
        None => error,
    }
}

#[async_trait]
impl Engine for Auto {
    fn kind(&self) -> EngineKind {
        self.settled.get().map_or(EngineKind::Auto, |engine| engine.kind())
    }

    fn address(&self) -> &dyn Display {
        match self.settled.get() {
            Some(engine) => engine.address(),
            None => &self.tried,
        }
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    fn template(&self) -> watch::Receiver<Option<TemplateStatus>> {
        match self.settled.get() {
            // With the forks of this moment.
            Some(engine) => engine.template(),
            None => self.template.subscribe(),
        }
    }

    fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    async fn connect(&self) -> Result<EngineInfo> {
        match self.settled.get() {
            Some(engine) => engine.connect().await,
            None => self.find().await.map(|(_, info)| info),
        }
    }

    async fn prepare(&self, on_pull: OnPull) -> Result<()> {
        self.engine().await?.prepare(on_pull).await
    }

    async fn derive(&self, recipe: &Recipe, on_pull: OnPull, layer: Making<'_>) -> Result<()> {
        self.engine().await?.derive(recipe, on_pull, layer).await
    }

    async fn images(&self) -> Result<Vec<KeptImage>> {
        self.engine().await?.images().await
    }

    async fn prune_images(&self) -> Result<Vec<KeptImage>> {
        self.engine().await?.prune_images().await
    }

    async fn create(&self, init: Init) -> Result<Attached, CreateError> {
        self.engine().await.map_err(CreateError::Other)?.create(init).await
    }

    async fn create_supervised(&self) -> Option<Result<Attached, CreateError>> {
        match self.engine().await {
            Ok(engine) => engine.create_supervised().await,
            Err(error) => Some(Err(CreateError::Other(error))),
        }
    }

    async fn exec(&self, id: &str, spec: ExecSpec) -> Result<ExecStream> {
        self.engine().await?.exec(id, spec).await
    }

    async fn exec_status(&self, exec_id: &str) -> Result<ExecStatus> {
        self.engine().await?.exec_status(exec_id).await
    }

    async fn catch_up(&self, id: &str) -> bool {
        match self.engine().await {
            Ok(engine) => engine.catch_up(id).await,
            Err(_) => false,
        }
    }

    async fn cpu_time(&self, id: &str) -> Result<CpuTime> {
        self.engine().await?.cpu_time(id).await
    }

    async fn remove(&self, id: &str) -> Result<()> {
        self.engine().await?.remove(id).await
    }

    fn discard(&self, id: &str) {
        // Without an engine there is no container.
        if let Some(engine) = self.settled.get() {
            engine.discard(id);
        }
    }

    async fn orphans(&self) -> Result<Vec<Orphan>> {
        self.engine().await?.orphans().await
    }

    async fn sweep(&self) -> Result<Vec<ContainerId>> {
        self.engine().await?.sweep().await
    }

    async fn settle(&self) {
        if let Some(engine) = self.settled.get() {
            engine.settle().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::engine::security::Isolation;

    /// An engine that answers, or does not, and can do nothing else.
    struct Fake {
        address: &'static str,
        answers: AtomicBool,
        health: watch::Sender<Health>,
        budget: Arc<Budget>,
    }

    impl Fake {
        fn new(address: &'static str, answers: bool) -> Arc<Self> {
            let (health, _) = watch::channel(Health::good());
            Arc::new(Self { address, answers: answers.into(), health, budget: Budget::new() })
        }
    }

    #[async_trait]
    impl Engine for Fake {
        fn kind(&self) -> EngineKind {
            EngineKind::Local
        }

        fn address(&self) -> &dyn Display {
            &self.address
        }

        fn health(&self) -> watch::Receiver<Health> {
            self.health.subscribe()
        }

        fn budget(&self) -> &Arc<Budget> {
            &self.budget
        }

        async fn connect(&self) -> Result<EngineInfo> {
            if !self.answers.load(Ordering::Relaxed) {
                let message = format!("nobody is {}.", self.address());
                return Err(Error::new(Code::EngineUnavailable, message));
            }
            Ok(EngineInfo {
                kind: self.kind(),
                address: self.address().to_string(),
                version: String::new(),
                api_version: String::new(),
                memory: 0,
                cpus: 0,
                warnings: Vec::new(),
                isolation: Isolation::default(),
                runtime: None,
                fences: Vec::new(),
                unhonoured: Vec::new(),
            })
        }

        async fn prepare(&self, _: OnPull) -> Result<()> {
            Ok(())
        }

        async fn create(&self, _: Init) -> Result<Attached, CreateError> {
            Err(CreateError::Other(Error::new(Code::EngineError, "a fake")))
        }

        async fn exec(&self, _: &str, _: ExecSpec) -> Result<ExecStream> {
            Err(Error::new(Code::EngineError, "a fake"))
        }

        async fn exec_status(&self, _: &str) -> Result<ExecStatus> {
            Err(Error::new(Code::EngineError, "a fake"))
        }

        async fn catch_up(&self, _: &str) -> bool {
            false
        }

        async fn cpu_time(&self, _: &str) -> Result<CpuTime> {
            Err(Error::new(Code::EngineError, "a fake"))
        }

        async fn remove(&self, _: &str) -> Result<()> {
            Ok(())
        }

        fn discard(&self, _: &str) {}

        async fn orphans(&self) -> Result<Vec<Orphan>> {
            Ok(Vec::new())
        }

        async fn sweep(&self) -> Result<Vec<ContainerId>> {
            Ok(Vec::new())
        }

        async fn settle(&self) {}
    }

    fn auto(engines: &[&Arc<Fake>]) -> Auto {
        let candidate = |fake: &&Arc<Fake>| {
            let engine: Arc<dyn Engine> = (*fake).clone();
            Candidate { name: "It", engine: Ok(engine) }
        };
        Auto::new(engines.iter().map(candidate).collect(), Budget::new())
    }

    #[tokio::test]
    async fn it_is_the_first_that_answers_and_stays_it() {
        let (there, here) = (Fake::new("there", false), Fake::new("here", true));
        let auto = auto(&[&there, &here]);
        assert_eq!(auto.kind(), EngineKind::Auto);
        assert_eq!(auto.address().to_string(), "there, or here");
        assert_eq!(auto.connect().await.unwrap().address, "here");
        assert_eq!(auto.kind(), EngineKind::Local);
        assert_eq!(auto.address().to_string(), "here");

        there.answers.store(true, Ordering::Relaxed);
        here.answers.store(false, Ordering::Relaxed);
        assert_eq!(auto.connect().await.unwrap_err().message, "nobody is here.");
    }

    #[tokio::test]
    async fn where_both_answer_it_is_the_first() {
        let (there, here) = (Fake::new("there", true), Fake::new("here", true));
        assert_eq!(auto(&[&there, &here]).connect().await.unwrap().address, "there");
    }

    #[tokio::test]
    async fn where_none_answers_each_is_named_with_its_reason_and_all_are_tried_again() {
        let there = Fake::new("there", false);
        let refused = Error::new(Code::InvalidArgument, "network must be 'none'");
        let candidates = vec![
            Candidate { name: "That one", engine: Ok(there.clone() as Arc<dyn Engine>) },
            Candidate { name: "This machine", engine: Err(refused) },
        ];
        let auto = Auto::new(candidates, Budget::new());
        let error = auto.connect().await.unwrap_err();
        assert_eq!(error.code, Code::EngineUnavailable);
        assert_eq!(
            error.message,
            "There is no engine to run containers. That one: nobody is there. This machine: network must be \
             'none'."
        );
        assert!(auto.health().borrow().is_down());

        there.answers.store(true, Ordering::Relaxed);
        assert_eq!(auto.connect().await.unwrap().address, "there");
        assert!(!auto.health().borrow().is_down());
    }

    #[tokio::test]
    async fn how_it_stands_is_how_the_one_that_answered_stands() {
        let here = Fake::new("here", true);
        let auto = auto(&[&here]);
        let mut health = auto.health();
        auto.connect().await.unwrap();
        here.health.send_replace(Health { state: EngineState::Down, ..Health::good() });
        health.wait_for(Health::is_down).await.unwrap();
    }
}
