//! What `relay.py` and this side say to one another.

use std::io;

use bytes::{BufMut, BytesMut};

/// As `relay.py` has them.
const HEAD: usize = 9;

/// What is said of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'a> {
    /// Of none: connections are listened for.
    Listens,
    Begins,
    /// Bytes of it, which may be the beginning of more.
    Data(&'a [u8]),
    /// So many bytes of it have gone on their way.
    Gone(u32),
    /// No more bytes come of it.
    Ends,
    BrokenOff,
}

/// Takes apart what is said, wherever it is cut. Holds no bytes of connections, so no count can make it grow.
#[derive(Debug, Default)]
pub struct Frames {
    head: [u8; HEAD],
    /// How much of the head has come.
    have: usize,
    /// Whose bytes come, and how many.
    number: u32,
    left: usize,
}

impl Frames {
    /// Takes the next bytes and gives `sink` the numbers of connections with what is said of each.
    ///
    /// # Errors
    ///
    /// `InvalidData`: a kind that there is not. Those of `sink`, which end it.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        mut sink: impl FnMut(u32, Said) -> io::Result<()>,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let (data, rest) = bytes.split_at(bytes.len().min(self.left));
                self.left -= data.len();
                bytes = rest;
                sink(self.number, Said::Data(data))?;
                continue;
            }
            let (part, rest) = bytes.split_at(bytes.len().min(HEAD - self.have));
            self.head[self.have..self.have + part.len()].copy_from_slice(part);
            self.have += part.len();
            bytes = rest;
            if self.have == HEAD {
                self.have = 0;
                let [a, b, c, d, kind, count @ ..] = self.head;
                self.number = u32::from_le_bytes([a, b, c, d]);
                let count = u32::from_le_bytes(count);
                let said = match kind {
                    b'D' => {
                        self.left = count as usize;
                        continue;
                    }
                    b'L' => Said::Listens,
                    b'O' => Said::Begins,
                    b'A' => Said::Gone(count),
                    b'E' => Said::Ends,
                    b'R' => Said::BrokenOff,
                    _ => return Err(io::ErrorKind::InvalidData.into()),
                };
                sink(self.number, said)?;
            }
        }
        Ok(())
    }
}

/// Says something of a connection; its bytes have fewer than 4 GiB.
pub fn say(number: u32, said: Said, into: &mut BytesMut) {
    let (kind, count, data) = match said {
        Said::Listens => (b'L', 0, &[][..]),
        Said::Begins => (b'O', 0, &[][..]),
        Said::Data(data) => (b'D', u32::try_from(data.len()).unwrap_or(u32::MAX), data),
        Said::Gone(count) => (b'A', count, &[][..]),
        Said::Ends => (b'E', 0, &[][..]),
        Said::BrokenOff => (b'R', 0, &[][..]),
    };
    into.put_u32_le(number);
    into.put_u8(kind);
    into.put_u32_le(count);
    into.put_slice(data);
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// What comes of pieces of `step` bytes: the bytes of connections one by one.
    fn fed(bytes: &[u8], step: usize) -> (io::Result<()>, Vec<(u32, String)>) {
        let (mut frames, mut all) = (Frames::default(), Vec::new());
        for piece in bytes.chunks(step) {
            let fed = frames.feed(piece, |number, said| {
                match said {
                    Said::Data(data) => {
                        all.extend(data.iter().map(|byte| (number, byte.to_string())));
                    }
                    said => all.push((number, format!("{said:?}"))),
                }
                Ok(())
            });
            if fed.is_err() {
                return (fed, all);
            }
        }
        (Ok(()), all)
    }

    proptest! {
        #[test]
        fn what_is_said_is_heard_wherever_it_is_cut(
            frames in vec((any::<u32>(), 0..5, vec(any::<u8>(), 1..20)), 0..8),
            step in 1_usize..40,
        ) {
            let mut bytes = BytesMut::new();
            let mut all = Vec::new();
            for (number, kind, data) in &frames {
                let count = data.len() as u32;
                let said = [Said::Begins, Said::Gone(count), Said::Ends, Said::BrokenOff, Said::Data(data)];
                let said = said[*kind as usize];
                say(*number, said, &mut bytes);
                match said {
                    Said::Data(data) => all.extend(data.iter().map(|byte| (*number, byte.to_string()))),
                    said => all.push((*number, format!("{said:?}"))),
                }
            }
            let (fed, heard) = fed(&bytes, step);
            prop_assert!(fed.is_ok());
            prop_assert_eq!(heard, all);
        }
    }

    #[test]
    fn a_kind_that_there_is_not_is_an_error() {
        assert!(fed(&[1, 0, 0, 0, b'X', 0, 0, 0, 0], 3).0.is_err());
    }
}
