//! Files through the supervisor: the helper and what takes its answers, on this machine's file system.

use std::{
    cell::Cell,
    fs,
    os::unix::{fs::symlink, fs::PermissionsExt, net::UnixListener},
};

use bytes::Bytes;
use scientist_pool::runner::{
    files::{Answer, Excess, Fault, Piece, Request, Told},
    glob::Glob,
    job::{Job, Work},
    output::{Output, Tap, Wanted},
    session::{End, Session},
};
use tempfile::TempDir;
use tokio::{process::Child, sync::oneshot, time::timeout};

use super::support::{boot_in, run, script, PATIENCE};

/// A supervisor whose working directory is a folder of its own, beside one with a secret.
struct Place {
    root: TempDir,
    session: Session,
    supervisor: Child,
}

impl Place {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("work")).unwrap();
        fs::create_dir(root.path().join("outside")).unwrap();
        fs::write(root.path().join("outside/secret"), "secret").unwrap();
        let (supervisor, session) = boot_in(&root.path().join("work"), &[], &[]).await;
        let session = session.expect("the supervisor comes up");
        Self { root, session, supervisor }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.root.path().join("work").join(name)
    }

    fn outside(&self) -> std::path::PathBuf {
        self.root.path().join("outside")
    }

    /// Every name there is, hidden ones too.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.root.path().join("work")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    async fn ask(&self, request: Request) -> Result<Vec<Told>, Fault> {
        let (end, told) = ask(&self.session, request).await;
        assert_eq!(end, End::Exit(0));
        told
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, Fault> {
        let told = self.ask(reading(&[path], 64 << 20, false)).await?;
        match &told[..] {
            [Told::Content(0, data)] => Ok(data.clone()),
            other => panic!("{other:?}"),
        }
    }

    async fn list(&self, pattern: &str) -> Vec<String> {
        let glob = Glob::new(pattern).unwrap();
        let told = self.ask(Request::List(vec![glob.folder()])).await.unwrap();
        let paths = told.into_iter().filter_map(|told| match told {
            Told::Path(path) => path.filter(|path| glob.matches(path, &Cell::default())),
            other => panic!("{other:?}"),
        });
        let mut paths: Vec<String> = paths.collect();
        paths.sort();
        paths
    }
}

async fn ask(session: &Session, request: Request) -> (End, Result<Vec<Told>, Fault>) {
    let answer = Answer::to(&request);
    let wanted = Wanted { limit: None, collect: false, display: None };
    let output = Output::new(wanted, Some(answer.tap()));
    let job = Job { work: Work::Files(request.encode()), env: Vec::new() };
    let end = timeout(PATIENCE, session.run(job, output, oneshot::channel().0)).await;
    (end.expect("the request ends").expect("the session holds"), answer.take().whole())
}

fn reading(paths: &[&str], max_bytes: u64, lenient: bool) -> Request {
    let paths = paths.iter().map(|path| path.to_string()).collect();
    Request::Read { paths, max_bytes, lenient }
}

fn piece(path: &str, offset: u64, data: &[u8], mode: Option<u32>) -> Piece {
    let data = Bytes::copy_from_slice(data);
    Piece { path: path.to_owned(), temporary: ".temporary".to_owned(), offset, data, mode }
}

fn whole(path: &str, data: &[u8]) -> Request {
    Request::Write(vec![piece(path, 0, data, Some(0o644))])
}

