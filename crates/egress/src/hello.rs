//! Whom the beginning of a TLS connection is meant for.

use std::io::Cursor;

use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Many times what clients send.
const MOST: usize = 64 << 10;
/// `encrypted_client_hello` (RFC 9849).
const ECH: u16 = 0xfe0d;
/// `application_layer_protocol_negotiation` (RFC 7301).
const ALPN: u16 = 16;

/// The kinds of records and messages that begin a connection (RFC 8446, sections 5.1 and 4).
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
/// The head of a record.
const RECORD: usize = 5;
/// What a ServerHello has before its random.
const BEFORE_RANDOM: usize = RECORD + 4 + 2;
/// The random by which a ServerHello is one that asks for another ClientHello (RFC 8446, section 4.1.3).
const AGAIN: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What a client has said first.
#[derive(Debug, PartialEq, Eq)]
pub enum Hello {
    /// It is meant for this name, as the client spells it; `None`: it does not say.
    Tls { name: Option<String>, hides: bool },
    /// It is none of TLS.
    Other,
}

/// Reads as much as it takes to know, into `read`, which is to be passed on.
pub async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    read: &mut Vec<u8>,
) -> std::io::Result<Hello> {
    let mut acceptor = Acceptor::default();
    while read.len() < MOST {
        let before = read.len();
        if stream.read_buf(read).await? == 0 {
            return Ok(Hello::Other);
        }
        let mut rest = Cursor::new(&read[before..]);
        while (rest.position() as usize) < read.len() - before {
            if acceptor.read_tls(&mut rest)? == 0 {
                break;
            }
            match acceptor.accept() {
                Ok(None) => {}
                // What follows within its record would be out of sight.
                Ok(Some(_)) if end(read).is_none() => return Ok(Hello::Other),
                Ok(Some(accepted)) => {
                    let name = accepted.client_hello().server_name().map(str::to_owned);
                    return Ok(Hello::Tls { name, hides: hides(read) });
                }
                Err(_) => return Ok(Hello::Other),
            }
        }
    }
    Ok(Hello::Other)
}

/// Where the records of a ClientHello end; `None`: there is more in them.
pub fn end(records: &[u8]) -> Option<usize> {
    let (mut at, mut length, mut whole) = (0, 0, Vec::new());
    loop {
        let [HANDSHAKE, _, _, high, low] = *records.get(at..at + RECORD)? else { return None };
        let start = at + RECORD;
        at = start + usize::from(u16::from_be_bytes([high, low]));
        let body = records.get(start..at)?;
        length += body.len();
        whole.extend_from_slice(&body[..body.len().min(4)]);
        if let [_, a, b, c, ..] = whole[..] {
            let expected = 4 + usize::from(a) * 0x1_0000 + usize::from(b) * 0x100 + usize::from(c);
            if length >= expected {
                return (length == expected).then_some(at);
            }
        }
    }
}

/// Whether the first that a server says asks for another ClientHello. What was read of it, to the end of a record if
/// it does, is in `read`, which is to be passed on.
pub async fn asks_again(
    stream: &mut (impl AsyncRead + Unpin),
    read: &mut Vec<u8>,
) -> std::io::Result<bool> {
    let random = BEFORE_RANDOM..BEFORE_RANDOM + AGAIN.len();
    while read.len() < random.end {
        let begins = read.first().is_none_or(|kind| *kind == HANDSHAKE);
        if !begins || stream.read_buf(read).await? == 0 {
            return Ok(false);
        }
    }
    if read[0] != HANDSHAKE || read[RECORD] != SERVER_HELLO || read[random] != AGAIN {
        return Ok(false);
    }
    let end = RECORD + usize::from(u16::from_be_bytes([read[3], read[4]]));
    while read.len() < end && stream.read_buf(read).await? > 0 {}
    Ok(true)
}

/// Reads the ClientHello that a server has asked for, into `read`, which is to be passed on. What comes before it, such
/// as early data, goes on at once.
pub async fn second(
    stream: &mut (impl AsyncRead + Unpin),
    onward: &mut (impl AsyncWrite + Unpin),
    read: &mut Vec<u8>,
) -> std::io::Result<Hello> {
    loop {
        let mut head = [0; RECORD];
        stream.read_exact(&mut head).await?;
        if head[0] == HANDSHAKE {
            return self::read(&mut (&head[..]).chain(stream), read).await;
        }
        let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        stream.read_exact(&mut body).await?;
        onward.write_all(&[&head[..], &body].concat()).await?;
    }
}

/// The protocols above TLS that a ClientHello offers (ALPN, RFC 7301).
pub fn protocols(records: &[u8]) -> Vec<Vec<u8>> {
    let hello = handshake(records);
    let mut rest = extensions(&hello).unwrap_or_default();
    while let Some((kind, body, after)) = extension(rest) {
        if kind == ALPN {
            let mut names = prefixed(body, 2).map_or(&[][..], |(names, _)| names);
            let next = || {
                let (name, after) = prefixed(names, 1)?;
                names = after;
                Some(name.to_vec())
            };
            return std::iter::from_fn(next).collect();
        }
        rest = after;
    }
    Vec::new()
}

/// Whether a ClientHello that rustls has taken has the extension by which it hides another one.
fn hides(records: &[u8]) -> bool {
    extensions(&handshake(records)).is_some_and(|extensions| {
        let mut rest = extensions;
        while let Some((kind, _, after)) = extension(rest) {
            if kind == ECH {
                return true;
            }
            rest = after;
        }
        false
    })
}

