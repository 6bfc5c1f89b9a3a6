//! The certificates that the clients in a container are to trust, where its pool says which.

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::runner::{
    files::{Answer, Fault, Piece, Request},
    job::{Job, Work},
    output::{Output, Wanted},
    pace::Crowd,
    session::Session,
};

/// Where they are: in memory, and in every container, whatever its root and its other mounts are.
const BUNDLE: &str = "/dev/shm/.scientist-pool-ca.pem";
/// More folders than any container's working directory is below its root.
const DEPTH: usize = 32;
/// Where clients look for such a file: OpenSSL's (Python, httpx, aiohttp), requests, curl, Node.js, pip, git, those
/// of AWS, gRPC.
const OF_CLIENTS: [&str; 8] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
];

/// What tells clients of them.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    OF_CLIENTS.iter().map(|name| ((*name).to_owned(), BUNDLE.to_owned()))
}

/// Writes them.
///
/// # Errors
///
/// Why it could not, in words.
pub async fn put(session: &Session, bundle: Bytes) -> Result<(), String> {
    let piece = Piece {
        // It begins in the container's working directory; above the root is the root.
        path: format!("{}{}", "../".repeat(DEPTH), &BUNDLE[1..]),
        temporary: ".scientist-pool-ca.part".to_owned(),
        offset: 0,
        data: bundle,
        mode: Some(0o444),
    };
    let request = Request::Write(vec![piece]);
    let answer = Answer::to(&request);
    let job = Job { work: Work::Files(request.encode()), env: Vec::new() };
    let wanted = Wanted { limit: None, collect: false, display: None };
    let output = Output::among(Crowd::process(), wanted, Some(answer.tap()));
    let (written, _) = oneshot::channel();
    let ended = session.run(job, output.clone(), written).await;
    output.delivered().await;
    ended.map_err(|_| "the container ended".to_owned())?;
    match answer.take().whole() {
        Ok(_) => Ok(()),
        Err(Fault::System { errno, words, .. }) => Err(format!("{errno}: {words}")),
        Err(fault) => Err(format!("{fault:?}")),
    }
}