fn errno<T: std::fmt::Debug>(result: Result<T, Fault>) -> String {
    match result {
        Err(Fault::System { errno, .. }) => errno,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_comes_back_as_it_was_written() {
    let place = Place::new().await;
    let binary: Vec<u8> = (0..=255).cycle().take((3 << 20) + 1).collect();
    for (path, data) in
        [("empty", &b""[..]), ("one", b"x"), ("a/ü b/☃", b"\0\xff"), ("big", &binary)]
    {
        place.ask(whole(path, data)).await.unwrap();
        assert!(place.read(path).await.unwrap() == data, "{path}");
        assert!(fs::read(place.path(path)).unwrap() == data, "{path}");
    }
}

#[tokio::test]
async fn pieces_make_one_file_and_until_the_last_there_is_none_of_its_name() {
    let place = Place::new().await;
    place.ask(Request::Write(vec![piece("a/f", 0, b"one", None)])).await.unwrap();
    assert!(!place.path("a/f").exists());
    place.ask(Request::Write(vec![piece("a/f", 3, b" two", Some(0o700))])).await.unwrap();
    assert_eq!(place.read("a/f").await.unwrap(), b"one two");
    assert_eq!(fs::metadata(place.path("a/f")).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!place.path("a/.temporary").exists());
}

#[tokio::test]
async fn a_part_that_somebody_has_changed_is_no_part_any_more() {
    let place = Place::new().await;
    place.ask(Request::Write(vec![piece("f", 0, b"one", None)])).await.unwrap();
    fs::write(place.path(".temporary"), "longer").unwrap();
    let written = place.ask(Request::Write(vec![piece("f", 3, b"two", Some(0o644))])).await;
    assert_eq!(errno(written), "EINVAL");
    assert_eq!(place.names(), [""; 0]);
}

#[tokio::test]
async fn what_is_not_to_be_completed_is_taken_away() {
    let place = Place::new().await;
    place.ask(Request::Write(vec![piece("f", 0, b"one", None)])).await.unwrap();
    let (path, temporary) = ("f".to_owned(), ".temporary".to_owned());
    place.ask(Request::Discard { path, temporary }).await.unwrap();
    assert_eq!(place.names(), [""; 0]);
}

#[tokio::test]
async fn a_file_that_does_not_fit_leaves_nothing_and_those_before_it_stay() {
    let place = Place::new().await;
    fs::create_dir(place.path("taken")).unwrap();
    let pieces = vec![piece("first", 0, b"1", Some(0o644)), piece("taken", 0, b"2", Some(0o644))];
    let Err(Fault::System { place: which, errno, .. }) = place.ask(Request::Write(pieces)).await
    else {
        panic!("a folder was replaced");
    };
    assert_eq!((which, &errno[..]), (1, "EISDIR"));
    assert_eq!(place.names(), ["first", "taken"]);
}

#[tokio::test]
async fn no_link_is_followed_when_writing() {
    let place = Place::new().await;
    symlink(place.outside(), place.path("out")).unwrap();
    symlink(place.outside().join("secret"), place.path("file")).unwrap();
    symlink(place.outside().join("made"), place.path(".temporary")).unwrap();
    assert_eq!(errno(place.ask(whole("out/made", b"x")).await), "ENOTDIR");
    assert_eq!(errno(place.ask(whole("file", b"x")).await), "EEXIST");
    // What was in the way of the part is gone; the link at the end is replaced, not followed.
    place.ask(whole("file", b"x")).await.unwrap();
    assert_eq!(fs::read(place.path("file")).unwrap(), b"x");
    assert_eq!(fs::read(place.outside().join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(place.outside()).unwrap().count(), 1);
}

#[tokio::test]
async fn no_link_is_followed_when_reading_or_listing() {
    let place = Place::new().await;
    symlink(place.outside(), place.path("out")).unwrap();
    symlink(place.outside().join("secret"), place.path("file")).unwrap();
    assert_eq!(errno(place.read("out/secret").await), "ENOTDIR");
    assert_eq!(errno(place.read("file").await), "ELOOP");
    for pattern in ["**", "*", "out/*", "*/*"] {
        assert_eq!(place.list(pattern).await, [""; 0], "{pattern}");
    }
    let told = place.ask(reading(&["out/secret", "file"], 100, true)).await;
    assert_eq!(told, Ok(vec![]));
}

#[tokio::test]
async fn what_is_no_regular_file_is_not_read() {
    let place = Place::new().await;
    let fifo = std::process::Command::new("mkfifo").arg(place.path("fifo")).status().unwrap();
    assert!(fifo.success());
    let _socket = UnixListener::bind(place.path("socket")).unwrap();
    fs::create_dir(place.path("folder")).unwrap();
    for (path, expected) in
        [("fifo", "ENXIO"), ("socket", "ENXIO"), ("folder", "EISDIR"), ("none", "ENOENT")]
    {
        assert_eq!(errno(place.read(path).await), expected, "{path}");
    }
    assert_eq!(place.list("*").await, [""; 0]);
}

#[tokio::test]
async fn files_are_listed_as_far_as_a_pattern_goes() {
    let place = Place::new().await;
    for path in ["a.csv", ".hidden", "out/b.csv", "out/x/c.csv", "out/.y/d.csv"] {
        place.ask(whole(path, b"")).await.unwrap();
    }
    assert_eq!(place.list("*").await, ["a.csv"]);
    assert_eq!(place.list(".*").await, [".hidden"]);
    assert_eq!(place.list("out/*.csv").await, ["out/b.csv"]);
    assert_eq!(place.list("**/*.csv").await, ["a.csv", "out/b.csv", "out/x/c.csv"]);
    assert_eq!(place.list("none/*").await, [""; 0]);
}

#[tokio::test]
async fn more_than_allowed_is_told_as_such() {
    let place = Place::new().await;
    place.ask(whole("f", b"four")).await.unwrap();
    let told = place.ask(reading(&["f"], 4, false)).await;
    assert_eq!(told, Ok(vec![Told::Content(0, b"four".to_vec())]));
    let excess = |of| Err(Fault::Excess { place: 0, of });
    assert_eq!(place.ask(reading(&["f"], 3, false)).await, excess(Excess::Bytes));
    fs::create_dir_all(place.path(&vec!["d"; 65].join("/"))).unwrap();
    let deep = Glob::new("**").unwrap().folder();
    assert_eq!(place.ask(Request::List(vec![deep])).await, excess(Excess::Depth));
}

#[tokio::test]
async fn what_a_script_left_running_writes_is_not_in_a_file() {
    let place = Place::new().await;
    // It writes until it is killed, and waits on a full pipe in between.
    let source = "import subprocess\nprint(subprocess.Popen(['yes', 'noise']).pid)";
    let (_, stdout, _) = run(&place.session, script(source, &[], &[])).await;
    let data: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    place.ask(whole("f", &data)).await.unwrap();
    assert!(place.read("f").await.unwrap() == data);
    let pid = stdout.split_whitespace().next().unwrap().to_owned();
    std::process::Command::new("kill").arg(pid).status().unwrap();
}

#[tokio::test]
async fn a_helper_that_is_killed_is_told_as_such_and_the_next_one_answers() {
    let place = Place::new().await;
    place.ask(whole("f", b"data")).await.unwrap();
    // More than there is room for on the way, so the helper does not get to its end.
    fs::write(place.path("big"), vec![0; 8 << 20]).unwrap();
    let request = reading(&["big"], 8 << 20, false);
    let supervisor = place.supervisor.id().unwrap();
    let killed = std::sync::Once::new();
    let tap = Tap::new(true, move |_| killed.call_once(|| assert!(kill_helper(supervisor))));
    let wanted = Wanted { limit: None, collect: false, display: None };
    let job = Job { work: Work::Files(request.encode()), env: Vec::new() };
    let running = place.session.run(job, Output::new(wanted, Some(tap)), oneshot::channel().0);
    let end = timeout(PATIENCE, running).await;
    assert_eq!(end.expect("it ends").expect("the session holds"), End::Signal(9));
    assert_eq!(place.read("f").await.unwrap(), b"data");
}

/// Kills the fork of a supervisor that handles files; the spare interpreter is its child, too.
fn kill_helper(supervisor: u32) -> bool {
    let own = fs::read_to_string(format!("/proc/{supervisor}/cmdline")).unwrap();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let read = |name| fs::read_to_string(process.path().join(name)).unwrap_or_default();
        // Behind the name, in parentheses: the state, and the parent.
        let parent = read("stat").rsplit(')').next().and_then(|rest| {
            rest.split_whitespace().nth(1).and_then(|parent| parent.parse::<u32>().ok())
        });
        if parent == Some(supervisor) && read("cmdline") == own {
            let pid = process.file_name().into_string().unwrap();
            let kill = std::process::Command::new("kill").args(["-9", &pid]).status();
            return kill.unwrap().success();
        }
    }
    false
}