/// The handshake's bytes, without the headers of the records that they come in.
fn handshake(mut records: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let [_, _, _, high, low, rest @ ..] = records {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        whole.extend_from_slice(&rest[..length]);
        records = &rest[length..];
    }
    whole
}

/// Those of a ClientHello (RFC 8446, section 4.1.2).
fn extensions(hello: &[u8]) -> Option<&[u8]> {
    // Its type and length, the version, the random.
    let rest = hello.get(4 + 2 + 32..)?;
    let (_, rest) = prefixed(rest, 1)?; // the session
    let (_, rest) = prefixed(rest, 2)?; // cipher suites
    let (_, rest) = prefixed(rest, 1)?; // compression
    Some(prefixed(rest, 2)?.0)
}

fn extension(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first_chunk::<2>()?;
    let (body, rest) = prefixed(rest, 2)?;
    Some((u16::from_be_bytes(*kind), body, rest))
}

/// What follows its length, which has so many bytes; and what follows that.
fn prefixed(bytes: &[u8], of_length: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(of_length)?;
    let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    fn hello_to(name: &str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let mut client =
            ClientConnection::new(Arc::new(config), name.to_owned().try_into().unwrap()).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    /// With one more extension.
    fn extended(mut bytes: Vec<u8>, extension: &[u8]) -> Vec<u8> {
        let hello = handshake(&bytes);
        let own = extensions(&hello).unwrap().len();
        bytes.extend_from_slice(extension);
        let more = |bytes: &mut [u8], at: usize, value: usize| {
            bytes[at..at + 2].copy_from_slice(&u16::try_from(value).unwrap().to_be_bytes());
        };
        let whole = hello.len() + extension.len();
        more(&mut bytes, 3, whole);
        more(&mut bytes, 5 + 2, whole - 4);
        let at = 5 + hello.len() - own - 2;
        more(&mut bytes, at, own + extension.len());
        bytes
    }

    async fn of(mut bytes: &[u8]) -> Hello {
        read(&mut bytes, &mut Vec::new()).await.unwrap()
    }

    #[tokio::test]
    async fn the_name_is_the_clients() {
        let name = Some("api.example.org".to_owned());
        assert_eq!(of(&hello_to("api.example.org")).await, Hello::Tls { name, hides: false });
        assert_eq!(of(&hello_to("127.0.0.1")).await, Hello::Tls { name: None, hides: false });
    }

    #[tokio::test]
    async fn all_that_was_read_is_passed_on() {
        let bytes = hello_to("a.org");
        let mut passed = Vec::new();
        read(&mut &bytes[..], &mut passed).await.unwrap();
        assert_eq!(passed, bytes);
    }

    #[tokio::test]
    async fn one_that_comes_in_pieces_is_read_to_its_end() {
        let bytes = hello_to("a.org");
        let mut pieces = tokio_test_pieces(&bytes);
        let hello = read(&mut pieces, &mut Vec::new()).await.unwrap();
        assert_eq!(hello, Hello::Tls { name: Some("a.org".into()), hides: false });
    }

    fn tokio_test_pieces(bytes: &[u8]) -> impl AsyncRead + Unpin {
        let (mut near, far) = tokio::io::duplex(7);
        let bytes = bytes.to_vec();
        tokio::spawn(async move { tokio::io::AsyncWriteExt::write_all(&mut near, &bytes).await });
        far
    }

    #[tokio::test]
    async fn one_that_hides_another_is_told() {
        let hello = of(&extended(hello_to("a.org"), &[0xfe, 0x0d, 0, 1, 1])).await;
        assert_eq!(hello, Hello::Tls { name: Some("a.org".into()), hides: true });
        let hello = of(&extended(hello_to("a.org"), &[0x44, 0x44, 0, 1, 1])).await;
        assert_eq!(hello, Hello::Tls { name: Some("a.org".into()), hides: false });
    }

    #[test]
    fn the_protocols_are_those_that_are_offered() {
        assert_eq!(protocols(&hello_to("a.org")), [[0; 0]; 0]);
        let offer = [0, 16, 0, 14, 0, 12, 2, b'h', b'2', 8];
        let hello = extended(hello_to("a.org"), &[&offer[..], b"http/1.1"].concat());
        assert_eq!(protocols(&hello), [&b"h2"[..], b"http/1.1"]);
        let cut = extended(hello_to("a.org"), &[0, 16, 0, 4, 0, 12, 9, b'h']);
        assert_eq!(protocols(&cut), [[0; 0]; 0]);
    }

    /// What is made of bytes that come in two pieces.
    fn of_pieces(one: &[u8], other: &[u8]) -> Option<Hello> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut passed = Vec::new();
            let hello = read(&mut one.chain(other), &mut passed).await.ok()?;
            assert!([one, other].concat().starts_with(&passed));
            Some(hello)
        })
    }

    proptest! {
        #[test]
        fn a_spoilt_one_is_the_same_in_pieces(
            spoilt in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = extended(hello_to("a.org"), &[0xfe, 0x0d, 0, 1, 1]);
            for (at, byte) in spoilt {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let (one, other) = bytes.split_at(cut.index(bytes.len()));
            prop_assert_eq!(of_pieces(one, other), of_pieces(&bytes, &[]));
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            of_pieces(&[22, 3, 1], &bytes);
        }
    }

    #[tokio::test]
    async fn other_protocols_are_none_of_tls() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\x16\x03\x01\x00\x05junk!",
            b"",
        ] {
            assert_eq!(of(bytes).await, Hello::Other);
        }
    }
}
