//! The OCI runtime that a pool's containers run under.

use std::{
    env,
    path::{Path, PathBuf},
};

use rustix::fs::{access, Access};

use crate::error::{Code, Error, Result};

/// Where Debian has `runc`, which is in no ordinary user's `PATH`.
const FOLDERS_OF_ROOT: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The program of a runtime, absolute: `named` is its path, or its name, which is looked up in `PATH`.
///
/// # Errors
///
/// `INVALID_ARGUMENT`: it is a path that begins elsewhere than at the root. `ENGINE_UNAVAILABLE`: nobody may
/// execute it, or it is not there.
pub(super) fn find(named: &str) -> Result<PathBuf> {
    let path = Path::new(named);
    if named.contains('/') {
        if !path.is_absolute() {
            let message = format!(
                "runtime must be a name, or a path from the root, on the engine 'local'; got '{named}'"
            );
            return Err(Error::new(Code::InvalidArgument, message));
        }
        return Some(path.to_owned()).filter(|path| is_program(path)).ok_or_else(|| missing(named));
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders)
        .chain(FOLDERS_OF_ROOT.map(PathBuf::from))
        .map(|folder| folder.join(named))
        .find(|path| path.is_absolute() && is_program(path))
        .ok_or_else(|| missing(named))
}

fn is_program(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

fn missing(named: &str) -> Error {
    let place = if named.contains('/') { "at that path" } else { "in PATH" };
    let message = format!(
        "the runtime '{named}' is not to be had: there is no such program {place}. Install it (on Debian or \
         Ubuntu: apt-get install crun, runc or runsc), or leave the option runtime out"
    );
    Error::new(Code::EngineUnavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_and_a_path_is_taken_as_it_is() {
        let shell = find("sh").unwrap();
        assert!(shell.is_absolute() && shell.ends_with("sh"), "{}", shell.display());
        assert_eq!(find("/bin/sh").unwrap(), Path::new("/bin/sh"));
    }

    #[test]
    fn what_is_no_program_is_named() {
        for (named, place) in
            [("no-such-runtime", "in PATH"), ("/no/such", "at that path"), ("/usr", "at that path")]
        {
            let error = find(named).unwrap_err();
            assert_eq!(error.code, Code::EngineUnavailable);
            assert!(error.message.contains(&format!("'{named}'")), "{}", error.message);
            assert!(error.message.contains(place), "{}", error.message);
        }
        assert_eq!(find("bin/sh").unwrap_err().code, Code::InvalidArgument);
    }
}
