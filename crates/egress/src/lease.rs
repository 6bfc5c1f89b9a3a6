//! The connections of one container.

use std::sync::{
    atomic::{AtomicU64, Ordering},
    Arc, Mutex, MutexGuard, PoisonError,
};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::{
    host::Host,
    proxy,
    record::{OnRecord, Record},
    rules::{BadRule, Lists, Rules},
    upstream::{self, Resolve},
};

/// What the containers of a pool can reach.
pub struct Egress {
    pub(crate) rules: Rules,
    pub(crate) resolve: Resolve,
}

impl Egress {
    /// By this machine's resolver.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self::with_resolver(rules, upstream::system())
    }

    #[must_use]
    pub fn with_resolver(rules: Rules, resolve: Resolve) -> Self {
        Self { rules, resolve }
    }

    /// That of a container; `on_record` gets what becomes of each connection, at its end.
    pub fn lease(self: &Arc<Self>, on_record: impl Fn(Record) + Send + Sync + 'static) -> Lease {
        Lease {
            egress: self.clone(),
            on_record: Arc::new(on_record),
            over: CancellationToken::new(),
            narrowings: Arc::default(),
            next: AtomicU64::new(0),
        }
    }
}

/// One container's. Dropped, its connections end.
pub struct Lease {
    pub(crate) egress: Arc<Egress>,
    pub(crate) on_record: OnRecord,
    over: CancellationToken,
    narrowings: Arc<Narrowings>,
    next: AtomicU64,
}

type Narrowings = Mutex<Vec<(u64, Lists)>>;

/// The rules of a call, which hold as long as this is there.
pub struct Narrowing {
    number: u64,
    all: Arc<Narrowings>,
}

impl Lease {
    /// Holds the connections that are begun from now on to less. Where there are several calls, nobody can tell
    /// whose a connection is: what one of them does not allow, none of them has.
    ///
    /// # Errors
    ///
    /// The first entry that makes no sense, or that is not within the pool's rules.
    pub fn narrow(&self, allow: &[String], deny: &[String]) -> Result<Narrowing, BadRule> {
        let lists = self.egress.rules.narrowed(allow, deny)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.narrowings).push((number, lists));
        Ok(Narrowing { number, all: self.narrowings.clone() })
    }

    /// Answers on a stream as a proxy, until it ends or [`Self::end`].
    pub async fn serve<S>(&self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        tokio::select! {
            biased;
            () = self.over.cancelled() => {}
            () = proxy::serve(self, stream) => {}
        }
    }

    /// Ends all its connections, and those to come.
    pub fn end(&self) {
        self.over.cancel();
    }

    /// The entry that allows a host, and whether it names this very address; or why none does.
    pub(crate) fn verdict(&self, host: &Host, port: u16) -> Result<(String, bool), String> {
        let pattern = self.egress.rules.verdict(host, port)?;
        for (_, lists) in lock(&self.narrowings).iter() {
            lists.verdict(host, port).map_err(|why| format!("{why}, for this call"))?;
        }
        Ok((pattern.to_string(), pattern.is_address()))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end();
    }
}

impl Drop for Narrowing {
    fn drop(&mut self) {
        lock(&self.all).retain(|(number, _)| *number != self.number);
    }
}

fn lock(narrowings: &Narrowings) -> MutexGuard<'_, Vec<(u64, Lists)>> {
    // Nothing done under this lock can leave them half-changed.
    narrowings.lock().unwrap_or_else(PoisonError::into_inner)
}
