//! An OCI runtime in the place of the launcher's own means: gVisor's `runsc`, `crun`, `runc`.
//!
//! The launcher makes the runtime a world of its own, as it makes one for a container: user, pid, mount and
//! network namespaces, a control group with the limits. Process 1 of that world lays the container's root
//! out, writes the bundle, has the runtime start the container, and ends with it. With process 1 the kernel
//! ends whatever the runtime has started, and its state and the bundle are gone with the mount namespace: so
//! nothing depends on what the runtime would have to clear away.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `bundle` | what the runtime is told of the container: `config.json` |
//! | `inside` | what the runtime starts in the container: the launcher's own process 1, or a command |

mod bundle;
pub mod inside;

use std::{
    fs,
    io::{Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    event::{poll, PollFd, PollFlags, Timespec},
    fs::{memfd_create, open, MemfdFlags, Mode, OFlags},
    process::{wait, Pid, WaitOptions},
};
use scientist_pool_protocol::{Failure, FailureKind, Limits, Process, Program, Rlimit, Spec};

use crate::{
    devices,
    failure::{invalid, of_kind, During, Result},
    ids::Mapping,
    mounts::{magic_link, open_path, Mount, Place},
    program::candidates,
    root::{self, Views, WORKBENCH},
    sys::{self, attribute},
};

/// Where a runtime, and what it starts, looks for programs.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The container's name in the runtime's state, in which there is no other.
const ID: &str = "container";
/// How long a runtime may take to say its version; the launcher does nothing else meanwhile.
const VERSION_LIMIT: Duration = Duration::from_secs(2);
/// How often is looked whether a runtime that stays has started the container.
const LOOK: Duration = Duration::from_millis(2);

/// How many threads of this machine's gVisor may have for a process of the container's.
const THREADS: u64 = 32;

/// Which runtime a program is, as far as that makes a difference.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It has a network, and groups, of its own unless told otherwise, and devices anyway.
    Runsc,
    /// In a user namespace it has no other user than root unless there are ids enough.
    Runc,
    Other,
}

impl Kind {
    /// By the name of the file.
    fn of(program: &Path) -> Self {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        [("runsc", Self::Runsc), ("runc", Self::Runc)]
            .into_iter()
            .find(|(prefix, _)| name.starts_with(prefix))
            .map_or(Self::Other, |(_, kind)| kind)
    }

    /// What comes before the command.
    fn flags(self, mapping: Mapping) -> &'static [&'static str] {
        match (self, mapping) {
            (Self::Runsc, Mapping::Range(_)) => &["--network=none", "--ignore-cgroups"],
            (Self::Runsc, Mapping::Own { .. }) => {
                &["--network=none", "--ignore-cgroups", "--rootless"]
            }
            (Self::Runc | Self::Other, _) => &[],
        }
    }

    /// Whether it executes nothing that the container's user may not read.
    fn reads_programs(self) -> bool {
        self == Self::Runsc
    }

    /// Whether there are several users in its containers.
    fn has_users(self, mapping: Mapping) -> bool {
        self == Self::Runsc || matches!(mapping, Mapping::Range(_))
    }

    /// Whether it can only run a container, and not create one and start it.
    fn stays(self, mapping: Mapping) -> bool {
        matches!((self, mapping), (Self::Runsc, Mapping::Own { .. }))
    }
}

/// A runtime with the world that it is to make the container in.
pub struct World<'a> {
    program: &'a Path,
    kind: Kind,
    mapping: Mapping,
}

impl<'a> World<'a> {
    fn new(program: &'a Path, mapping: Mapping) -> Self {
        Self { program, kind: Kind::of(program), mapping }
    }

