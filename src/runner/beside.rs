//! A job beside another one: a second supervisor in the container, by the engine's exec, for that job alone.
//!
//! Some engines tell how an exec ended as a shell would, where an exit with 137 looks like a kill, and why one
//! did not start in its output. A supervisor's word is neither.

use tokio::{sync::oneshot, time::Instant};

use super::{
    exec,
    job::{Job, Work},
    output::Output,
    session::{BootError, End, Session, SessionError, Supervisor},
};
use crate::{
    engine::{Engine, ExecSpec, ExecStream},
    error::Error,
};

/// Why there is no result.
pub enum Failed {
    /// The engine's own error.
    Engine(Error),
    Session(SessionError),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

/// Runs a job in a container whose Python is known to run a supervisor.
pub async fn run(
    engine: &dyn Engine,
    id: &str,
    job: Job,
    output: Output,
    written: oneshot::Sender<Instant>,
) -> Result<End, Failed> {
    let spec = ExecSpec { argv: Supervisor::command(), ..ExecSpec::default() };
    let ExecStream { exec_id, stdin, output: said } = exec::start(engine, id, spec).await?;
    let session = Session::boot_alone(stdin, said).await.map_err(|error| {
        let why = match error {
            BootError::Failed(why) => why,
            BootError::Lost | BootError::Unshielded => "python3 ended at once".to_owned(),
        };
        Failed::Session(SessionError::NotStarted(why))
    })?;
    let work = match job.work {
        script @ Work::Script { .. } => Work::Command(script.into_command()),
        work => work,
    };
    match session.run(Job { work, ..job }, output, written).await {
        // Unlike process 1, this one can be killed by a script that kills all it can.
        Err(SessionError::Lost) => Ok(exec::end_of(engine, &exec_id).await?),
        end => end.map_err(Failed::Session),
    }
}
