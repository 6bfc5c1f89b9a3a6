//! A launcher under test, and what it is asked for.
#![allow(dead_code)]

use std::{
    collections::HashMap,
    fs::File,
    io::Read,
    net::TcpListener,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use scientist_pool_protocol::{
    Answer, Bind, Call, Channel, ContainerId, Created, ExecId, Exit, Failure, Layers, Limits,
    Message, Privileges, Process, Program, Request, Rlimit, Spec, Tmpfs, User,
};

/// Nothing here takes that long; a test that waits for longer has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const NOBODY: u32 = 65_534;

/// Who starts the launcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Root,
    Nobody,
}

/// Those this test can be, as root is needed to be somebody else.
pub fn everybody() -> Vec<Who> {
    if rustix::process::geteuid().is_root() {
        vec![Who::Root, Who::Nobody]
    } else {
        vec![Who::Nobody]
    }
}

pub struct Launcher {
    pub child: Child,
    pub channel: Channel<Call, Message>,
    pub hello: Message,
    /// What came while something else was waited for.
    unread: Vec<(Message, Vec<OwnedFd>)>,
    /// The kills for memory that it has told of.
    oom_kills: HashMap<ContainerId, u64>,
    calls: u64,
    ids: ContainerId,
}

/// A container whose program has been started.
pub struct Running {
    pub id: ContainerId,
    pub created: Created,
    pub stdin: Option<File>,
    pub stdout: File,
    pub stderr: File,
    pub pidfd: OwnedFd,
    /// What listens on the port that its spec names.
    pub listener: Option<TcpListener>,
}

/// A command beside process 1.
pub struct Beside {
    pub id: ExecId,
    pub container: ContainerId,
    pub stdin: Option<File>,
    pub stdout: File,
    pub stderr: File,
}

/// What a process said until its end.
#[derive(Debug)]
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub exit: Exit,
    /// How many kills for memory had been told of in its container by then.
    pub oom_kills: u64,
}

