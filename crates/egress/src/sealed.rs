//! A tunnel whose TLS ends here, as its host is one that has secrets: on one side a client in the container, on the
//! other the host, and between them requests that can be seen.

use std::{convert::Infallible, future::pending, io, pin::pin, sync::Arc};

use futures_util::future::BoxFuture;
use hyper::{
    body::Incoming, client::conn as client, header, http::request, server::conn as server,
    service::service_fn, Method, Request, Response, StatusCode, Uri, Version,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use rustls::{pki_types::ServerName, ClientConfig};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Mutex,
    time::timeout,
};
use tokio_rustls::{client::TlsStream, TlsAcceptor, TlsConnector};

use crate::{
    authority::Authority,
    customs::Customs,
    host::Host,
    meter::Metered,
    proxy::{
        check_authority, check_host, remove_hops, Body, Refusal, IDLE, MOST_OF_HEAD, PATIENCE,
    },
    record::Entry,
    rules::Limits,
    trust::Trust,
    work::{crew, Work},
};

const H2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";
const HTTPS: u16 = 443;
/// The most requests at once on one connection.
const MOST_STREAMS: u32 = 64;
/// The most bytes of one of them, and of all of a connection, that wait to be taken.
const STREAM_WINDOW: u32 = 256 << 10;
const WINDOW: u32 = 1 << 20;

/// What all such tunnels of a pool have in common.
pub struct Seals {
    pub authority: Authority,
    client: ClientConfig,
}

impl Seals {
    /// # Errors
    ///
    /// What the crates say.
    pub fn new(trust: &Trust) -> Result<Self, String> {
        let client = trust.client().map_err(|error| error.to_string())?;
        Ok(Self { authority: Authority::new()?, client })
    }
}

/// One of them.
pub struct Sealed {
    pub seals: Arc<Seals>,
    pub customs: Customs,
    pub host: Host,
    pub port: u16,
    pub limits: Limits,
}

/// Where requests go.
enum Upstream {
    Http1(Mutex<client::http1::SendRequest<Body>>),
    Http2(client::http2::SendRequest<Body>),
    /// Nowhere, and why.
    None(String),
}

impl Sealed {
    /// Serves a client that has offered these protocols (ALPN).
    pub async fn run<C, S>(
        self,
        client: C,
        stream: Metered<S>,
        entry: &mut Entry,
        offered: &[Vec<u8>],
    ) where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = self.limits;
        let tally = entry.tally.clone();
        let (work, mut crew) = crew();
        tokio::select! {
            () = crew.beside(self.serve(client, stream, entry, offered, work)) => {}
            () = tally.idle(limits.idle) => entry.fail(IDLE),
        }
    }

    async fn serve<C, S>(
        self,
        client: C,
        stream: Metered<S>,
        entry: &mut Entry,
        offered: &[Vec<u8>],
        work: Work,
    ) where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { seals, customs, host, port, limits } = self;
        let known = [H2, HTTP_1].into_iter().filter(|own| offered.iter().any(|name| name == own));
        let known: Vec<Vec<u8>> = known.map(<[u8]>::to_vec).collect();
        // What the host chooses is all that the client is offered: both sides speak the same.
        let (protocols, reached) = match reach(&seals.client, &host, stream, &known).await {
            Ok(stream) => {
                let chosen = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
                (chosen.into_iter().collect(), Ok(stream))
            }
            Err(error) => (known, Err(error.to_string())),
        };
        let Ok(config) = seals.authority.server(&host, protocols) else { return };
        let accepted = TlsAcceptor::from(config).accept(client);
        let Ok(Ok(client)) = timeout(PATIENCE, accepted).await else { return };
        let is_h2 = client.get_ref().1.alpn_protocol() == Some(H2);
        let begun = match reached {
            Ok(stream) => begin(stream, is_h2, &work).await.map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        let (upstream, connection) = begun.unwrap_or_else(|why| {
            let why = format!("{host}:{port} can't be reached by TLS that is trusted: {why}");
            entry.fail(&why);
            (Upstream::None(why), Box::pin(pending()))
        });
        let requests = Arc::new(Requests { upstream, customs, host, port });
        let service = service_fn(move |request| {
            let requests = requests.clone();
            async move {
                let answer = requests.pass_on(request).await;
                Ok::<_, Infallible>(answer.unwrap_or_else(Refusal::response))
            }
        });
        let client = TokioIo::new(client);
        if is_h2 {
            let served = server::http2::Builder::new(work)
                .timer(TokioTimer::new())
                .max_concurrent_streams(MOST_STREAMS)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(WINDOW)
                .max_send_buf_size(STREAM_WINDOW as usize)
                .max_header_list_size(MOST_OF_HEAD as u32)
                .serve_connection(client, service);
            as_long_as(connection, served).await;
        } else {
            let served = server::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.idle)
                .max_buf_size(MOST_OF_HEAD)
                .serve_connection(client, service);
            as_long_as(connection, served).await;
        }
    }
}

