//! The way out of a container: the proxy that answers on its loopback, and the account of what went through.

use std::{
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt;
use scientist_pool_egress::{
    BadRule, Egress, Lease, Limits, Place, Record, Rules, SecretSettings, Settings, Trust,
};
use serde::Serialize;
use tokio::{
    sync::{watch, Semaphore},
    time::{sleep, timeout},
};

use super::trust;
use crate::{
    config::{ContainerConfig, EgressConfig, Narrowed, Proxied, SecretConfig, SecretPlace},
    engine::{Connections, Engine, Handover},
    error::{Code, Error, Result},
    runner::{proxy, relay},
    task,
};

/// How long after a failed accept it is tried again: this process may be short of descriptors.
const AGAIN: Duration = Duration::from_millis(50);
/// How long the result of a call waits for the ends of connections that its processes have just closed.
const SETTLE: Duration = Duration::from_millis(50);
/// The most entries that a result has, and the most that one container's events tell.
const MOST_TOLD: usize = 1000;

/// Gets the id of a container, and what went out of it.
pub type OnRecord = Arc<dyn Fn(&str, &Record) + Send + Sync>;

/// What a pool's containers can reach, and whom that is told.
pub struct Border {
    egress: Arc<Egress>,
    /// Of one container, at once.
    most: usize,
    on_record: OnRecord,
    counts: Arc<Counts>,
    /// What its containers are to trust; put together for the first of them.
    bundle: OnceLock<std::result::Result<Option<Bytes>, String>>,
}

/// Of all containers of a pool, since it was made.
#[derive(Debug, Default)]
struct Counts {
    open: AtomicU64,
    allowed: AtomicU64,
    refused: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
}

/// [`Border::usage`].
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// Connections to the proxy, at this moment.
    pub open: u64,
    pub allowed: u64,
    pub refused: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
}

impl Counts {
    fn add(&self, record: &Record) {
        let connections = if record.allowed { &self.allowed } else { &self.refused };
        connections.fetch_add(1, Ordering::Relaxed);
        self.bytes_sent.fetch_add(record.bytes_sent, Ordering::Relaxed);
        self.bytes_received.fetch_add(record.bytes_received, Ordering::Relaxed);
    }
}

impl Border {
    /// As the configuration says; `None`: nothing leads out of the containers.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`: the entry that makes no sense, by its path.
    pub fn of(
        config: &ContainerConfig,
        egress: &EgressConfig,
        on_record: OnRecord,
    ) -> Result<Option<Self>> {
        let Some(proxied) = config.network.proxied() else { return Ok(None) };
        let rules = rules(proxied, egress)
            .map_err(|bad| Error::new(Code::InvalidArgument, format!("{bad}.")))?;
        let most = proxied.max_connections;
        let egress = Arc::new(Egress::new(rules));
        Ok(Some(Self { egress, most, on_record, counts: Arc::default(), bundle: OnceLock::new() }))
    }

    /// Has its containers trust what this machine does, where it trusts anybody and nothing else is said.
    pub(super) fn trusting_machine(self) -> Self {
        if let Ok(None) = self.bundle() {
            let own = Trust::system().bundle();
            let bundle = OnceLock::from(Ok((!own.is_empty()).then(|| Bytes::from(own))));
            return Self { bundle, ..self };
        }
        self
    }

    /// The certificates that its containers are to trust; `None`: those that they have.
    ///
    /// # Errors
    ///
    /// Why there are none, in words.
    pub(super) fn bundle(&self) -> std::result::Result<Option<Bytes>, String> {
        let make = || self.egress.bundle().map(|bundle| bundle.map(Bytes::from));
        self.bundle.get_or_init(make).clone()
    }

    pub fn usage(&self) -> Traffic {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Traffic {
            open: read(&self.counts.open),
            allowed: read(&self.counts.allowed),
            refused: read(&self.counts.refused),
            bytes_sent: read(&self.counts.bytes_sent),
            bytes_received: read(&self.counts.bytes_received),
        }
    }

    /// What its processes connect to on the port of the proxy, where nobody listens yet.
    pub(super) async fn relay(
        &self,
        engine: &dyn Engine,
        id: &str,
        handover: Option<Handover>,
    ) -> Result<Connections> {
        relay::start(engine, id, proxy::PROXY_PORT, self.most, handover).await
    }

    /// The way out of a new container, for as long as it is there.
    pub(super) fn open(&self, id: &str, mut connections: Connections) -> WayOut {
        let accounts = Arc::new(Accounts::default());
        let (own, counts, on_record) =
            (accounts.clone(), self.counts.clone(), self.on_record.clone());
        let id = id.to_owned();
        let told = AtomicU64::new(0);
        let lease = Arc::new(self.egress.lease(move |record| {
            counts.add(&record);
            if told.fetch_add(1, Ordering::Relaxed) < MOST_TOLD as u64 {
                on_record(&id, &record);
            }
            own.enter(record);
        }));
        let (under_way, _) = watch::channel(0);
        let has_bundle = matches!(self.bundle(), Ok(Some(_)));
        let trusted = trust::variables().filter(|_| has_bundle);
        let placeholders =
            lease.placeholders().map(|(name, text)| (name.to_owned(), text.to_owned()));
        let variables = placeholders.chain(trusted).collect();
        let way = WayOut { lease: lease.clone(), accounts, under_way, variables };
        let (under_way, counts) = (way.under_way.clone(), self.counts.clone());
        let room = Arc::new(Semaphore::new(self.most));
        task::spawn(async move {
            // Those for whom there is no room wait on the other side.
            while let Ok(place) = room.clone().acquire_owned().await {
                let next = tokio::select! {
                    () = lease.ended() => break,
                    next = connections.next() => next,
                };
                match next {
                    Some(Ok(stream)) => {
                        let open = Open::count(under_way.clone(), counts.clone());
                        let lease = lease.clone();
                        task::spawn(async move {
                            lease.serve(stream).await;
                            drop((open, place));
                        });
                    }
                    Some(Err(_)) => sleep(AGAIN).await,
                    None => break,
                }
            }
        });
        way
    }
}

