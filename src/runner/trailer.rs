//! The marker by which the supervisor tells the end of a job, and the scanner that finds it.

use memchr::memmem;
use rand::RngCore;

const NONCE: usize = 16;
/// Nonce, kind, value.
const TRAILER: usize = NONCE + 1 + 4;

/// What each nonce begins with. No text in UTF-8 has this byte (RFC 3629, section 1): the end of a text never
/// looks like the beginning of a trailer, for which a scanner would hold it back until more comes. Who waits
/// for an answer to it would wait for ever.
const FIRST: u8 = 0xc1;

/// What only this process and the supervisor know, until the job has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce([u8; NONCE]);

impl Nonce {
    /// A new one from the system's generator.
    pub fn random() -> Self {
        let mut bytes = [FIRST; NONCE];
        rand::rng().fill_bytes(&mut bytes[1..]);
        Self(bytes)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; NONCE]> for Nonce {
    fn from(bytes: [u8; NONCE]) -> Self {
        Self(bytes)
    }
}

/// What a trailer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trailer {
    /// The supervisor is up, and an interpreter is parked.
    Ready,
    /// The interpreter did not come up, or a module to preload did not import.
    Failed,
    Exit(u32),
    Signal(u32),
    /// Ended by the kernel's out-of-memory killer, with this signal.
    Oom(u32),
    /// A kind this version does not know: not the supervisor's.
    Unknown(u8),
}

impl Trailer {
    fn parse(bytes: &[u8; TRAILER]) -> Self {
        let [.., kind, a, b, c, d] = *bytes;
        let value = u32::from_le_bytes([a, b, c, d]);
        match kind {
            b'R' => Self::Ready,
            b'F' => Self::Failed,
            b'E' => Self::Exit(value),
            b'S' => Self::Signal(value),
            b'O' => Self::Oom(value),
            kind => Self::Unknown(kind),
        }
    }
}

/// Finds the trailer in one stream, wherever the stream is cut.
///
/// Bytes pass through as they came, but for a tail that may yet become a trailer: at most 20 bytes.
pub struct Scanner {
    finder: memmem::Finder<'static>,
    held: Vec<u8>,
    found: Option<Trailer>,
}

impl Scanner {
    pub fn new(nonce: &Nonce) -> Self {
        let finder = memmem::Finder::new(nonce.bytes()).into_owned();
        Self { finder, held: Vec::new(), found: None }
    }

    /// The trailer, once it has come.
    pub fn found(&self) -> Option<Trailer> {
        self.found
    }

    /// Takes the stream's next bytes and gives `emit` those that come before a trailer.
    ///
    /// What follows a trailer was written by processes the job left behind; it belongs to nobody.
    pub fn feed(&mut self, chunk: &[u8], mut emit: impl FnMut(&[u8])) {
        if self.found.is_some() {
            return;
        }
        if !self.held.is_empty() {
            let old = self.held.len();
            self.held.extend_from_slice(&chunk[..chunk.len().min(TRAILER - 1)]);
            let held = std::mem::take(&mut self.held);
            if let Some(at) = self.search(&held) {
                return emit(&held[..at]);
            }
            let candidate = self.candidate(&held);
            if candidate < old {
                // It still begins in what was held, so the whole chunk has gone into it.
                emit(&held[..candidate]);
                self.held.extend_from_slice(&held[candidate..]);
                return;
            }
            emit(&held[..old]);
        }
        if let Some(at) = self.search(chunk) {
            return emit(&chunk[..at]);
        }
        let candidate = self.candidate(chunk);
        if candidate > 0 {
            emit(&chunk[..candidate]);
        }
        self.held.extend_from_slice(&chunk[candidate..]);
    }

    /// Where a whole trailer begins, if there is one.
    fn search(&mut self, data: &[u8]) -> Option<usize> {
        let at = self.finder.find(data)?;
        let trailer = data.get(at..at + TRAILER)?.try_into().ok()?;
        self.found = Some(Trailer::parse(trailer));
        Some(at)
    }

    /// Where the tail begins that may yet become a trailer; the end, if there is none.
    fn candidate(&self, data: &[u8]) -> usize {
        let nonce = self.finder.needle();
        let first = data.len().saturating_sub(TRAILER - 1);
        (first..data.len())
            .find(|&at| {
                let tail = &data[at..];
                let size = tail.len().min(NONCE);
                tail[..size] == nonce[..size]
            })
            .unwrap_or(data.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trailer(nonce: [u8; NONCE], kind: u8, value: u32) -> Vec<u8> {
        [&nonce[..], &[kind], &value.to_le_bytes()].concat()
    }

    fn scan(nonce: [u8; NONCE], stream: &[u8], cuts: &[usize]) -> (Vec<u8>, Option<Trailer>) {
        let mut scanner = Scanner::new(&Nonce(nonce));
        let mut out = Vec::new();
        let mut start = 0;
        for &cut in cuts.iter().chain([&stream.len()]) {
            let cut = cut.clamp(start, stream.len());
            scanner.feed(&stream[start..cut], |bytes| out.extend_from_slice(bytes));
            start = cut;
        }
        (out, scanner.found())
    }

    #[test]
    fn output_before_the_trailer_passes_and_what_follows_it_does_not() {
        let nonce = [9; NONCE];
        let stream = [b"out".to_vec(), trailer(nonce, b'E', 3), b"late".to_vec()].concat();
        assert_eq!(scan(nonce, &stream, &[]), (b"out".to_vec(), Some(Trailer::Exit(3))));
    }

    #[test]
    fn a_nonce_without_the_rest_is_not_yet_a_trailer() {
        let nonce = [9; NONCE];
        assert_eq!(scan(nonce, &nonce, &[]), (Vec::new(), None));
    }

    proptest! {
        /// A nonce of few distinct bytes makes near misses and overlaps likely.
        #[test]
        fn the_split_of_the_stream_does_not_matter(
            nonce in proptest::array::uniform16(0u8..2),
            output in proptest::collection::vec(0u8..2, 0..200),
            mut cuts in proptest::collection::vec(0usize..230, 0..12),
            value in any::<u32>(),
        ) {
            cuts.sort_unstable();
            let stream = [output, trailer(nonce, b'E', value)].concat();
            prop_assert_eq!(scan(nonce, &stream, &cuts), scan(nonce, &stream, &[]));
            prop_assert!(scan(nonce, &stream, &cuts).1.is_some());
        }

        #[test]
        fn text_passes_at_once_whatever_it_ends_in(text in any::<String>()) {
            let Nonce(nonce) = Nonce::random();
            prop_assert_eq!(scan(nonce, text.as_bytes(), &[]), (text.into_bytes(), None));
        }

        #[test]
        fn no_byte_is_lost_where_no_trailer_comes(
            output in proptest::collection::vec(0u8..4, 0..400),
            mut cuts in proptest::collection::vec(0usize..400, 0..20),
        ) {
            cuts.sort_unstable();
            let nonce = [5; NONCE];
            prop_assert_eq!(scan(nonce, &output, &cuts), (output, None));
        }
    }
}
