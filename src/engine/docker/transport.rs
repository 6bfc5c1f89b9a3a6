//! The HTTP client: one pool of kept-alive connections for bollard's calls, and upgrades to a raw
//! stream for attach and exec.
//!
//! bollard's own clients open a socket for every call, and it writes paths without the API version
//! (0.21.1, `uri.rs`: joining an absolute path drops the version it has put in front): the version is
//! put in here, where every request passes.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc,
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{combinators::UnsyncBoxBody, BodyExt, Full};
use hyper::{
    body::Incoming,
    header::{HeaderValue, CONNECTION, CONTENT_TYPE, UPGRADE},
    Method, Request, Response, StatusCode, Uri,
};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use serde::{de::DeserializeOwned, Deserialize};
use tokio::{net::TcpStream, task::spawn_blocking};
use tower_service::Service;

use super::{
    address::Address,
    fault::{chain, Fault},
    wire::{Reader, Wire, Writer},
};
use crate::error::{Code, Error};

/// The longest a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an unused connection is kept, and how many of them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_IDLE: usize = 8;
/// An answer beyond this is no answer to a call made here.
const MAX_ANSWER: usize = 16 << 20;
/// One beyond this takes long enough to read that others would wait for it.
const SHORT_ANSWER: usize = 64 << 10;
/// What is read of an engine's refusal: its words are at the beginning.
const MAX_REFUSAL: usize = 64 << 10;

type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// An API version, `major << 16 | minor`; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ApiVersion(u32);

impl ApiVersion {
    pub(super) const fn new(major: u16, minor: u16) -> Self {
        Self((major as u32) << 16 | minor as u32)
    }

    /// Reads `1.41`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once('.')?;
        Some(Self::new(major.parse().ok()?, minor.parse().ok()?))
    }
}

impl std::fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0 >> 16, self.0 & 0xffff)
    }
}

pub(super) struct Transport {
    client: Client<Dialer, Body>,
    version: AtomicU32,
}

impl Transport {
    pub(super) fn new(address: Address) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE)
            .build(Dialer { address: Arc::new(address) });
        Self { client, version: AtomicU32::new(0) }
    }

    /// The API version asked for in every path; `None` until one is settled on.
    pub(super) fn version(&self) -> Option<ApiVersion> {
        let version = self.version.load(Ordering::Acquire);
        (version != 0).then_some(ApiVersion(version))
    }

    pub(super) fn set_version(&self, version: ApiVersion) {
        self.version.store(version.0, Ordering::Release);
    }

    /// Asks whether the engine is there, in no particular API version.
    pub(super) async fn ping(&self) -> Result<Response<Incoming>, Fault> {
        let request = Request::builder()
            .uri("http://docker/_ping")
            .body(full(Bytes::new()))
            .map_err(|error| Fault::Garbled(error.to_string()))?;
        let response = self.dispatch(request).await?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(refusal(response).await),
        }
    }

    /// Sends a request of bollard's.
    pub(super) async fn forward(
        &self,
        request: bollard::BollardRequest,
    ) -> Result<Response<Incoming>, Fault> {
        let (mut parts, body) = request.into_parts();
        if let Some(path) = parts.uri.path_and_query() {
            parts.uri = self.uri(path.as_str())?;
        }
        let response = self.dispatch(Request::from_parts(parts, body.boxed_unsync())).await?;
        match response.status() {
            // bollard reads the words of a refusal to their end, wherever that is.
            status if status.is_client_error() || status.is_server_error() => {
                Err(refusal(response).await)
            }
            _ => Ok(response),
        }
    }

    /// Sends a request of our own; an answer that is no success is a `Refused`.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Response<Incoming>, Fault> {
        let response = self.dispatch(self.request(method, path, headers, body)?).await?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(refusal(response).await),
        }
    }

    /// Sends a request of our own and reads the JSON it is answered with.
    pub(super) async fn json<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
    ) -> Result<T, Fault> {
        let response = self.send(Method::GET, path, &[], Bytes::new()).await?;
        parsed(whole(response).await?).await
    }

    /// Sends a request whose answer is a raw stream in both directions.
    pub(super) async fn upgrade(&self, path: &str, body: Bytes) -> Result<(Reader, Writer), Fault> {
        let mut request = self.request(Method::POST, path, &[], body)?;
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        request.headers_mut().insert(UPGRADE, HeaderValue::from_static("tcp"));
        let response = self.dispatch(request).await?;
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => {}
            // Only something in between, which drops the Upgrade header, makes an engine answer so.
            status if status.is_success() => {
                return Err(Fault::Garbled(format!(
                    "{status} where a switch of protocols was asked for: is there a proxy in front of the engine?"
                )))
            }
            _ => return Err(refusal(response).await),
        }
        let upgraded =
            hyper::upgrade::on(response).await.map_err(|error| Fault::Unanswered(chain(&error)))?;
        match upgraded.downcast::<TokioIo<Wire>>() {
            Ok(parts) => Ok(parts.io.into_inner().split(parts.read_buf)),
            Err(upgraded) => {
                let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
                Ok((Box::new(reader), Box::new(writer)))
            }
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Request<Body>, Fault> {
        let mut request = Request::builder().method(method).uri(self.uri(path)?);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.body(full(body)).map_err(|error| Fault::Garbled(error.to_string()))
    }

    /// The host part only fills the Host header and keys the connection pool; the dialer knows where
    /// to go.
    fn uri(&self, path: &str) -> Result<Uri, Fault> {
        let text = match self.version() {
            Some(version) => format!("http://docker/v{version}{path}"),
            None => format!("http://docker{path}"),
        };
        text.parse().map_err(|_| Fault::Garbled(format!("{path:?} is no path")))
    }

    async fn dispatch(&self, request: Request<Body>) -> Result<Response<Incoming>, Fault> {
        self.client.request(request).await.map_err(|error| {
            let mut beneath: Option<&(dyn std::error::Error + 'static)> = Some(&error);
            while let Some(inner) = beneath {
                if let Some(unreachable) = inner.downcast_ref::<Error>() {
                    return Fault::Unreachable(unreachable.clone());
                }
                beneath = inner.source();
            }
            Fault::Unanswered(chain(&error))
        })
    }
}

fn full(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// Reads JSON. An image's labels can make an answer long, which is then read on a thread that may be
/// held up.
async fn parsed<T: DeserializeOwned + Send + 'static>(body: Bytes) -> Result<T, Fault> {
    let is_short = body.len() <= SHORT_ANSWER;
    let read = move || serde_json::from_slice(&body);
    let value = match is_short {
        true => read(),
        false => spawn_blocking(read).await.map_err(|error| Fault::Garbled(error.to_string()))?,
    };
    value.map_err(|error| Fault::Garbled(error.to_string()))
}

/// Reads an answer to its end.
pub(super) async fn whole(response: Response<Incoming>) -> Result<Bytes, Fault> {
    match http_body_util::Limited::new(response.into_body(), MAX_ANSWER).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(Fault::Unanswered(chain(error.as_ref()))),
    }
}

