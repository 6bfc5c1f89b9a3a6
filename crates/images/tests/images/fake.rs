//! A registry with one image, `app:1`, that does as a test wants.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use flate2::{write::GzEncoder, Compression};
use scientist_pool_images::blob::Digest;
use serde_json::json;

use crate::support::Layer;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

pub struct Registry {
    pub address: String,
    /// Of the layer, compressed.
    pub layer: Digest,
    pub blob: Vec<u8>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What is there, by path.
    files: HashMap<String, (Vec<u8>, String)>,
    /// The value of `Authorization` that every request must have.
    login: Option<String>,
    /// How many bytes of the layer come before the connection ends, once.
    cut: Option<usize>,
    /// The ranges of the layer that were asked for; `None`: all of it.
    asked: Vec<Option<usize>>,
}

impl Registry {
    pub fn start() -> Self {
        // Random bytes, as what is compressed well is too short to be cut.
        let noise: String = (0..40_000_u64).map(|n| format!("{:x} ", n * n % 1_000_003)).collect();
        let layer = Layer::new().file("file", "text").file("noise", &noise).bytes();
        let mut to = GzEncoder::new(Vec::new(), Compression::fast());
        to.write_all(&layer).unwrap();
        let blob = to.finish().unwrap();
        let config = json!({ "rootfs": { "diff_ids": [Digest::of(&layer)] } }).to_string();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": Digest::of(config.as_bytes()), "size": config.len() },
            "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": Digest::of(&blob), "size": blob.len() }],
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Self {
            address: listener.local_addr().unwrap().to_string(),
            layer: Digest::of(&blob),
            blob: blob.clone(),
            state: Arc::default(),
        };
        let bytes = "application/octet-stream";
        registry.put("manifests/1", manifest.to_string().into_bytes(), MANIFEST);
        registry.put(&blob_path(config.as_bytes()), config.clone().into_bytes(), bytes);
        registry.put(&blob_path(&blob), blob, bytes);
        let (state, layer) = (registry.state.clone(), registry.layer.clone());
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (state, layer) = (state.clone(), layer.clone());
                thread::spawn(move || serve(stream.unwrap(), &state, &layer));
            }
        });
        registry
    }

    fn put(&self, path: &str, content: Vec<u8>, kind: &str) {
        let path = format!("/v2/app/{path}");
        self.state.lock().unwrap().files.insert(path, (content, kind.to_owned()));
    }

    pub fn image(&self) -> String {
        format!("{}/app:1", self.address)
    }

    /// Has the layer's digest stand for other bytes.
    pub fn replace_layer(&self, content: Vec<u8>) {
        self.put(&blob_path(&self.blob), content, "application/octet-stream");
    }

    pub fn cut_once(&self, after: usize) {
        self.state.lock().unwrap().cut = Some(after);
    }

    pub fn want_login(&self, authorization: &str) {
        self.state.lock().unwrap().login = Some(authorization.to_owned());
    }

    pub fn asked(&self) -> Vec<Option<usize>> {
        self.state.lock().unwrap().asked.clone()
    }
}

fn blob_path(content: &[u8]) -> String {
    format!("blobs/{}", Digest::of(content))
}

fn serve(mut stream: TcpStream, state: &Mutex<State>, layer: &Digest) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        let mut fields = head.iter().filter_map(|line| line.split_once(": "));
        fields
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
    let mut state = state.lock().unwrap();
    let mut answer = |status: &str, fields: &str, body: &[u8], sent: usize| {
        let head = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{fields}\r\n",
            body.len()
        );
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&body[..sent]);
    };
    if state.login.is_some() && state.login != header("authorization") {
        let field = "WWW-Authenticate: Basic realm=\"test\"\r\n";
        return answer("401 Unauthorized", field, b"", 0);
    }
    if path == "/v2/" {
        return answer("200 OK", "", b"", 0);
    }
    let Some((content, kind)) = state.files.get(path).cloned() else {
        let body = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
        return answer("404 Not Found", "", body, body.len());
    };
    let kind = format!("Content-Type: {kind}\r\n");
    if !path.ends_with(layer.hex()) {
        return answer("200 OK", &kind, &content, content.len());
    }
    let range = header("range");
    let from = range.and_then(|range| range["bytes=".len()..].trim_end_matches('-').parse().ok());
    let from = from.filter(|from| *from > 0);
    state.asked.push(from);
    let rest = &content[from.unwrap_or(0)..];
    let sent = state.cut.take().unwrap_or(rest.len());
    let status = if from.is_some() { "206 Partial Content" } else { "200 OK" };
    answer(status, &kind, rest, sent);
}
