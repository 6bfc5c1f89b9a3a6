//! What jobs write, and what comes when nobody wants to hear it.

use std::{
    collections::VecDeque,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{io::Result, pipe::fcntl_getpipe_size};

use super::{
    frames::Channel,
    pipe::{read, CHUNK},
};

/// How many pipes are read that nobody wants to hear from, and how long to rest after one was full: who
/// floods what is thrown away waits most of the time.
const STRAYS: usize = 32;
const REST: Duration = Duration::from_millis(20);
/// What is remembered of the last that was thrown away.
const LAST_WORDS: usize = 4096;
/// The most that a pipe holds without privileges, in pieces.
const PIPE_PIECES: usize = 16;

/// One stream of a job.
pub struct Output {
    /// The kind of its frames.
    kind: u8,
    /// `None`: it has come to its end.
    pipe: Option<OwnedFd>,
    /// How much may still come; `None`: any.
    left: Option<usize>,
    last_words: Vec<u8>,
}

impl Output {
    pub fn new(kind: u8, pipe: OwnedFd) -> Self {
        Self { kind, pipe: Some(pipe), left: None, last_words: Vec::new() }
    }

    pub fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Tells it from all others that are open; -1: it is not.
    pub fn number(&self) -> i32 {
        self.pipe.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    fn read<'a>(&mut self, buffer: &'a mut Vec<u8>) -> &'a [u8] {
        let Some(pipe) = &self.pipe else { return &[] };
        match read(pipe.as_fd(), buffer) {
            Ok(None) => &[],
            Ok(Some(piece @ [_, ..])) => piece,
            Ok(Some([])) | Err(_) => {
                self.pipe = None;
                &[]
            }
        }
    }

    /// Passes on what the pipe holds, however full the channel is.
    pub fn catch_up(&mut self, buffer: &mut Vec<u8>, channel: &mut Channel) -> Result<()> {
        for _ in 0..PIPE_PIECES {
            if !self.pass_on(buffer, channel)? {
                break;
            }
        }
        Ok(())
    }

    /// Passes on the next piece; says whether there was one.
    pub fn pass_on(&mut self, buffer: &mut Vec<u8>, channel: &mut Channel) -> Result<bool> {
        let piece = self.read(buffer);
        if let Some(left) = &mut self.left {
            *left = if piece.is_empty() { 0 } else { left.saturating_sub(piece.len()) };
        }
        if piece.is_empty() {
            return Ok(false);
        }
        channel.send(self.kind, piece)?;
        Ok(true)
    }

    /// Throws the next piece away; says whether there was one.
    fn discard(&mut self, buffer: &mut Vec<u8>) -> bool {
        let piece = self.read(buffer);
        if piece.is_empty() {
            return false;
        }
        self.last_words = piece[piece.len().saturating_sub(LAST_WORDS)..].to_vec();
        true
    }

    /// Throws away what has come so far.
    pub fn empty(&mut self, buffer: &mut Vec<u8>) {
        for _ in 0..PIPE_PIECES {
            if !self.discard(buffer) {
                return;
            }
        }
    }

    pub fn last_words(&self) -> &[u8] {
        &self.last_words
    }

    /// The job has ended: what is in the pipe is its own, what others write behind it is not.
    pub fn end(&mut self) {
        let held = self.pipe.as_ref().map(|pipe| fcntl_getpipe_size(pipe).unwrap_or(CHUNK));
        self.left = Some(held.map_or(0, |held| held.max(CHUNK)));
    }

    pub fn is_over(&self) -> bool {
        self.left == Some(0) || self.left.is_some() && self.pipe.is_none()
    }
}

/// Pipes whose output is nobody's: of what jobs have left running.
#[derive(Default)]
pub struct Strays {
    outputs: VecDeque<Output>,
    rested: Option<Instant>,
}

impl Strays {
    /// Who holds many pipes loses the oldest.
    pub fn add(&mut self, outputs: impl IntoIterator<Item = Output>) {
        self.outputs.extend(outputs.into_iter().filter(|output| output.pipe.is_some()));
        self.outputs.drain(..self.outputs.len().saturating_sub(STRAYS));
    }

    pub fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.outputs.iter()
    }

    /// How long none is to be looked at; `None`: they are.
    pub fn rest(&mut self, now: Instant) -> Option<Duration> {
        self.rested = self.rested.filter(|until| *until > now);
        self.rested.map(|until| until - now)
    }

    /// Throws away what has come through one of them, or of `more` that nobody wants to hear from yet.
    pub fn discard(&mut self, more: Option<&mut [Output; 2]>, number: i32, buffer: &mut Vec<u8>) {
        for output in more.into_iter().flatten().chain(&mut self.outputs) {
            if output.number() == number && output.discard(buffer) {
                self.rested = Some(Instant::now() + REST);
            }
        }
        self.outputs.retain(|output| output.pipe.is_some());
    }
}
