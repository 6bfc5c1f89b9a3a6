//! Who hears a job: its output, and what its interpreter tells.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{
    guide::Guide,
    line::{Line, Said},
    output::{Output, Pieces, Room, Wanted},
};
use crate::engine::Stream;

/// What is kept of each stream between two runs, for the next one.
const BETWEEN: u64 = 64 << 10;

/// Where a job's output and word go: to one call from beginning to end, or to one run after another.
#[derive(Clone)]
pub struct Listener(Arc<Mutex<State>>);

struct State {
    output: Output,
    line: Option<Line>,
    /// Of an interpreter that stays.
    runs: bool,
    /// Who waits for the end of the run; `None`: there is none.
    run: Option<Run>,
}

struct Run {
    output: Output,
    done: oneshot::Sender<u8>,
    /// Told once of what it may not do.
    fault: Option<oneshot::Sender<Fault>>,
    /// It has ended, with this exit code.
    code: Option<u8>,
}

/// What a run may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It writes more than it may.
    Output,
    /// Somebody has written to the line of its interpreter, whose word is not heard any more.
    Line,
}

/// What a run comes to.
pub struct Begun {
    /// Its exit code.
    pub done: oneshot::Receiver<u8>,
    pub fault: oneshot::Receiver<Fault>,
}

/// Output of between the runs.
fn between() -> Output {
    Output::new(Wanted { limit: Some(BETWEEN), collect: true, display: None }, None)
}

impl From<Output> for Listener {
    fn from(output: Output) -> Self {
        Self::of(output, None, false)
    }
}

impl Listener {
    /// One call, whose interpreter tells what it has been told to.
    pub fn telling(output: Output, guide: &Guide) -> Self {
        Self::of(output, Some(Line::new(guide.secret())), false)
    }

    /// One run after another.
    pub fn of_runs(guide: &Guide) -> Self {
        Self::of(between(), Some(Line::new(guide.secret())), true)
    }

    fn of(output: Output, line: Option<Line>, runs: bool) -> Self {
        Self(Arc::new(Mutex::new(State { output, line, runs, run: None })))
    }

    /// Whatever comes from here on is that run's, and what has come since the last one.
    pub async fn begin(&self, output: &Output) -> Begun {
        let ((done, is_done), (fault, is_fault)) = (oneshot::channel(), oneshot::channel());
        let mut pieces = Vec::new();
        {
            let mut state = self.lock();
            let (stdout, stderr) = std::mem::replace(&mut state.output, output.clone()).take();
            state.run = Some(Run { output: output.clone(), done, fault: Some(fault), code: None });
            for (stream, earlier) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
                state.push(stream, &earlier.bytes, &mut pieces);
            }
        }
        output.pass_on(&mut pieces).await;
        Begun { done: is_done, fault: is_fault }
    }

    /// Gives the pieces to the caller whose they are; see [`Output::pass_on`].
    pub(super) async fn pass_on(&self, pieces: &mut Pieces) {
        let output = {
            let state = self.lock();
            state.run.as_ref().map_or(&state.output, |run| &run.output).clone()
        };
        output.pass_on(pieces).await;
    }

    /// Takes a piece of output.
    pub(super) fn push(&self, stream: Stream, bytes: &[u8], pieces: &mut Pieces) -> Room {
        self.lock().push(stream, bytes, pieces)
    }

    /// Takes a piece of what the interpreter tells.
    pub(super) fn hear(&self, bytes: &[u8]) {
        self.lock().hear(bytes);
    }

    /// Tells the end of a run, once its output has been passed on.
    pub(super) fn settle(&self) {
        let mut state = self.lock();
        let ended = state.run.take_if(|run| run.code.is_some());
        if let Some(Run { done, code: Some(code), .. }) = ended {
            let _ = done.send(code);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    fn tell(&mut self, what: Fault) {
        if let Some(fault) = self.fault.take() {
            let _ = fault.send(what);
        }
    }
}

impl State {
    fn push(&mut self, stream: Stream, bytes: &[u8], pieces: &mut Pieces) -> Room {
        let room = self.output.push(stream, bytes, pieces);
        if !self.runs {
            return room;
        }
        if let (Room::None, Some(run)) = (room, &mut self.run) {
            run.tell(Fault::Output);
        }
        Room::Left
    }

    fn hear(&mut self, mut bytes: &[u8]) {
        let Self { output, line: Some(line), run, .. } = self else { return };
        while !bytes.is_empty() {
            bytes = line.hear(bytes, output.most_shown(), |said| match said {
                Said::Shown(bundle) => output.show(Some(bundle)),
                Said::TooMuch => output.show(None),
                Said::Broken => {
                    output.show(None);
                    if let Some(run) = run {
                        run.tell(Fault::Line);
                    }
                }
                Said::Done(code) => {
                    if let Some(run) = run.as_mut().filter(|run| run.code.is_none()) {
                        run.code = Some(code);
                        // What comes from here on is not of this run.
                        *output = between();
                    }
                }
            });
        }
    }
}
