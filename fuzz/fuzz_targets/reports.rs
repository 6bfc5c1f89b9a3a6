//! Any bytes, cut anywhere: what the supervisor's frames tell is the same as for the whole. The first
//! byte is the distance of the cuts.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scientist_pool::runner::report::{BadFrame, Report, Reports, Told};

fn hear(input: &[u8], step: usize) -> (Vec<u8>, Vec<Report>, Option<BadFrame>) {
    let mut reports = Reports::default();
    let (mut output, mut heard) = (Vec::new(), Vec::new());
    for piece in input.chunks(step) {
        let fed = reports.feed(piece, |told| match told {
            Told::Output(stream, bytes) => {
                output.extend(bytes.iter().flat_map(|byte| [stream as u8, *byte]));
            }
            Told::Line(bytes) => output.extend(bytes.iter().flat_map(|byte| [0, *byte])),
            Told::Report(report) => heard.push(report),
        });
        if let Err(bad) = fed {
            return (output, heard, Some(bad));
        }
    }
    (output, heard, None)
}

fuzz_target!(|data: &[u8]| {
    let Some((&step, input)) = data.split_first() else { return };
    let step = usize::from(step).max(1);
    assert_eq!(hear(input, step), hear(input, input.len().max(1)));
});
