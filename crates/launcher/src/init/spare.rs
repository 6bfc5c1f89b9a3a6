//! The parked interpreter: a `python3 -` in its site phase (`spare.py`) until its job comes.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::{
    fs::{fcntl_setfl, memfd_create, MemfdFlags, OFlags},
    io::Result,
    pipe::{pipe_with, PipeFlags},
};

use super::{
    child::{self, path_of, Child, Task},
    output::Output,
    pipe::write_all,
    source::{archive, literal, Source, PATHS, PROGRAM},
    Household,
};

pub struct Spare {
    pub child: Child,
    pub task: Task,
    /// Brings one word when it is parked; `None`: it is.
    pub line: Option<OwnedFd>,
    /// Brings what its job's interpreter tells.
    pub told: OwnedFd,
}

impl Spare {
    /// `ahead`: no job waits for it.
    pub fn start(
        household: &Household,
        source: &Source,
        ahead: bool,
    ) -> Result<(Self, [Output; 2])> {
        let memory = memfd_create("spare", MemfdFlags::CLOEXEC)?;
        let (line, word) = pipe_with(PipeFlags::CLOEXEC)?;
        let (told, telling) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfl(&told, OFlags::NONBLOCK)?;
        let own = household.env.iter().find_map(|own| own.strip_prefix(PATHS)?.strip_prefix('='));
        let settings = format!(
            "ARCHIVE, LINE, TOLD, AHEAD, PYTHONPATH = {}, {}, {}, {}, {}\n",
            memory.as_raw_fd(),
            word.as_raw_fd(),
            telling.as_raw_fd(),
            if ahead { "True" } else { "False" },
            own.map_or("None".to_owned(), |own| literal(own.as_bytes())),
        );
        let module = [settings.as_bytes(), source.as_bytes()].concat();
        write_all(memory.as_fd(), &archive(b"sitecustomize.py", &module)?)?;
        // An empty one has no meaning, where an empty place in it is the current folder.
        let more = own.filter(|own| !own.is_empty()).map(|own| format!(":{own}"));
        let paths = [&path_of(memory.as_fd())[..], more.unwrap_or_default().as_bytes()].concat();
        let task = Task::new(&[PROGRAM.as_bytes(), b"-"], &[PATHS.as_bytes(), &paths], b"")?;
        let inherited = [memory.as_fd(), word.as_fd(), telling.as_fd()];
        let (child, outputs) = child::start(household, &task, &inherited)?;
        Ok((Self { child, task, line: Some(line), told }, outputs))
    }
}
