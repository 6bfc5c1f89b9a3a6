//! The cold path: a job as an exec of the engine.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
    time::{sleep, timeout, Instant},
};

use super::{
    demux::Demux,
    job::{Command, Job},
    output::{Output, Room},
    session::End,
};
use crate::{
    engine::{Engine, ExecSpec, ExecStatus, ExecStream},
    error::{Code, Error, Result},
};

/// How often the engine is asked whether a process whose stream is still open has ended.
const POLL: Duration = Duration::from_millis(100);
/// A stream that has ended is asked about more often: the status is a moment away.
const POLL_AT_END: Duration = Duration::from_millis(5);
/// How long what a process wrote may take to come through after its end. A background child may
/// hold the stream open for as long as it lives.
const SETTLE: Duration = Duration::from_millis(200);

/// Runs a job in a container by the engine's exec.
pub async fn run<E: Engine>(
    engine: &E,
    id: &str,
    job: Job,
    output: Output,
    written: oneshot::Sender<Instant>,
) -> Result<End> {
    let Command { argv, cwd, stdin } = job.work.into_command();
    let env = job.env.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let spec = ExecSpec { argv, env, cwd };
    let ExecStream { exec_id, mut reader, mut writer } = engine.exec(id, spec).await?;

    let writing = async move {
        // A process that ends, or closes its stdin, without reading it all is no error.
        let _ = writer.write_all(&stdin).await;
        let _ = writer.shutdown().await;
        let _ = written.send(Instant::now());
        // Some engines take a closed connection for the end of both directions.
        writer
    };
    let reading = async {
        let mut demux = Demux::default();
        let mut buffer = vec![0; 64 * 1024];
        let mut pieces = Vec::new();
        let broken = |what: &dyn std::fmt::Display| {
            Error::new(Code::ContainerLost, format!("The stream of an exec broke: {what}."))
                .container(id)
        };
        loop {
            let size = reader.read(&mut buffer).await.map_err(|error| broken(&error))?;
            if size == 0 {
                return demux.finish().map(|()| Room::Left).map_err(|error| broken(&error));
            }
            let mut room = Room::Left;
            let fed = demux.feed(&buffer[..size], |stream, bytes| {
                if room == Room::Left {
                    room = output.push(stream, bytes, &mut pieces);
                }
            });
            output.pass_on(&mut pieces).await;
            fed.map_err(|error| broken(&error))?;
            if room == Room::None {
                return Ok(Room::None);
            }
        }
    };

    tokio::pin!(writing, reading);
    let mut stdin_open = true;
    let mut kept_writer = None;
    loop {
        tokio::select! {
            writer = &mut writing, if stdin_open => {
                stdin_open = false;
                kept_writer = Some(writer);
            }
            room = &mut reading => {
                if room? == Room::None {
                    return Ok(End::OutputLimit);
                }
                drop(kept_writer);
                loop {
                    if let ExecStatus::Exited(code) = engine.exec_status(&exec_id).await? {
                        return Ok(end(code));
                    }
                    sleep(POLL_AT_END).await;
                }
            }
            // The end of the stream is not the end of the process, nor the other way round.
            () = sleep(POLL) => {
                if let ExecStatus::Exited(code) = engine.exec_status(&exec_id).await? {
                    let settled = timeout(SETTLE, &mut reading).await;
                    return match settled.unwrap_or(Ok(Room::Left))? {
                        Room::None => Ok(End::OutputLimit),
                        Room::Left => Ok(end(code)),
                    };
                }
            }
        }
    }
}

/// The engine gives a process killed by signal n the code 128 + n, as a shell does, so an exit with
/// such a code looks the same.
fn end(code: i64) -> End {
    match code {
        129..=192 => End::Signal((code - 128) as u32),
        // An exit status is eight bits; some engines report a traced process's as 32 of them.
        code => End::Exit((code & 0xff) as u32),
    }
}
