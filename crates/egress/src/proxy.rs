//! One connection to the proxy: requests in absolute form, one after another, or a tunnel.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{combinators::BoxBody, BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http1 as client,
    ext::ReasonPhrase,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    server::conn::http1 as server,
    service::service_fn,
    upgrade, Method, Request, Response, StatusCode, Uri, Version,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{
        copy_bidirectional_with_sizes, join, split as split_stream, AsyncRead, AsyncReadExt,
        AsyncWrite, AsyncWriteExt,
    },
    net::TcpStream,
    time::timeout,
};

use crate::{
    hello::{self, Hello},
    host::{split, Host},
    lease::Lease,
    meter::Metered,
    record::Entry,
    rules::{Limits, Rules},
    sealed::Sealed,
    upstream::{connect, Obstacle},
    work::{crew, Work},
};

const HTTP: u16 = 80;
/// How long a client may take to say what it wants: the head of a request, the beginning of TLS.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of a head.
pub const MOST_OF_HEAD: usize = 64 << 10;
/// The most bytes of a tunnel that are on their way here, each way.
const PIECE: usize = 64 << 10;
/// What concerns one connection alone (RFC 9110, section 7.6.1), and what is said to a proxy.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// Why a connection is ended through which nothing goes.
pub const IDLE: &str = "nothing went through it for too long";
const OTHER_HOST: &str = "the header Host has another host than the request";
/// The alert that ends a tunnel whose name is not the one that was allowed: fatal, unrecognized_name (RFC 6066).
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

pub type Body = BoxBody<Bytes, hyper::Error>;