/// Serves to its end; without the connection to the host, what has been begun and nothing else.
async fn as_long_as(mut connection: BoxFuture<'static, ()>, served: impl GracefulConnection) {
    let mut served = pin!(served);
    tokio::select! {
        _ = served.as_mut() => return,
        () = &mut connection => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}

async fn reach<S>(
    client: &ClientConfig,
    host: &Host,
    stream: S,
    protocols: &[Vec<u8>],
) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = match host {
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(io::Error::other)?,
        Host::Address(address) => ServerName::IpAddress((*address).into()),
    };
    let mut config = client.clone();
    config.alpn_protocols = protocols.to_vec();
    let reached = TlsConnector::from(Arc::new(config)).connect(name, stream);
    timeout(PATIENCE, reached).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn begin<S>(
    stream: S,
    is_h2: bool,
    work: &Work,
) -> hyper::Result<(Upstream, BoxFuture<'static, ()>)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(stream);
    Ok(if is_h2 {
        let (sender, connection) = client::http2::Builder::new(work.clone())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_send_buf_size(STREAM_WINDOW as usize)
            .max_header_list_size(MOST_OF_HEAD as u32)
            .handshake(stream)
            .await?;
        (Upstream::Http2(sender), Box::pin(async move { drop(connection.await) }))
    } else {
        let (sender, connection) = client::http1::handshake(stream).await?;
        let sender = Upstream::Http1(Mutex::new(sender));
        (sender, Box::pin(async move { drop(connection.await) }))
    })
}

/// Passes requests on.
struct Requests {
    upstream: Upstream,
    customs: Customs,
    host: Host,
    port: u16,
}

impl Requests {
    async fn pass_on(&self, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        if request.method() == Method::CONNECT {
            return Err(Refusal::bad("a tunnel leads to no other one"));
        }
        let (mut parts, body) = request.into_parts();
        self.address(&mut parts)?;
        let request = Request::from_parts(parts, body);
        let failed = |_| {
            let Self { host, port, .. } = self;
            Refusal(StatusCode::BAD_GATEWAY, format!("{host}:{port} did not answer in HTTP"))
        };
        let answer = match &self.upstream {
            Upstream::None(why) => return Err(Refusal(StatusCode::BAD_GATEWAY, why.clone())),
            Upstream::Http1(sender) => {
                let mut sender = sender.lock().await;
                sender.ready().await.map_err(failed)?;
                sender.send_request(self.customs.request(request)?).await
            }
            Upstream::Http2(sender) => {
                let mut sender = sender.clone();
                sender.ready().await.map_err(failed)?;
                sender.send_request(self.customs.request(request)?).await
            }
        };
        let mut answer = self.customs.answer(answer.map_err(failed)?)?;
        remove_hops(answer.headers_mut());
        Ok(answer)
    }

    /// Has it be for the host of the tunnel alone, whatever else it says.
    fn address(&self, parts: &mut request::Parts) -> Result<(), Refusal> {
        let Self { host, port, .. } = self;
        if let Some(authority) = parts.uri.authority() {
            check_authority(authority.as_str(), host, *port, HTTPS)?;
        }
        check_host(&parts.headers, host, *port, HTTPS)?;
        let takes_trailers =
            parts.headers.get(header::TE).is_some_and(|value| value.as_bytes() == b"trailers");
        remove_hops(&mut parts.headers);
        for own in [header::CONTENT_LENGTH, header::EXPECT, header::HOST] {
            // What the body and the address say is said anew.
            parts.headers.remove(own);
        }
        let named = if *port == HTTPS { host.to_string() } else { format!("{host}:{port}") };
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let none = || Refusal::bad("the path is no path");
        if matches!(self.upstream, Upstream::Http2(_)) {
            parts.version = Version::HTTP_2;
            parts.uri = format!("https://{named}{path}").parse().map_err(|_| none())?;
            if takes_trailers {
                let trailers = header::HeaderValue::from_static("trailers");
                parts.headers.insert(header::TE, trailers);
            }
        } else {
            parts.version = Version::HTTP_11;
            let named = named.try_into().map_err(|_| Refusal::bad("the host is no host"))?;
            parts.headers.insert(header::HOST, named);
            parts.uri = path.parse::<Uri>().map_err(|_| none())?;
        }
        Ok(())
    }
}
