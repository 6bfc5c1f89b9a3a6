//! The store of images, as its program has it (`scientist_pool_protocol::images`).

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use docker_credential::DockerCredential;
use rustix::{
    fs::{flock, fstat, open, stat, FlockOperation, Mode, OFlags},
    process::{pidfd_open, pidfd_send_signal, Pid, PidfdFlags, Signal},
};
use scientist_pool_protocol::images::{self, Answer, Credentials, Fault};
use tokio::sync::mpsc::{unbounded_channel, UnboundedSender};

use crate::{
    engine::{registry::credentials, KeptImage, Layer, Making, OnPull, PullProgress, Recipe},
    error::{excerpt, Code, Error, Result},
};

/// The most bytes of the program's last words.
const LAST_WORDS: u64 = 4 << 10;

/// An image, and how it is to be got.
#[derive(Clone)]
pub(super) struct Wanted {
    pub program: PathBuf,
    pub name: String,
    /// `always`, `missing` or `never`.
    pub policy: &'static str,
    /// What the credentials for its registry are filed under.
    pub credentials_key: Option<String>,
}

/// A root file system of the store, which is not removed as long as this is there.
#[derive(Debug)]
pub(super) struct Tree {
    pub root: PathBuf,
    /// In the store, by whose lock it is held.
    pub folder: PathBuf,
    /// `NAME=value`, as the image sets them.
    pub env: Vec<String>,
    /// As [`scientist_pool_protocol::images::Image::user`].
    pub user: String,
    /// As [`scientist_pool_protocol::images::Image::working_dir`].
    pub working_dir: String,
    _held: OwnedFd,
}

/// What the program says that its caller has to act on.
enum Said {
    /// It wants the credentials.
    Login,
    /// It wants the layer.
    Layer,
    Done(Tree),
    Failed(Fault, String),
}

/// Has the program get an image. The program ends with this call, however that ends.
pub(super) async fn get(wanted: Wanted, report: OnPull) -> Result<Tree> {
    let mut program = Command::new(&wanted.program);
    program.args(["pull", &wanted.name, wanted.policy]);
    attend(program, wanted, report, None).await
}

/// Has the program derive an image from that of `base`, whose name is `from`. It asks for the layer if there is
/// none, and holds off all others who want the same until it has it. It ends with this call.
pub(super) async fn derive(
    program: PathBuf,
    (from, base): (&str, &Tree),
    recipe: &Recipe,
    report: OnPull,
    layer: Making<'_>,
) -> Result<Tree> {
    let mut command = Command::new(&program);
    let name = format!("{from} + {}", recipe.title);
    command.arg("derive").arg(from).arg(base.folder.file_name().unwrap_or_default());
    command.args([&name, &recipe.text]);
    let wanted = Wanted { program, name, policy: "missing", credentials_key: None };
    attend(command, wanted, report, Some(layer)).await
}

/// Asks the program of all images that there are (`list`), or has it remove those that no process uses (`prune`)
/// and tell them.
pub(super) async fn ask(program: &Path, command: &'static str) -> Result<Vec<KeptImage>> {
    let failed = |why: &dyn std::fmt::Display| {
        let message = format!("{command} images: {} failed: {why}", program.display());
        Error::new(Code::EngineError, message)
    };
    let mut asked = Command::new(program);
    asked.arg(command).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || asked.output()).await;
    let output = output.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    let images = match serde_json::from_slice(&output.stdout) {
        Ok(Answer::Images { images, .. } | Answer::Removed { images, .. }) => images,
        Ok(Answer::Failed { message, .. }) => return Err(failed(&message)),
        _ => {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(failed(&format!("{} {}", output.status, excerpt(words.trim()))));
        }
    };
    let kept = |image: images::Image| KeptImage {
        name: image.name,
        digest: image.digest,
        size: image.size,
        since: image.pulled,
        in_use: image.in_use,
    };
    Ok(images.into_iter().map(kept).collect())
}

