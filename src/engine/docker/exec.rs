//! Commands in a running container, run by the engine.

use bollard::config::ExecConfig;
use serde::Deserialize;

use super::{
    super::{ExecSpec, ExecStatus, ExecStream},
    client::Client,
    fault::Fault,
    frames::Frames,
};
use crate::error::{Code, Error, Result};

/// As much as is read of what the engine says of an exec.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    running: Option<bool>,
    exit_code: Option<i64>,
}

/// Creates and starts an exec. Its stdin is the caller's to write and to shut down: written here, more
/// of it than fits the buffers on the way would wait for a process that waits for its output to be read.
pub(super) async fn exec(client: &Client, id: &str, spec: ExecSpec) -> Result<ExecStream> {
    let config = ExecConfig {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(false),
        env: Some(spec.env),
        cmd: Some(spec.argv),
        working_dir: spec.cwd,
        ..ExecConfig::default()
    };
    let exec_id = client
        .create_exec(id, config)
        .await
        .map_err(|fault| lost_or(client, "create exec", fault).container(id))?;
    let (reader, stdin) = client
        .start_exec(&exec_id)
        .await
        .map_err(|fault| lost_or(client, "start exec", fault).container(id))?;
    Ok(ExecStream { exec_id, stdin, output: Box::new(Frames::new(reader)) })
}

/// How an exec stands.
pub(super) async fn status(client: &Client, exec_id: &str) -> Result<ExecStatus> {
    let exec: Inspected = client
        .inspect_exec(exec_id)
        .await
        .map_err(|fault| lost_or(client, "inspect exec", fault))?;
    Ok(match (exec.running, exec.exit_code) {
        // Not running and without a code is one that has not begun yet.
        (Some(true), _) | (_, None) => ExecStatus::Running,
        (_, Some(code)) => end(code),
    })
}

/// A process killed by signal n has the code 128 + n, as in a shell, so an exit with such a code looks the
/// same.
fn end(code: i64) -> ExecStatus {
    match code {
        129..=192 => ExecStatus::Signaled((code - 128) as u32),
        // An exit status is eight bits; a traced process's is told as 32 of them.
        code => ExecStatus::Exited((code & 0xff) as u32),
    }
}

/// A container that is not there, or does not run any more, is lost to whoever runs something in it.
fn lost_or(client: &Client, call: &str, fault: Fault) -> Error {
    let lost = matches!(fault, Fault::Refused { status: 404 | 409, .. })
        // Podman: 500, "container state improper".
        || fault.refusal().is_some_and(|said| said.contains("not running") || said.contains("state improper"));
    let error = client.error(call, fault);
    if !lost {
        return error;
    }
    let message = format!("the container has ended: {}", error.message);
    let mut outer = Error::new(Code::ContainerLost, message);
    outer.status_code = error.status_code;
    outer.cause(error)
}
