//! Any bytes, cut anywhere: what the relay's frames say is the same as for the whole, and said again it is the same
//! bytes. The first byte is the distance of the cuts.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use scientist_pool::runner::relay::frames::{say, Frames, Said};

/// What was heard, the bytes of a connection in as large pieces as there are; and whether all of it could be.
fn hear(input: &[u8], step: usize) -> (Vec<(u32, Vec<u8>)>, bool) {
    let mut heard: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut is_data = false;
    let mut frames = Frames::default();
    for piece in input.chunks(step) {
        let fed = frames.feed(piece, |number, said| {
            match (said, heard.last_mut()) {
                (Said::Data(data), Some((last, bytes))) if is_data && *last == number => {
                    bytes.extend_from_slice(data);
                }
                (Said::Data(data), _) => heard.push((number, data.to_vec())),
                (said, _) => {
                    let mut bytes = BytesMut::new();
                    say(number, said, &mut bytes);
                    heard.push((number, bytes.to_vec()));
                }
            }
            is_data = matches!(said, Said::Data(_));
            Ok(())
        });
        if fed.is_err() {
            return (heard, false);
        }
    }
    (heard, true)
}

fuzz_target!(|data: &[u8]| {
    if let Some((&step, input)) = data.split_first() {
        let step = usize::from(step).max(1);
        assert_eq!(hear(input, step), hear(input, input.len().max(1)));
    }
});
