//! What becomes of secrets in the requests to one host, and in what it answers.

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{ready, Context, Poll},
};

use base64::{engine::general_purpose as engines, Engine as _};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    ext::ReasonPhrase,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    http::{request, uri::PathAndQuery},
    Request, Response,
};

use crate::{
    host::Host,
    proxy::{Body, Refusal},
    replace::{Needle, Needles, Replacing},
    secret::{Place, Secret},
};

/// The secrets of a container, each with what stands for it there.
pub type Placeholders = [(Arc<Secret>, String)];

/// Which secrets went out, by name.
#[derive(Debug, Default)]
pub struct Seen(Mutex<(BTreeSet<String>, BTreeSet<String>)>);

impl Seen {
    fn note(&self, name: &str, sent: bool) {
        // Nothing done under this lock can leave them half-changed.
        let mut both = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = if sent { &mut both.0 } else { &mut both.1 };
        if !names.contains(name) {
            names.insert(name.to_owned());
        }
    }

    /// Those whose values went to the host; those whose placeholders did.
    pub fn take(&self) -> (Vec<String>, Vec<String>) {
        let mut both = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sent, strayed) = std::mem::take(&mut *both);
        (sent.into_iter().collect(), strayed.into_iter().collect())
    }
}

/// Those of one connection.
#[derive(Clone)]
pub struct Customs {
    header: Arc<Needles>,
    query: Arc<Needles>,
    body: Arc<Needles>,
    /// Empty: the host has none of the values.
    answer: Arc<Needles>,
    names: Arc<[String]>,
    seen: Arc<Seen>,
}

impl Customs {
    /// `sealed`: what goes to the host is seen by nobody else; else no value does.
    pub fn new(
        placeholders: &Placeholders,
        host: &Host,
        port: u16,
        sealed: bool,
        seen: Arc<Seen>,
    ) -> Self {
        let all = || placeholders.iter().enumerate();
        let needles = |place| {
            let needle = |(owner, (secret, placeholder)): (usize, &(Arc<Secret>, String))| {
                secret.needle(owner, placeholder, place, sealed && secret.is_for(host, port))
            };
            Arc::new(Needles::new(all().map(needle).collect()))
        };
        let own = all().filter(|(_, (secret, _))| secret.is_for(host, port));
        let answer = own.flat_map(|(owner, (secret, placeholder))| {
            secret.needles_of_answers(owner, placeholder)
        });
        Self {
            header: needles(Place::Header),
            query: needles(Place::Query),
            body: needles(Place::Body),
            answer: Arc::new(Needles::new(answer.collect())),
            names: placeholders.iter().map(|(secret, _)| secret.name.clone()).collect(),
            seen,
        }
    }

    fn note(&self, needle: &Needle) {
        if let Some(name) = self.names.get(needle.owner) {
            self.seen.note(name, needle.put.is_some());
        }
    }

    /// A request on its way to the host.
    pub fn request(&self, request: Request<Incoming>) -> Result<Request<Body>, Refusal> {
        let (mut parts, body) = request.into_parts();
        self.replace(&self.header, &mut parts.headers)?;
        self.address(&mut parts)?;
        if !self.answer.is_empty() {
            // What is compressed, or comes in parts, can't be looked through.
            let identity = HeaderValue::from_static("identity");
            parts.headers.insert(header::ACCEPT_ENCODING, identity);
            for name in [header::RANGE, header::IF_RANGE] {
                parts.headers.remove(name);
            }
        }
        let body = Replaced::new(body, &self.body, self.clone()).boxed();
        Ok(Request::from_parts(parts, body))
    }

    /// Its path, in which nothing is replaced, and its query.
    fn address(&self, parts: &mut request::Parts) -> Result<(), Refusal> {
        let Some(query) = parts.uri.query() else {
            self.stray(parts.uri.path());
            return Ok(());
        };
        self.stray(parts.uri.path());
        let Some(query) = self.query.whole(query.as_bytes(), |needle| self.note(needle)) else {
            return Ok(());
        };
        let refused = |_| Refusal::bad("the query is none with its secrets in it");
        let whole = [parts.uri.path().as_bytes(), b"?", &query].concat();
        let mut uri = std::mem::take(&mut parts.uri).into_parts();
        uri.path_and_query =
            Some(PathAndQuery::from_maybe_shared(Bytes::from(whole)).map_err(refused)?);
        parts.uri = uri.try_into().map_err(|_| Refusal::bad("the query is none"))?;
        Ok(())
    }

