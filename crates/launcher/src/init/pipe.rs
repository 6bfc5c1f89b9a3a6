//! Reading and writing what may have nothing, or no room.

use std::{os::fd::BorrowedFd, time::Duration};

use rustix::{
    buffer::spare_capacity,
    io::{Errno, Result},
};

/// The most that is read of a pipe at once.
pub const CHUNK: usize = 1 << 16;
const RETRY: Duration = Duration::from_millis(20);

/// Reads what there is, up to the room in `buffer`; `None`: nothing for now. Empty: it has ended.
pub fn read<'a>(fd: BorrowedFd<'_>, buffer: &'a mut Vec<u8>) -> Result<Option<&'a [u8]>> {
    buffer.clear();
    match rustix::io::read(fd, spare_capacity(buffer)) {
        Ok(_) => Ok(Some(buffer)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// How much a pipe took. Where the container's memory has run out, the kernel has no room in any for a while.
pub fn wrote(result: Result<usize>) -> Result<usize> {
    match result {
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(Errno::NOMEM) => {
            std::thread::sleep(RETRY);
            Ok(0)
        }
        result => result,
    }
}

/// Writes all of it to what takes it in its time.
pub fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(size) => bytes = &bytes[size..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Reads all that there is, for nobody.
pub fn empty(fd: BorrowedFd<'_>, buffer: &mut Vec<u8>) {
    while let Ok(Some([_, ..])) = read(fd, buffer) {}
}
