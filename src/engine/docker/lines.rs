//! The body of an answer that comes line by line for as long as something goes on.

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};

use super::fault::{chain, Fault};

/// A line beyond this is none that an engine writes.
const MAX_LINE: usize = 1 << 20;

/// Hands each line to `take`, without its end and never empty, until the body ends or `take` fails.
pub(super) async fn each<B>(
    mut body: B,
    mut take: impl FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<(), Fault>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + 'static,
{
    let mut rest = Vec::new();
    let mut pass_on = |line: &[u8]| match line.trim_ascii() {
        b"" => Ok(()),
        line => take(line),
    };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Fault::Unanswered(chain(&error)))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        let mut data = &data[..];
        while let Some(end) = memchr::memchr(b'\n', data) {
            rest.extend_from_slice(&data[..end]);
            data = &data[end + 1..];
            pass_on(&rest)?;
            rest.clear();
        }
        rest.extend_from_slice(data);
        if rest.len() > MAX_LINE {
            return Err(Fault::Garbled("a line of its report has no end".to_owned()));
        }
    }
    pass_on(&rest)
}
