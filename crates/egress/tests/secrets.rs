//! Secrets on their way to their hosts, and to others, over real TLS.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{engine::general_purpose::STANDARD, Engine as _};
use bytes::Bytes;
use http_body_util::{combinators::BoxBody, BodyExt, Full, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn as client,
    header::{self, HeaderMap, HeaderValue},
    server::conn as server,
    service::service_fn,
    Request, Response, StatusCode, Version,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer},
    ClientConfig, RootCertStore, ServerConfig,
};
use scientist_pool_egress::{Egress, Place, Rules, SecretSettings, Settings};
use support::{serve, Bench};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

mod support;

const VALUE: &str = "ghp_0123456789/abcdefghijklmnopqrstuv+\"xyz";
const NAME: &str = "api.test";

type Body = BoxBody<Bytes, Infallible>;

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Whoever signs the hosts of a test.
struct Signer(CertifiedIssuer<'static, KeyPair>);

impl Signer {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn server(&self, name: &str, protocols: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A request as a host has had it.
#[derive(Debug, Clone)]
struct Heard {
    version: Version,
    uri: String,
    headers: HeaderMap,
    body: Bytes,
}

/// A host that keeps what it hears, and answers with what `answer` makes of it.
struct HostOf {
    port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl HostOf {
    async fn new(
        acceptor: TlsAcceptor,
        answer: impl Fn(&Heard) -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let own = heard.clone();
        let address = serve(move |stream| {
            let (acceptor, heard, answer) = (acceptor.clone(), own.clone(), answer.clone());
            async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let service = service_fn(move |request: Request<Incoming>| {
                    let (heard, answer) = (heard.clone(), answer.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.map(|all| all.to_bytes());
                        let request = Heard {
                            version: parts.version,
                            uri: parts.uri.to_string(),
                            headers: parts.headers,
                            body: body.unwrap_or_default(),
                        };
                        let response = answer(&request);
                        heard.lock().unwrap().push(request);
                        Ok::<_, Infallible>(response)
                    }
                });
                let stream = TokioIo::new(stream);
                if is_h2 {
                    let builder = server::http2::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(stream, service).await;
                } else {
                    let _ = server::http1::Builder::new().serve_connection(stream, service).await;
                }
            }
        });
        Self { port: address.await.port(), heard }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    fn only(&self) -> Heard {
        let heard = self.heard();
        assert_eq!(heard.len(), 1, "{heard:?}");
        heard[0].clone()
    }
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed()
}

/// In pieces, without a length.
fn pieces(pieces: &[&str]) -> Body {
    let frames: Vec<Result<_, Infallible>> = pieces
        .iter()
        .map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece.as_bytes()))))
        .collect();
    StreamBody::new(futures_util::stream::iter(frames)).boxed()
}

fn fine(_: &Heard) -> Response<Body> {
    Response::new(full("fine"))
}

/// A container's way to hosts on this machine, with a secret for `NAME` in these places.
struct Container {
    bench: Bench,
    placeholder: String,
    roots: RootCertStore,
}

impl Container {
    fn new(signer: &Signer, ports: &[u16], places: &[Place]) -> Self {
        let allow: Vec<String> = ports
            .iter()
            .flat_map(|port| [NAME, "other.test"].map(|name| format!("{name}:{port}")))
            .collect();
        let secret = SecretSettings {
            name: "TOKEN".to_owned(),
            value: Arc::new(VALUE.to_owned().into()),
            hosts: ports.iter().map(|port| format!("{NAME}:{port}")).collect(),
            places: places.to_vec(),
        };
        let hosts = [NAME, "other.test"].map(|name| (name.to_owned(), "127.0.0.1".to_owned()));
        let rules = Rules::parse(&Settings {
            allow,
            hosts: hosts.into(),
            ca: Some(signer.0.pem()),
            secrets: vec![secret],
            ..Settings::default()
        });
        let egress = Egress::new(rules.unwrap());
        let bundle = egress.bundle().unwrap().unwrap();
        let mut roots = RootCertStore::empty();
        let all = CertificateDer::pem_slice_iter(bundle.as_bytes());
        roots.add_parsable_certificates(all.map(Result::unwrap));
        let bench = Bench::new(egress);
        let [(name, placeholder)] = bench.lease.placeholders().collect::<Vec<_>>()[..] else {
            panic!("one placeholder");
        };
        assert_eq!((name, placeholder.len()), ("TOKEN", VALUE.len()));
        let placeholder = placeholder.to_owned();
        Self { bench, placeholder, roots }
    }

