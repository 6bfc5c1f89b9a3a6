//! Any bytes as what a client says to the proxy, cut anywhere: no name is resolved but the one that is allowed, and
//! nothing is answered but HTTP. The first byte is the length of the first piece.

#![no_main]

use std::{io, sync::Arc};

use libfuzzer_sys::fuzz_target;
use scientist_pool_egress::{Egress, Rules, Settings};
use tokio::{
    io::{duplex, AsyncReadExt, AsyncWriteExt},
    runtime,
};

const NAME: &str = "a.org";

fuzz_target!(|data: &[u8]| {
    let Some((&cut, bytes)) = data.split_first() else { return };
    let (one, other) = bytes.split_at(usize::from(cut).min(bytes.len()));
    let settings = Settings { allow: vec![NAME.to_owned()], ..Settings::default() };
    let resolve = Arc::new(|name: String| {
        assert_eq!(name, NAME);
        Box::pin(async { Err(io::ErrorKind::NotFound.into()) }) as _
    });
    let egress = Egress::with_resolver(Rules::parse(&settings).unwrap(), resolve);
    let lease = Arc::new(egress).lease(|record| assert!(!record.allowed || record.host == NAME));
    let (mut near, far) = duplex(64 << 10);
    let client = async {
        for piece in [one, other] {
            // It may be refused before all of it is there.
            if near.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let _ = near.shutdown().await;
        let mut answer = Vec::new();
        let _ = near.read_to_end(&mut answer).await;
        answer
    };
    let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (answer, ()) = runtime.block_on(async { tokio::join!(client, lease.serve(far)) });
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."));
});
