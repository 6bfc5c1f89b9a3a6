//! Any bytes in which others are replaced: cut anywhere, the same comes of them as of the whole, and as many are told
//! of. Needles are of few letters, so that they overlap.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::{arbitrary, fuzz_target};
use scientist_pool_egress::outside::{Needle, Needles, Replacing};

#[derive(Debug, arbitrary::Arbitrary)]
struct Input {
    /// What is looked for, and what takes its place, if anything does.
    needles: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    text: Vec<u8>,
    step: u8,
}

/// One of four letters.
fn letters(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| b'a' + byte % 4).collect()
}

fn replaced(needles: &Arc<Needles>, text: &[u8], step: usize) -> (Vec<u8>, Vec<usize>) {
    let mut replacing = Replacing::new(needles.clone());
    let (mut out, mut found) = (Vec::new(), Vec::new());
    for piece in text.chunks(step) {
        let piece = piece.to_vec().into();
        out.extend_from_slice(&replacing.push(piece, |needle| found.push(needle.owner)));
    }
    out.extend_from_slice(&replacing.finish(|needle| found.push(needle.owner)));
    assert_eq!(replacing.held(), 0);
    (out, found)
}

fuzz_target!(|input: Input| {
    let needle = |(owner, (find, put)): (usize, &(Vec<u8>, Option<Vec<u8>>))| Needle {
        find: letters(find).into(),
        put: put.as_ref().map(|put| put.clone().into()),
        owner,
    };
    let needles = Arc::new(Needles::new(input.needles.iter().enumerate().map(needle).collect()));
    let text = letters(&input.text);
    let whole = replaced(&needles, &text, text.len().max(1));
    assert_eq!(replaced(&needles, &text, usize::from(input.step).max(1)), whole);
    let mut found = Vec::new();
    let out = needles.whole(&text, |needle| found.push(needle.owner)).unwrap_or(text);
    assert_eq!((out, found), whole);
});