    fn stray(&self, text: &str) {
        self.query.whole(text.as_bytes(), |needle| {
            if let Some(name) = self.names.get(needle.owner) {
                self.seen.note(name, false);
            }
        });
    }

    /// In the values of headers; in what basic authentication has in base64, too.
    fn replace(&self, needles: &Needles, headers: &mut HeaderMap) -> Result<(), Refusal> {
        for (name, value) in headers.iter_mut() {
            let replaced = match basic(name, value) {
                Some(plain) => needles
                    .whole(&plain, |needle| self.note(needle))
                    .map(|plain| format!("Basic {}", engines::STANDARD.encode(plain)).into_bytes()),
                None => needles.whole(value.as_bytes(), |needle| self.note(needle)),
            };
            let Some(replaced) = replaced else { continue };
            let mut replaced = HeaderValue::from_maybe_shared(Bytes::from(replaced))
                .map_err(|_| Refusal::bad("a header is none with its secrets in it"))?;
            replaced.set_sensitive(true);
            *value = replaced;
        }
        Ok(())
    }

    /// What the host has answered.
    pub fn answer(&self, answer: Response<Incoming>) -> Result<Response<Body>, Refusal> {
        if self.answer.is_empty() {
            return Ok(answer.map(BodyExt::boxed));
        }
        let (mut parts, body) = answer.into_parts();
        let has = |name: HeaderName, plain: &[u8]| {
            let codings = parts.headers.get_all(name);
            codings.iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(plain))
        };
        if has(header::CONTENT_ENCODING, b"identity") || has(header::TRANSFER_ENCODING, b"chunked")
        {
            return Err(Refusal::failed(
                "the answer is compressed, although that was not asked for: secrets could not be \
                 seen in it",
            ));
        }
        self.answered(&mut parts.headers);
        // It is free text, and of no use.
        parts.extensions.remove::<ReasonPhrase>();
        let mut replaced = Replaced::new(body, &self.answer, self.clone());
        replaced.answers = true;
        Ok(Response::from_parts(parts, replaced.boxed()))
    }

    fn answered(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            if let Some(replaced) = self.answer.whole(value.as_bytes(), |_| {}) {
                // As long as before, of letters that any header may have.
                *value = HeaderValue::from_maybe_shared(Bytes::from(replaced))
                    .unwrap_or_else(|_| HeaderValue::from_static(""));
            }
        }
    }
}

/// What is in basic authentication (RFC 7617).
fn basic(name: &HeaderName, value: &HeaderValue) -> Option<Vec<u8>> {
    let text = (name == header::AUTHORIZATION).then(|| value.to_str().ok())??;
    let (scheme, coded) = text.split_once(' ')?;
    let coded = scheme.eq_ignore_ascii_case("basic").then(|| coded.trim())?;
    engines::STANDARD.decode(coded).ok()
}

/// A body in which something is replaced as it goes by.
struct Replaced {
    inner: Incoming,
    replacing: Replacing,
    customs: Customs,
    /// It is an answer: what is replaced in it is not told.
    answers: bool,
    /// What follows the last bytes.
    trailers: Option<Frame<Bytes>>,
    over: bool,
}

impl Replaced {
    fn new(inner: Incoming, needles: &Arc<Needles>, customs: Customs) -> Self {
        let replacing = Replacing::new(needles.clone());
        Self { inner, replacing, customs, answers: false, trailers: None, over: false }
    }
}

impl HttpBody for Replaced {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { inner, replacing, customs, answers, trailers, over } = self.get_mut();
        let told = |needle: &Needle| {
            if !*answers {
                customs.note(needle);
            }
        };
        while !*over {
            let rest = match ready!(Pin::new(&mut *inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => replacing.push(data, told),
                    Err(mut frame) => {
                        if let Some(fields) = frame.trailers_mut() {
                            if *answers {
                                customs.answered(fields);
                            }
                        }
                        *trailers = Some(frame);
                        continue;
                    }
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    *over = true;
                    replacing.finish(told)
                }
            };
            if !rest.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(rest))));
            }
        }
        Poll::Ready(trailers.take().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.replacing.held() == 0
            && self.trailers.is_none()
            && (self.over || self.inner.is_end_stream())
    }

    /// Nothing that is replaced changes its length.
    fn size_hint(&self) -> SizeHint {
        let (inner, held) = (self.inner.size_hint(), self.replacing.held() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + held);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + held);
        }
        hint
    }
}
