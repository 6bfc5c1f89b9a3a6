//! What the supervisor tells on its stdout (`supervisor.py` and the launcher's `init` define the frames): what a job writes, and
//! what comes of it.

use crate::engine::Stream;

/// Kind, and the length of the payload.
const HEAD: usize = 1 + 4;
/// The longest payload of output, and of a reason in words.
const MOST_OUTPUT: usize = 64 * 1024;
const MOST_WORDS: usize = 64 * 1024;
/// The largest number of a signal.
const SIGNALS: u8 = 64;

/// An answer to a boot or to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The supervisor is up, and an interpreter is parked.
    Ready,
    /// The supervisor is up; the image has no interpreter.
    Commands,
    /// The interpreter did not come up, or a module to preload did not import.
    Failed(String),
    /// Scripts could reach into the supervisor.
    Unshielded,
    /// An exit code.
    Exit(u8),
    /// The number of a signal.
    Signal(u8),
    /// Ended by the kernel's out-of-memory killer, with this signal.
    Oom(u8),
    /// The job could not be started.
    NotStarted(String),
}

/// One thing that was told.
#[derive(Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// What the job wrote.
    Output(Stream, &'a [u8]),
    /// What its interpreter tells, or a part of it.
    Line(&'a [u8]),
    Report(Report),
}

/// What came is none of the supervisor's frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFrame {
    kind: u8,
    /// Of the payload.
    size: usize,
    /// The first byte of the payload, where that is what is wrong.
    value: Option<u8>,
}

impl std::fmt::Display for BadFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, size, value } = self;
        write!(f, "the supervisor sent {size} bytes of the kind {kind:#04x}")?;
        value.map_or(Ok(()), |value| write!(f, ", {value}"))
    }
}

/// Takes the frames apart, wherever they are cut. No length makes it hold more than [`MOST_WORDS`].
#[derive(Debug, Default)]
pub struct Reports {
    head: [u8; HEAD],
    /// How much of the head has come.
    have: usize,
    /// How much of the payload is to come.
    left: usize,
    /// The payload so far, of what is no output.
    words: Vec<u8>,
}