    /// TLS in a tunnel, with these protocols offered; gives what was chosen.
    async fn tls(
        &self,
        name: &str,
        port: u16,
        protocols: &[&str],
    ) -> std::io::Result<tokio_rustls::client::TlsStream<tokio::io::DuplexStream>> {
        let stream = self.bench.tunnel(&format!("{name}:{port}")).await.unwrap();
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = name.to_owned().try_into().unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// One request in HTTP/1.1.
    async fn ask(&self, name: &str, port: u16, request: Request<Body>) -> Response<Bytes> {
        let stream = self.tls(name, port, &["http/1.1"]).await.unwrap();
        let (mut sender, connection) =
            client::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        drop(sender);
        let _ = connection.await;
        Response::from_parts(parts, body)
    }

    fn request(&self, path: &str) -> hyper::http::request::Builder {
        Request::builder().uri(path).header("Authorization", format!("Bearer {}", self.placeholder))
    }
}

const ALL: [Place; 3] = [Place::Header, Place::Query, Place::Body];

#[tokio::test]
async fn the_value_is_in_the_headers_that_the_host_has() {
    let signer = Signer::new();
    let host = HostOf::new(signer.server(NAME, &["http/1.1"]), fine).await;
    let container = Container::new(&signer, &[host.port], &[Place::Header]);
    let basic = STANDARD.encode(format!("user:{}", container.placeholder));
    let request = Request::get("/a?b")
        .header("Authorization", format!("basic {basic}"))
        .header("X-Token", format!("token {}!", container.placeholder));
    let answer = container.ask(NAME, host.port, request.body(full("")).unwrap()).await;
    assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::OK, &b"fine"[..]));
    let Heard { headers, uri, .. } = host.only();
    assert_eq!(uri, "/a?b");
    assert_eq!(headers["host"], format!("{NAME}:{}", host.port));
    assert_eq!(headers["x-token"], format!("token {VALUE}!"));
    let basic = STANDARD.encode(format!("user:{VALUE}"));
    assert_eq!(headers["authorization"], format!("Basic {basic}"));
    let record = container.bench.record().await;
    assert_eq!((record.secrets, record.strayed), (vec!["TOKEN".to_owned()], vec![]));
}

#[tokio::test]
async fn elsewhere_in_a_request_it_is_only_if_that_is_said() {
    let signer = Signer::new();
    let host = HostOf::new(signer.server(NAME, &[]), fine).await;
    for said in [false, true] {
        let places = if said { &ALL[1..] } else { &ALL[..1] };
        let container = Container::new(&signer, &[host.port], places);
        let own = &container.placeholder;
        let request = Request::post(format!("/{own}?a=1&key={own}&b"));
        let body = format!("{{\"key\": \"{own}\"}}");
        container.ask(NAME, host.port, request.body(full(body)).unwrap()).await;
        let Heard { uri, body, headers, .. } = host.heard.lock().unwrap().pop().unwrap();
        let (encoded, value) = match said {
            true => ("ghp_0123456789%2Fabcdefghijklmnopqrstuv%2B%22xyz", VALUE),
            false => (&own[..], &own[..]),
        };
        assert_eq!(uri, format!("/{own}?a=1&key={encoded}&b"));
        assert_eq!(body, format!("{{\"key\": \"{value}\"}}"));
        assert_eq!(headers["content-length"], body.len().to_string());
        let record = container.bench.record().await;
        // It is in the path, in either case.
        assert_eq!(record.strayed, ["TOKEN"]);
        assert_eq!(record.secrets.len(), usize::from(said));
    }
}

