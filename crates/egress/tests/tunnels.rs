//! Tunnels.

mod support;

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
    time::Duration,
};

use futures_util::future::BoxFuture;

use rustls::{
    crypto::ring::kx_group::{SECP256R1, X25519},
    ClientConfig, ClientConnection, RootCertStore,
};
use scientist_pool_egress::{Egress, Limits, Rules, Settings};
use support::{begin_tls, provider, rules, serve, tls, Bench};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const NAME: &str = "a.example.org";

#[tokio::test]
async fn tls_that_is_meant_for_the_allowed_name_goes_through() {
    let (address, roots) = tls(NAME).await;
    let host = format!("{NAME}:{}", address.port());
    let bench = Bench::of(std::slice::from_ref(&host), &[NAME]);
    let stream = bench.tunnel(&host).await.unwrap();
    let mut stream = begin_tls(stream, NAME, roots, true).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "hello");
    drop(stream);
    let record = bench.record().await;
    assert!(record.allowed && record.bytes_sent > 5 && record.bytes_received > 5, "{record:?}");
    assert_eq!(record.rule, host);
}

#[tokio::test]
async fn a_tunnel_that_is_not_allowed_is_refused_by_the_rule_that_is_missing() {
    let bench = Bench::of(&[NAME.to_owned()], &[]);
    for (to, missing) in [
        ("b.example.org:443", "b.example.org:443"),
        ("a.example.org:22", "a.example.org:22"),
        ("127.0.0.1:443", "127.0.0.1:443"),
        ("[::1]:443", "[::1]:443"),
        ("A.EXAMPLE.ORG.evil.com:443", "a.example.org.evil.com:443"),
    ] {
        let answer = bench.tunnel(to).await.unwrap_err();
        assert!(answer.starts_with("HTTP/1.1 403 "), "{to}: {answer}");
        assert!(
            answer.ends_with(&format!("network.allow has no \"{missing}\"\n")),
            "{to}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_target_that_is_no_host_with_a_port_is_refused() {
    let bench = Bench::of(&[NAME.to_owned()], &[NAME]);
    for to in [
        "a.example.org",
        "user@a.example.org:443",
        "a.example.org:0",
        "127.1:443",
        "a%2eexample.org:443",
    ] {
        let answer = bench.tunnel(to).await.unwrap_err();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{to}: {answer}");
    }
    assert!(bench.records().is_empty());
}

/// Gives what the host heard, and what was told of the tunnel.
async fn told_of(first: &[u8]) -> (Vec<u8>, String) {
    let heard: Arc<std::sync::Mutex<Vec<u8>>> = Arc::default();
    let own = heard.clone();
    let address = serve(move |mut stream| {
        let own = own.clone();
        async move {
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes).await;
            own.lock().unwrap().append(&mut bytes);
        }
    })
    .await;
    let host = format!("{NAME}:{}", address.port());
    let bench = Bench::of(std::slice::from_ref(&host), &[NAME]);
    let mut stream = bench.tunnel(&host).await.unwrap();
    stream.write_all(first).await.unwrap();
    let mut alert = Vec::new();
    let _ = stream.read_to_end(&mut alert).await;
    let record = bench.record().await;
    assert!(!record.allowed);
    assert_eq!(alert, [21, 3, 3, 0, 2, 2, 112]);
    let heard = heard.lock().unwrap().clone();
    (heard, record.rule)
}

#[tokio::test]
async fn what_is_no_tls_does_not_get_through_a_tunnel() {
    let (heard, why) = told_of(b"GET / HTTP/1.1\r\nHost: b.example.org\r\n\r\n").await;
    assert!(heard.is_empty());
    assert_eq!(why, "what is in the tunnel to a.example.org is no TLS");
}

#[tokio::test]
async fn tls_that_is_meant_for_another_name_is_ended() {
    for (name, said, why) in [
        ("b.example.org", true, "the TLS to a.example.org is meant for b.example.org"),
        (NAME, false, "the TLS to a.example.org does not say whom it is meant for (SNI)"),
    ] {
        let (address, roots) = tls(name).await;
        let host = format!("{NAME}:{}", address.port());
        let bench = Bench::of(std::slice::from_ref(&host), &[NAME]);
        let stream = bench.tunnel(&host).await.unwrap();
        let error = begin_tls(stream, name, roots, said).await.unwrap_err().to_string();
        assert!(error.contains("UnrecognisedName"), "{error}");
        let record = bench.record().await;
        assert_eq!((record.allowed, record.rule.as_str()), (false, why));
        assert_eq!(record.bytes_sent, 0);
    }
}

#[tokio::test]
async fn an_opaque_tunnel_takes_whatever_it_is() {
    let address = serve(|mut stream| async move {
        let _ = stream.write_all(b"SSH-2.0\r\n").await;
    })
    .await;
    let host = format!("{NAME}:{}", address.port());
    let settings = Settings {
        allow: vec![host.clone()],
        hosts: [(NAME.to_owned(), "127.0.0.1".to_owned())].into(),
        opaque: true,
        ..Settings::default()
    };
    let bench = Bench::new(Egress::new(Rules::parse(&settings).unwrap()));
    let mut stream = bench.tunnel(&host).await.unwrap();
    let mut greeting = String::new();
    stream.read_to_string(&mut greeting).await.unwrap();
    assert_eq!(greeting, "SSH-2.0\r\n");
}

/// A resolver that gives this, and how often it was asked.
fn resolving(answer: &str) -> (scientist_pool_egress::Resolve, Arc<AtomicUsize>) {
    let answer: std::net::IpAddr = answer.parse().unwrap();
    let asked: Arc<AtomicUsize> = Arc::default();
    let own = asked.clone();
    let resolve = Arc::new(move |_| {
        own.fetch_add(1, Ordering::Relaxed);
        let found: BoxFuture<'static, _> = Box::pin(async move { Ok(vec![answer]) });
        found
    });
    (resolve, asked)
}

#[tokio::test]
async fn a_name_that_leads_into_a_network_of_ones_own_is_refused() {
    for (address, what) in [
        ("127.0.0.1", "a loopback address"),
        ("169.254.169.254", "link-local"),
        ("::ffff:10.0.0.1", "private"),
        ("fd00:ec2::254", "private"),
    ] {
        let rules = rules(&[NAME.to_owned()], &[], Limits::default());
        let (resolve, asked) = resolving(address);
        let bench = Bench::new(Egress::with_resolver(rules, resolve));
        let answer = bench.tunnel("a.example.org:443").await.unwrap_err();
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(
            answer.contains(&format!("{NAME} leads to {address}, which is {what}")),
            "{answer}"
        );
        assert!(!bench.record().await.allowed);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn a_name_that_is_not_allowed_is_not_looked_up() {
    let rules = rules(&["*.example.org".to_owned()], &[], Limits::default());
    let (resolve, asked) = resolving("127.0.0.1");
    let bench = Bench::new(Egress::with_resolver(rules, resolve));
    for to in ["secret.example.com:443", "secret.a.example.org:53", "example.org:443"] {
        assert!(bench.tunnel(to).await.is_err(), "{to}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    assert!(bench.tunnel("secret.a.example.org:443").await.is_err());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_denied_address_is_not_reached_by_a_name_either() {
    let settings = Settings {
        allow: vec![NAME.to_owned()],
        deny: vec!["127.0.0.1".to_owned()],
        hosts: [(NAME.to_owned(), "127.0.0.1".to_owned())].into(),
        ..Settings::default()
    };
    let bench = Bench::new(Egress::new(Rules::parse(&settings).unwrap()));
    let answer = bench.tunnel("a.example.org:443").await.unwrap_err();
    let why = "a.example.org leads to 127.0.0.1: network.deny has \"127.0.0.1\"";
    assert!(answer.contains(why), "{answer}");
}

#[tokio::test]
async fn an_address_that_is_named_outright_is_reached() {
    let (address, roots) = tls("127.0.0.1").await;
    let host = address.to_string();
    let bench = Bench::of(std::slice::from_ref(&host), &[]);
    let stream = bench.tunnel(&host).await.unwrap();
    begin_tls(stream, "127.0.0.1", roots, true).await.unwrap();
}

#[tokio::test]
async fn a_call_is_held_to_less_while_it_lasts() {
    let (address, roots) = tls(NAME).await;
    let host = format!("{NAME}:{}", address.port());
    let bench = Bench::of(&[host.clone(), "b.example.org".into()], &[NAME]);
    let narrowing = bench.lease.narrow(&["b.example.org".into()], &[]).unwrap();
    let answer = bench.tunnel(&host).await.unwrap_err();
    assert!(
        answer.contains(&format!("network.allow has no \"{host}\", for this call")),
        "{answer}"
    );
    drop(narrowing);
    let stream = bench.tunnel(&host).await.unwrap();
    begin_tls(stream, NAME, roots, true).await.unwrap();
}

#[tokio::test]
async fn the_end_of_a_lease_is_that_of_its_connections() {
    let (address, roots) = tls(NAME).await;
    let host = format!("{NAME}:{}", address.port());
    let bench = Bench::of(std::slice::from_ref(&host), &[NAME]);
    let stream = bench.tunnel(&host).await.unwrap();
    let mut stream = begin_tls(stream, NAME, roots, true).await.unwrap();
    bench.lease.end();
    assert!(stream.read_u8().await.is_err());
    assert!(bench.record().await.allowed);
    let (mut next, served) = bench.connect();
    served.await.unwrap();
    assert!(next.read_u8().await.is_err());
}

#[tokio::test]
async fn a_tunnel_through_which_nothing_goes_is_ended() {
    let (address, roots) = tls(NAME).await;
    let host = format!("{NAME}:{}", address.port());
    let limits = Limits { idle: Duration::from_millis(50), ..Limits::default() };
    let bench = Bench::new(Egress::new(rules(std::slice::from_ref(&host), &[NAME], limits)));
    let stream = bench.tunnel(&host).await.unwrap();
    let mut stream = begin_tls(stream, NAME, roots, true).await.unwrap();
    assert!(stream.read_u8().await.is_err());
}

#[tokio::test]
async fn a_tunnel_has_no_more_bytes_than_its_limit() {
    let (address, roots) = tls(NAME).await;
    let host = format!("{NAME}:{}", address.port());
    let limits = Limits { sent: Some(64 << 10), ..Limits::default() };
    let bench = Bench::new(Egress::new(rules(std::slice::from_ref(&host), &[NAME], limits)));
    let stream = bench.tunnel(&host).await.unwrap();
    let mut stream = begin_tls(stream, NAME, roots, true).await.unwrap();
    let mut sent = 0_usize;
    while sent < 1 << 20 && stream.write_all(&[0; 1000]).await.is_ok() {
        sent += 1000;
        let _ = tokio::time::timeout(Duration::ZERO, stream.read(&mut [0; 4096])).await;
    }
    assert!(sent < 1 << 20);
    assert!(bench.record().await.bytes_sent <= 128 << 10);
}

fn hello_to(name: &str) -> Vec<u8> {
    let mut provider = (*provider()).clone();
    // The key of the first alone is in it.
    provider.kx_groups = vec![X25519, SECP256R1];
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = name.to_owned().try_into().unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// A ServerHello that asks for a ClientHello with a key of another group (RFC 8446, section 4.1.4).
fn again() -> Vec<u8> {
    let random = [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8,
        0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8,
        0x33, 0x9c,
    ];
    let rest = [0, 0x13, 1, 0, 0, 12, 0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 23];
    let hello = [&[3, 3][..], &random, &rest].concat();
    let length = u8::try_from(hello.len()).unwrap();
    [&[22, 3, 3, 0, length + 4, 2, 0, 0, length][..], &hello].concat()
}

/// What a host has heard that asks for a second ClientHello, of which `at_once` comes with the first one and `then` when
/// it is asked for; and what was told of the tunnel.
async fn heard_again(at_once: &[u8], then: &[u8], asks: bool) -> (Vec<u8>, bool, String) {
    let heard: Arc<std::sync::Mutex<Vec<u8>>> = Arc::default();
    let own = heard.clone();
    let answer = if asks { again() } else { vec![21, 3, 3, 0, 2, 1, 0] };
    let address = serve(move |mut stream| {
        let (own, answer) = (own.clone(), answer.clone());
        async move {
            let mut bytes = vec![0; hello_to(NAME).len()];
            let _ = stream.read_exact(&mut bytes).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.read_to_end(&mut bytes).await;
            own.lock().unwrap().append(&mut bytes);
        }
    })
    .await;
    let host = format!("{NAME}:{}", address.port());
    let bench = Bench::of(std::slice::from_ref(&host), &[NAME]);
    let mut stream = bench.tunnel(&host).await.unwrap();
    stream.write_all(&[&hello_to(NAME), at_once].concat()).await.unwrap();
    let mut came = [0; 7];
    stream.read_exact(&mut came).await.unwrap();
    let _ = stream.write_all(then).await;
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
    let record = bench.record().await;
    while heard.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let heard = heard.lock().unwrap().clone();
    (heard, record.allowed, record.rule)
}

const CHANGE_CIPHER_SPEC: [u8; 6] = [20, 3, 3, 0, 1, 1];

#[tokio::test]
async fn a_second_hello_that_is_meant_for_another_name_does_not_get_through() {
    let other = hello_to("b.example.org");
    for before in [&[][..], &CHANGE_CIPHER_SPEC, &[23, 3, 3, 0, 2, 0, 0]] {
        let second = [before, &other].concat();
        for (at_once, then) in [(&second[..], &[][..]), (&[], &second)] {
            let (heard, allowed, why) = heard_again(at_once, then, true).await;
            assert_eq!(heard, [&hello_to_like(&heard)[..], before].concat());
            assert!(!allowed);
            assert_eq!(why, "the TLS to a.example.org is meant for b.example.org");
        }
    }
}

/// The first of what was heard, whose random differs each time.
fn hello_to_like(heard: &[u8]) -> Vec<u8> {
    heard[..hello_to(NAME).len()].to_vec()
}

#[tokio::test]
async fn a_second_hello_to_the_same_name_gets_through() {
    let second = [&CHANGE_CIPHER_SPEC[..], &hello_to(NAME), b"more"].concat();
    let (heard, allowed, _) = heard_again(&[], &second, true).await;
    assert!(allowed);
    assert!(heard.ends_with(&second));
}

#[tokio::test]
async fn what_follows_where_none_was_asked_for_gets_through() {
    let early = [23, 3, 3, 0, 2, 0, 0];
    let (heard, allowed, _) = heard_again(&early, b"more", false).await;
    assert!(allowed);
    assert!(heard.ends_with(&[&early[..], b"more"].concat()));
}

#[tokio::test]
async fn what_follows_a_hello_in_its_record_is_not_taken() {
    let mut hello = hello_to(NAME);
    let other = hello_to("b.example.org");
    hello.extend_from_slice(&other[5..]);
    let length = u16::try_from(hello.len() - 5).unwrap().to_be_bytes();
    hello[3..5].copy_from_slice(&length);
    let (heard, why) = told_of(&hello).await;
    assert!(heard.is_empty());
    assert_eq!(why, "what is in the tunnel to a.example.org is no TLS");
}
