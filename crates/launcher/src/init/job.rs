//! A process under way, what it writes, and what waits to be written to its stdin.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::{
    io::write,
    process::{Pid, WaitStatus},
};

use super::{
    child::{Child, Task},
    output::Output,
    pipe::{wrote, CHUNK},
};

pub struct Job {
    pub child: Child,
    pub outputs: [Output; 2],
    /// What its interpreter tells; `None`: it tells nothing, or not any more.
    pub told: Option<Output>,
    /// What it is called, and where it is to begin, as its caller is told.
    pub name: String,
    pub cwd: String,
    pending: Vec<u8>,
    /// How much of that is written.
    written: usize,
    complete: bool,
    /// As it was waited for; `None`: it runs.
    pub status: Option<WaitStatus>,
}

impl Job {
    pub fn new(child: Child, outputs: [Output; 2], task: &Task) -> Self {
        let (name, cwd) = (task.name(), task.cwd());
        let (pending, written) = (Vec::new(), 0);
        Self {
            child,
            outputs,
            told: None,
            name,
            cwd,
            pending,
            written,
            complete: false,
            status: None,
        }
    }

    pub fn is(&self, pid: Pid) -> bool {
        self.status.is_none() && self.child.is(pid)
    }

    /// How much waits for it to read.
    pub fn backlog(&self) -> usize {
        self.pending.len() - self.written
    }

    /// Its stdin, if something waits for that to take more.
    pub fn blocked(&self) -> Option<BorrowedFd<'_>> {
        self.child.stdin.as_ref().filter(|_| self.backlog() > 0).map(AsFd::as_fd)
    }

    pub fn feed(&mut self, data: &[u8]) {
        if self.child.stdin.is_some() {
            self.pending.extend_from_slice(data);
            self.flush();
        }
    }

    /// That was all of its stdin.
    pub fn finish(&mut self) {
        self.complete = true;
        self.flush();
    }

    /// Writes what the pipe takes; a process that no longer reads is no error.
    pub fn flush(&mut self) {
        let Some(stdin) = &self.child.stdin else { return };
        while self.backlog() > 0 {
            let end = self.pending.len().min(self.written + CHUNK);
            match wrote(write(stdin, &self.pending[self.written..end])) {
                Ok(size @ 1..) => self.written += size,
                Ok(0) => {
                    // Not for every piece: that would move the rest each time.
                    if self.written >= self.pending.len() / 2 {
                        self.pending.drain(..self.written);
                        self.written = 0;
                    }
                    return;
                }
                Err(_) => return self.close(),
            }
        }
        (self.pending, self.written) = (Vec::new(), 0);
        if self.complete {
            self.close();
        }
    }

    pub fn end(&mut self, status: WaitStatus) {
        self.status = Some(status);
        self.close();
        for output in self.outputs.iter_mut().chain(&mut self.told) {
            output.end();
        }
    }

    /// Interrupts it as a terminal would, with what it has started that is in its process group.
    pub fn interrupt(&self) {
        if self.status.is_none() {
            self.child.interrupt();
        }
    }

    fn close(&mut self) {
        self.child.stdin = None;
        (self.pending, self.written) = (Vec::new(), 0);
    }
}
