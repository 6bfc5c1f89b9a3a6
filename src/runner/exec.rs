//! A job as an exec of the engine, where there is no supervisor.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    sync::oneshot,
    time::{sleep, Instant},
};

use super::{
    job::{Command, Job},
    output::{Output, Room},
    session::End,
    stdin::{Piece, Stdin},
};
use crate::{
    engine::{Engine, ExecSpec, ExecStatus, ExecStream},
    error::{Code, Error, Result},
};

/// How often the engine is asked whether a process whose stream is still open has ended.
const POLL: Duration = Duration::from_millis(100);
/// A stream that has ended is asked about more often: the status is a moment away.
const POLL_AT_END: Duration = Duration::from_millis(5);
/// How long what a process wrote may take to come through after its end, not counting the time that
/// the caller takes for it. A background child may hold the stream open for as long as it lives.
const SETTLE: Duration = Duration::from_millis(200);

/// Starts an exec. Where the engine refused it, what runs beside it goes on.
pub(super) async fn start(engine: &dyn Engine, id: &str, spec: ExecSpec) -> Result<ExecStream> {
    engine.exec(id, spec).await.map_err(|error| match error.code {
        Code::EngineError if error.status_code.is_some() => error.refused(),
        _ => error,
    })
}

/// Runs a job in a container by the engine's exec.
pub async fn run(
    engine: &dyn Engine,
    id: &str,
    job: Job,
    output: Output,
    written: oneshot::Sender<Instant>,
) -> Result<End> {
    let Command { argv, cwd, stdin } = job.work.into_command();
    let env = job.env.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let spec = ExecSpec { argv, env, cwd };
    let ExecStream { exec_id, stdin: mut writer, output: mut said } =
        start(engine, id, spec).await?;

    let writing = async move {
        // A process that ends, or closes its stdin, without reading it all is no error.
        match stdin {
            Stdin::Whole(bytes) => {
                let _ = writer.write_all(&bytes).await;
                let _ = writer.shutdown().await;
                let _ = written.send(Instant::now());
            }
            Stdin::Piped(mut pipe) => {
                let _ = written.send(Instant::now());
                while let Some(Piece::Data(piece)) = pipe.next().await {
                    if writer.write_all(&piece).await.is_err() || writer.flush().await.is_err() {
                        break;
                    }
                }
                let _ = writer.shutdown().await;
            }
        }
        // Some engines take a closed connection for the end of both directions.
        writer
    };
    let waiting = Stopwatch::default();
    let reading = async {
        let mut pieces = Vec::new();
        loop {
            let mut room = Room::Left;
            waiting.start();
            let read = said.read(|stream, bytes| {
                if room == Room::Left {
                    room = output.push(stream, bytes, &mut pieces);
                }
            });
            let read = read.await;
            waiting.stop();
            output.pass_on(&mut pieces).await;
            match read {
                Err(error) => {
                    let message = format!("The stream of an exec broke: {error}.");
                    return Err(Error::new(Code::ContainerLost, message).container(id));
                }
                Ok(size) if size == 0 || room == Room::None => return Ok(room),
                Ok(_) => {}
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
                return end_of(engine, &exec_id).await;
            }
            // The end of the stream is not the end of the process, nor the other way round.
            () = sleep(POLL) => {
                if let Some(end) = ended(engine, &exec_id).await? {
                    let until = waiting.elapsed() + SETTLE;
                    let settled = tokio::select! {
                        room = &mut reading => room,
                        () = waiting.reaches(until) => Ok(Room::Left),
                    };
                    return match settled? {
                        Room::None => Ok(End::OutputLimit),
                        Room::Left => Ok(end),
                    };
                }
            }
        }
    }
}

/// The time that was spent waiting for the engine: that until now, and since when it runs.
#[derive(Default)]
struct Stopwatch(Mutex<(Duration, Option<Instant>)>);

impl Stopwatch {
    fn start(&self) {
        self.lock().1 = Some(Instant::now());
    }

    fn stop(&self) {
        let elapsed = self.elapsed();
        *self.lock() = (elapsed, None);
    }

    fn elapsed(&self) -> Duration {
        let (before, since) = *self.lock();
        before + since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, (Duration, Option<Instant>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when it shows that much; looks no more often than it must, or than [`POLL_AT_END`].
    async fn reaches(&self, target: Duration) {
        loop {
            let left = target.saturating_sub(self.elapsed());
            if left.is_zero() {
                return;
            }
            sleep(left.max(POLL_AT_END)).await;
        }
    }
}

/// How an exec ends whose stream has.
pub(super) async fn end_of(engine: &dyn Engine, exec_id: &str) -> Result<End> {
    loop {
        if let Some(end) = ended(engine, exec_id).await? {
            return Ok(end);
        }
        sleep(POLL_AT_END).await;
    }
}

async fn ended(engine: &dyn Engine, exec_id: &str) -> Result<Option<End>> {
    Ok(match engine.exec_status(exec_id).await? {
        ExecStatus::Running => None,
        ExecStatus::Exited(code) => Some(End::Exit(code)),
        ExecStatus::Signaled(number) => Some(End::Signal(number)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_that_the_caller_takes_does_not_count_into_what_output_may_take() {
        let waiting = Stopwatch::default();
        let minute = Duration::from_secs(60);
        waiting.start();
        sleep(minute).await;
        waiting.stop();
        let until = waiting.elapsed() + SETTLE;
        let reached = waiting.reaches(until);
        tokio::pin!(reached);
        assert!(tokio::time::timeout(minute, &mut reached).await.is_err());
        waiting.start();
        tokio::time::timeout(SETTLE * 2, reached).await.expect("it runs again");
    }
}
