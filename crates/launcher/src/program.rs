//! The program of a process.

use std::{
    ffi::{CStr, CString},
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{access, open, Access, Mode, OFlags},
    io::Errno,
};
use scientist_pool_protocol::{Failure, FailureKind, Process, Program};

use crate::{
    failure::{invalid, of_kind, During, Result},
    sys,
};

/// Where a program is looked up whose environment has no `PATH` (`_PATH_STDPATH` of the C library).
const DEFAULT_PATH: &str = "/usr/bin:/bin:/usr/sbin:/sbin";

/// A program of this machine's, opened before its file system is out of sight.
pub fn open_outside(program: &Program) -> Result<Option<OwnedFd>> {
    let Program::Outside(path) = program else { return Ok(None) };
    open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).at("open", path).map(Some)
}

/// A command line as the kernel takes it.
pub struct Command {
    argv: Vec<CString>,
    env: Vec<CString>,
    /// What to try, in this order.
    candidates: Vec<CString>,
    outside: Option<OwnedFd>,
}

impl Command {
    pub fn new(process: &Process, outside: Option<OwnedFd>) -> Result<Self> {
        let texts = |what: &str, texts: &[String]| {
            let texts = texts.iter().map(|text| {
                CString::new(text.as_str())
                    .map_err(|_| invalid(format!("{what} has a NUL: {text:?}")))
            });
            texts.collect::<Result<Vec<_>>>()
        };
        let argv = texts("the command line", &process.argv)?;
        let env = texts("the environment", &process.env)?;
        let Some(name) = process.argv.first() else {
            return Err(invalid("the command line is empty"));
        };
        let candidates = if name.contains('/') {
            vec![name.clone()]
        } else {
            let path = process.env.iter().find_map(|variable| variable.strip_prefix("PATH="));
            let folders = path.unwrap_or(DEFAULT_PATH).split(':');
            folders
                .map(|folder| if folder.is_empty() { "." } else { folder })
                .map(|folder| format!("{folder}/{name}"))
                .collect()
        };
        let candidates = texts("the program's name", &candidates)?;
        Ok(Self { argv, env, candidates, outside })
    }

    /// Executes it; returns only to say why not.
    pub fn execute(&self) -> Failure {
        if let Some(program) = &self.outside {
            return self.not_executable(sys::execute_opened(
                program.as_fd(),
                &self.argv,
                &self.env,
            ));
        }
        let mut refused = None;
        for candidate in &self.candidates {
            match sys::execute(candidate, &self.argv, &self.env) {
                Errno::NOENT | Errno::NOTDIR => {
                    if access(candidate, Access::EXISTS).is_ok() {
                        return self.without_interpreter(candidate);
                    }
                }
                // As a shell does: perhaps another folder of `PATH` has one that may be executed.
                Errno::ACCESS => refused = Some(Errno::ACCESS),
                errno => return self.not_executable(errno),
            }
        }
        match refused {
            Some(errno) => self.not_executable(errno),
            None => of_kind(
                FailureKind::NoSuchProgram,
                format!("{}: program not found in the container", self.name()),
            ),
        }
    }

    fn name(&self) -> String {
        self.argv.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn without_interpreter(&self, program: &CStr) -> Failure {
        let program = program.to_string_lossy();
        of_kind(
            FailureKind::NoSuchProgram,
            format!("{program}: the program is there, but not the interpreter or loader it names"),
        )
    }

    fn not_executable(&self, errno: Errno) -> Failure {
        let failure = Err::<(), _>(errno).during(format!("execute {}", self.name()));
        let mut failure = failure.err().unwrap_or_else(|| invalid(self.name()));
        let broken = matches!(errno, Errno::ACCESS | Errno::NOEXEC | Errno::ISDIR | Errno::PERM);
        if broken {
            failure.kind = FailureKind::NotExecutable;
        }
        failure
    }
}
