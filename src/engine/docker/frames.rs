//! The engine's multiplexed stream: stdout and stderr of a process without a terminal.
//!
//! A frame is one byte that names the stream, three zero bytes, four bytes of length (big-endian),
//! and the payload (Engine API, `ContainerAttach`, "Stream format").

use std::{
    io,
    task::{ready, Context, Poll},
};

use super::wire::Reader;
use crate::engine::{output::Buffer, Output, Stream};

/// The stream is not what the Engine API says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DemuxError {
    /// A header no engine writes.
    BadHeader([u8; 8]),
    /// The stream ended inside a frame.
    CutOff,
}

impl std::error::Error for DemuxError {}

impl std::fmt::Display for DemuxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadHeader(header) => write!(f, "a frame begins with {header:02x?}"),
            Self::CutOff => f.write_str("the stream was cut off inside a frame"),
        }
    }
}

/// Takes the stream apart, wherever it is cut. Holds no payload, so no length can make it grow.
#[derive(Default)]
pub struct Demux {
    header: [u8; 8],
    /// How much of the header has come.
    have: usize,
    /// The stream of the current frame, and how much of its payload is to come.
    current: Option<Stream>,
    left: usize,
}

impl Demux {
    /// Takes the next bytes and gives each piece of payload to `sink`.
    pub fn feed(
        &mut self,
        mut input: &[u8],
        mut sink: impl FnMut(Stream, &[u8]),
    ) -> Result<(), DemuxError> {
        while !input.is_empty() {
            if self.left == 0 {
                let size = input.len().min(8 - self.have);
                self.header[self.have..self.have + size].copy_from_slice(&input[..size]);
                self.have += size;
                input = &input[size..];
                if self.have == 8 {
                    self.begin()?;
                }
                continue;
            }
            let (payload, rest) = input.split_at(input.len().min(self.left));
            self.left -= payload.len();
            input = rest;
            if let Some(stream) = self.current {
                sink(stream, payload);
            }
        }
        Ok(())
    }

    /// The stream has ended.
    pub fn finish(&self) -> Result<(), DemuxError> {
        if self.left > 0 || self.have > 0 {
            return Err(DemuxError::CutOff);
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), DemuxError> {
        self.have = 0;
        let [kind, 0, 0, 0, a, b, c, d] = self.header else {
            return Err(DemuxError::BadHeader(self.header));
        };
        self.current = match kind {
            // An engine may echo stdin; it is nobody's output.
            0 => None,
            1 => Some(Stream::Stdout),
            2 => Some(Stream::Stderr),
            _ => return Err(DemuxError::BadHeader(self.header)),
        };
        self.left = u32::from_be_bytes([a, b, c, d]) as usize;
        Ok(())
    }
}

/// The output of a container or an exec, out of its connection.
pub(super) struct Frames {
    reader: Reader,
    demux: Demux,
    buffer: Buffer,
}

impl Frames {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, demux: Demux::default(), buffer: Buffer::new() }
    }
}

impl Output for Frames {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        take: &mut dyn FnMut(Stream, &[u8]),
    ) -> Poll<io::Result<usize>> {
        let broken = |error: DemuxError| io::Error::new(io::ErrorKind::InvalidData, error);
        let Self { reader, demux, buffer } = self;
        let mut fed = Ok(());
        let read = buffer.poll_read(reader, context, |bytes| fed = demux.feed(bytes, take));
        let read = ready!(read);
        if !matches!(read, Ok(1..)) {
            fed = demux.finish();
        }
        Poll::Ready(fed.map_err(broken).and(read))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        [&[kind, 0, 0, 0][..], &(payload.len() as u32).to_be_bytes(), payload].concat()
    }

    fn demux(input: &[u8], cuts: &[usize]) -> (Result<(), DemuxError>, Vec<u8>, Vec<u8>) {
        let mut demux = Demux::default();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut start = 0;
        let mut result = Ok(());
        for &cut in cuts.iter().chain([&input.len()]) {
            let cut = cut.clamp(start, input.len());
            result = demux.feed(&input[start..cut], |stream, bytes| match stream {
                Stream::Stdout => out.extend_from_slice(bytes),
                Stream::Stderr => err.extend_from_slice(bytes),
            });
            if result.is_err() {
                break;
            }
            start = cut;
        }
        (result.and_then(|()| demux.finish()), out, err)
    }

    #[test]
    fn each_payload_goes_to_its_stream_and_an_echo_of_stdin_to_none() {
        let input = [frame(1, b"out"), frame(0, b"echo"), frame(2, b"err"), frame(1, b"")].concat();
        assert_eq!(demux(&input, &[]), (Ok(()), b"out".to_vec(), b"err".to_vec()));
    }

    #[test]
    fn a_header_no_engine_writes_is_an_error() {
        for header in [[3, 0, 0, 0, 0, 0, 0, 1], [1, 0, 9, 0, 0, 0, 0, 1]] {
            assert_eq!(demux(&header, &[]).0, Err(DemuxError::BadHeader(header)));
        }
    }

    #[test]
    fn a_stream_that_ends_inside_a_frame_is_an_error() {
        let input = frame(1, b"out");
        for cut in 1..input.len() {
            assert_eq!(demux(&input[..cut], &[]).0, Err(DemuxError::CutOff), "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn the_split_of_the_stream_does_not_matter(
            frames in proptest::collection::vec(
                (0u8..3, proptest::collection::vec(any::<u8>(), 0..40)), 0..12),
            mut cuts in proptest::collection::vec(0usize..500, 0..12),
        ) {
            cuts.sort_unstable();
            let input: Vec<u8> = frames.iter().flat_map(|(kind, data)| frame(*kind, data)).collect();
            prop_assert_eq!(demux(&input, &cuts), demux(&input, &[]));
        }

        #[test]
        fn no_input_makes_it_panic(
            input in proptest::collection::vec(any::<u8>(), 0..200),
            mut cuts in proptest::collection::vec(0usize..200, 0..6),
        ) {
            cuts.sort_unstable();
            let _ = demux(&input, &cuts);
        }
    }
}