#[tokio::test]
async fn a_body_in_pieces_has_it_across_their_borders() {
    let signer = Signer::new();
    let host = HostOf::new(signer.server(NAME, &[]), fine).await;
    let container = Container::new(&signer, &[host.port], &ALL);
    let (one, other) = container.placeholder.split_at(13);
    let request = Request::post("/").body(pieces(&["a", one, other, "b", one])).unwrap();
    container.ask(NAME, host.port, request).await;
    let Heard { headers, body, .. } = host.only();
    assert_eq!(body, format!("a{VALUE}b{one}"));
    assert_eq!(headers["transfer-encoding"], "chunked");
}

#[tokio::test]
async fn what_the_host_answers_with_the_value_has_the_placeholder() {
    let signer = Signer::new();
    let echo = |heard: &Heard| {
        let token = heard.headers["authorization"].to_str().unwrap().to_owned();
        let (one, other) = token.split_at(20);
        let json = token.replace('"', "\\\"");
        let body = pieces(&["data: ", one, other, "\n\n", &json, "\n", &STANDARD.encode(&token)]);
        Response::builder().header("X-Echo", token.clone()).body(body).unwrap()
    };
    let host = HostOf::new(signer.server(NAME, &[]), echo).await;
    let container = Container::new(&signer, &[host.port], &[Place::Header]);
    let request = container.request("/").body(full("")).unwrap();
    let answer = container.ask(NAME, host.port, request).await;
    assert_eq!(host.only().headers["authorization"], format!("Bearer {VALUE}"));
    let own = format!("Bearer {}", container.placeholder);
    assert_eq!(answer.headers()["x-echo"], own);
    let body = std::str::from_utf8(answer.body()).unwrap();
    let lines: Vec<_> = body.lines().collect();
    assert_eq!(lines[..2], [format!("data: {own}"), String::new()]);
    assert_eq!(lines[2], format!("{own}*"));
    let coded = STANDARD.decode(lines[3]).unwrap();
    assert_eq!(coded[9..coded.len() - 1], own.as_bytes()[9..own.len() - 1]);
}

#[tokio::test]
async fn an_answer_has_the_length_that_it_says() {
    let signer = Signer::new();
    let echo = |heard: &Heard| {
        let token = heard.headers["authorization"].to_str().unwrap();
        Response::new(full(format!("{} and {token}", "x".repeat(100_000))))
    };
    let host = HostOf::new(signer.server(NAME, &[]), echo).await;
    let container = Container::new(&signer, &[host.port], &[Place::Header]);
    let request = container.request("/").body(full("")).unwrap();
    let answer = container.ask(NAME, host.port, request).await;
    assert_eq!(answer.headers()["content-length"], answer.body().len().to_string());
    assert!(answer.body().ends_with(container.placeholder.as_bytes()));
    let request = Request::head("/").header("Authorization", "x").body(full("")).unwrap();
    let answer = container.ask(NAME, host.port, request).await;
    assert_eq!(answer.headers()["content-length"], (100_000 + 6).to_string());
}

#[tokio::test]
async fn nothing_is_compressed_or_in_parts_so_that_it_can_be_looked_through() {
    let signer = Signer::new();
    let answer = |heard: &Heard| {
        let asked = &heard.headers["accept-encoding"];
        assert_eq!((asked, heard.headers.get("range")), (&"identity".parse().unwrap(), None));
        let mut response = Response::new(full("bytes"));
        if heard.uri == "/gzip" {
            let gzip = HeaderValue::from_static("gzip");
            response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
        }
        response
    };
    let host = HostOf::new(signer.server(NAME, &[]), answer).await;
    let container = Container::new(&signer, &[host.port], &[Place::Header]);
    for (path, status) in [("/", StatusCode::OK), ("/gzip", StatusCode::BAD_GATEWAY)] {
        let request = container.request(path).header("Accept-Encoding", "gzip, br");
        let request = request.header("Range", "bytes=0-3").body(full("")).unwrap();
        assert_eq!(container.ask(NAME, host.port, request).await.status(), status);
    }
}