/// Serves a stream to its end. Dropped, all that it has begun ends with it, and is told.
pub async fn serve<S>(lease: &Lease, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (work, mut crew) = crew();
    let service = service_fn(|request| async {
        let answer = answer(lease, request, &work).await;
        Ok::<_, Infallible>(answer.unwrap_or_else(Refusal::response))
    });
    let served = server::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(MOST_OF_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // Of a client that is gone nothing goes on.
    if crew.beside(served).await.is_ok() {
        crew.finish().await;
    }
}

/// What a client gets in place of what it wanted.
pub struct Refusal(pub StatusCode, pub String);

impl Refusal {
    pub fn bad(why: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, why.to_owned())
    }

    pub fn failed(why: &str) -> Self {
        Self(StatusCode::BAD_GATEWAY, why.to_owned())
    }

    pub fn response(self) -> Response<Body> {
        let Self(status, why) = self;
        // Of what comes in place of a tunnel, clients show this alone.
        let reason = ReasonPhrase::try_from(why.as_bytes()).ok();
        let mut response = Response::new(whole(format!("{why}\n")));
        *response.status_mut() = status;
        if let Some(reason) = reason {
            response.extensions_mut().insert(reason);
        }
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        // What else it has to say may be the body of what was refused.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

fn whole(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed()
}

async fn answer(
    lease: &Lease,
    request: Request<Incoming>,
    work: &Work,
) -> Result<Response<Body>, Refusal> {
    if request.method() == Method::CONNECT {
        open_tunnel(lease, request, work).await
    } else {
        forward(lease, request, work).await
    }
}

/// The host and the port that a request is for.
fn target(uri: &Uri, usual: Option<u16>) -> Result<(Host, u16), Refusal> {
    let authority = uri.authority().ok_or_else(|| Refusal::bad("this is a proxy: name a host"))?;
    if authority.as_str().contains('@') {
        return Err(Refusal::bad("a host is named without a user"));
    }
    let (host, port) = split(authority.as_str())
        .map_err(|why| Refusal::bad(&format!("the host {why}: {authority}")))?;
    let port = port.or(usual).ok_or_else(|| Refusal::bad("name a port"))?;
    Ok((host, port))
}

/// A connection to a host, if that is allowed.
async fn reach(lease: &Lease, host: &Host, port: u16) -> Result<(TcpStream, Entry), Refusal> {
    let mut entry = Entry::new(host, port, &lease.on_record);
    let refused = |why: String, mut entry: Entry| {
        entry.refuse(&why);
        Refusal(StatusCode::FORBIDDEN, why)
    };
    let (rule, outright) = match lease.verdict(host, port) {
        Ok(verdict) => verdict,
        Err(why) => return Err(refused(why, entry)),
    };
    entry.allow(rule);
    match connect(&lease.egress.rules, &lease.egress.resolve, host, port, outright).await {
        Ok(stream) => Ok((stream, entry)),
        Err(Obstacle::Refused(why)) => Err(refused(why, entry)),
        Err(Obstacle::Failed(why)) => {
            entry.fail(&why);
            Err(Refusal(StatusCode::BAD_GATEWAY, why))
        }
    }
}

async fn open_tunnel(
    lease: &Lease,
    request: Request<Incoming>,
    work: &Work,
) -> Result<Response<Body>, Refusal> {
    let headers = request.headers();
    if headers.contains_key(header::CONTENT_LENGTH)
        || headers.contains_key(header::TRANSFER_ENCODING)
    {
        return Err(Refusal::bad("CONNECT has no body"));
    }
    let (host, port) = target(request.uri(), None)?;
    let (stream, entry) = reach(lease, &host, port).await?;
    let Rules { opaque, limits, .. } = lease.egress.rules;
    let sealed = match lease.has_secret_for(&host, port) {
        false => None,
        true => {
            let seals = lease.egress.seals().map_err(|why| Refusal::failed(&why))?;
            let customs = lease.customs(&host, port, true, &entry);
            Some(Sealed { seals, customs, host: host.clone(), port, limits })
        }
    };
    let tunnel = Tunnel { host, entry, opaque, limits, sealed };
    work.begin(async move {
        if let Ok(client) = upgrade::on(request).await {
            tunnel.run(TokioIo::new(client), stream).await;
        }
    });
    Ok(Response::new(whole(String::new())))
}

struct Tunnel {
    host: Host,
    entry: Entry,
    opaque: bool,
    limits: Limits,
    /// `None`: what is in it is between its ends.
    sealed: Option<Sealed>,
}

impl Tunnel {
    async fn run<C>(mut self, mut client: C, stream: TcpStream)
    where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let tally = self.entry.tally.clone();
        let mut stream = Metered::new(stream, tally.clone(), self.limits);
        let mut first = Vec::new();
        if !self.opaque || self.sealed.is_some() {
            let Ok(Ok(hello)) = timeout(PATIENCE, hello::read(&mut client, &mut first)).await
            else {
                return self.entry.refuse("nothing was said in it that begins TLS");
            };
            if let Some(why) = self.fault(&hello) {
                return self.refuse(&why, client).await;
            }
        }
        let (reading, writing) = split_stream(client);
        if let Some(sealed) = self.sealed.take() {
            let offered = hello::protocols(&first);
            let client = join(io::Cursor::new(first).chain(reading), writing);
            return sealed.run(client, stream, &mut self.entry, &offered).await;
        }
        let rest = first.split_off(hello::end(&first).unwrap_or_default());
        let mut client = join(io::Cursor::new(rest).chain(reading), writing);
        let passed = async {
            if !self.opaque {
                if let Some(why) = self.begin(&first, &mut client, &mut stream).await? {
                    return Ok(Some(why));
                }
            }
            copy_bidirectional_with_sizes(&mut client, &mut stream, PIECE, PIECE)
                .await
                .map(|_| None)
        };
        let ended = tokio::select! {
            ended = passed => ended,
            () = tally.idle(self.limits.idle) => return self.entry.fail(IDLE),
        };
        match ended {
            Ok(None) => {}
            Ok(Some(why)) => self.refuse(&why, client).await,
            Err(error) => self.entry.fail(error),
        }
    }

    /// Passes the beginning of TLS on, until nothing more in it says whom it is meant for. Gives why it is not what
    /// was allowed.
    async fn begin(
        &self,
        first: &[u8],
        client: &mut (impl AsyncRead + AsyncWrite + Unpin),
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> io::Result<Option<String>> {
        stream.write_all(first).await?;
        let mut answer = Vec::new();
        let again = hello::asks_again(stream, &mut answer).await?;
        client.write_all(&answer).await?;
        if !again {
            return Ok(None);
        }
        let mut second = Vec::new();
        let hello = hello::second(client, stream, &mut second).await?;
        let fault = self.fault(&hello);
        if fault.is_none() {
            stream.write_all(&second).await?;
        }
        Ok(fault)
    }

    /// Tells the client, too.
    async fn refuse(&mut self, why: &str, mut client: impl AsyncWrite + Unpin) {
        self.entry.refuse(why);
        let _ = client.write_all(&UNRECOGNIZED_NAME).await;
        let _ = client.shutdown().await;
    }

    /// Why a tunnel is not what was allowed.
    fn fault(&self, hello: &Hello) -> Option<String> {
        let Self { host, .. } = self;
        match hello {
            Hello::Other => Some(format!("what is in the tunnel to {host} is no TLS")),
            Hello::Tls { hides: true, .. } => {
                Some(format!("the TLS to {host} hides whom it is meant for (ECH)"))
            }
            Hello::Tls { name: Some(name), .. } => {
                let same = Host::parse(name).is_ok_and(|name| name == *host);
                (!same).then(|| format!("the TLS to {host} is meant for {name}"))
            }
            // An address is not told (RFC 6066, section 3).
            Hello::Tls { name: None, .. } => matches!(host, Host::Name(_))
                .then(|| format!("the TLS to {host} does not say whom it is meant for (SNI)")),
        }
    }
}

async fn forward(
    lease: &Lease,
    request: Request<Incoming>,
    work: &Work,
) -> Result<Response<Body>, Refusal> {
    let (mut parts, body) = request.into_parts();
    match parts.uri.scheme_str() {
        Some("http") => {}
        Some(other) => {
            return Err(Refusal::bad(&format!("a proxy is asked for {other} by CONNECT")));
        }
        None => return Err(Refusal::bad("this is a proxy: name a host")),
    }
    let (host, port) = target(&parts.uri, Some(HTTP))?;
    check_host(&parts.headers, &host, port, HTTP)?;
    let (stream, entry) = reach(lease, &host, port).await?;
    let limits = lease.egress.rules.limits;
    let tally = entry.tally.clone();
    let customs = lease.has_secrets().then(|| lease.customs(&host, port, false, &entry));
    let stream = TokioIo::new(Metered::new(stream, tally.clone(), limits));
    // It is told once nothing more can fail.
    let entry = Arc::new(entry);
    let failed = |_| {
        let why = format!("{host}:{port} did not answer in HTTP");
        entry.fail(&why);
        Refusal(StatusCode::BAD_GATEWAY, why)
    };
    let (mut sender, connection) = client::handshake(stream).await.map_err(failed)?;
    let own = entry.clone();
    work.begin(async move {
        tokio::select! {
            ended = connection => if let Err(error) = ended {
                own.fail(error);
            },
            () = tally.idle(limits.idle) => own.fail(IDLE),
        }
        drop(own);
    });

    remove_hops(&mut parts.headers);
    for own in [header::CONTENT_LENGTH, header::EXPECT] {
        // The body has a length of its own, or comes in chunks: what was said of it is said anew.
        parts.headers.remove(own);
    }
    // As it was checked, whatever was said of it, and of what concerns the connection alone.
    let named = if port == HTTP { host.to_string() } else { format!("{host}:{port}") };
    let named = named.try_into().map_err(|_| Refusal::bad("the host is no host"))?;
    parts.headers.insert(header::HOST, named);
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = format!("{}{query}", parts.uri.path());
    parts.uri = path.parse().map_err(|_| Refusal::bad("the path is no path"))?;
    parts.version = Version::HTTP_11;
    let request = Request::from_parts(parts, body);
    let request = match &customs {
        Some(customs) => customs.request(request)?,
        None => request.map(BodyExt::boxed),
    };
    let answer = sender.send_request(request).await.map_err(failed)?;
    let mut answer = match &customs {
        Some(customs) => customs.answer(answer)?,
        None => answer.map(BodyExt::boxed),
    };
    remove_hops(answer.headers_mut());
    Ok(answer)
}

/// A request says twice whom it is for.
pub fn check_host(headers: &HeaderMap, host: &Host, port: u16, usual: u16) -> Result<(), Refusal> {
    let mut named = headers.get_all(header::HOST).iter();
    let Some(value) = named.next() else { return Ok(()) };
    check_authority(value.to_str().unwrap_or_default(), host, port, usual)?;
    match named.next() {
        None => Ok(()),
        Some(_) => Err(Refusal::bad(OTHER_HOST)),
    }
}

/// Whether that is this host; `usual`: its port, if it names none.
pub fn check_authority(text: &str, host: &Host, port: u16, usual: u16) -> Result<(), Refusal> {
    match split(text) {
        Ok((own, of)) if own == *host && of.unwrap_or(usual) == port => Ok(()),
        _ => Err(Refusal::bad(OTHER_HOST)),
    }
}

pub fn remove_hops(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}
