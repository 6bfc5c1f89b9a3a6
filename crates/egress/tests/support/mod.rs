//! Servers on this machine, and clients of the proxy.

// Each test file takes what it needs.
#![allow(dead_code)]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use rcgen::{generate_simple_self_signed, CertifiedKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use scientist_pool_egress::{Egress, Lease, Limits, Record, Rules, Settings};
use tokio::{
    io::{duplex, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Rules that allow `allow`, of which each of `hosts` is on this machine.
pub fn rules(allow: &[String], hosts: &[&str], limits: Limits) -> Rules {
    let hosts: BTreeMap<_, _> =
        hosts.iter().map(|&name| (name.to_owned(), "127.0.0.1".to_owned())).collect();
    Rules::parse(&Settings { allow: allow.to_vec(), hosts, limits, ..Settings::default() }).unwrap()
}

/// A lease, and the records of it.
pub struct Bench {
    pub lease: Arc<Lease>,
    records: Arc<Mutex<Vec<Record>>>,
}

impl Bench {
    pub fn new(egress: Egress) -> Self {
        let records: Arc<Mutex<Vec<Record>>> = Arc::default();
        let own = records.clone();
        let lease = Arc::new(egress).lease(move |record| own.lock().unwrap().push(record));
        Self { lease: Arc::new(lease), records }
    }

    pub fn of(allow: &[String], hosts: &[&str]) -> Self {
        Self::new(Egress::new(rules(allow, hosts, Limits::default())))
    }

    /// A connection to the proxy, and what serves it.
    pub fn connect(&self) -> (DuplexStream, JoinHandle<()>) {
        let (near, far) = duplex(64 << 10);
        let lease = self.lease.clone();
        (near, tokio::spawn(async move { lease.serve(far).await }))
    }

    /// Sends bytes, and gives all that comes.
    pub async fn ask(&self, request: impl AsRef<[u8]>) -> String {
        let (mut stream, served) = self.connect();
        // It may be refused before all of it is there.
        let _ = stream.write_all(request.as_ref()).await;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        served.await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// Opens a tunnel; `Err`: the answer, if it is another than 200.
    pub async fn tunnel(&self, to: &str) -> Result<DuplexStream, String> {
        let (mut stream, _) = self.connect();
        let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        if head.starts_with("HTTP/1.1 200 ") {
            return Ok(stream);
        }
        let mut body = String::new();
        stream.read_to_string(&mut body).await.unwrap();
        Err(head + &body)
    }

    /// All there are by now.
    pub fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap().clone()
    }

    /// The only one, once it is there: of a connection that has ended.
    pub async fn record(&self) -> Record {
        loop {
            if let [record] = &self.records()[..] {
                return record.clone();
            }
            tokio::task::yield_now().await;
        }
    }
}

/// A server on this machine that has each connection handled by `handle`.
pub async fn serve<F>(handle: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: std::future::Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handle(stream));
        }
    });
    address
}

/// One that answers each request with `answer`, and the bytes of what came, as they come.
pub async fn http(answer: &'static str) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
    let own = heard.clone();
    let address = serve(move |mut stream| {
        let heard = own.clone();
        async move {
            let mut request = Vec::new();
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            heard.lock().unwrap().extend_from_slice(&request);
            let _ = stream.write_all(answer.as_bytes()).await;
            let mut rest = Vec::new();
            while stream.read_buf(&mut rest).await.is_ok_and(|bytes| bytes > 0) {
                heard.lock().unwrap().append(&mut rest);
            }
        }
    });
    (address.await, heard)
}

/// One that speaks TLS under a name, and sends back what comes.
pub async fn tls(name: &str) -> (SocketAddr, RootCertStore) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let address = serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let (mut reading, mut writing) = tokio::io::split(stream);
            let _ = tokio::io::copy(&mut reading, &mut writing).await;
            let _ = writing.shutdown().await;
        }
    });
    (address.await, roots)
}

/// Begins TLS on a stream, meant for a name; one says whether it is said (SNI).
pub async fn begin_tls<S>(
    stream: S,
    name: &str,
    roots: RootCertStore,
    said: bool,
) -> std::io::Result<tokio_rustls::client::TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_sni = said;
    let name = name.to_owned().try_into().unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

pub fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
