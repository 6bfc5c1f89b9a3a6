//! Any nonce and any output, cut anywhere: what the scanner lets through and finds is the same as for
//! the whole. The first byte is the distance of the cuts, the next 16 are the nonce; a byte of 0xff
//! in the output stands for the nonce, so that the fuzzer meets whole and half trailers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scientist_pool::runner::trailer::{Nonce, Scanner, Trailer};

fn scan(nonce: &Nonce, input: &[u8], step: usize) -> (Vec<u8>, Option<Trailer>) {
    let mut scanner = Scanner::new(nonce);
    let mut out = Vec::new();
    for piece in input.chunks(step) {
        scanner.feed(piece, |bytes| out.extend_from_slice(bytes));
    }
    // What is held at the end may be any part of an unfinished trailer.
    (out, scanner.found())
}

fuzz_target!(|data: &[u8]| {
    let Some((&step, rest)) = data.split_first() else { return };
    let Some((nonce, output)) = rest.split_first_chunk::<16>() else { return };
    let nonce = Nonce::from(*nonce);
    let mut input = Vec::new();
    for &byte in output {
        match byte {
            0xff => input.extend_from_slice(nonce.bytes()),
            byte => input.push(byte),
        }
    }
    let step = usize::from(step).max(1);
    assert_eq!(scan(&nonce, &input, step), scan(&nonce, &input, input.len().max(1)));
});
