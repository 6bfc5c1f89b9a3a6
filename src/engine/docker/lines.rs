//! The body of an answer that comes line by line for as long as something goes on.

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use tokio::task::coop::consume_budget;

use super::fault::{chain, Fault};

/// A line beyond this is none that an engine writes.
const MAX_LINE: usize = 256 << 10;

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
            // A registry chooses how many there are.
            consume_budget().await;
        }
        rest.extend_from_slice(data);
        if rest.len() > MAX_LINE {
            return Err(Fault::Garbled("a line of its report has no end".to_owned()));
        }
    }
    pass_on(&rest)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    };

    use http_body_util::Full;
    use tokio::task::{spawn, yield_now};

    use super::*;

    #[tokio::test]
    async fn very_many_lines_at_once_leave_others_their_turns() {
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = turns.clone();
        let neighbour = spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        });
        let mut lines = 0;
        let body = Full::new(Bytes::from("{}\n".repeat(10_000)));
        let taken = each(body, |_| {
            lines += 1;
            Ok(())
        });
        taken.await.expect("lines");
        neighbour.abort();
        assert_eq!(lines, 10_000);
        // A task has 128 steps until it has to let another one go first.
        assert!(turns.load(Ordering::Relaxed) >= 10_000 / 128);
    }
}
