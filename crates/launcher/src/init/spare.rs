//! The parked interpreter: a `python3 -` in its site phase (`spare.py`) until its job comes.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::{
    fs::{memfd_create, MemfdFlags},
    io::{Errno, Result},
    pipe::{pipe_with, PipeFlags},
};

use super::{
    child::{self, path_of, Child, Task},
    frames::Fields,
    output::Output,
    pipe::write_all,
    Household,
};

const PROGRAM: &str = "python3";
const PATHS: &str = "PYTHONPATH";

/// What every spare is made of.
pub struct Source(Vec<u8>);

impl Source {
    /// As a boot brings it: the source, what is to be imported, and what may be imported meanwhile.
    pub fn read(fields: &mut Fields<'_>) -> Result<Self> {
        let source = fields.string()?;
        let lists = format!("PRELOAD, IDLE = {}, {}\n", names(fields)?, names(fields)?);
        Ok(Self([lists.as_bytes(), source].concat()))
    }
}

/// As Python writes them.
fn names(fields: &mut Fields<'_>) -> Result<String> {
    let names = fields.list()?;
    let names = names.iter().map(|name| format!("{}.decode()", literal(name)));
    Ok(format!("[{}]", names.collect::<Vec<_>>().join(", ")))
}

/// As Python writes bytes.
fn literal(bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("b'{escaped}'")
}

pub struct Spare {
    pub child: Child,
    pub task: Task,
    /// Brings one word when it is parked.
    pub line: OwnedFd,
}

impl Spare {
    /// `ahead`: no job waits for it.
    pub fn start(
        household: &Household,
        source: &Source,
        ahead: bool,
    ) -> Result<(Self, [Output; 2])> {
        let memory = memfd_create("spare", MemfdFlags::CLOEXEC)?;
        let (line, told) = pipe_with(PipeFlags::CLOEXEC)?;
        let own = household.env.iter().find_map(|own| own.strip_prefix(PATHS)?.strip_prefix('='));
        let settings = format!(
            "ARCHIVE, LINE, AHEAD, PYTHONPATH = {}, {}, {}, {}\n",
            memory.as_raw_fd(),
            told.as_raw_fd(),
            if ahead { "True" } else { "False" },
            own.map_or("None".to_owned(), |own| literal(own.as_bytes())),
        );
        let module = [settings.as_bytes(), &source.0].concat();
        write_all(memory.as_fd(), &archive(b"sitecustomize.py", &module)?)?;
        // An empty one has no meaning, where an empty place in it is the current folder.
        let more = own.filter(|own| !own.is_empty()).map(|own| format!(":{own}"));
        let paths = [&path_of(memory.as_fd())[..], more.unwrap_or_default().as_bytes()].concat();
        let task = Task::new(&[PROGRAM.as_bytes(), b"-"], &[PATHS.as_bytes(), &paths], b"")?;
        let inherited = [memory.as_fd(), told.as_fd()];
        let (child, outputs) = child::start(household, &task, &inherited)?;
        Ok((Self { child, task, line }, outputs))
    }
}

/// A zip file with one stored member. `zipimport` reads no checksum and no time of a member.
fn archive(name: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).map(u32::to_le_bytes);
    let short = u16::try_from(name.len()).map_err(|_| Errno::INVAL)?.to_le_bytes();
    let long = size(data).map_err(|_| Errno::INVAL)?;
    // Version, flags, method, time, checksum; sizes; of the name, and of nothing more.
    let member = [&[20, 0][..], &[0; 12], &long, &long, &short, &[0; 2]].concat();
    let local = [&b"PK\x03\x04"[..], &member, name, data].concat();
    let central = [&b"PK\x01\x02\x14\0"[..], &member, &[0; 14], name].concat();
    let sizes = (size(&central), size(&local));
    let (Ok(central_size), Ok(local_size)) = sizes else { return Err(Errno::INVAL) };
    let counts = [0, 0, 0, 0, 1, 0, 1, 0];
    let end = [&b"PK\x05\x06"[..], &counts, &central_size, &local_size, &[0; 2]].concat();
    Ok([local, central, end].concat())
}