async fn refusal(response: Response<Incoming>) -> Fault {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut said = Vec::new();
    while said.len() < MAX_REFUSAL {
        match body.frame().await {
            None => break,
            Some(Ok(frame)) => said.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            Some(Err(error)) => return Fault::Unanswered(chain(&error)),
        }
    }
    let message = serde_json::from_slice::<Refusal>(&said)
        .map(|refusal| refusal.message)
        .unwrap_or_else(|_| String::from_utf8_lossy(&said).into_owned());
    Fault::Refused { status, message }
}

/// Makes connections to one address, whatever URI is asked for.
#[derive(Clone)]
struct Dialer {
    address: Arc<Address>,
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<Wire>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Wire>, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let address = self.address.clone();
        Box::pin(async move {
            match tokio::time::timeout(CONNECT_TIMEOUT, dial(&address)).await {
                Ok(Ok(wire)) => Ok(TokioIo::new(wire)),
                Ok(Err(error)) => Err(unreachable(&address, &error)),
                Err(_) => {
                    Err(unreachable(&address, &io::ErrorKind::TimedOut.into())
                        .timeout(CONNECT_TIMEOUT))
                }
            }
        })
    }
}

async fn dial(address: &Address) -> io::Result<Wire> {
    match address {
        #[cfg(unix)]
        Address::Unix(path) => Ok(Wire::Unix(tokio::net::UnixStream::connect(path).await?)),
        #[cfg(windows)]
        Address::Pipe(name) => Ok(Wire::Pipe(open_pipe(name).await?)),
        Address::Tcp { host, port, tls } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            // An attached stream may be silent for hours; the docker CLI keeps its own alive likewise.
            let alive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(30));
            socket2::SockRef::from(&stream).set_tcp_keepalive(&alive)?;
            let Some(tls) = tls else {
                return Ok(Wire::Tcp(stream));
            };
            let name = rustls::pki_types::ServerName::try_from(host.clone())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            let stream =
                tokio_rustls::TlsConnector::from(tls.clone()).connect(name, stream).await?;
            Ok(Wire::Tls(Box::new(stream)))
        }
        #[allow(unreachable_patterns)]
        other => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("{other} can't be reached from this platform"),
        )),
    }
}

/// Opens a pipe, waiting for a free instance of it; the caller bounds the wait.
#[cfg(windows)]
async fn open_pipe(name: &str) -> io::Result<tokio::net::windows::named_pipe::NamedPipeClient> {
    const ERROR_PIPE_BUSY: i32 = 231;
    loop {
        match tokio::net::windows::named_pipe::ClientOptions::new().open(name) {
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => return other,
        }
    }
}

/// Why the engine can't be reached, and what to do about it.
fn unreachable(address: &Address, error: &io::Error) -> Error {
    let start = if cfg!(target_os = "linux") {
        "start Docker (`sudo systemctl start docker`), or set engine.host or DOCKER_HOST to where the engine is"
    } else {
        "start Docker Desktop, or set engine.host or DOCKER_HOST to where the engine is"
    };
    let local = !matches!(address, Address::Tcp { .. });
    let advice = match error.kind() {
        io::ErrorKind::NotFound if local => format!("no engine listens there: {start}"),
        io::ErrorKind::ConnectionRefused if local => {
            format!("nothing answers on that socket: {start}")
        }
        io::ErrorKind::ConnectionRefused => {
            "nothing listens on that port: check that the engine runs and that host and port in engine.host or DOCKER_HOST are right".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "no permission to use it: add this user to the group `docker` (`sudo usermod -aG docker $USER`, then log in anew), or use a rootless engine".to_owned()
        }
        io::ErrorKind::TimedOut => {
            "it did not take the connection: check engine.host or DOCKER_HOST, and the network in between".to_owned()
        }
        // What TLS finds wrong comes as InvalidData.
        io::ErrorKind::InvalidData => {
            "TLS failed: check engine.certPath or DOCKER_CERT_PATH, and that the engine speaks TLS on that port".to_owned()
        }
        io::ErrorKind::WouldBlock => "too many connections wait for it already".to_owned(),
        _ => start.to_owned(),
    };
    Error::new(
        Code::EngineUnavailable,
        format!("can't reach the container engine at {address} ({error}); {advice}"),
    )
}