async fn attend(
    mut program: Command,
    wanted: Wanted,
    report: OnPull,
    mut layer: Option<Making<'_>>,
) -> Result<Tree> {
    let lost = |why: &dyn std::fmt::Display| {
        let Wanted { program, name, .. } = &wanted;
        let message = format!("can't get {name}: {} failed: {why}", program.display());
        Error::new(Code::ImagePullFailed, message).image(name)
    };
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| lost(&error))?;
    let mut lifeline = Lifeline::of(&mut child);
    let (say, mut said) = unbounded_channel();
    let (name, heard) = (wanted.name.clone(), report.clone());
    tokio::task::spawn_blocking(move || listen(child, &name, &heard, &say));
    let mut warning = None;
    while let Some(said) = said.recv().await {
        match said {
            Said::Login => {
                let login =
                    log_in(wanted.credentials_key.as_deref(), lifeline.stdin.as_mut()).await;
                warning = login.map_err(|error| lost(&error))?;
                if let Some(warning) = &warning {
                    report(step(&wanted.name, format!("Warning: {warning}")));
                }
            }
            Said::Layer => {
                let Some(layer) = layer.take() else { continue };
                let layer = layer.await?;
                report(step(&wanted.name, "Extracting".to_owned()));
                lifeline.stdin = hand_over(layer, lifeline.stdin.take()).await;
            }
            Said::Done(tree) => return Ok(tree),
            Said::Failed(fault, why) => return Err(error(&wanted, fault, &why, warning)),
        }
    }
    Err(lost(&"it ended without a word"))
}

/// The program ends with this, even one that was stopped.
struct Lifeline {
    stdin: Option<ChildStdin>,
    process: rustix::io::Result<OwnedFd>,
}

impl Lifeline {
    fn of(child: &mut Child) -> Self {
        let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty());
        Self { stdin: child.stdin.take(), process }
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        drop(self.stdin.take());
        if let Ok(process) = &self.process {
            let _ = pidfd_send_signal(process, Signal::CONT);
        }
    }
}

/// Hears the program to its end.
fn listen(mut child: Child, name: &str, report: &OnPull, say: &UnboundedSender<Said>) {
    let mut is_told = false;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let answer = line.map_err(|error| error.to_string()).and_then(|line| {
                serde_json::from_str(&line).map_err(|error| format!("{error}: {}", excerpt(&line)))
            });
            let said = match answer {
                Ok(Answer::Progress { layer, status, current, total }) => {
                    report(PullProgress { layer, current, total, ..step(name, status) });
                    continue;
                }
                Ok(Answer::Login) => Said::Login,
                Ok(Answer::Layer) => Said::Layer,
                Ok(Answer::Image(image)) => match hold(&image.folder) {
                    Some(held) => Said::Done(Tree {
                        root: image.root,
                        folder: image.folder,
                        env: image.env,
                        user: image.user,
                        working_dir: image.working_dir,
                        _held: held,
                    }),
                    None => {
                        let why = format!("{} was taken away", image.folder.display());
                        Said::Failed(Fault::System, why)
                    }
                },
                Ok(Answer::Failed { fault, message }) => Said::Failed(fault, message),
                Ok(other) => Said::Failed(Fault::System, format!("it answered with {other:?}")),
                Err(why) => Said::Failed(Fault::System, why),
            };
            is_told |= !matches!(said, Said::Login | Said::Layer);
            // Nobody may wait any more; then its stdin has ended.
            let _ = say.send(said);
        }
    }
    let mut words = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(LAST_WORDS).read_to_end(&mut words);
    }
    let end = child.wait();
    if !is_told {
        let end = end.map_or_else(|error| error.to_string(), |status| status.to_string());
        let words = String::from_utf8_lossy(&words);
        let _ = say.send(Said::Failed(Fault::System, format!("{end} {}", words.trim())));
    }
}

/// Takes part in holding a tree, which the program still holds.
fn hold(folder: &Path) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let held = open(folder, flags, Mode::empty()).ok()?;
    flock(&held, FlockOperation::NonBlockingLockShared).ok()?;
    let (open, named) = (fstat(&held).ok()?, stat(folder).ok()?);
    (open.st_ino == named.st_ino && open.st_dev == named.st_dev).then_some(held)
}

