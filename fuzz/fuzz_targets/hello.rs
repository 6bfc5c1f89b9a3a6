//! Any bytes as the beginning of TLS, cut anywhere: they are read as they are in one piece, and what follows the
//! ClientHello changes nothing. The first byte is the length of the first piece.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scientist_pool_egress::outside::{end, protocols, read, second, Hello};
use tokio::{io::AsyncReadExt, runtime};

/// What it is, and what was read.
fn of_pieces(one: &[u8], other: &[u8]) -> (Option<Hello>, Vec<u8>) {
    let mut bytes = Vec::new();
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    let hello = runtime.block_on(read(&mut one.chain(other), &mut bytes)).ok();
    (hello, bytes)
}

/// The ClientHello that follows early data, and what goes on before it.
fn after_others(mut bytes: &[u8]) {
    let (mut onward, mut hello) = (Vec::new(), Vec::new());
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    let all = bytes;
    if runtime.block_on(second(&mut bytes, &mut onward, &mut hello)).is_ok() {
        assert!(all.starts_with(&[onward, hello].concat()));
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, bytes)) = data.split_first() else { return };
    let (one, other) = bytes.split_at(usize::from(cut).min(bytes.len()));
    let (hello, taken) = of_pieces(bytes, &[]);
    assert_eq!(of_pieces(one, other).0, hello);
    assert!(bytes.starts_with(&taken));
    if let Some(Hello::Tls { .. }) = hello {
        let end = end(&taken).expect("nothing else is in its records");
        assert_eq!(of_pieces(&bytes[..end], &[]).0, hello);
        protocols(&taken);
    }
    after_others(bytes);
});
