//! A process of a job: its pipes, and its way to its program.

use std::{
    ffi::CString,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{fcntl_setfl, OFlags},
    io::{fcntl_setfd, write, Errno, FdFlags, Result},
    pipe::{pipe_with, PipeFlags},
    process::{chdir, kill_process_group, Pid, Signal},
};

use super::{files, frames::Fields, output::Output, pipe, words, Household};
use crate::{credentials, program, sys};

/// What a child is to become.
pub struct Task {
    /// Without a word: what handles files.
    argv: Vec<CString>,
    /// What it has on top of the household's variables, or in place of them.
    env: Vec<CString>,
    /// The container's own where it is empty.
    cwd: CString,
}

impl Task {
    pub fn new(argv: &[&[u8]], names_and_values: &[&[u8]], cwd: &[u8]) -> Result<Self> {
        let text = |bytes: Vec<u8>| CString::new(bytes).map_err(|_| Errno::INVAL);
        if argv.is_empty() {
            return Err(Errno::INVAL);
        }
        let env = names_and_values.chunks_exact(2).map(|pair| [pair[0], b"=", pair[1]].concat());
        Ok(Self {
            argv: argv.iter().map(|word| text(word.to_vec())).collect::<Result<_>>()?,
            env: env.map(text).collect::<Result<_>>()?,
            cwd: text(cwd.to_vec())?,
        })
    }

    pub fn read(fields: &mut Fields<'_>) -> Result<Self> {
        let (argv, env) = (fields.list()?, fields.list()?);
        Self::new(&argv, &env, fields.string()?)
    }

    /// What handles files: no program, but a part of this one.
    pub fn files() -> Self {
        Self { argv: Vec::new(), env: Vec::new(), cwd: CString::default() }
    }

    pub fn name(&self) -> String {
        self.argv.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub fn cwd(&self) -> String {
        self.cwd.to_string_lossy().into_owned()
    }

    /// The household's variables, of which those given have the last word.
    fn env(&self, household: &Household) -> Result<Vec<CString>> {
        let name =
            |variable: &[u8]| variable.split(|byte| *byte == b'=').next().map(<[u8]>::to_vec);
        let said: Vec<_> = self.env.iter().map(|variable| name(variable.to_bytes())).collect();
        let rest = household.env.iter().filter(|own| !said.contains(&name(own.as_bytes())));
        let rest = rest.map(|own| CString::new(own.as_str()).map_err(|_| Errno::INVAL));
        rest.chain(self.env.iter().cloned().map(Ok)).collect()
    }
}

/// Why a child did not get to its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// It could not be made what it was to be.
    Setup(Errno),
    /// It may not enter its folder, or there is none.
    Folder(Errno),
    /// The program can't be executed.
    Program(Errno),
}

impl Failed {
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (stage, errno) = bytes.split_first()?;
        let errno = Errno::from_raw_os_error(i32::from_le_bytes(errno.try_into().ok()?));
        Some(match stage {
            b'f' => Self::Folder(errno),
            b'p' => Self::Program(errno),
            _ => Self::Setup(errno),
        })
    }

    fn to_bytes(self) -> [u8; 5] {
        let (stage, errno) = match self {
            Self::Setup(errno) => (b's', errno),
            Self::Folder(errno) => (b'f', errno),
            Self::Program(errno) => (b'p', errno),
        };
        let [a, b, c, d] = errno.raw_os_error().to_le_bytes();
        [stage, a, b, c, d]
    }

    /// The sentence and the exit code with which a shell tells it, if it is the command's own fault.
    pub fn as_in_a_shell(self, name: &str, cwd: &str) -> Option<(String, u8)> {
        let (what, errno, code) = match self {
            Self::Program(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE)
            | Self::Setup(_) => return None,
            Self::Folder(errno) => (cwd, errno, 126),
            Self::Program(errno @ (Errno::ACCESS | Errno::PERM)) => (name, errno, 126),
            Self::Program(errno) => (name, errno, 127),
        };
        Some((format!("{what}: {}\n", words(errno)), code))
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Setup(errno) | Self::Folder(errno) | Self::Program(errno)) = self;
        f.write_str(&words(*errno))
    }
}

/// A process that has pipes of its own as standard streams.
pub struct Child {
    pid: Pid,
    pub stdin: Option<OwnedFd>,
    /// Brings why it did not get to its program; `None`: it did.
    report: Option<OwnedFd>,
}

impl Child {
    /// One that has not been started by this process.
    pub fn sent(pid: Pid, stdin: OwnedFd) -> Self {
        Self { pid, stdin: Some(stdin), report: None }
    }

    pub fn is(&self, pid: Pid) -> bool {
        self.pid == pid
    }

    /// Nobody else has its number until it is waited for; one that has become nothing yet is in no group of its own.
    pub fn interrupt(&self) {
        let _ = kill_process_group(self.pid, Signal::INT);
    }

