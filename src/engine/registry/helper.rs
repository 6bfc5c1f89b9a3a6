//! Credential helpers: the programs that keep the docker CLI's credentials.
//!
//! The protocol: github.com/docker/docker-credential-helpers, `credentials/credentials.go` (`Serve`).

use std::{
    io::{self, Write},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use docker_credential::DockerCredential;
use serde::Deserialize;

use crate::error::excerpt;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// What the helper of that name has for `server`; `None` if it says that it has nothing. Blocks, at
/// most for `patience`, when the helper is killed with all it started.
///
/// # Errors
///
/// A sentence that names the program.
pub(super) fn get(
    name: &str,
    server: &str,
    patience: Duration,
) -> Result<Option<DockerCredential>, String> {
    let program = format!("docker-credential-{name}");
    ask(Command::new(&program), server, patience).map_err(|why| format!("{program}: {why}"))
}

fn ask(
    mut program: Command,
    server: &str,
    patience: Duration,
) -> Result<Option<DockerCredential>, String> {
    program.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let said = run(program, server, patience)?;
    let words = String::from_utf8_lossy(&said.stdout);
    if !said.status.success() {
        if words.contains("credentials not found") {
            return Ok(None);
        }
        let more = String::from_utf8_lossy(&said.stderr);
        let words = format!("{} {}", words.trim(), more.trim());
        return Err(format!("{}: {}", said.status, excerpt(words.trim())));
    }
    // serde's own words would have some of the answer, which is a secret.
    let Answer { username, secret } = serde_json::from_str(&words)
        .map_err(|_| "its answer is not a JSON object with Username and Secret".to_owned())?;
    Ok(Some(match username.as_str() {
        "<token>" => DockerCredential::IdentityToken(secret),
        _ => DockerCredential::UsernamePassword(username, secret),
    }))
}

/// Tells it the server. Whether it reads that is its own affair.
fn tell(child: &mut Child, server: &str) {
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(server.as_bytes());
    }
}

fn text(error: io::Error) -> String {
    error.to_string()
}

#[cfg(unix)]
use unix::run;

#[cfg(unix)]
mod unix {
    use std::{
        fs::File,
        io::Read,
        os::{fd::OwnedFd, unix::process::CommandExt},
        thread,
        time::Instant,
    };

    use rustix::process::{kill_process_group, Pid, Signal};

    use super::*;

    /// The most bytes of an answer.
    const MOST: u64 = 1 << 20;
    /// How often is looked whether there is more of it.
    const LOOK: Duration = Duration::from_millis(5);

    pub(super) fn run(
        mut program: Command,
        server: &str,
        patience: Duration,
    ) -> Result<Output, String> {
        let mut child = program.process_group(0).spawn().map_err(text)?;
        let answer = attend(&mut child, server, patience);
        if answer.is_err() {
            // It was not waited for yet, so the number is no other's.
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            let _ = child.wait();
        }
        answer
    }

    /// Takes what it says until it ends, whoever else then holds its pipes. Fails only before it has
    /// been waited for.
    fn attend(child: &mut Child, server: &str, patience: Duration) -> Result<Output, String> {
        let begin = Instant::now();
        tell(child, server);
        let mut stdout = Pipe::new(child.stdout.take()).map_err(text)?;
        let mut stderr = Pipe::new(child.stderr.take()).map_err(text)?;
        loop {
            let full = stdout.take() || stderr.take();
            if full {
                return Err(format!("its answer has more than {MOST} bytes"));
            }
            if let Some(status) = child.try_wait().map_err(text)? {
                stdout.take();
                stderr.take();
                return Ok(Output { status, stdout: stdout.said, stderr: stderr.said });
            }
            if begin.elapsed() >= patience {
                return Err(format!("no answer within {} ms", patience.as_millis()));
            }
            thread::sleep(LOOK);
        }
    }

    /// One end of a pipe that is read without waiting.
    struct Pipe {
        from: Option<File>,
        said: Vec<u8>,
    }

    impl Pipe {
        fn new(end: Option<impl Into<OwnedFd>>) -> io::Result<Self> {
            let from = end.map(|end| File::from(end.into()));
            if let Some(file) = &from {
                rustix::io::ioctl_fionbio(file, true)?;
            }
            Ok(Self { from, said: Vec::new() })
        }

