//! Any bytes, cut anywhere: the demultiplexer gives the same as for the whole, and never panics.
//! The first byte is the distance of the cuts.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scientist_pool::engine::{
    docker::frames::{Demux, DemuxError},
    Stream,
};

fn demux(input: &[u8], step: usize) -> (Result<(), DemuxError>, Vec<u8>, Vec<u8>) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut demux = Demux::default();
    for piece in input.chunks(step) {
        let fed = demux.feed(piece, |stream, bytes| match stream {
            Stream::Stdout => out.extend_from_slice(bytes),
            Stream::Stderr => err.extend_from_slice(bytes),
        });
        if fed.is_err() {
            return (fed, out, err);
        }
    }
    (demux.finish(), out, err)
}

fuzz_target!(|data: &[u8]| {
    if let Some((&step, input)) = data.split_first() {
        let step = usize::from(step).max(1);
        assert_eq!(demux(input, step), demux(input, input.len().max(1)));
    }
});
