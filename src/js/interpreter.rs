//! An interpreter that stays, as JavaScript holds it.

use std::sync::Arc;

use napi::{
    bindgen_prelude::{Buffer, FnArgs, Function, Object},
    Env, Result,
};
use napi_derive::napi;

use super::{
    call::{NativeCall, NativeJob, NativeOutcome},
    failure,
    promise::promise,
};
use crate::sandbox::Interpreter;

#[napi]
pub struct NativeInterpreter {
    interpreter: Arc<Interpreter>,
}

impl From<Interpreter> for NativeInterpreter {
    fn from(interpreter: Interpreter) -> Self {
        Self { interpreter: Arc::new(interpreter) }
    }
}

#[napi]
impl NativeInterpreter {
    /// Whether it has ended, or its container has.
    #[napi(getter, catch_unwind)]
    pub fn is_over(&self) -> bool {
        self.interpreter.is_over()
    }

    /// Resolves with the outcome of a script's job, or with a failure.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeOutcome | string>")]
    pub fn run<'env>(
        &self,
        env: &'env Env,
        job: NativeJob,
        line: Option<&NativeCall>,
        on_chunk: Option<Function<'_, FnArgs<(u32, Buffer)>, ()>>,
    ) -> Result<Object<'env>> {
        let call = job.into_call(env, line, on_chunk)?;
        let interpreter = self.interpreter.clone();
        promise(env, async move {
            failure::or_value(interpreter.run(call).await.map(NativeOutcome::from))
        })
    }

    /// Resolves when it has ended, or its container is about to.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn close<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let interpreter = self.interpreter.clone();
        promise(env, async move { interpreter.close().await })
    }
}