    /// Why it did not get to its program; `None`: it did, or is on its way. It tells before it ends.
    pub fn failed(&self) -> Option<Failed> {
        let mut buffer = Vec::with_capacity(8);
        Failed::from_bytes(pipe::read(self.report.as_ref()?.as_fd(), &mut buffer).ok()??)
    }
}

/// Starts a process as an engine's exec would start it: in a session of its own, with default signals. Of
/// this process's descriptors it gets those that are `inherited` alone.
///
/// # Errors
///
/// There are no descriptors or no processes left.
pub fn start(
    household: &Household,
    task: &Task,
    inherited: &[BorrowedFd<'_>],
) -> Result<(Child, [Output; 2])> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC);
    let (stdin, stdout, stderr, report) = (pipe()?, pipe()?, pipe()?, pipe()?);
    for end in [&stdin.1, &stdout.0, &stderr.0, &report.0] {
        fcntl_setfl(end, OFlags::NONBLOCK)?;
    }
    let env = task.env(household)?;
    // A script that fills the memory must go before this process does.
    household.set_oom_score(OOM_SCORE_OF_CHILDREN);
    let forked = sys::fork();
    if !matches!(forked, Ok(None)) {
        household.set_oom_score_back();
    }
    if let Some(pid) = forked? {
        let child = Child { pid, stdin: Some(stdin.1), report: Some(report.0) };
        return Ok((child, [Output::new(b'1', stdout.0), Output::new(b'2', stderr.0)]));
    }
    let theirs = [stdin.0.as_fd(), stdout.1.as_fd(), stderr.1.as_fd()];
    let failed = become_task(household, task, &env, theirs, inherited);
    // If nobody is there to hear it, nobody waits for it.
    let _ = write(&report.1, &failed.to_bytes());
    sys::exit(127)
}

/// `include/uapi/linux/oom.h`: `OOM_SCORE_ADJ_MAX`.
const OOM_SCORE_OF_CHILDREN: i16 = 1000;

impl Household {
    fn set_oom_score(&self, score: i16) {
        if let Some((file, _)) = &self.oom_score {
            // A kernel that does not take it has other ways to choose.
            let _ = write(file, score.to_string().as_bytes());
        }
    }

    fn set_oom_score_back(&self) {
        if let Some((_, own)) = &self.oom_score {
            self.set_oom_score(*own);
        }
    }
}

/// In the new process; returns only to say what failed.
fn become_task(
    household: &Household,
    task: &Task,
    env: &[CString],
    theirs: [BorrowedFd<'_>; 3],
    inherited: &[BorrowedFd<'_>],
) -> Failed {
    let Household { mapping, user, privileges, .. } = household;
    let prepared = || -> Result<()> {
        sys::begin_session()?;
        for (number, end) in (0..).zip(theirs) {
            sys::duplicate_onto(end, number)?;
        }
        for fd in inherited {
            fcntl_setfd(fd, FdFlags::empty())?;
        }
        sys::default_signals();
        credentials::become_member(*mapping, *user, privileges).map_err(errno)
    };
    if let Err(errno) = prepared() {
        return Failed::Setup(errno);
    }
    // As the user that it is: what that may not enter is not its working directory.
    if !task.cwd.is_empty() {
        if let Err(errno) = chdir(&*task.cwd) {
            return Failed::Folder(errno);
        }
    }
    if household.filters {
        if let Err(failure) = credentials::filter(&privileges.seccomp) {
            return Failed::Setup(errno(failure));
        }
    }
    match task.argv.first() {
        Some(name) => Failed::Program(execute(name, &task.argv, env)),
        None => handle_files(),
    }
}

/// Holds no descriptor but its own three, and tells by its exit code alone that there is no answer.
fn handle_files() -> ! {
    sys::ignore_signals_of_writing();
    let code = match sys::close_from(3) {
        Ok(()) => files::serve(),
        Err(_) => 1,
    };
    sys::exit(code)
}

fn errno(failure: scientist_pool_protocol::Failure) -> Errno {
    failure.errno.map_or(Errno::INVAL, Errno::from_raw_os_error)
}

/// Becomes the program, looked for in `env`'s `PATH`; returns only to say why not.
fn execute(name: &CString, argv: &[CString], env: &[CString]) -> Errno {
    let path = env.iter().find_map(|variable| variable.to_bytes().strip_prefix(b"PATH="));
    let mut refused = None;
    let mut last = Errno::NOENT;
    for candidate in program::candidates(name.to_bytes(), path) {
        let Ok(candidate) = CString::new(candidate) else { return Errno::INVAL };
        match sys::execute(&candidate, argv, env) {
            errno @ (Errno::NOENT | Errno::NOTDIR) => last = errno,
            // As a shell does: perhaps another folder of `PATH` has one that may be executed.
            errno => {
                refused.get_or_insert(errno);
            }
        }
    }
    refused.unwrap_or(last)
}

/// The path by which a child finds a descriptor that it has inherited.
pub fn path_of(fd: BorrowedFd<'_>) -> Vec<u8> {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into_bytes()
}
