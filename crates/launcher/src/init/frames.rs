//! What comes on stdin, and what goes to stdout.

use std::io::IoSlice;

use rustix::{
    fs::{fcntl_setfl, OFlags},
    io::{write, writev, Errno, Result},
    stdio::{stdin, stdout},
};

use super::pipe::{self, wrote, CHUNK};

/// Kind, and the length of the payload.
const HEAD: usize = 1 + 4;
/// More than the longest frame that the pool sends: three lists of 64 MiB each.
const MOST: usize = 256 << 20;

/// The frames of stdin, wherever they are cut.
#[derive(Default)]
pub struct Input {
    bytes: Vec<u8>,
    /// How much of them has been taken.
    taken: usize,
}

impl Input {
    /// Reads what there is; `false`: it has ended.
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> Result<bool> {
        let Some(read) = pipe::read(stdin(), buffer)? else { return Ok(true) };
        self.feed(read);
        Ok(!read.is_empty())
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame: its kind and its payload.
    ///
    /// # Errors
    ///
    /// `EPROTO`: it is longer than any can be.
    pub fn next(&mut self) -> Result<Option<(u8, Vec<u8>)>> {
        let left = &self.bytes[self.taken..];
        if let Some((&[kind, a, b, c, d], rest)) = left.split_first_chunk::<HEAD>() {
            let size = u32::from_le_bytes([a, b, c, d]) as usize;
            if size > MOST {
                return Err(Errno::PROTO);
            }
            if let Some(payload) = rest.get(..size) {
                let payload = payload.to_vec();
                self.taken += HEAD + size;
                return Ok(Some((kind, payload)));
            }
        }
        if self.taken == self.bytes.len() && self.bytes.capacity() > 2 * CHUNK {
            // A long frame is rare, and its memory counts as the scripts'.
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..self.taken);
        }
        self.taken = 0;
        Ok(None)
    }
}

/// The strings and lists of a payload. What is cut off is an error, `EPROTO`.
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub fn of(payload: &'a [u8]) -> Self {
        Self(payload)
    }

    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub fn string(&mut self) -> Result<&'a [u8]> {
        let size = self.number()?;
        self.take(size)
    }

    pub fn list(&mut self) -> Result<Vec<&'a [u8]>> {
        (0..self.number()?).map(|_| self.string()).collect()
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn number(&mut self) -> Result<usize> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(size).ok_or(Errno::PROTO)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// Stdout, to which nobody else writes. What its reader has no room for waits here.
pub struct Channel {
    waiting: Vec<u8>,
}

impl Channel {
    pub fn new() -> Result<Self> {
        fcntl_setfl(stdout(), OFlags::NONBLOCK)?;
        Ok(Self { waiting: Vec::new() })
    }

    /// Whether frames wait for their reader.
    pub fn is_full(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub fn send(&mut self, kind: u8, payload: &[u8]) -> Result<()> {
        let size = u32::try_from(payload.len()).map_err(|_| Errno::PROTO)?.to_le_bytes();
        let head = [kind, size[0], size[1], size[2], size[3]];
        let written = if self.is_full() {
            0
        } else {
            wrote(writev(stdout(), &[IoSlice::new(&head), IoSlice::new(payload)]))?
        };
        self.waiting.extend_from_slice(head.get(written..).unwrap_or_default());
        let rest = payload.get(written.saturating_sub(HEAD)..);
        self.waiting.extend_from_slice(rest.unwrap_or_default());
        Ok(())
    }

    pub fn flush(&mut self) -> Result<()> {
        let written = wrote(write(stdout(), &self.waiting[..self.waiting.len().min(CHUNK)]))?;
        self.waiting.drain(..written);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        [&[kind][..], &(payload.len() as u32).to_le_bytes(), payload].concat()
    }

    #[test]
    fn frames_come_whole_wherever_they_are_cut() {
        let frames = [(b'D', vec![b'x'; 300]), (b'E', vec![]), (b'J', b"meta".to_vec())];
        let bytes: Vec<u8> = frames.iter().flat_map(|(kind, data)| frame(*kind, data)).collect();
        for size in [1, 4, 5, 6, 7, 299, bytes.len()] {
            let mut input = Input::default();
            let mut came = Vec::new();
            for piece in bytes.chunks(size) {
                input.feed(piece);
                while let Some(frame) = input.next().unwrap() {
                    came.push(frame);
                }
            }
            assert_eq!(came, frames, "in pieces of {size}");
        }
    }

    #[test]
    fn a_length_beyond_what_may_come_is_an_error_before_anything_of_it_has_come() {
        let mut input = Input::default();
        input.feed(b"D\xff\xff\xff\xff");
        assert_eq!(input.next(), Err(Errno::PROTO));
    }

    #[test]
    fn fields_that_are_cut_off_are_an_error() {
        let whole =
            [&2u32.to_le_bytes()[..], &1u32.to_le_bytes(), b"a", &0u32.to_le_bytes()].concat();
        assert_eq!(Fields::of(&whole).list(), Ok(vec![&b"a"[..], b""]));
        for end in 0..whole.len() {
            assert_eq!(Fields::of(&whole[..end]).list(), Err(Errno::PROTO), "{end}");
        }
        assert_eq!(Fields::of(&[0xff; 8]).list(), Err(Errno::PROTO));
    }
}