impl Launcher {
    pub fn start(who: Who) -> Self {
        let (channel, far) = Channel::pair().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_scientist-pool-launcher"));
        command.stdin(far);
        if who == Who::Nobody && rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY).current_dir("/");
        }
        let child = command.spawn().unwrap();
        let mut launcher = Self {
            child,
            channel,
            hello: Message::Ended { id: 0, exit: Exit::Code(0) },
            unread: Vec::new(),
            oom_kills: HashMap::new(),
            calls: 0,
            ids: 0,
        };
        launcher.hello = launcher.receive().0;
        launcher
    }

    /// The next message, unread ones first.
    pub fn receive(&mut self) -> (Message, Vec<OwnedFd>) {
        if !self.unread.is_empty() {
            return self.unread.remove(0);
        }
        self.receive_new()
    }

    fn receive_new(&mut self) -> (Message, Vec<OwnedFd>) {
        let mut ready = [PollFd::new(&self.channel, PollFlags::IN)];
        let limit = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
        assert_eq!(poll(&mut ready, Some(&limit)), Ok(1), "the launcher is silent");
        let received = self.channel.receive().unwrap().expect("the launcher has ended");
        if let Message::OomKilled { id, oom_kills } = received.0 {
            self.oom_kills.insert(id, oom_kills);
        }
        received
    }

    /// How many kills for memory it has told of in a container.
    pub fn oom_kills(&self, id: ContainerId) -> u64 {
        self.oom_kills.get(&id).copied().unwrap_or(0)
    }

    /// Sends a call; gives its number.
    pub fn send(&mut self, request: Request) -> u64 {
        self.calls += 1;
        let call = Call { number: self.calls, request };
        self.channel.send(&call, &[]).unwrap();
        self.calls
    }

    /// Waits for the answer of a call; what comes before it is kept.
    pub fn answer(&mut self, number: u64) -> (Answer, Vec<OwnedFd>) {
        let mine = |message: &Message| matches!(message, Message::Answer { number: n, .. } if *n == number);
        if let Some(index) = self.unread.iter().position(|(message, _)| mine(message)) {
            let (message, descriptors) = self.unread.remove(index);
            let Message::Answer { answer, .. } = message else { unreachable!() };
            return (answer, descriptors);
        }
        loop {
            match self.receive_new() {
                (Message::Answer { number: n, answer }, descriptors) if n == number => {
                    return (answer, descriptors)
                }
                other => self.unread.push(other),
            }
        }
    }

    pub fn call(&mut self, request: Request) -> Answer {
        let number = self.send(request);
        self.answer(number).0
    }

    pub fn next_id(&mut self) -> ContainerId {
        self.ids += 1;
        self.ids
    }

    pub fn create(&mut self, spec: &Spec) -> Result<Running, Failure> {
        self.create_of(spec, None)
    }

    /// `template`: what its first interpreter is to be forked from.
    pub fn create_of(
        &mut self,
        spec: &Spec,
        template: Option<ContainerId>,
    ) -> Result<Running, Failure> {
        let id = self.next_id();
        let number = self.send(Request::Create { id, spec: Box::new(spec.clone()), template });
        self.created(id, number)
    }

    pub fn created(&mut self, id: ContainerId, number: u64) -> Result<Running, Failure> {
        match self.answer(number) {
            (Answer::Created(created), descriptors) => {
                let mut descriptors = descriptors.into_iter();
                let [stdin, stdout, stderr, pidfd] =
                    std::array::from_fn(|_| descriptors.next().unwrap());
                let listener = descriptors.next().map(TcpListener::from);
                Ok(Running {
                    id,
                    created,
                    stdin: Some(stdin.into()),
                    stdout: stdout.into(),
                    stderr: stderr.into(),
                    pidfd,
                    listener,
                })
            }
            (Answer::Failed(failure), _) => Err(failure),
            other => panic!("{other:?}"),
        }
    }

    /// Starts a command beside process 1, as that was started but for its command line.
    pub fn exec(&mut self, id: ContainerId, argv: &[&str]) -> Result<Beside, Failure> {
        self.exec_process(id, spec().argv(argv).process)
    }

    pub fn exec_process(&mut self, id: ContainerId, process: Process) -> Result<Beside, Failure> {
        let exec = self.next_id();
        let number = self.send(Request::Exec { id, exec, process: Box::new(process) });
        match self.answer(number) {
            (Answer::Started, descriptors) => {
                let [stdin, stdout, stderr] = descriptors.try_into().unwrap();
                Ok(Beside {
                    id: exec,
                    container: id,
                    stdin: Some(stdin.into()),
                    stdout: stdout.into(),
                    stderr: stderr.into(),
                })
            }
            (Answer::Failed(failure), _) => Err(failure),
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a container's end.
    pub fn end_of(&mut self, id: ContainerId) -> Exit {
        self.told(|message| match message {
            Message::Ended { id: ended, exit } if *ended == id => Some(*exit),
            _ => None,
        })
    }

    /// Waits for a command's end.
    pub fn end_of_exec(&mut self, id: ExecId) -> Exit {
        self.told(|message| match message {
            Message::ExecEnded { exec, exit, .. } if *exec == id => Some(*exit),
            _ => None,
        })
    }

    /// Waits for what the launcher tells by itself.
    fn told<T>(&mut self, mine: impl Fn(&Message) -> Option<T>) -> T {
        if let Some(index) = self.unread.iter().position(|(message, _)| mine(message).is_some()) {
            return mine(&self.unread.remove(index).0).unwrap();
        }
        loop {
            let message = self.receive_new();
            match mine(&message.0) {
                Some(told) => return told,
                None => self.unread.push(message),
            }
        }
    }

    pub fn remove(&mut self, id: ContainerId) {
        assert_eq!(self.call(Request::Remove { id }), Answer::Removed);
    }

    /// Runs a container to its end, with nothing on its stdin, and removes it.
    pub fn run(&mut self, spec: &Spec) -> Said {
        let mut running = self.create(spec).unwrap();
        let said = self.finish(&mut running);
        self.remove(running.id);
        said
    }

    pub fn finish(&mut self, running: &mut Running) -> Said {
        running.stdin = None;
        let (stdout, stderr) = read(&mut running.stdout, &mut running.stderr);
        let exit = self.end_of(running.id);
        Said { stdout, stderr, exit, oom_kills: self.oom_kills(running.id) }
    }

    /// As [`Launcher::run`], beside process 1.
    pub fn run_beside(&mut self, id: ContainerId, argv: &[&str]) -> Said {
        let mut beside = self.exec(id, argv).unwrap();
        self.finish_beside(&mut beside)
    }

    pub fn finish_beside(&mut self, beside: &mut Beside) -> Said {
        beside.stdin = None;
        let (stdout, stderr) = read(&mut beside.stdout, &mut beside.stderr);
        let exit = self.end_of_exec(beside.id);
        Said { stdout, stderr, exit, oom_kills: self.oom_kills(beside.container) }
    }

    /// What a Python script prints; it must succeed.
    pub fn python(&mut self, spec: &Spec, script: &str) -> String {
        let said = self.run(&spec.clone().python(script));
        assert_eq!(said.exit, Exit::Code(0), "{said:?}");
        said.stdout.trim_end().to_owned()
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        // The end of the socket is the launcher's end.
        self.channel = Channel::pair().unwrap().0;
        let _ = self.child.wait();
    }
}

/// Both to their ends: little enough that one can be read after the other.
fn read(stdout: &mut File, stderr: &mut File) -> (String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    stdout.read_to_string(&mut out).unwrap();
    stderr.read_to_string(&mut err).unwrap();
    (out, err)
}

/// A frame for process 1 (`src/runner/supervisor.py`).
pub fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind][..], &(payload.len() as u32).to_le_bytes(), payload].concat()
}