/// Gives the program the credentials that Docker's settings have; gives why they could not be had.
async fn log_in(key: Option<&str>, to: Option<&mut ChildStdin>) -> std::io::Result<Option<String>> {
    let found = match key {
        Some(key) => {
            let folder = credentials::folder(&|name| std::env::var_os(name));
            credentials::find(folder, key.to_owned()).await
        }
        None => credentials::Credentials::default(),
    };
    let credentials = found.found.map(|credential| match credential {
        DockerCredential::IdentityToken(token) => Credentials::IdentityToken(token),
        DockerCredential::UsernamePassword(username, password) => {
            Credentials::Password { username, password }
        }
    });
    if let Some(stdin) = to {
        let line = serde_json::to_string(&credentials)?;
        stdin.write_all(format!("{line}\n").as_bytes())?;
    }
    Ok(found.warning)
}

/// Writes a layer to the program. One that takes no more says why.
async fn hand_over(mut layer: Layer, to: Option<ChildStdin>) -> Option<ChildStdin> {
    let mut to = to?;
    let written = tokio::task::spawn_blocking(move || {
        let _ = writeln!(to, "{}", layer.size).and_then(|()| io::copy(&mut layer.file, &mut to));
        to
    });
    written.await.ok()
}

fn step(image: &str, status: String) -> PullProgress {
    PullProgress { image: image.to_owned(), layer: None, status, current: None, total: None }
}

