//! A supervisor as a plain process, and jobs for it.

use std::{
    io,
    path::Path,
    pin::Pin,
    process::Stdio,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use scientist_pool::{
    engine::{self, Stream},
    runner::{
        job::{Command as Program, Job, Work},
        output::{Output, Wanted},
        session::{BootError, End, Session, Supervisor},
        stdin::Stdin,
    },
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    process::{Child, ChildStderr, ChildStdout, Command},
    sync::oneshot,
    time::timeout,
};

pub const PATIENCE: Duration = Duration::from_secs(30);

/// The two pipes of a process.
struct Pipes(ChildStdout, ChildStderr);

impl engine::Output for Pipes {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        take: &mut dyn FnMut(Stream, &[u8]),
    ) -> Poll<io::Result<usize>> {
        let mut ends = 0;
        let streams: [(Stream, &mut (dyn AsyncRead + Unpin)); 2] =
            [(Stream::Stderr, &mut self.1), (Stream::Stdout, &mut self.0)];
        for (stream, pipe) in streams {
            let mut bytes = [0; 8192];
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(pipe).poll_read(context, &mut buffer)? {
                Poll::Ready(()) if buffer.filled().is_empty() => ends += 1,
                Poll::Ready(()) => {
                    take(stream, buffer.filled());
                    return Poll::Ready(Ok(buffer.filled().len()));
                }
                Poll::Pending => {}
            }
        }
        if ends == 2 {
            return Poll::Ready(Ok(0));
        }
        Poll::Pending
    }
}

pub async fn boot(preload: &[&str], env: &[(&str, &str)]) -> (Child, Result<Session, BootError>) {
    boot_in(Path::new("."), preload, env).await
}

pub async fn boot_in(
    folder: &Path,
    preload: &[&str],
    env: &[(&str, &str)],
) -> (Child, Result<Session, BootError>) {
    let (supervisor, argv) = crate::supervisor();
    boot_as(supervisor, &argv, folder, preload, env).await
}

pub async fn boot_as(
    supervisor: Supervisor,
    argv: &[String],
    folder: &Path,
    preload: &[&str],
    env: &[(&str, &str)],
) -> (Child, Result<Session, BootError>) {
    let mut process = Command::new(&argv[0])
        .args(&argv[1..])
        .envs(env.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{argv:?}: {error}"));
    let pipes = Pipes(process.stdout.take().unwrap(), process.stderr.take().unwrap());
    let stdin = Box::new(process.stdin.take().unwrap());
    let preload: Vec<String> = preload.iter().map(|name| name.to_string()).collect();
    let session =
        timeout(PATIENCE, Session::boot(supervisor, stdin, Box::new(pipes), &preload)).await;
    (process, session.expect("the boot ends"))
}

pub async fn up() -> (Child, Session) {
    let (supervisor, session) = boot(&[], &[]).await;
    (supervisor, session.expect("the supervisor comes up"))
}

pub fn pairs(env: &[(&str, &str)]) -> Vec<(String, String)> {
    env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

pub fn script(source: impl AsRef<[u8]>, args: &[&str], env: &[(&str, &str)]) -> Job {
    let source = Bytes::copy_from_slice(source.as_ref());
    Job { work: Work::Script { source, args: words(args), cwd: None }, env: pairs(env) }
}

pub fn command(argv: &[&str], stdin: &[u8], cwd: Option<&str>, env: &[(&str, &str)]) -> Job {
    let stdin = Stdin::Whole(Bytes::copy_from_slice(stdin));
    piped(argv, stdin, cwd, env)
}

pub fn piped(argv: &[&str], stdin: Stdin, cwd: Option<&str>, env: &[(&str, &str)]) -> Job {
    let work = Work::Command(Program { argv: words(argv), cwd: cwd.map(String::from), stdin });
    Job { work, env: pairs(env) }
}

/// Runs a job; gives its end, stdout and stderr.
pub async fn run(session: &Session, job: Job) -> (End, String, String) {
    let output = Output::new(Wanted { limit: None, collect: true, display: None }, None);
    let (written, _) = oneshot::channel();
    let end = timeout(PATIENCE, session.run(job, output.clone(), written)).await;
    let (stdout, stderr) = output.take();
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (end.expect("the job ends").expect("the session holds"), text(stdout.bytes), text(stderr.bytes))
}