fn rules(proxied: &Proxied, egress: &EgressConfig) -> std::result::Result<Rules, BadRule> {
    let Proxied { allow, deny, hosts, opaque, ca, resolver, .. } = proxied;
    let secret = |(name, secret): (&String, &SecretConfig)| SecretSettings {
        name: name.clone(),
        value: secret.value.0.clone(),
        hosts: secret.hosts.clone(),
        places: secret.places.iter().copied().map(place).collect(),
    };
    Rules::parse(&Settings {
        allow: allow.clone(),
        deny: deny.clone(),
        hosts: hosts.clone(),
        opaque: *opaque,
        ca: ca.clone(),
        resolver: resolver.clone(),
        secrets: egress.secrets.iter().map(secret).collect(),
        limits: Limits {
            connect: proxied.connect_timeout,
            idle: proxied.idle_timeout,
            sent: Some(proxied.max_sent_bytes),
            received: Some(proxied.max_received_bytes),
        },
    })
}

fn place(place: SecretPlace) -> Place {
    match place {
        SecretPlace::Header => Place::Header,
        SecretPlace::Query => Place::Query,
        SecretPlace::Body => Place::Body,
    }
}

/// That of one container. Dropped, or ended, all its connections end.
pub(super) struct WayOut {
    lease: Arc<Lease>,
    accounts: Arc<Accounts>,
    /// How many connections are under way.
    under_way: watch::Sender<usize>,
    variables: Vec<(String, String)>,
}

impl WayOut {
    /// What every call is told by its environment, unless the call itself says something else.
    pub(super) fn tell(&self, env: &mut Vec<(String, String)>) {
        let said = |name: &str| env.iter().any(|(own, _)| own == name);
        let untold = self.variables.iter().filter(|(name, _)| !said(name));
        let untold: Vec<_> = untold.cloned().collect();
        env.extend(untold);
    }

    /// Nothing goes out any more.
    pub(super) fn end(&self) {
        self.lease.end();
    }

    /// Begins to account for a call, which `narrowed` holds to less than its pool's network.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`: that is not less.
    pub(super) fn account(&self, narrowed: Option<&Narrowed>) -> Result<Account<'_>> {
        let narrowing = narrowed
            .map(|Narrowed { allow, deny }| self.lease.narrow(allow, deny))
            .transpose()
            .map_err(|bad| Error::new(Code::InvalidArgument, format!("{bad}.")))?;
        let number = self.accounts.open();
        Ok(Account { way: self, number, _narrowing: narrowing })
    }
}

impl Drop for WayOut {
    fn drop(&mut self) {
        self.end();
    }
}

/// What goes out during a call.
pub(super) struct Account<'a> {
    way: &'a WayOut,
    number: u64,
    /// Dropped, the call's rules are.
    _narrowing: Option<scientist_pool_egress::Narrowing>,
}

impl Account<'_> {
    /// All of it; of connections under way, what those come to that end now. `over`: all of them do, as the
    /// container is about to end.
    pub(super) async fn close(self, over: bool) -> Vec<Record> {
        if over {
            self.way.end();
        }
        let mut under_way = self.way.under_way.subscribe();
        let _ = timeout(SETTLE, under_way.wait_for(|count| *count == 0)).await;
        self.way.accounts.close(self.number)
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        self.way.accounts.close(self.number);
    }
}

/// Of the calls under way in a container. Whose of them a connection is nobody can tell: it is entered in all.
#[derive(Debug, Default)]
struct Accounts(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    next: u64,
    open: Vec<(u64, Vec<Record>)>,
}

impl Accounts {
    fn open(&self) -> u64 {
        let mut books = self.lock();
        books.next += 1;
        let number = books.next;
        books.open.push((number, Vec::new()));
        number
    }

    fn enter(&self, record: Record) {
        for (_, account) in &mut self.lock().open {
            if account.len() < MOST_TOLD {
                account.push(record.clone());
            }
        }
    }

    /// What is in it; nothing, if it is closed already.
    fn close(&self, number: u64) -> Vec<Record> {
        let mut books = self.lock();
        let at = books.open.iter().position(|(open, _)| *open == number);
        at.map(|at| books.open.swap_remove(at).1).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        // Nothing done under this lock can leave them half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection under way.
struct Open {
    under_way: watch::Sender<usize>,
    counts: Arc<Counts>,
}

impl Open {
    fn count(under_way: watch::Sender<usize>, counts: Arc<Counts>) -> Self {
        under_way.send_modify(|count| *count += 1);
        counts.open.fetch_add(1, Ordering::Relaxed);
        Self { under_way, counts }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.under_way.send_modify(|count| *count -= 1);
        self.counts.open.fetch_sub(1, Ordering::Relaxed);
    }
}