    /// Puts everything in its place, in this process's own mount namespace. `rlimits`: those
    /// that the spec does not have.
    pub fn furnish(
        program: &'a Path,
        spec: &Spec,
        views: Views,
        mapping: Mapping,
        rlimits: &[Rlimit],
    ) -> Result<Self> {
        let world = Self::new(program, mapping);
        if let (Kind::Runc, Mapping::Own { .. }, 1..) = (world.kind, mapping, spec.user.uid) {
            let message = format!(
                "{} has no other user than root in a container that an ordinary user makes; user must be \
                 null or '0:0' with it, or the runtime crun or runsc",
                program.display()
            );
            return Err(invalid(message));
        }
        if spec.proxy.is_some() && world.kind == Kind::Runsc {
            let message = format!(
                "{} has a network of its own making, which nothing here can listen in; network.allow takes \
                 another runtime",
                program.display()
            );
            return Err(invalid(message));
        }
        let proc = open_path("/proc").during("open /proc")?;
        crate::proc::new()?.attach(proc.as_fd()).during("mount /proc")?;
        hide_groups();
        let bench = open_path(WORKBENCH).during("open the workbench")?;
        Mount::new("tmpfs", &[devices::mode("755")], attribute::NOSUID | attribute::NODEV)?
            .attach(bench.as_fd())
            .during("mount the workbench")?;
        for name in ["bundle", "dev", "root", "state"] {
            fs::create_dir(at(name)).during(format!("make the runtime's {name}"))?;
        }
        let root = root::lay_out(spec, views, &at("root"), &at("dev"))?;
        inside::put(root.as_fd(), spec, world.kind.reads_programs())?;
        if spec.root.read_only {
            root::close(root.as_fd())?;
        }
        if spec.process.program == Program::Inside {
            find_program(&root, &spec.process)?;
        }
        let path = fs::read_link(magic_link(root.as_fd())).during("find the root")?;
        let config = bundle::config(spec, &path, &at("dev"), world.kind, mapping, rlimits)?;
        fs::write(at("bundle/config.json"), config).during("write the bundle")?;
        Ok(world)
    }

    /// Has the runtime start the container; gives the process whose end is the container's. The streams are
    /// this process's own, until it has been started.
    pub fn start(&self) -> Result<Pid> {
        let (bundle, pid_file) = (at("bundle"), at("pid"));
        let verb = if self.kind.stays(self.mapping) { "run" } else { "create" };
        let arguments = [verb, "--bundle", &bundle, "--pid-file", &pid_file, ID];
        let mut child = self.spawn(&arguments)?;
        let pid = if self.kind.stays(self.mapping) {
            while !is_written(&pid_file) {
                if let Some(status) = child.try_wait().during("wait for the runtime")? {
                    return Err(self.refusal(verb, status));
                }
                sleep(LOOK);
            }
            Pid::from_child(&child)
        } else {
            self.finish(verb, child)?;
            let told = fs::read_to_string(&pid_file).unwrap_or_default();
            let pid = told.trim().parse().ok().and_then(Pid::from_raw);
            let pid =
                pid.ok_or_else(|| self.fault("has told no pid of the container that it made"))?;
            self.finish("start", self.spawn(&["start", ID])?)?;
            pid
        };
        let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
        let null = null.during("open /dev/null")?;
        for stream in 0..3 {
            sys::duplicate_onto(null.as_fd(), stream).during("leave the container's streams")?;
        }
        Ok(pid)
    }

    /// Waits for the container's end, and ends with it.
    pub fn watch(&self, container: Pid) -> ! {
        loop {
            match wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) if pid == container => {
                    let signal = status.terminating_signal().map(|signal| 128 + signal);
                    sys::exit(status.exit_status().or(signal).unwrap_or(1));
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => sys::exit(1),
            }
        }
    }

    fn arguments<'b>(&self, arguments: &[&'b str]) -> Vec<String>
    where
        'a: 'b,
    {
        let own = ["--root", &at("state"), "--log", &at("log"), "--log-format", "json"];
        let all = self.kind.flags(self.mapping).iter().chain(&own).chain(arguments);
        all.map(|&word| word.to_owned()).collect()
    }

    fn spawn(&self, arguments: &[&str]) -> Result<Child> {
        let (name, value) = PATH.split_once('=').unwrap_or_default();
        Command::new(self.program)
            .args(self.arguments(arguments))
            .env_clear()
            .env(name, value)
            .current_dir("/")
            .spawn()
            .map_err(|error| not_executable(self.program, &error.to_string()))
    }

    fn finish(&self, verb: &str, mut child: Child) -> Result<()> {
        let status = child.wait().during("wait for the runtime")?;
        if status.success() {
            return Ok(());
        }
        Err(self.refusal(verb, status))
    }

    /// In its own words, where it has any.
    fn refusal(&self, verb: &str, status: ExitStatus) -> Failure {
        let log = fs::read_to_string(at("log")).unwrap_or_default();
        let said = log.lines().rev().find_map(bundle::message);
        let why = match (said, status.signal()) {
            (Some(said), _) => said,
            (None, Some(signal)) => format!(
                "it was ended by signal {signal}; memory or pidsLimit may be too small for it"
            ),
            (None, None) => format!("it ended with {}", status.code().unwrap_or(1)),
        };
        self.fault(&format!("can't {verb} a container: {why}"))
    }

    fn fault(&self, what: &str) -> Failure {
        of_kind(FailureKind::Other, format!("the runtime {} {what}", self.program.display()))
    }
}