        /// Takes what is there; says whether that is more than may be.
        fn take(&mut self) -> bool {
            if let Some(file) = &mut self.from {
                let room = MOST + 1 - self.said.len() as u64;
                // An end, or "nothing there yet": the next look tells.
                let _ = file.take(room).read_to_end(&mut self.said);
            }
            self.said.len() as u64 > MOST
        }
    }
}

/// Windows has no pipes that are read without waiting: a helper there is waited for.
#[cfg(not(unix))]
fn run(mut program: Command, server: &str, _: Duration) -> Result<Output, String> {
    let mut child = program.spawn().map_err(text)?;
    tell(&mut child, server);
    child.wait_with_output().map_err(text)
}

#[cfg(all(test, unix))]
mod tests {
    use std::{
        fs::{File, OpenOptions},
        io::Read,
        os::unix::fs::OpenOptionsExt,
        path::{Path, PathBuf},
        time::Instant,
    };

    use super::*;

    /// Longer than any test may take.
    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(200);

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("sh");
        // What follows it, the protocol's word, is `$0`.
        shell.args(["-c", script]);
        shell
    }

    fn password(name: &str, password: &str) -> Result<Option<DockerCredential>, String> {
        Ok(Some(DockerCredential::UsernamePassword(name.into(), password.into())))
    }

    fn fifo(folder: &Path) -> PathBuf {
        let path = folder.join("fifo");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    #[test]
    fn a_helper_is_given_the_server_on_its_stdin() {
        let script = r#"echo "{\"Username\":\"$0\",\"Secret\":\"$(cat)\"}""#;
        assert_eq!(ask(shell(script), "h.io", LONG), password("get", "h.io"));
    }

    #[test]
    fn one_that_has_nothing_for_the_server_is_no_failure() {
        let script = "echo credentials not found in native keychain; exit 1";
        assert_eq!(ask(shell(script), "h.io", LONG), Ok(None));
    }

    #[test]
    fn what_one_that_failed_says_is_told() {
        let why = ask(shell("echo locked; echo no terminal >&2; exit 3"), "h.io", LONG);
        assert_eq!(why.unwrap_err(), "exit status: 3: locked no terminal");
    }

    #[test]
    fn an_answer_that_can_not_be_read_is_not_repeated() {
        let why = ask(shell(r#"echo '"a-secret"'"#), "h.io", LONG).unwrap_err();
        assert!(why.contains("JSON") && !why.contains("a-secret"), "{why}");
    }

    #[test]
    fn one_that_is_not_there_is_named() {
        let why = get("of-nobody", "h.io", LONG).unwrap_err();
        assert!(why.starts_with("docker-credential-of-nobody: "), "{why}");
    }

    #[test]
    fn one_that_hangs_is_killed_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let path = fifo(folder.path());
        let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let mut held = OpenOptions::new().read(true).custom_flags(flags).open(&path).unwrap();
        let script = format!("exec 9>'{}'; echo begun >&9; sleep 1000 & wait", path.display());
        let why = ask(shell(&script), "h.io", Duration::from_secs(2)).unwrap_err();
        assert_eq!(why, "no answer within 2000 ms");
        let mut text = String::new();
        let begin = Instant::now();
        // The end of the pipe is there when nobody has it open to write.
        while held.read_to_string(&mut text).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(20), "something of it is left");
        }
        assert_eq!(text, "begun\n");
    }

    #[test]
    fn one_that_floods_is_killed() {
        let why = ask(shell("exec yes"), "h.io", LONG).unwrap_err();
        assert_eq!(why, "its answer has more than 1048576 bytes");
        let why = ask(shell("exec yes >&2"), "h.io", LONG).unwrap_err();
        assert_eq!(why, "its answer has more than 1048576 bytes");
    }

    #[test]
    fn one_that_closes_its_output_and_hangs_is_killed() {
        let why = ask(shell("exec sleep 1000 >&- 2>&-"), "h.io", SHORT).unwrap_err();
        assert_eq!(why, "no answer within 200 ms");
    }

    #[test]
    fn an_answer_is_there_though_a_child_keeps_the_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let path = fifo(folder.path());
        let script = format!(
            r#"(read line <'{}') & echo '{{"Username":"u","Secret":"p"}}'"#,
            path.display()
        );
        assert_eq!(ask(shell(&script), "h.io", LONG), password("u", "p"));
        // The child waits for a writer, and ends with it.
        drop(File::options().write(true).open(&path).unwrap());
    }
}
