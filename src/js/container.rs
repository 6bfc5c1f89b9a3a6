//! A container, as JavaScript holds it.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use napi::{
    bindgen_prelude::{FnArgs, Function, Object},
    Env, Result,
};
use napi_derive::napi;

use super::{
    call::{pairs, NativeCall, NativeJob, NativeOutcome},
    failure,
    interpreter::NativeInterpreter,
    promise::promise,
};
use crate::sandbox::{Interpreter, Sandbox, Status};

#[napi]
pub struct NativeContainer {
    sandbox: Arc<Sandbox>,
    /// How long its acquire took, in milliseconds.
    #[napi(readonly)]
    pub waited_ms: f64,
}

impl NativeContainer {
    pub(super) fn new(sandbox: Sandbox, waited_ms: f64) -> Self {
        Self { sandbox: Arc::new(sandbox), waited_ms }
    }

    pub(super) fn sandbox(&self) -> Arc<Sandbox> {
        self.sandbox.clone()
    }
}

#[napi]
impl NativeContainer {
    #[napi(getter, catch_unwind)]
    pub fn id(&self) -> &str {
        self.sandbox.id()
    }

    /// `READY`, `BUSY`, `TERMINATED`
    #[napi(getter, catch_unwind)]
    pub fn status(&self) -> &'static str {
        match self.sandbox.status() {
            Status::Ready => "READY",
            Status::Busy => "BUSY",
            Status::Terminated => "TERMINATED",
        }
    }

    /// Milliseconds since the epoch.
    #[napi(getter, catch_unwind)]
    pub fn expiry(&self) -> Option<f64> {
        let since = self.sandbox.expiry()?.duration_since(UNIX_EPOCH).ok()?;
        Some(since.as_millis() as f64)
    }

    /// Resolves with the outcome, or with a failure.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeOutcome | string>")]
    pub fn execute<'env>(
        &self,
        env: &'env Env,
        job: NativeJob,
        line: Option<&NativeCall>,
        on_chunk: Option<Function<'_, FnArgs<(u32, napi::bindgen_prelude::Buffer)>, ()>>,
    ) -> Result<Object<'env>> {
        let call = job.into_call(env, line, on_chunk)?;
        let sandbox = self.sandbox.clone();
        promise(env, async move {
            failure::or_value(sandbox.execute(call).await.map(NativeOutcome::from))
        })
    }

    /// Resolves with an interpreter that stays, or with a failure. `env` as a job has it.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeInterpreter | string>")]
    pub fn interpreter<'env>(
        &self,
        env: &'env Env,
        variables: Vec<String>,
        cwd: Option<String>,
        grace_ms: f64,
    ) -> Result<Object<'env>> {
        let sandbox = self.sandbox.clone();
        let variables = pairs(variables);
        let grace = Duration::from_millis(grace_ms as u64);
        promise(env, async move {
            let started = Interpreter::start(sandbox, variables, cwd, grace).await;
            failure::or_value(started.map(NativeInterpreter::from))
        })
    }

    /// Resolves when the container has ended, or is about to: with the failure of a call that lasted
    /// until then. With nothing once the line is cancelled.
    #[napi(catch_unwind, ts_return_type = "Promise<string | null>")]
    pub fn ended<'env>(&self, env: &'env Env, line: &NativeCall) -> Result<Object<'env>> {
        let sandbox = self.sandbox.clone();
        let unwanted = line.token();
        promise(env, async move {
            tokio::select! {
                biased;
                () = unwanted.cancelled() => None,
                error = sandbox.ended() => Some(failure::text(&error)),
            }
        })
    }

    /// Resolves with nothing, or with a failure.
    #[napi(catch_unwind, ts_return_type = "Promise<string | null>")]
    pub fn destroy<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let sandbox = self.sandbox.clone();
        promise(env, async move { failure::or_null(sandbox.destroy().await) })
    }
}