#[tokio::test]
async fn another_host_has_the_placeholder_and_tls_of_its_own() {
    let signer = Signer::new();
    let host = HostOf::new(signer.server("other.test", &[]), fine).await;
    let container = Container::new(&signer, &[host.port], &ALL);
    let stream = container.tls("other.test", host.port, &[]).await.unwrap();
    let issuer = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    assert!(!issuer.windows(14).any(|part| part == b"scientist-pool"));
    let request = container.request("/").body(full("")).unwrap();
    container.ask("other.test", host.port, request).await;
    assert_eq!(host.only().headers["authorization"], format!("Bearer {}", container.placeholder));
}

#[tokio::test]
async fn http_without_tls_has_the_placeholder_and_that_is_told() {
    let (address, heard) = support::http("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let signer = Signer::new();
    let container = Container::new(&signer, &[address.port()], &ALL);
    let (host, own) = (format!("{NAME}:{}", address.port()), &container.placeholder);
    let request = format!(
        "POST http://{host}/?k={own} HTTP/1.1\r\nHost: {host}\r\nX-Token: {own}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{own}",
        own.len()
    );
    assert!(container.bench.ask(request).await.starts_with("HTTP/1.1 200 "));
    let record = container.bench.record().await;
    assert_eq!((record.secrets, record.strayed), (vec![], vec!["TOKEN".to_owned()]));
    let heard = String::from_utf8(heard.lock().unwrap().clone()).unwrap();
    assert!(!heard.contains(VALUE), "{heard}");
    assert!(heard.contains(&format!("/?k={own}")) && heard.contains(&format!("x-token: {own}")));
}

#[tokio::test]
async fn a_host_that_is_not_who_it_says_has_nothing() {
    let (signer, stranger) = (Signer::new(), Signer::new());
    for acceptor in [stranger.server(NAME, &[]), signer.server("other.test", &[])] {
        let host = HostOf::new(acceptor, fine).await;
        let container = Container::new(&signer, &[host.port], &ALL);
        let request = container.request("/").body(full("")).unwrap();
        let answer = container.ask(NAME, host.port, request).await;
        let body = String::from_utf8_lossy(answer.body());
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
        assert!(body.contains("can't be reached by TLS that is trusted: invalid peer"), "{body}");
        assert_eq!(host.heard().len(), 0);
        assert_eq!(container.bench.record().await.secrets, [""; 0]);
    }
}

#[tokio::test]
async fn requests_within_a_tunnel_are_for_its_host_alone() {
    let signer = Signer::new();
    let host = HostOf::new(signer.server(NAME, &[]), fine).await;
    let container = Container::new(&signer, &[host.port], &ALL);
    for other in ["other.test", "api.test", "api.test:1", ""] {
        let request = container.request("/").header("Host", other).body(full("")).unwrap();
        let answer = container.ask(NAME, host.port, request).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{other}");
    }
    assert_eq!(host.heard().len(), 0);
    let own = format!("API.test.:{}", host.port);
    let request = container.request("/").header("Host", own).body(full("")).unwrap();
    assert_eq!(container.ask(NAME, host.port, request).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn one_request_is_never_two_to_the_host() {
    let signer = Signer::new();
    let host = HostOf::new(signer.server(NAME, &[]), fine).await;
    let container = Container::new(&signer, &[host.port], &ALL);
    let hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";
    let name = format!("{NAME}:{}", host.port);
    for head in [
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "Content-Length: +5\r\n\r\nhello",
        "X: a\r\n folded: b\r\n\r\n",
        "X: a\nContent-Length: 40\r\n\r\n",
    ] {
        let mut stream = container.tls(NAME, host.port, &[]).await.unwrap();
        let request = format!("POST /seen HTTP/1.1\r\nHost: {name}\r\n{head}{hidden}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_millis(200), reading).await;
    }
    // Within, each is a request of its own or none; and `Host: x` is none.
    for heard in host.heard() {
        assert_eq!(heard.uri, "/seen", "{heard:?}");
        assert!(heard.body.is_empty() || heard.body == "hello", "{heard:?}");
    }
}

#[tokio::test]
async fn http_2_is_spoken_with_both_where_both_can() {
    let signer = Signer::new();
    let echo = |heard: &Heard| {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-trailer", heard.headers["authorization"].clone());
        let frames = [Ok(Frame::data(heard.body.clone())), Ok(Frame::trailers(trailers))];
        Response::new(StreamBody::new(futures_util::stream::iter(frames)).boxed())
    };
    let host = HostOf::new(signer.server(NAME, &["h2", "http/1.1"]), echo).await;
    let container = Container::new(&signer, &[host.port], &ALL);
    let stream = container.tls(NAME, host.port, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let handshake = client::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let own = format!("Bearer {}", container.placeholder);
    let asked = (0..200).map(|n| {
        let (mut sender, own) = (sender.clone(), own.clone());
        let uri = format!("https://{NAME}:{}/{n}", host.port);
        let request = Request::post(uri).header("Authorization", &own).header("TE", "trailers");
        let request = request.body(full(format!("{n} {own}"))).unwrap();
        async move {
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let all = answer.into_body().collect().await.unwrap();
            assert_eq!(all.trailers().unwrap()["x-trailer"], own);
            assert_eq!(all.to_bytes(), format!("{n} {own}"));
        }
    });
    futures_util::future::join_all(asked).await;
    assert_eq!(host.heard().len(), 200);
    for Heard { version, headers, body, .. } in host.heard() {
        assert_eq!((version, &headers["te"]), (Version::HTTP_2, &"trailers".parse().unwrap()));
        assert_eq!(headers["authorization"], format!("Bearer {VALUE}"));
        assert!(body.ends_with(VALUE.as_bytes()));
    }
    let mut sender = sender.clone();
    let other = Request::get(format!("https://other.test:{}/", host.port)).body(full("")).unwrap();
    assert_eq!(sender.send_request(other).await.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_host_without_http_2_has_the_client_speak_http_1() {
    let signer = Signer::new();
    let host = HostOf::new(signer.server(NAME, &["http/1.1"]), fine).await;
    let container = Container::new(&signer, &[host.port], &ALL);
    let stream = container.tls(NAME, host.port, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn requests_follow_one_another_until_the_host_closes() {
    let signer = Signer::new();
    let answer = |heard: &Heard| {
        let mut response = Response::new(full(heard.uri.clone()));
        if heard.uri == "/last" {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    };
    let host = HostOf::new(signer.server(NAME, &[]), answer).await;
    let container = Container::new(&signer, &[host.port], &ALL);
    let stream = container.tls(NAME, host.port, &[]).await.unwrap();
    let (mut sender, connection) = client::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    for path in ["/1", "/2", "/last"] {
        let request = container.request(path).body(full("")).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), path);
    }
    let _ = connection.await;
    assert_eq!(container.bench.record().await.host, NAME);
}

#[tokio::test]
async fn each_container_has_placeholders_of_its_own_which_are_nothing_in_another() {
    let signer = Signer::new();
    let host = HostOf::new(signer.server(NAME, &[]), fine).await;
    let [one, other] = [(); 2].map(|()| Container::new(&signer, &[host.port], &ALL));
    assert_ne!(one.placeholder, other.placeholder);
    let request = one.request("/").body(full("")).unwrap();
    other.ask(NAME, host.port, request).await;
    assert_eq!(host.only().headers["authorization"], format!("Bearer {}", one.placeholder));
}
