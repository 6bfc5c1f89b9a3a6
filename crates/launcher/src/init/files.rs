//! Writes, lists and reads files below the working directory, as `files.py` does, which defines the request
//! on stdin and the answer on stdout.
//!
//! A path is names with `/` between them. Each is opened from the folder before it, and none is followed if
//! it is a link: the scripts may have planted some, and may do so meanwhile.

use std::{
    hint::black_box,
    io::Read,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{
        fchmod, fstat, mkdirat, open, openat, renameat, statat, unlinkat, AtFlags, Dir, FileType,
        Mode, OFlags,
    },
    io::{fcntl_dupfd_cloexec, read, Errno},
    stdio::stdout,
};

use super::{pipe::write_all, words};

/// The most that is read at once, and that a frame holds.
const CHUNK: usize = (1 << 16) - 1;
/// The memory that is kept free, by using it, for what comes after a write that was killed.
const RESERVE: u64 = 2 << 20;
/// The most that is told of what is passed over.
const PASSED_OVER: u32 = 1000;
const MORE_PIECES: u32 = u32::MAX;
const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
// Without O_NONBLOCK, opening a named pipe would wait for somebody at its other end.
const ANY: OFlags =
    OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const NEW_FILE: Mode = Mode::from_raw_mode(0o600);
const NEW_FOLDER: Mode = Mode::from_raw_mode(0o777);
/// By name, those that the system has for files.
const ERRORS: [(Errno, &str); 26] = [
    (Errno::PERM, "EPERM"),
    (Errno::NOENT, "ENOENT"),
    (Errno::IO, "EIO"),
    (Errno::NXIO, "ENXIO"),
    (Errno::NOMEM, "ENOMEM"),
    (Errno::ACCESS, "EACCES"),
    (Errno::BUSY, "EBUSY"),
    (Errno::EXIST, "EEXIST"),
    (Errno::XDEV, "EXDEV"),
    (Errno::NODEV, "ENODEV"),
    (Errno::NOTDIR, "ENOTDIR"),
    (Errno::ISDIR, "EISDIR"),
    (Errno::INVAL, "EINVAL"),
    (Errno::NFILE, "ENFILE"),
    (Errno::MFILE, "EMFILE"),
    (Errno::TXTBSY, "ETXTBSY"),
    (Errno::FBIG, "EFBIG"),
    (Errno::NOSPC, "ENOSPC"),
    (Errno::ROFS, "EROFS"),
    (Errno::MLINK, "EMLINK"),
    (Errno::NAMETOOLONG, "ENAMETOOLONG"),
    (Errno::LOOP, "ELOOP"),
    (Errno::NOTEMPTY, "ENOTEMPTY"),
    (Errno::OVERFLOW, "EOVERFLOW"),
    (Errno::DQUOT, "EDQUOT"),
    (Errno::STALE, "ESTALE"),
];

/// Why a request has no good answer.
enum Fault {
    System(Errno),
    /// A file is not as its pieces have left it.
    Changed,
    /// More than the request allows, and of what.
    Excess(u8),
    /// A file of more bytes than are left, of which nothing has been told.
    Larger,
    /// The other end of stdin or stdout is gone.
    Gone,
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

type Result<T> = std::result::Result<T, Fault>;

/// Carries out the request on stdin; gives the exit code.
pub fn serve() -> i32 {
    let helper = &mut Helper {
        input: std::io::stdin().lock(),
        place: 0,
        passed_over: 0,
        buffer: Vec::new(),
    };
    let place = |helper: &Helper| helper.place.to_le_bytes();
    let told = match helper.carry_out() {
        Ok(count) => tell(b'K', &[&count.to_le_bytes()]),
        Err(Fault::System(errno)) => tell(b'E', &[&place(helper), &said(errno, &words(errno))]),
        Err(Fault::Changed) => {
            let why = said(Errno::INVAL, "A script has changed it meanwhile");
            tell(b'E', &[&place(helper), &why])
        }
        Err(Fault::Excess(of)) => tell(b'M', &[&place(helper), &[of]]),
        Err(Fault::Larger) => tell(b'M', &[&place(helper), b"b"]),
        Err(Fault::Gone) => Err(Fault::Gone),
    };
    i32::from(told.is_err())
}

fn said(errno: Errno, words: &str) -> Vec<u8> {
    let name = ERRORS.iter().find(|(known, _)| *known == errno).map_or("", |(_, name)| name);
    format!("{name}\0{words}").into_bytes()
}

fn tell(kind: u8, parts: &[&[u8]]) -> Result<()> {
    let payload = parts.concat();
    let size = u16::try_from(payload.len()).map_err(|_| Fault::Excess(b'b'))?;
    let frame = [&[kind][..], &size.to_le_bytes(), &payload].concat();
    write_all(stdout(), &frame).map_err(|_| Fault::Gone)
}

/// What is looked for in a folder.
#[derive(Clone, Copy)]
struct Search {
    device: u64,
    /// Names that begin with a dot, too.
    hidden: bool,
    /// What is deeper than looked for is an error.
    deep: bool,
}

/// What a listing may still find.
struct Room {
    entries: u32,
    bytes: u32,
    found: u32,
}

struct Helper<'a> {
    input: std::io::StdinLock<'a>,
    /// Of what is worked on, in the request.
    place: u32,
    passed_over: u32,
    buffer: Vec<u8>,
}