fn error(wanted: &Wanted, fault: Fault, why: &str, warning: Option<String>) -> Error {
    let Wanted { name, policy, credentials_key, .. } = wanted;
    let is_remote = credentials_key.is_some();
    let (code, advice) = match fault {
        Fault::NotFound if *policy == "never" && is_remote => (
            Code::ImageNotFound,
            "and pull is \"never\": pull it yourself (npx scientist-pool pull), or set pull to \"missing\"",
        ),
        Fault::NotFound if is_remote => (
            Code::ImageNotFound,
            "check its name and tag, and whether its registry wants a `docker login`",
        ),
        Fault::NotFound => (Code::ImageNotFound, "check the path"),
        Fault::Denied => (
            Code::ImagePullFailed,
            "the registry wants a login: run `docker login` for it as this user",
        ),
        Fault::Registry => (
            Code::ImagePullFailed,
            "check that this machine reaches the registry, or name an archive of it",
        ),
        Fault::Refused => (Code::ImagePullFailed, "the image can't be used as it is"),
        Fault::System => (Code::ImagePullFailed, "this machine could not take it"),
    };
    let warning = warning.map(|text| format!(" ({text})")).unwrap_or_default();
    let why = excerpt(why);
    Error::new(code, format!("can't get {name}: {why}; {advice}{warning}")).image(name)
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use super::*;

    /// What comes of a program that is this shell script.
    async fn got(script: &str, policy: &'static str) -> (Result<Tree>, Vec<PullProgress>) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tree")).unwrap();
        let mut program = Command::new("sh");
        program.args(["-c", script]).current_dir(folder.path());
        let steps = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = steps.clone();
        let report: OnPull = Arc::new(move |step| seen.lock().unwrap().push(step));
        let credentials_key = Some("registry.invalid".to_owned());
        let wanted =
            Wanted { program: "sh".into(), name: "a:1".to_owned(), policy, credentials_key };
        let result = attend(program, wanted, report, None).await;
        let steps = steps.lock().unwrap().clone();
        (result, steps)
    }

    const IMAGE: &str = r#"echo "{\"image\":{\"name\":\"a:1\",\"digest\":\"\",\"size\":1,\"pulled\":1,
        \"inUse\":true,\"env\":[\"A=b\"],\"user\":\"app\",\"workingDir\":\"/srv\",\"root\":\"$PWD/tree/root\",\"folder\":\"$PWD/tree\"}}" | tr -d '\n'; echo"#;

    #[tokio::test]
    async fn an_image_is_held_and_what_it_says_is_told() {
        let (tree, _) = got(IMAGE, "missing").await;
        let tree = tree.unwrap();
        assert!(tree.root.ends_with("tree/root"));
        assert_eq!(tree.env, ["A=b"]);
        assert_eq!((&*tree.user, &*tree.working_dir), ("app", "/srv"));
    }

    #[tokio::test]
    async fn progress_is_passed_on_under_the_name_of_the_image() {
        let line = r#"{"progress":{"layer":"abc","status":"Downloading","current":5,"total":9}}"#;
        let (_, steps) = got(&format!("echo '{line}'; {IMAGE}"), "missing").await;
        let layer = Some("abc".to_owned());
        let (current, total) = (Some(5), Some(9));
        assert_eq!(
            steps,
            [PullProgress { layer, current, total, ..step("a:1", "Downloading".to_owned()) }]
        );
    }

    #[tokio::test]
    async fn one_that_wants_the_credentials_is_told_when_there_are_none() {
        let script = r#"echo '"login"'; read -r line; test "$line" = null || exit 1"#;
        let (tree, _) = got(&format!("{script}; {IMAGE}"), "missing").await;
        tree.unwrap();
    }

    #[tokio::test]
    async fn what_it_says_decides_between_not_found_and_failed() {
        for (fault, code, advice) in [
            ("notFound", Code::ImageNotFound, "check its name and tag"),
            ("denied", Code::ImagePullFailed, "docker login"),
            ("registry", Code::ImagePullFailed, "reaches the registry"),
            ("refused", Code::ImagePullFailed, "can't be used"),
            ("system", Code::ImagePullFailed, "this machine"),
        ] {
            let line = format!(r#"{{"failed":{{"fault":"{fault}","message":"some words"}}}}"#);
            let error = got(&format!("echo '{line}'"), "missing").await.0.unwrap_err();
            assert_eq!(error.code, code, "{fault}");
            assert_eq!(error.image.as_deref(), Some("a:1"));
            assert!(error.message.contains("some words"), "{}", error.message);
            assert!(error.message.contains(advice), "{}", error.message);
        }
        let line = r#"{"failed":{"fault":"notFound","message":"no"}}"#;
        let error = got(&format!("echo '{line}'"), "never").await.0.unwrap_err();
        assert!(error.message.contains("pull is \"never\""), "{}", error.message);
    }

    #[tokio::test]
    async fn one_that_ends_without_an_answer_is_a_failure_with_its_last_words() {
        let error = got("echo out of memory >&2; exit 3", "missing").await.0.unwrap_err();
        assert_eq!(error.code, Code::ImagePullFailed);
        assert!(error.message.contains("exit status: 3 out of memory"), "{}", error.message);
        let error = got("echo '<html>'", "missing").await.0.unwrap_err();
        assert!(error.message.contains("<html>"), "{}", error.message);
    }

    #[tokio::test]
    async fn one_that_nobody_waits_for_any_more_ends() {
        let step = r#"{"progress":{"layer":null,"status":"on its way"}}"#;
        let mut program = Command::new("sh");
        program.args(["-c", &format!("echo '{step}'; exec cat")]);
        let (say, mut heard) = unbounded_channel();
        let report: OnPull = Arc::new(move |step| say.send(step).unwrap());
        let wanted = Wanted {
            program: "sh".into(),
            name: "a:1".to_owned(),
            policy: "missing",
            credentials_key: None,
        };
        let getting = tokio::spawn(attend(program, wanted, report, None));
        heard.recv().await.unwrap();
        getting.abort();
        assert_eq!(heard.recv().await, None, "who listens to it does so to its end");
    }

    #[tokio::test]
    async fn a_tree_that_was_taken_away_is_a_failure() {
        let (tree, _) = got(&format!("rmdir tree; {IMAGE}"), "missing").await;
        let error = tree.unwrap_err();
        assert!(error.message.contains("was taken away"), "{}", error.message);
    }
}