/// A list in one.
pub fn list(words: &[&str]) -> Vec<u8> {
    let words =
        words.iter().map(|word| [&(word.len() as u32).to_le_bytes()[..], word.as_bytes()].concat());
    let words: Vec<_> = words.collect();
    [&(words.len() as u32).to_le_bytes()[..], &words.concat()].concat()
}

/// The next frame of process 1: its kind, and its payload.
pub fn receive(init: &mut Running) -> (u8, Vec<u8>) {
    let mut head = [0; 5];
    init.stdout.read_exact(&mut head).unwrap();
    let size = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    let mut payload = vec![0; size as usize];
    init.stdout.read_exact(&mut payload).unwrap();
    (head[0], payload)
}

/// What is shown read-only, and by way of links.
pub fn bind(source: impl Into<PathBuf>, target: &str) -> Bind {
    Bind { source: source.into(), target: target.to_owned(), read_only: true, links: true }
}

/// A root of this machine's `/usr`.
pub fn spec() -> Spec {
    Spec {
        root: Layers { folders: Vec::new(), read_only: true },
        binds: vec![bind("/usr", "/usr")],
        tmpfs: vec![Tmpfs {
            target: "/tmp".to_owned(),
            options: "rw,nosuid,nodev,exec,size=64m,mode=1777".to_owned(),
        }],
        shm_size: Some(16 << 20),
        hostname: "sandbox".to_owned(),
        proxy: None,
        process: Process {
            program: Program::Inside,
            argv: vec!["true".to_owned()],
            env: vec!["PATH=/usr/bin:/bin".to_owned(), "HOME=/tmp".to_owned()],
            cwd: "/tmp".to_owned(),
        },
        user: User { uid: NOBODY, gid: NOBODY },
        privileges: Privileges {
            capabilities: Vec::new(),
            no_new_privileges: true,
            seccomp: Vec::new(),
        },
        limits: Limits { memory: Some(128 << 20), swap: Some(0), pids: Some(50), cpu: None },
        rlimits: vec![rlimit("nofile", 1024), rlimit("core", 0), rlimit("fsize", 64 << 20)],
        oom_score_adj: 500,
        runtime: None,
    }
}

/// The profile containers get, compiled.
pub fn filtered(capabilities: &[&str]) -> Spec {
    let profile = include_str!("../../../../docs/seccomp.json");
    let mut spec = spec();
    spec.privileges.seccomp = scientist_pool_seccomp::compile(profile, capabilities, &[]).unwrap();
    spec
}

pub fn rlimit(name: &str, limit: u64) -> Rlimit {
    Rlimit { name: name.to_owned(), soft: Some(limit), hard: Some(limit) }
}

pub trait SpecExt {
    fn python(self, script: &str) -> Self;
    fn argv(self, argv: &[&str]) -> Self;
}

impl SpecExt for Spec {
    fn python(self, script: &str) -> Self {
        self.argv(&["python3", "-I", "-S", "-c", script])
    }

    fn argv(mut self, argv: &[&str]) -> Self {
        self.process.argv = argv.iter().map(|&word| word.to_owned()).collect();
        self
    }
}

/// Waits until something is so.
pub fn eventually(limit: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::yield_now();
    }
}

/// A folder that everybody may look into.
pub fn open_folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A root file system of folders alone, to which `/usr` is bound.
pub fn skeleton(folders: &[&str]) -> tempfile::TempDir {
    let root = open_folder();
    for folder in folders {
        std::fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    for (name, target) in [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")] {
        std::os::unix::fs::symlink(target, root.path().join(name)).unwrap();
    }
    root
}

/// All cgroups of this machine whose path has a word in it.
pub fn cgroups_with(word: &str) -> Vec<PathBuf> {
    fn look(folder: &Path, word: &str, found: &mut Vec<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|k| k.is_dir())) {
            if entry.path().to_string_lossy().contains(word) {
                found.push(entry.path());
            }
            look(&entry.path(), word, found);
        }
    }
    let mut found = Vec::new();
    look(Path::new("/sys/fs/cgroup"), word, &mut found);
    found
}

/// The pids of a process's descendants, as this machine counts them.
pub fn descendants(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
    children.flat_map(|pid| std::iter::once(pid).chain(descendants(pid))).collect()
}

/// The launcher proper: the keeper's only child.
pub fn proper(keeper: u32) -> u32 {
    let children =
        std::fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).unwrap();
    children.trim().parse().unwrap()
}

pub fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}