impl Reports {
    /// Takes the next bytes and gives what they tell to `sink`.
    ///
    /// # Errors
    ///
    /// [`BadFrame`]: there is no going on.
    pub fn feed(
        &mut self,
        mut input: &[u8],
        mut sink: impl FnMut(Told<'_>),
    ) -> Result<(), BadFrame> {
        while !input.is_empty() {
            if self.have < HEAD {
                let size = input.len().min(HEAD - self.have);
                self.head[self.have..self.have + size].copy_from_slice(&input[..size]);
                self.have += size;
                input = &input[size..];
                if self.have < HEAD {
                    return Ok(());
                }
                self.left = self.size()?;
            }
            let (payload, rest) = input.split_at(input.len().min(self.left));
            input = rest;
            self.left -= payload.len();
            match self.head[0] {
                b'1'..=b'3' if payload.is_empty() => {}
                b'1' => sink(Told::Output(Stream::Stdout, payload)),
                b'2' => sink(Told::Output(Stream::Stderr, payload)),
                b'3' => sink(Told::Line(payload)),
                _ => self.words.extend_from_slice(payload),
            }
            if self.left == 0 {
                self.have = 0;
                if !matches!(self.head[0], b'1'..=b'3') {
                    let words = std::mem::take(&mut self.words);
                    sink(Told::Report(self.report(&words)?));
                }
            }
        }
        Ok(())
    }

    /// The length of the payload, if one of that kind can have it.
    fn size(&self) -> Result<usize, BadFrame> {
        let [kind, a, b, c, d] = self.head;
        let size = u32::from_le_bytes([a, b, c, d]) as usize;
        let most = match kind {
            b'1'..=b'3' => MOST_OUTPUT,
            b'F' | b'N' => MOST_WORDS,
            b'X' | b'S' | b'O' => 1,
            _ => 0,
        };
        if size > most {
            return Err(BadFrame { kind, size, value: None });
        }
        Ok(size)
    }

    fn report(&self, payload: &[u8]) -> Result<Report, BadFrame> {
        let words = || String::from_utf8_lossy(payload).trim().to_owned();
        let kind = self.head[0];
        Ok(match (kind, payload) {
            (b'R', []) => Report::Ready,
            (b'C', []) => Report::Commands,
            (b'F', _) => Report::Failed(words()),
            (b'U', []) => Report::Unshielded,
            (b'N', _) => Report::NotStarted(words()),
            (b'X', &[code]) => Report::Exit(code),
            (b'S', &[number @ 1..=SIGNALS]) => Report::Signal(number),
            (b'O', &[number @ 1..=SIGNALS]) => Report::Oom(number),
            _ => {
                let value = payload.first().copied();
                return Err(BadFrame { kind, size: payload.len(), value });
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        [&[kind][..], &(payload.len() as u32).to_le_bytes(), payload].concat()
    }

    /// What was written to stdout and to stderr, and the reports.
    type Heard = (Vec<u8>, Vec<u8>, Vec<Report>);

    fn hear(stream: &[u8], cuts: &[usize]) -> Result<Heard, BadFrame> {
        let mut reports = Reports::default();
        let mut heard = Heard::default();
        let mut start = 0;
        for &cut in cuts.iter().chain([&stream.len()]) {
            let cut = cut.clamp(start, stream.len());
            reports.feed(&stream[start..cut], |told| match told {
                Told::Output(Stream::Stdout, bytes) => heard.0.extend_from_slice(bytes),
                Told::Output(Stream::Stderr, bytes) => heard.1.extend_from_slice(bytes),
                Told::Line(_) => {}
                Told::Report(report) => heard.2.push(report),
            })?;
            start = cut;
        }
        Ok(heard)
    }

    #[test]
    fn each_kind_is_told_as_what_it_is() {
        for (kind, payload, report) in [
            (b'R', &b""[..], Report::Ready),
            (b'C', b"", Report::Commands),
            (b'F', b"no such module\n", Report::Failed("no such module".to_owned())),
            (b'U', b"", Report::Unshielded),
            (b'N', b"", Report::NotStarted(String::new())),
            (b'X', b"\xff", Report::Exit(255)),
            (b'S', b"\x01", Report::Signal(1)),
            (b'S', b"\x40", Report::Signal(64)),
            (b'O', b"\x09", Report::Oom(9)),
        ] {
            assert_eq!(hear(&frame(kind, payload), &[]).unwrap().2, [report]);
        }
    }

    #[test]
    fn output_that_looks_like_a_frame_is_output() {
        let end = frame(b'X', b"\0");
        let stream = [frame(b'1', &end), frame(b'2', &end), frame(b'X', b"\x07")].concat();
        let heard = (end.clone(), end, vec![Report::Exit(7)]);
        assert_eq!(hear(&stream, &[]), Ok(heard));
    }

    #[test]
    fn what_no_supervisor_says_is_an_error() {
        for (kind, payload) in [
            (b'?', &b""[..]),
            (b'R', b"x"),
            (b'X', b""),
            (b'X', b"\x01\x00"),
            (b'S', b"\x00"),
            (b'S', b"\x41"),
            (b'O', b"\xff"),
        ] {
            assert!(hear(&frame(kind, payload), &[]).is_err(), "{kind} {payload:?}");
        }
    }

    #[test]
    fn a_length_beyond_what_may_come_is_an_error_before_anything_of_it_has_come() {
        for kind in b"12FNRUXSO?" {
            let head = [&[*kind][..], &u32::MAX.to_le_bytes()].concat();
            assert!(hear(&head, &[]).is_err(), "{}", char::from(*kind));
        }
    }

    proptest! {
        #[test]
        fn the_split_of_the_stream_does_not_matter(
            frames in proptest::collection::vec(
                (proptest::sample::select(&b"12FNXSO?"[..]),
                    proptest::collection::vec(any::<u8>(), 0..8)), 0..12),
            mut cuts in proptest::collection::vec(0usize..200, 0..12),
        ) {
            cuts.sort_unstable();
            let stream: Vec<u8> =
                frames.iter().flat_map(|(kind, payload)| frame(*kind, payload)).collect();
            prop_assert_eq!(hear(&stream, &cuts), hear(&stream, &[]));
        }

        #[test]
        fn no_input_makes_it_panic(
            stream in proptest::collection::vec(any::<u8>(), 0..200),
            mut cuts in proptest::collection::vec(0usize..200, 0..6),
        ) {
            cuts.sort_unstable();
            let _ = hear(&stream, &cuts);
        }
    }
}
