//! A call as it comes from JavaScript, and its outcome as it goes back.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use napi::{
    bindgen_prelude::{Buffer, FnArgs, Function, Object},
    Env, Error, Result,
};
use napi_derive::napi;
use tokio_util::sync::CancellationToken;

use super::{messenger::Messenger, promise::promise};
use crate::{
    runner::{
        job::{Command, Job, Work},
        output::{Pending, Tap, Wanted},
        stdin::{self, Feed, Stdin},
    },
    sandbox::{Call, Outcome},
};

/// The line to a call under way.
#[napi]
#[derive(Default)]
pub struct NativeCall {
    cancel: CancellationToken,
    kill: CancellationToken,
    pending: Arc<Mutex<VecDeque<Pending>>>,
    /// Of a call whose stdin is written as it runs, until that is complete.
    feed: Mutex<Option<Feed>>,
}

#[napi]
impl NativeCall {
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the call: it resolves with a failure, and its container is destroyed.
    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Ends the call: it resolves with its outcome so far, and its container is destroyed.
    #[napi(catch_unwind)]
    pub fn kill(&self) {
        self.kill.cancel();
    }

    /// Writes to the stdin of a spawned command. Resolves when there is room for more: with `false`
    /// when nothing will be read any more.
    #[napi(catch_unwind, ts_return_type = "Promise<boolean>")]
    pub fn write<'env>(&self, env: &'env Env, bytes: Buffer) -> Result<Object<'env>> {
        let bytes = Bytes::copy_from_slice(&bytes);
        let feed = lock(&self.feed).clone();
        promise(env, async move {
            match feed {
                Some(feed) => feed.write(bytes).await,
                None => false,
            }
        })
    }

    /// Says that all of stdin has been written.
    #[napi(catch_unwind)]
    pub fn end_stdin(&self) {
        lock(&self.feed).take();
    }

    /// Says that the oldest piece of output that was passed on has been dealt with.
    #[napi(catch_unwind)]
    pub fn done(&self) {
        let piece = lock(&self.pending).pop_front();
        drop(piece);
    }

    pub(super) fn token(&self) -> CancellationToken {
        self.cancel.clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gets the number of the stream (1: stdout, 2: stderr) and the bytes of each piece.
type OnChunk<'a> = Function<'a, FnArgs<(u32, Buffer)>, ()>;

#[napi(object)]
pub struct NativeJob {
    /// Python source; else there is `argv`.
    pub script: Option<Buffer>,
    pub argv: Option<Vec<String>>,
    /// A script's arguments.
    pub args: Vec<String>,
    /// Name, value, name, value …
    pub env: Vec<String>,
    pub cwd: Option<String>,
    /// See [`crate::config::Narrowed`]; JSON.
    pub network: Option<String>,
    pub stdin: Option<Buffer>,
    /// 0: any time.
    pub timeout_ms: f64,
    /// 0: any CPU time.
    pub cpu_time_ms: f64,
    /// -1: any number.
    pub max_output_bytes: f64,
    pub collect: bool,
    /// The most bytes of what is to be shown; absent: nothing is.
    pub display: Option<f64>,
    /// Its output is read as it comes, and its end does not wait for that; a command's stdin is what
    /// [`NativeCall::write`] gives.
    pub spawned: Option<bool>,
}

impl NativeJob {
    pub(super) fn into_call(
        self,
        env: &Env,
        line: Option<&NativeCall>,
        on_chunk: Option<OnChunk<'_>>,
    ) -> Result<Call> {
        let bytes = |buffer: Buffer| Bytes::copy_from_slice(&buffer);
        let spawned = self.spawned.unwrap_or(false);
        let work = match (self.script, self.argv) {
            (Some(source), _) => {
                Work::Script { source: bytes(source), args: self.args, cwd: self.cwd }
            }
            (None, argv) => Work::Command(Command {
                argv: argv.unwrap_or_default(),
                cwd: self.cwd,
                stdin: match (self.stdin, line) {
                    (None, Some(line)) if spawned => {
                        let (feed, pipe) = stdin::pipe();
                        *lock(&line.feed) = Some(feed);
                        Stdin::Piped(pipe)
                    }
                    (stdin, _) => Stdin::Whole(stdin.map(bytes).unwrap_or_default()),
                },
            }),
        };
        let variables = pairs(self.env);
        let network = self.network.as_deref().map(serde_json::from_str).transpose();
        let network =
            network.map_err(|error| Error::from_reason(format!("The network: {error}.")))?;
        let limit = (self.max_output_bytes >= 0.0).then_some(self.max_output_bytes as u64);
        let tap = match (on_chunk, line) {
            (Some(on_chunk), Some(line)) => Some(tap(env, on_chunk, line, !spawned)?),
            _ => None,
        };
        let millis_or_any = |ms: f64| (ms > 0.0).then(|| Duration::from_millis(ms as u64));
        Ok(Call {
            job: Job { work, env: variables },
            deadline: millis_or_any(self.timeout_ms),
            cpu_time: millis_or_any(self.cpu_time_ms),
            wanted: Wanted {
                limit,
                collect: self.collect,
                display: self.display.map(|most| most as u64),
            },
            tap,
            network,
            cancel: line.map(NativeCall::token).unwrap_or_default(),
            kill: line.map(|line| line.kill.clone()).unwrap_or_default(),
        })
    }
}

/// Names and values.
pub(super) fn pairs(words: Vec<String>) -> Vec<(String, String)> {
    let mut words = words.into_iter();
    std::iter::from_fn(|| words.next().zip(words.next())).collect()
}

fn tap(env: &Env, on_chunk: OnChunk<'_>, line: &NativeCall, awaited: bool) -> Result<Tap> {
    let pending = line.pending.clone();
    let on_chunk = on_chunk.create_ref()?;
    // What keeps the process alive is the call's promise.
    let pieces = Messenger::new(
        env,
        || false,
        move |env, (stream, bytes): (u32, Vec<u8>)| {
            press_for_collection(env)?;
            on_chunk.borrow_back(env)?.call(FnArgs::from((stream, Buffer::from(bytes))))
        },
    )?;
    Ok(Tap::new(awaited, move |chunk| {
        lock(&pending).push_back(chunk.pending);
        // The tap's window bounds what is on its way.
        pieces.send((chunk.stream as u32, chunk.bytes));
    }))
}

/// Lets V8 collect the buffers of passed pieces sooner.
///
/// By itself it does so when 64 MiB of them have come together (`kExternalAllocationSoftLimit` in
/// V8's `heap.h`), which is more than a flood of output is to cost. A moment's claim to most of that
/// has it look when the rest is reached.
fn press_for_collection(env: &Env) -> Result<()> {
    const CLAIM: i64 = 48 << 20;
    env.adjust_external_memory(CLAIM)?;
    env.adjust_external_memory(-CLAIM)?;
    Ok(())
}

#[napi(object)]
pub struct NativeOutcome {
    pub stdout: Buffer,
    pub stderr: Buffer,
    /// Bundles, each behind its length in four bytes; absent: nothing was to be shown.
    pub shown: Option<Buffer>,
    /// There was more to be shown than is taken.
    pub shown_truncated: bool,
    pub exit_code: u32,
    /// See `sandbox::Reason`.
    pub reason: String,
    pub signal: Option<u32>,
    pub stdout_truncated: bool,
    pub stderr_truncated: bool,
    pub stdout_bytes: f64,
    pub stderr_bytes: f64,
    pub warm: bool,
    pub dispatch_ms: f64,
    pub first_byte_ms: Option<f64>,
    pub run_ms: f64,
    pub total_ms: f64,
    /// How many chunks were passed on. Those still on their way come after this.
    pub chunks: u32,
    /// A list of [`crate::sandbox::Record`]; JSON.
    pub egress: Option<String>,
}

impl From<Outcome> for NativeOutcome {
    fn from(outcome: Outcome) -> Self {
        let Outcome {
            stdout,
            stderr,
            shown,
            reason,
            exit_code,
            signal,
            path,
            timings,
            chunks,
            egress,
            ..
        } = outcome;
        Self {
            stdout_truncated: stdout.truncated,
            stderr_truncated: stderr.truncated,
            stdout_bytes: stdout.total as f64,
            stderr_bytes: stderr.total as f64,
            stdout: stdout.bytes.into(),
            stderr: stderr.bytes.into(),
            shown_truncated: shown.as_ref().is_some_and(|shown| shown.truncated),
            shown: shown.map(|shown| shown.bytes.into()),
            exit_code,
            reason: reason.as_str().to_owned(),
            signal,
            warm: path == crate::sandbox::Path::Warm,
            dispatch_ms: millis(timings.dispatch),
            first_byte_ms: timings.first_byte.map(millis),
            run_ms: millis(timings.run),
            total_ms: millis(timings.total),
            chunks,
            // They are strings and numbers, whose serialization can't fail.
            egress: egress.map(|records| serde_json::to_string(&records).unwrap_or_default()),
        }
    }
}

pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
