//! The connections of one container.

use std::sync::{
    atomic::{AtomicU64, Ordering},
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::{
    customs::Customs,
    host::Host,
    proxy,
    record::{Entry, OnRecord, Record},
    rules::{BadRule, Lists, Rules},
    sealed::Seals,
    secret::Secret,
    trust::Trust,
    upstream::Resolve,
};

/// What the containers of a pool can reach.
pub struct Egress {
    pub(crate) rules: Rules,
    pub(crate) resolve: Resolve,
    /// Made for the first who needs them.
    seals: OnceLock<Result<Arc<Seals>, String>>,
}

impl Egress {
    /// By the resolver that the rules name.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        let resolve = rules.resolve();
        Self::with_resolver(rules, resolve)
    }

    #[must_use]
    pub fn with_resolver(rules: Rules, resolve: Resolve) -> Self {
        Self { rules, resolve, seals: OnceLock::new() }
    }

    /// The certificates that its containers are to trust, in PEM; `None`: those that they have.
    ///
    /// # Errors
    ///
    /// Why there are none, in words.
    pub fn bundle(&self) -> Result<Option<String>, String> {
        let Rules { trust, secrets, .. } = &self.rules;
        if secrets.is_empty() {
            return Ok(trust.as_ref().map(Trust::bundle));
        }
        let own = self.seals()?.authority.pem();
        let all = trust.as_ref().map_or_else(|| Trust::system().bundle(), Trust::bundle);
        Ok(Some(all + &own))
    }

    pub(crate) fn seals(&self) -> Result<Arc<Seals>, String> {
        let make = || {
            let system = Trust::system();
            Seals::new(self.rules.trust.as_ref().unwrap_or(&system)).map(Arc::new)
        };
        self.seals.get_or_init(make).clone()
    }

    /// That of a container; `on_record` gets what becomes of each connection, at its end.
    pub fn lease(self: &Arc<Self>, on_record: impl Fn(Record) + Send + Sync + 'static) -> Lease {
        let secrets = self.rules.secrets.iter();
        let placeholders = secrets.map(|secret| (secret.clone(), secret.placeholder()));
        Lease {
            egress: self.clone(),
            placeholders: placeholders.collect(),
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
    /// What stands in it for the secrets.
    placeholders: Vec<(Arc<Secret>, String)>,
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

    /// The names of the secrets, and what stands for each in this container.
    pub fn placeholders(&self) -> impl Iterator<Item = (&str, &str)> {
        self.placeholders.iter().map(|(secret, text)| (secret.name.as_str(), text.as_str()))
    }

    pub(crate) fn has_secrets(&self) -> bool {
        !self.placeholders.is_empty()
    }

    pub(crate) fn has_secret_for(&self, host: &Host, port: u16) -> bool {
        self.placeholders.iter().any(|(secret, _)| secret.is_for(host, port))
    }

    /// What becomes of them on a connection; `sealed`: nobody sees it but the host.
    pub(crate) fn customs(&self, host: &Host, port: u16, sealed: bool, entry: &Entry) -> Customs {
        Customs::new(&self.placeholders, host, port, sealed, entry.seen.clone())
    }

    /// Resolves with [`Self::end`].
    pub async fn ended(&self) {
        self.over.cancelled().await;
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
