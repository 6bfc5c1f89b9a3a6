//! Requests in absolute form.

mod support;

use scientist_pool_egress::{Egress, Limits};
use support::{http, rules, Bench};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello";

/// `GET` of a path on a host, whose answer ends the connection.
fn get(host: &str, headers: &str) -> String {
    format!("GET http://{host}/a?b HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n")
}

/// A server, its name with its port, and a bench that allows it.
async fn bench() -> (Bench, String, std::sync::Arc<std::sync::Mutex<Vec<u8>>>) {
    let (address, heard) = http(ANSWER).await;
    let host = format!("a.example.org:{}", address.port());
    (Bench::of(std::slice::from_ref(&host), &["a.example.org"]), host, heard)
}

fn text(heard: &std::sync::Mutex<Vec<u8>>) -> String {
    String::from_utf8(heard.lock().unwrap().clone()).unwrap()
}

#[tokio::test]
async fn what_is_allowed_is_answered_by_its_host() {
    let (bench, host, heard) = bench().await;
    let answer = bench.ask(get(&host, "X-C: d\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("hello"), "{answer}");
    assert!(text(&heard).starts_with("GET /a?b HTTP/1.1\r\n"), "{}", text(&heard));
    assert!(text(&heard).contains(&format!("{host}\r\n")) && text(&heard).contains("x-c: d\r\n"));
}

#[tokio::test]
async fn what_went_through_is_told() {
    let (bench, host, heard) = bench().await;
    bench.ask(get(&host, "")).await;
    let record = bench.record().await;
    assert_eq!(
        (record.host.as_str(), record.allowed, &record.rule),
        ("a.example.org", true, &host)
    );
    assert_eq!(record.bytes_sent, text(&heard).len() as u64);
    assert_eq!(record.bytes_received, ANSWER.len() as u64);
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_by_the_rule_that_is_missing() {
    let (bench, ..) = bench().await;
    let answer = bench.ask(get("b.example.org", "")).await;
    assert!(answer.starts_with("HTTP/1.1 403 network.allow has no "), "{answer}");
    assert!(answer.ends_with("network.allow has no \"b.example.org:80\"\n"), "{answer}");
    let record = bench.record().await;
    assert!(!record.allowed);
    assert_eq!(record.rule, "network.allow has no \"b.example.org:80\"");
}

#[tokio::test]
async fn requests_one_after_another_are_each_looked_at() {
    let (bench, host, _) = bench().await;
    let first = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let answer = bench.ask(first + &get("b.example.org", "")).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer}");
    assert!(answer.contains(" 200 OK") && answer.contains(" 403 "), "{answer}");
}

#[tokio::test]
async fn a_body_is_passed_on_as_it_is() {
    let (bench, host, heard) = bench().await;
    let post = |body: &str| {
        format!("POST http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{body}")
    };
    bench.ask(post("Content-Length: 3\r\n\r\nabc")).await;
    assert!(text(&heard).ends_with("content-length: 3\r\n\r\nabc"), "{}", text(&heard));
    bench.ask(post("Transfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n")).await;
    assert!(text(&heard).ends_with("3\r\nxyz\r\n0\r\n\r\n"), "{}", text(&heard));
}

#[tokio::test]
async fn what_concerns_the_proxy_alone_is_not_passed_on() {
    let (bench, host, heard) = bench().await;
    let headers =
        "Proxy-Authorization: Basic eDp5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n\
                   Upgrade: websocket\r\nX-Hop: 1\r\nConnection: X-Hop\r\n";
    bench.ask(get(&host, headers)).await;
    let heard = text(&heard).to_lowercase();
    for name in ["proxy-", "te:", "upgrade", "x-hop", "connection"] {
        assert!(!heard.contains(name), "{name}: {heard}");
    }
}

#[tokio::test]
async fn a_request_that_says_two_hosts_is_refused() {
    let (bench, host, heard) = bench().await;
    for named in ["b.example.org", "a.example.org", "a.example.org:1", "x", ""] {
        let request =
            format!("GET http://{host}/ HTTP/1.1\r\nHost: {named}\r\nConnection: close\r\n\r\n");
        let answer = bench.ask(request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{named}: {answer}");
    }
    let twice =
        format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nHost: b.example.org\r\nConnection: close\r\n\r\n");
    assert!(bench.ask(twice).await.starts_with("HTTP/1.1 400 "));
    assert_eq!(text(&heard), "");
}

#[tokio::test]
async fn a_request_has_the_host_that_was_checked() {
    for headers in ["", "Host: A.Example.ORG.:{port}\r\n", "Host: {host}\r\nConnection: host\r\n"] {
        let (bench, host, heard) = bench().await;
        let port = host.split(':').next_back().unwrap();
        let headers = headers.replace("{port}", port).replace("{host}", &host);
        let request =
            format!("GET http://{host}?x=1 HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        let answer = bench.ask(request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{headers}: {answer}");
        let expected = format!("GET /?x=1 HTTP/1.1\r\nhost: {host}\r\n\r\n");
        assert_eq!(text(&heard), expected, "{headers}");
    }
}

#[tokio::test]
async fn what_is_no_request_to_a_proxy_is_refused() {
    let (bench, host, heard) = bench().await;
    for target in [
        "/".to_owned(),
        format!("https://{host}/"),
        format!("ftp://{host}/"),
        format!("http://user@{host}/"),
        format!("http://a.example.org%2e:1/@{host}"),
        "http://127.1/".to_owned(),
        "*".to_owned(),
    ] {
        let method = if target == "*" { "OPTIONS" } else { "GET" };
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = bench.ask(request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{target}: {answer}");
    }
    assert_eq!(text(&heard), "");
}

/// What one server takes for a body, and another for the next request.
async fn smuggled(headers: &str) -> (String, String) {
    let (bench, host, heard) = bench().await;
    let request = format!(
        "POST http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n\r\n0\r\n\r\n\
         GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    );
    (bench.ask(request).await, text(&heard))
}

#[tokio::test]
async fn a_request_of_no_clear_length_is_refused() {
    for headers in [
        "Content-Length: 5\r\nContent-Length: 40",
        "Content-Length: +5",
        "Content-Length: 5 5",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding : chunked",
        "X: a\r\n Transfer-Encoding: chunked",
    ] {
        let (answer, heard) = smuggled(headers).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{headers}: {answer}");
        assert_eq!(heard, "", "{headers}");
    }
}

#[tokio::test]
async fn a_request_of_two_lengths_is_passed_on_with_one() {
    for headers in [
        "Content-Length: 40\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 40",
    ] {
        let (answer, heard) = smuggled(headers).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{headers}: {answer}");
        assert!(heard.ends_with("transfer-encoding: chunked\r\n\r\n0\r\n\r\n"), "{heard}");
        assert!(!heard.contains("content-length") && !heard.contains("smuggled"), "{heard}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    let (bench, host, heard) = bench().await;
    let (mut stream, served) = bench.connect();
    let head = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let line = format!("X-Long: {}\r\n", "a".repeat(1000));
    let mut sent = 0_usize;
    while sent < 100 << 20 && stream.write_all(line.as_bytes()).await.is_ok() {
        sent += line.len();
    }
    assert!(sent < 1 << 20, "{sent}");
    served.await.unwrap();
    assert_eq!(text(&heard), "");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_to_its_end_is_given_up() {
    let bench = Bench::of(&["a.example.org".to_owned()], &[]);
    let (mut stream, served) = bench.connect();
    stream.write_all(b"GET http://a.example.org/ HTTP/1.1\r\n").await.unwrap();
    served.await.unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_told() {
    let unbound = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let host = format!("a.example.org:{}", unbound.port());
    let bench = Bench::of(std::slice::from_ref(&host), &["a.example.org"]);
    let answer = bench.ask(get(&host, "")).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    let why = format!("{host} can't be reached: ");
    assert!(answer.contains(&why), "{answer}");
    let record = bench.record().await;
    assert!(record.allowed && record.error.is_some_and(|error| error.starts_with(&why)));
}

#[tokio::test]
async fn a_request_has_no_more_bytes_than_its_limit() {
    let (address, _) = http(ANSWER).await;
    let host = format!("a.example.org:{}", address.port());
    let limits = Limits { received: Some(20), ..Limits::default() };
    let rules = rules(std::slice::from_ref(&host), &["a.example.org"], limits);
    let bench = Bench::new(Egress::new(rules));
    let answer = bench.ask(get(&host, "")).await;
    assert!(!answer.contains("hello"), "{answer}");
    let error = bench.record().await.error;
    assert_eq!(error.as_deref(), Some("more bytes than may go through"));
}