impl Helper<'_> {
    fn carry_out(&mut self) -> Result<u32> {
        match self.byte()? {
            b'W' => self.write_pieces(),
            b'X' => self.take_away(),
            b'L' => self.list_folders(),
            b'R' => self.read_files(),
            _ => Err(Fault::Gone),
        }
    }

    fn write_pieces(&mut self) -> Result<u32> {
        let count = self.number()?;
        for place in 0..count {
            self.place = place;
            let (path, temporary) = (self.string()?, self.string()?);
            let (offset, size, mode) = (self.long()?, self.long()?, self.number()?);
            let (folders, name) = split(&path);
            let at = folder(folders, true)?;
            let written = self.write_piece(at.as_fd(), &temporary, offset, size).and_then(|file| {
                if mode != MORE_PIECES {
                    fchmod(&file, Mode::from_raw_mode(mode))?;
                    renameat(&at, &*temporary, &at, name)?;
                }
                Ok(())
            });
            if let Err(Fault::System(_) | Fault::Changed) = written {
                discard(at.as_fd(), &temporary);
            }
            written?;
        }
        Ok(count)
    }

    fn write_piece(
        &mut self,
        at: BorrowedFd<'_>,
        temporary: &[u8],
        offset: u64,
        size: u64,
    ) -> Result<OwnedFd> {
        let how = if offset > 0 { OFlags::APPEND } else { OFlags::CREATE | OFlags::EXCL };
        let file = openat(at, temporary, ANY | OFlags::WRONLY | how, NEW_FILE)?;
        let status = fstat(&file)?;
        let is_file = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile;
        if !is_file || u64::try_from(status.st_size) != Ok(offset) {
            return Err(Fault::Changed);
        }
        let reserve = black_box(vec![1_u8; size.min(RESERVE) as usize]);
        let mut left = size;
        while left > 0 {
            let piece = self.take(left.min(CHUNK as u64))?;
            left -= piece.len() as u64;
            write_all(file.as_fd(), &piece)?;
        }
        drop(reserve);
        Ok(file)
    }

    fn take_away(&mut self) -> Result<u32> {
        let (path, temporary) = (self.string()?, self.string()?);
        discard(folder(split(&path).0, false)?.as_fd(), &temporary);
        Ok(0)
    }

    fn list_folders(&mut self) -> Result<u32> {
        let mut room = Room { entries: self.number()?, bytes: self.number()?, found: 0 };
        for place in 0..self.number()? {
            self.place = place;
            let (path, depth, flags) = (self.string()?, self.number()?, self.byte()?);
            let names = path.split(|byte| *byte == b'/').filter(|_| !path.is_empty());
            match folder(names, false) {
                Err(fault) => self.miss(fault, &path)?,
                Ok(at) => {
                    let below = if path.is_empty() { path } else { [&path[..], b"/"].concat() };
                    let device = fstat(&at)?.st_dev;
                    let search = Search { device, hidden: flags & 1 != 0, deep: flags & 2 != 0 };
                    self.look(at, &below, depth, search, &mut room)?;
                }
            }
        }
        Ok(room.found)
    }

    fn look(
        &mut self,
        at: OwnedFd,
        path: &[u8],
        depth: u32,
        search: Search,
        room: &mut Room,
    ) -> Result<()> {
        let mut inner = Vec::new();
        // Not opened anew: who may read the names in it need not be allowed to enter it.
        for entry in Dir::new(fcntl_dupfd_cloexec(&at, 0)?)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            room.entries = room.entries.checked_sub(1).ok_or(Fault::Excess(b'n'))?;
            if name.starts_with(b".") && !search.hidden {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => match statat(&at, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Err(Errno::NOENT) => continue,
                    status => FileType::from_raw_mode(status?.st_mode),
                },
                kind => kind,
            };
            match kind {
                FileType::RegularFile => {
                    let whole = [path, name].concat();
                    let size = u32::try_from(whole.len()).map_err(|_| Fault::Excess(b'b'))?;
                    room.bytes = room.bytes.checked_sub(size).ok_or(Fault::Excess(b'b'))?;
                    tell(b'P', &[&whole])?;
                    room.found += 1;
                }
                FileType::Directory => inner.push(name.to_vec()),
                _ => {}
            }
        }
        if depth == 1 {
            return if search.deep && !inner.is_empty() {
                Err(Fault::Excess(b'd'))
            } else {
                Ok(())
            };
        }
        for name in inner {
            let whole = [path, &name].concat();
            match enter(at.as_fd(), &name) {
                Err(errno) => self.miss(errno.into(), &whole)?,
                // Other file systems stay out: below `/` there is more than files.
                Ok(below) if fstat(&below)?.st_dev == search.device => {
                    let whole = [&whole[..], b"/"].concat();
                    self.look(below, &whole, depth.saturating_sub(1), search, room)?;
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// A folder that is not there any more, or has become a link or something else, is nothing to find.
    fn miss(&mut self, fault: Fault, path: &[u8]) -> Result<()> {
        match fault {
            Fault::System(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(()),
            Fault::System(errno) => {
                self.pass_over(b'U', &[&said(errno, &words(errno))[..], b"\0", path].concat())
            }
            fault => Err(fault),
        }
    }

    fn pass_over(&mut self, kind: u8, what: &[u8]) -> Result<()> {
        self.passed_over += 1;
        if self.passed_over > PASSED_OVER {
            return Err(Fault::Excess(b'u'));
        }
        tell(kind, &[&self.place.to_le_bytes(), what])
    }

    fn read_files(&mut self) -> Result<u32> {
        let mut room = self.long()?;
        let lenient = self.byte()? != 0;
        let mut found = 0;
        for place in 0..self.number()? {
            self.place = place;
            let path = self.string()?;
            match self.read_file(&path, room) {
                Ok(size) => {
                    room -= size;
                    found += 1;
                }
                Err(Fault::System(errno)) if lenient => {
                    self.pass_over(b'U', &said(errno, &words(errno)))?;
                }
                Err(Fault::Larger) if lenient => self.pass_over(b'B', b"")?,
                Err(fault) => return Err(fault),
            }
        }
        Ok(found)
    }

    fn read_file(&mut self, path: &[u8], room: u64) -> Result<u64> {
        let (folders, name) = split(path);
        let at = folder(folders, false)?;
        let file = openat(&at, name, ANY | OFlags::RDONLY, Mode::empty())?;
        drop(at);
        let status = fstat(&file)?;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(Errno::ISDIR.into()),
            _ => return Err(Errno::NXIO.into()),
        }
        if u64::try_from(status.st_size).is_ok_and(|size| size > room) {
            return Err(Fault::Larger);
        }
        tell(b'P', &[&self.place.to_le_bytes()])?;
        let mut total = 0u64;
        self.buffer.resize(CHUNK, 0);
        loop {
            // It may grow under this.
            let size = read(&file, &mut self.buffer)?;
            if size == 0 {
                tell(b'Z', &[&total.to_le_bytes()])?;
                return Ok(total);
            }
            total += size as u64;
            if total > room {
                return Err(Fault::Excess(b'b'));
            }
            tell(b'D', &[&self.buffer[..size]])?;
        }
    }

    fn byte(&mut self) -> Result<u8> {
        self.bytes().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn long(&mut self) -> Result<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn string(&mut self) -> Result<Vec<u8>> {
        let size = self.number()?;
        self.take(size.into())
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).map_err(|_| Fault::Gone)?;
        Ok(bytes)
    }

    /// No more memory than has come.
    fn take(&mut self, size: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match (&mut self.input).take(size).read_to_end(&mut bytes) {
            Ok(read) if read as u64 == size => Ok(bytes),
            _ => Err(Fault::Gone),
        }
    }
}

/// The folders on the way, and the name in the last of them.
fn split(path: &[u8]) -> (impl Iterator<Item = &[u8]>, &[u8]) {
    let at = path.iter().rposition(|byte| *byte == b'/');
    let (folders, name) = at.map_or((&[][..], path), |at| (&path[..at], &path[at + 1..]));
    (folders.split(|byte| *byte == b'/').filter(move |_| at.is_some()), name)
}

fn folder<'a>(names: impl Iterator<Item = &'a [u8]>, make: bool) -> Result<OwnedFd> {
    let mut at = open(".", FOLDER, Mode::empty())?;
    for name in names {
        let opened = enter(at.as_fd(), name);
        at = match opened {
            Err(Errno::NOENT) if make => {
                match mkdirat(&at, name, NEW_FOLDER) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(errno.into()),
                }
                enter(at.as_fd(), name)?
            }
            opened => opened?,
        };
    }
    Ok(at)
}

/// A folder in another one. Where a folder is asked for, gVisor has followed a link (2022): so it is looked at
/// whether what was opened is what is there.
fn enter(at: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let opened = openat(at, name, FOLDER, Mode::empty())?;
    let (is, named) = (fstat(&opened)?, statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?);
    let same = (is.st_dev, is.st_ino) == (named.st_dev, named.st_ino);
    same.then_some(opened).ok_or(Errno::NOTDIR)
}

fn discard(at: BorrowedFd<'_>, temporary: &[u8]) {
    // What is not there needs no taking away; what can't be taken away stays.
    let _ = unlinkat(at, temporary, AtFlags::empty());
}