/// What the kernel is to keep the container to, the runtime's own processes among it.
pub fn limits(spec: &Spec) -> Limits {
    let is_runsc = spec.runtime.as_deref().is_some_and(|program| Kind::of(program) == Kind::Runsc);
    // gVisor keeps the container to the number that was asked for. For each process in there it has some of
    // this machine's, the more the more processors there are; this is for one that got out of hand.
    let pids = spec.limits.pids.map(|pids| if is_runsc { (pids + 4) * THREADS } else { pids });
    Limits { pids, ..spec.limits }
}

/// The command of the runtime that runs a command beside process 1, to be executed in the runtime's world.
pub fn beside(
    program: &Path,
    spec: &Spec,
    process: &Process,
    mapping: Mapping,
    rlimits: &[Rlimit],
) -> Result<Process> {
    let world = World::new(program, mapping);
    let text = bundle::process(spec, process, world.kind, mapping, rlimits)?;
    // Not closed when the runtime is executed, which knows it by its path.
    let file = memfd_create("process", MemfdFlags::empty()).during("write down the process")?;
    let mut file = fs::File::from(file);
    file.write_all(text.as_bytes()).during("write down the process")?;
    let path = magic_link(file.as_fd());
    std::mem::forget(file);
    let mut argv = vec![program.to_string_lossy().into_owned()];
    argv.extend(world.arguments(&["exec", "--process", &path, ID]));
    let (env, cwd) = (vec![PATH.to_owned()], "/".to_owned());
    Ok(Process { program: Program::Inside, argv, env, cwd })
}

/// Shows the runtime an own group as its root, read-only: it is to make none, and not to mind those of this
/// machine. Where that can't be had it sees what is there, which it may not change.
fn hide_groups() {
    let Ok(place) = open_path("/sys/fs/cgroup") else { return };
    let groups = Mount::new("cgroup2", &[], attribute::RDONLY | attribute::NOSUID);
    let _ = groups.map(|groups| groups.attach(place.as_fd()));
}

/// Looks the program up as the process in the container will.
fn find_program(root: &OwnedFd, process: &Process) -> Result<()> {
    let Some(name) = process.argv.first() else {
        return Err(invalid("the command line is empty"));
    };
    let path = process.env.iter().find_map(|variable| variable.strip_prefix("PATH="));
    let found = candidates(name.as_bytes(), path.map(str::as_bytes)).into_iter().any(|candidate| {
        let candidate = String::from_utf8_lossy(&candidate).into_owned();
        Place::find(root.as_fd(), &candidate).is_ok()
    });
    if found {
        return Ok(());
    }
    Err(of_kind(FailureKind::NoSuchProgram, format!("{name}: program not found in the container")))
}

fn at(name: &str) -> String {
    format!("{WORKBENCH}/{name}")
}

fn is_written(path: &str) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

fn not_executable(program: &Path, why: &str) -> Failure {
    let message = format!("the runtime {} can't be executed: {why}", program.display());
    of_kind(FailureKind::NotExecutable, message)
}

/// What a runtime says of its version, on one line.
///
/// # Errors
///
/// It can't be executed, or says nothing in time.
pub fn version(program: &Path) -> Result<String> {
    let child = Command::new(program)
        .arg("--version")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.map_err(|error| not_executable(program, &error.to_string()))?;
    let said = child.stdout.take().map(OwnedFd::from).map(hear).unwrap_or_default();
    let _ = child.kill();
    let _ = child.wait();
    match said.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(not_executable(program, "it does not answer --version as a runtime does")),
    }
}

/// The first words that come, or none in time.
fn hear(from: OwnedFd) -> String {
    let begin = Instant::now();
    let mut said = Vec::new();
    let mut from = fs::File::from(from);
    while let Some(left) = VERSION_LIMIT.checked_sub(begin.elapsed()) {
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        let mut fds = [PollFd::new(&from, PollFlags::IN)];
        if !matches!(poll(&mut fds, Some(&left)), Ok(1)) {
            break;
        }
        let mut buffer = [0; 512];
        match from.read(&mut buffer) {
            Ok(size @ 1..) => said.extend_from_slice(&buffer[..size]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}
