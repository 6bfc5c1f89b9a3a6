//! The program of a process.

use std::{
    ffi::{CStr, CString},
    io::Write,
};

use rustix::{
    fs::{access, Access},
    io::Errno,
};
use scientist_pool_protocol::{Failure, FailureKind, Process};

use crate::{
    failure::{invalid, of_kind, During, Result},
    sys,
};

/// Where a program is looked up whose environment has no `PATH` (`_PATH_STDPATH` of the C library).
const DEFAULT_PATH: &[u8] = b"/usr/bin:/bin:/usr/sbin:/sbin";

/// What to try for a program of that name, in this order.
pub fn candidates(name: &[u8], path: Option<&[u8]>) -> Vec<Vec<u8>> {
    if name.contains(&b'/') {
        return vec![name.to_vec()];
    }
    let folders = path.unwrap_or(DEFAULT_PATH).split(|byte| *byte == b':');
    folders
        .map(|folder| if folder.is_empty() { b"." } else { folder })
        .map(|folder| [folder, b"/", name].concat())
        .collect()
}

/// A command line as the kernel takes it.
pub struct Command {
    argv: Vec<CString>,
    env: Vec<CString>,
    /// What to try, in this order.
    candidates: Vec<CString>,
}

impl Command {
    pub fn new(process: &Process) -> Result<Self> {
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
        let path = process.env.iter().find_map(|variable| variable.strip_prefix("PATH="));
        let candidates = candidates(name.as_bytes(), path.map(str::as_bytes)).into_iter();
        let candidates = candidates.map(|candidate| {
            CString::new(candidate).map_err(|_| invalid(format!("PATH has a NUL: {path:?}")))
        });
        Ok(Self { argv, env, candidates: candidates.collect::<Result<_>>()? })
    }

    /// Executes it; returns only to say why not.
    pub fn execute(&self) -> Failure {
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

    /// Executes it; says why not, and ends, as a shell does.
    pub fn execute_or_exit(&self) -> ! {
        let failure = self.execute();
        let _ = writeln!(std::io::stderr(), "{failure}");
        sys::exit(if failure.kind == FailureKind::NoSuchProgram { 127 } else { 126 })
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
