//! The interpreter that those of a pool's containers are forked from, while there is one.

use std::{
    future::Future,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use scientist_pool_protocol::ContainerId;
use tokio::{
    io::AsyncWriteExt,
    sync::{watch, Notify},
    task::JoinHandle,
    time::{sleep, timeout, Instant},
};

use super::{ahead::Kept, launcher::Link};
use crate::{
    engine::{Attached, CreateError, Stream, TemplateState, TemplateStatus},
    task,
};

/// What forks have in common is to change after so many of them, and after this time.
const MOST_FORKS: u64 = 10_000;
const LONGEST: Duration = Duration::from_secs(3600);
/// It forks, and does nothing else. Where it takes more than it began with, something is wrong.
const MOST_GROWTH: u64 = 32 << 20;
/// How long it may take to come up, with what it imports.
const BOOT: Duration = Duration::from_secs(60);
/// How often it is looked after while nobody asks it for forks; else with them.
const ROUND: Duration = Duration::from_secs(10);
/// It forks within a millisecond. Containers boot while it is silent for longer than the first; the second
/// is its end.
const LATE: Duration = Duration::from_millis(100);
const HUNG: Duration = Duration::from_secs(2);
/// One that has lived for so long was none of a row of bad ones.
const GOOD: Duration = Duration::from_secs(60);
/// After so many bad ones in a row there is none for this long.
const MOST_BAD: u32 = 3;
const REST: Duration = Duration::from_secs(60);
/// So many forks that fail, with none that does not between them, are its fault and not that of containers that
/// were removed meanwhile.
const MOST_FAILED: u64 = 3;
/// What it says when it can be forked.
const READY: &[u8] = b"ready";

/// That of one pool. Containers boot their interpreters while there is none.
pub(super) struct Template {
    state: Mutex<State>,
    told: watch::Sender<Option<TemplateStatus>>,
}

#[derive(Default)]
struct State {
    stage: Stage,
    /// What makes it and looks after it.
    work: Option<JoinHandle<()>>,
    /// How many in a row went a bad way.
    bad: u32,
}

enum Stage {
    /// There is none, and none on its way before that time.
    Missing(Option<Instant>),
    Starting,
    Ready(Booted),
    /// There can be none.
    Refused,
}

impl Default for Stage {
    fn default() -> Self {
        Self::Missing(None)
    }
}

struct Booted {
    /// As the engine names it.
    id: String,
    since: Instant,
    forks: u64,
    /// A fork has been asked for.
    asked: Arc<Notify>,
    /// Since when it owes an answer.
    owes: Option<Instant>,
}

/// How the life of one ended.
enum End {
    /// There can be no other.
    Refused(String),
    Bad(String),
    /// It is to be replaced, and was as it should be.
    WornOut(String),
}

impl Template {
    pub(super) fn new() -> Self {
        let told = watch::Sender::new(Some(TemplateStatus::new(TemplateState::None, None)));
        Self { state: Mutex::default(), told }
    }

    /// How it stands.
    pub(super) fn status(&self) -> watch::Receiver<Option<TemplateStatus>> {
        self.told.subscribe()
    }

    /// The one to fork from. `None`: there is none at this moment; `boot` makes the next one, if there can be
    /// one.
    pub(super) fn current<B>(
        self: &Arc<Self>,
        link: &Link,
        boot: impl FnOnce() -> B,
    ) -> Option<ContainerId>
    where
        B: Future<Output = Result<Kept, CreateError>> + Send + 'static,
    {
        let id = self.ask(boot)?;
        let own = link.own(&id);
        if own.is_none() {
            // Of a launcher that is gone.
            self.replace("its launcher has ended");
        }
        own
    }

    /// As [`Template::current`], by the engine's name.
    fn ask<B>(self: &Arc<Self>, boot: impl FnOnce() -> B) -> Option<String>
    where
        B: Future<Output = Result<Kept, CreateError>> + Send + 'static,
    {
        let mut state = self.lock();
        match &mut state.stage {
            Stage::Refused | Stage::Starting => return None,
            Stage::Missing(Some(until)) if Instant::now() < *until => return None,
            Stage::Missing(_) => {}
            Stage::Ready(booted) => {
                if booted.owes.is_some_and(|since| since.elapsed() > LATE) {
                    return None;
                }
                if booted.forks < MOST_FORKS && booted.since.elapsed() < LONGEST {
                    booted.forks += 1;
                    booted.asked.notify_one();
                    let id = booted.id.clone();
                    self.count();
                    return Some(id);
                }
                self.leave(&mut state, "it has served for long enough");
            }
        }
        state.stage = Stage::Starting;
        self.tell(TemplateState::Starting, None);
        state.work = Some(task::spawn(self.clone().keep(boot())));
        None
    }

    /// Ends the one there is, or is to be.
    pub(super) async fn end(&self) {
        let work = {
            let mut state = self.lock();
            let work = state.work.take();
            if work.is_some() && !matches!(state.stage, Stage::Refused) {
                *state = State::default();
                self.tell(TemplateState::None, None);
            }
            work
        };
        if let Some(work) = work {
            work.abort();
            // Its process is given up by then.
            let _ = work.await;
        }
    }

    fn replace(&self, why: &str) {
        self.leave(&mut self.lock(), why);
    }

    fn leave(&self, state: &mut State, why: &str) {
        if let Some(work) = state.work.take() {
            work.abort();
        }
        state.stage = Stage::Missing(None);
        self.tell(TemplateState::None, Some(why.to_owned()));
    }

    async fn keep(self: Arc<Self>, boot: impl Future<Output = Result<Kept, CreateError>>) {
        let end = self.live(boot).await;
        let mut state = self.lock();
        let stage = mem::take(&mut state.stage);
        let was_good = matches!(&stage, Stage::Ready(booted) if booted.since.elapsed() >= GOOD);
        let state_told = match &end {
            End::Refused(_) => TemplateState::Refused,
            End::Bad(_) | End::WornOut(_) => TemplateState::None,
        };
        let why = match end {
            End::WornOut(why) => why,
            End::Refused(why) => {
                state.stage = Stage::Refused;
                why
            }
            End::Bad(why) => {
                state.bad = if was_good { 1 } else { state.bad + 1 };
                if state.bad < MOST_BAD {
                    why
                } else {
                    state.bad = 0;
                    state.stage = Stage::Missing(Some(Instant::now() + REST));
                    format!("{why}; that was the last of {MOST_BAD} in a row, the next one is tried in {REST:?}")
                }
            }
        };
        self.tell(state_told, Some(why));
    }

    /// From its boot to its end. Its process is removed with this.
    async fn live(&self, boot: impl Future<Output = Result<Kept, CreateError>>) -> End {
        let mut kept = match boot.await {
            Ok(kept) => kept,
            Err(CreateError::NoSuchProgram(_)) => {
                return End::Refused("the image has no python3".to_owned())
            }
            Err(CreateError::Other(error)) => {
                return End::Bad(format!("it can't be made: {}", error.message))
            }
        };
        let Some(process) = kept.running() else { return End::Bad(DIED.to_owned()) };
        match timeout(BOOT, word(process)).await {
            Err(_) => return End::Bad(format!("it was not up within {BOOT:?}")),
            Ok(Err(said)) => {
                return End::Bad(format!("{DIED} before it was up: {}", said.trim_end()))
            }
            Ok(Ok(word)) if word != READY => {
                return End::Refused(String::from_utf8_lossy(&word).trim_end().to_owned())
            }
            Ok(Ok(_)) => {}
        }
        let asked = Arc::new(Notify::new());
        let booted = Booted {
            id: process.id.clone(),
            since: Instant::now(),
            forks: 0,
            asked: asked.clone(),
            owes: None,
        };
        self.lock().stage = Stage::Ready(booted);
        self.tell(TemplateState::Ready, None);
        self.look_after(process, &asked).await
    }

    async fn look_after(&self, process: &mut Attached, asked: &Notify) -> End {
        let mut said = Vec::new();
        let mut first = None;
        let (mut failed, mut forks) = (0, 0);
        loop {
            tokio::select! {
                () = asked.notified() => {}
                () = sleep(ROUND) => {}
                more = hear(process, &mut said) => {
                    if !more {
                        return End::Bad(DIED.to_owned());
                    }
                    continue;
                }
            }
            self.owe(Some(Instant::now()));
            if process.stdin.write_all(b"?").await.is_err() {
                return End::Bad(DIED.to_owned());
            }
            let answer = async {
                loop {
                    if let Some(used) = answered(&mut said, &mut failed) {
                        return Some(used);
                    }
                    if !hear(process, &mut said).await {
                        return None;
                    }
                }
            };
            let used = match timeout(HUNG, answer).await {
                Err(_) => return End::Bad(format!("it did not answer within {HUNG:?}")),
                Ok(None) => return End::Bad(DIED.to_owned()),
                Ok(Some(used)) => used,
            };
            let asked_for = self.owe(None);
            if used > *first.get_or_insert(used) + MOST_GROWTH {
                return End::WornOut(format!("it had grown by {} MiB", MOST_GROWTH >> 20));
            }
            if failed >= MOST_FAILED && failed >= asked_for - forks {
                return End::Bad("its forks fail on their way".to_owned());
            }
            if failed < asked_for - forks {
                (failed, forks) = (0, asked_for);
            }
        }
    }

    /// Since when an answer is owed. Gives how many forks have been asked for.
    fn owe(&self, since: Option<Instant>) -> u64 {
        match &mut self.lock().stage {
            Stage::Ready(booted) => {
                booted.owes = since;
                booted.forks
            }
            _ => 0,
        }
    }

    fn tell(&self, state: TemplateState, reason: Option<String>) {
        self.told.send_replace(Some(TemplateStatus::new(state, reason)));
    }

    /// One fork more, which nobody has to hear of at once.
    fn count(&self) {
        self.told.send_if_modified(|status| {
            if let Some(status) = status {
                status.forks += 1;
            }
            false
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing done under this lock can leave it half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const DIED: &str = "it died";

/// How it stands where there is to be none; `why`: what keeps it from being.
pub(super) fn off(why: &'static str) -> watch::Receiver<Option<TemplateStatus>> {
    let status = TemplateStatus::new(TemplateState::Off, Some(why.to_owned()));
    watch::channel(Some(status)).1
}

/// What it says first.
///
/// # Errors
///
/// It has ended; with its last words.
async fn word(process: &mut Attached) -> Result<Vec<u8>, String> {
    let (mut word, mut last) = (Vec::new(), Vec::new());
    while word.is_empty() {
        let read = process.output.read(|stream, bytes| match stream {
            Stream::Stdout => word.extend_from_slice(bytes),
            Stream::Stderr => {
                last.extend_from_slice(bytes);
                last.drain(..last.len().saturating_sub(1024));
            }
        });
        if !matches!(read.await, Ok(1..)) {
            return Err(String::from_utf8_lossy(&last).into_owned());
        }
    }
    Ok(word)
}

/// Takes what comes. `false`: nothing will come any more.
async fn hear(process: &mut Attached, said: &mut Vec<u8>) -> bool {
    let read = process.output.read(|stream, bytes| {
        if stream == Stream::Stdout {
            said.extend_from_slice(bytes);
        }
    });
    matches!(read.await, Ok(1..))
}

/// Reads lines up to the answer, the bytes that it uses: `=12345`. `!` is a fork that failed.
fn answered(said: &mut Vec<u8>, failed: &mut u64) -> Option<u64> {
    while let Some(end) = said.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = said.drain(..=end).collect();
        match line.trim_ascii_end().split_first() {
            Some((b'=', used)) => {
                return Some(std::str::from_utf8(used).ok()?.parse().unwrap_or(0))
            }
            Some((b'!', _)) => *failed += 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        path::PathBuf,
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio::{
        io::{duplex, AsyncRead, AsyncReadExt, DuplexStream, ReadBuf},
        time::advance,
    };

    use super::*;
    use crate::{
        budget::Budget,
        engine::{background::Background, local::Launcher, Output, Port, Told, Vitals},
        error::{Code, Error},
    };

    /// The stdout of one.
    struct Spoken(DuplexStream);

    impl Output for Spoken {
        fn poll_read(
            &mut self,
            context: &mut Context<'_>,
            take: &mut dyn FnMut(Stream, &[u8]),
        ) -> Poll<io::Result<usize>> {
            let mut bytes = [0; 256];
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.0).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) => {
                    take(Stream::Stdout, buffer.filled());
                    Poll::Ready(Ok(buffer.filled().len()))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            }
        }
    }

    /// What a test does in the place of one that was begun.
    struct Played {
        stdin: DuplexStream,
        stdout: DuplexStream,
        _told: watch::Sender<Told>,
    }

    impl Played {
        async fn say(&mut self, what: &str) {
            self.stdout.write_all(what.as_bytes()).await.unwrap();
        }

        /// Waits for a question.
        async fn asked(&mut self) {
            assert_eq!(self.stdin.read_u8().await.unwrap(), b'?');
        }
    }

    struct Bench(Arc<Template>);

    impl Bench {
        fn new() -> Self {
            Self(Arc::new(Template::new()))
        }

        fn status(&self) -> TemplateStatus {
            self.0.status().borrow().clone().unwrap()
        }

        async fn until(&self, state: TemplateState) -> TemplateStatus {
            let mut told = self.0.status();
            let is_it = |told: &Option<TemplateStatus>| told.as_ref().unwrap().state == state;
            let status = told.wait_for(is_it).await.unwrap().clone().unwrap();
            status
        }

        fn ask(&self) -> Option<String> {
            self.0.ask(|| async { panic!("there is one") })
        }

        /// Asks for a fork where there is none: the next one is begun.
        fn begin(&self) -> Played {
            let (stdin, heard) = duplex(64);
            let (stdout, spoken) = duplex(256);
            let (told, vitals) = watch::channel(Told::default());
            let container = Attached {
                id: "one".to_owned(),
                stdin: Box::new(stdin),
                output: Box::new(Spoken(spoken)),
                vitals: Vitals::new(vitals, ()),
                port: Port::Free(None),
            };
            let program = PathBuf::from("/no/launcher");
            let launcher = Launcher::new(program, Duration::from_secs(1), Budget::new());
            let kept = Kept::new(container, Arc::new(launcher), Background::new());
            assert_eq!(self.0.ask(|| async { Ok(kept) }), None);
            assert_eq!(self.status().state, TemplateState::Starting);
            Played { stdin: heard, stdout, _told: told }
        }

        async fn ready(&self) -> Played {
            let mut played = self.begin();
            played.say("ready").await;
            self.until(TemplateState::Ready).await;
            played
        }

        fn reason(&self) -> String {
            self.status().reason.unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_up_is_forked_and_answers() {
        let bench = Bench::new();
        let mut played = bench.ready().await;
        for forks in 1..=3 {
            assert_eq!(bench.ask().as_deref(), Some("one"));
            assert_eq!(bench.status().forks, forks);
            played.asked().await;
            played.say("=1000\n").await;
        }
        // It is looked after in times without forks, too.
        played.asked().await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_can_not_be_forked_is_the_last() {
        let bench = Bench::new();
        bench.begin().say("a module that is preloaded has started a thread").await;
        let status = bench.until(TemplateState::Refused).await;
        assert_eq!(
            status.reason.as_deref(),
            Some("a module that is preloaded has started a thread")
        );
        advance(LONGEST).await;
        assert_eq!(bench.ask(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_come_up_is_given_up() {
        let bench = Bench::new();
        let _played = bench.begin();
        bench.until(TemplateState::None).await;
        assert_eq!(bench.reason(), "it was not up within 60s");
        drop(bench.begin());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_dies_is_replaced_and_none_is_tried_for_a_time_after_three() {
        let bench = Bench::new();
        for _ in 1..MOST_BAD {
            drop(bench.ready().await);
            bench.until(TemplateState::None).await;
            assert_eq!(bench.reason(), "it died");
        }
        drop(bench.begin());
        bench.until(TemplateState::None).await;
        let said = "it died before it was up: ; that was the last of 3 in a row, the next one is tried in 60s";
        assert_eq!(bench.reason(), said);
        assert_eq!(bench.ask(), None);
        advance(REST).await;
        drop(bench.ready().await);
        bench.until(TemplateState::None).await;
        // A new row.
        assert_eq!(bench.reason(), "it died");
    }

    #[tokio::test(start_paused = true)]
    async fn what_lived_for_long_was_none_of_a_row() {
        let bench = Bench::new();
        for _ in 0..=MOST_BAD {
            let mut played = bench.ready().await;
            let began = Instant::now();
            while began.elapsed() < GOOD {
                played.asked().await;
                played.say("=1000\n").await;
            }
            drop(played);
            bench.until(TemplateState::None).await;
            assert_eq!(bench.reason(), "it died");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_one_is_silent_containers_boot_and_then_it_is_replaced() {
        let bench = Bench::new();
        let mut played = bench.ready().await;
        assert!(bench.ask().is_some());
        played.asked().await;
        // It may be but slow.
        assert!(bench.ask().is_some());
        advance(LATE * 2).await;
        assert_eq!((bench.ask(), bench.status().state), (None, TemplateState::Ready));
        bench.until(TemplateState::None).await;
        assert_eq!(bench.reason(), "it did not answer within 2s");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_answers_late_is_forked_again() {
        let bench = Bench::new();
        let mut played = bench.ready().await;
        assert!(bench.ask().is_some());
        played.asked().await;
        advance(LATE * 2).await;
        assert!(bench.ask().is_none());
        played.say("=1000\n").await;
        // The next question comes after the answer was heard.
        played.asked().await;
        assert!(bench.ask().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_grows_is_replaced() {
        let bench = Bench::new();
        let mut played = bench.ready().await;
        for used in [1000, 1000 + MOST_GROWTH, 1001 + MOST_GROWTH] {
            assert!(bench.ask().is_some());
            played.asked().await;
            played.say(&format!("={used}\n")).await;
        }
        bench.until(TemplateState::None).await;
        assert_eq!(bench.reason(), "it had grown by 32 MiB");
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_forks_all_fail_is_bad_and_one_some_of_whose_do_is_not() {
        for (said, is_bad) in [("!\n!\n!\n=1\n", true), ("!\n!\n=1\n", false)] {
            let bench = Bench::new();
            let mut played = bench.ready().await;
            for _ in 0..MOST_FAILED {
                assert!(bench.ask().is_some());
            }
            played.asked().await;
            played.say(said).await;
            if is_bad {
                bench.until(TemplateState::None).await;
                assert_eq!(bench.reason(), "its forks fail on their way");
            } else {
                played.asked().await;
                assert!(bench.ask().is_some());
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_has_served_for_long_is_replaced() {
        let bench = Bench::new();
        let mut played = bench.ready().await;
        let began = Instant::now();
        while began.elapsed() < LONGEST {
            played.asked().await;
            played.say("=1000\n").await;
        }
        let _next = bench.begin();
        assert_eq!(bench.status().reason, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_can_not_be_made_is_told_and_tried_again() {
        let bench = Bench::new();
        let fails = || async { Err(CreateError::Other(Error::new(Code::EngineError, "no room"))) };
        assert_eq!(bench.0.ask(fails), None);
        bench.until(TemplateState::None).await;
        assert_eq!(bench.reason(), "it can't be made: no room");
        bench.ready().await;
    }

    #[tokio::test(start_paused = true)]
    async fn with_its_pool_it_ends() {
        let bench = Bench::new();
        let mut played = bench.ready().await;
        bench.0.end().await;
        assert_eq!(bench.status().state, TemplateState::None);
        assert_eq!(played.stdin.read(&mut [0]).await.unwrap(), 0);
    }
}
