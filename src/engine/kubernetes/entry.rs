//! The connection to a cluster, made anew where what it was entered by is no longer good.
//!
//! Tokens with a time of expiry, and files of tokens, are renewed by the crate. Certificates, tokens without such a time,
//! and those that are withdrawn before it, are not: there the API server's word is what tells.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hyper_util::{
    client::legacy::{connect::HttpConnector, Client as Hyper},
    rt::TokioExecutor,
};
use kube::{client::ConfigExt, Config};
use tokio::{sync::Mutex as AsyncMutex, task::spawn_blocking};

use super::{fault::Fault, place::Place};
use crate::{config::KubernetesConfig, error::Result, task};

/// Between two renewals at least, so that a program that gives bad credentials is not run for each request.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Entry {
    place: Arc<Place>,
    config: KubernetesConfig,
    current: Arc<Mutex<Arc<kube::Client>>>,
    /// When another one was last tried to be made; held by the one who does that.
    tried: Arc<AsyncMutex<Option<Instant>>>,
}

impl Entry {
    /// Contacts nothing, unless a program of the kubeconfig's does that gives credentials.
    ///
    /// # Errors
    ///
    /// `ENGINE_UNAVAILABLE`: certificates or credentials can't be used.
    pub async fn new(place: Arc<Place>, config: KubernetesConfig) -> Result<Self> {
        let current = Arc::new(Mutex::new(Arc::new(connect(&place).await?)));
        Ok(Self { place, config, current, tried: Arc::default() })
    }

    pub fn connection(&self) -> Arc<kube::Client> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another one than `refused`; `None`: there is none to be had for now.
    pub async fn renew(&self, refused: &Arc<kube::Client>) -> Option<Arc<kube::Client>> {
        let mut tried = self.tried.clone().lock_owned().await;
        let known = self.connection();
        if !Arc::ptr_eq(&known, refused) {
            return Some(known);
        }
        if tried.is_some_and(|tried| tried.elapsed() < PAUSE) {
            return None;
        }
        *tried = Some(Instant::now());
        let (place, config) = (self.place.clone(), self.config.clone());
        let current = self.current.clone();
        // A task, so that a caller who goes away does not leave another one to run the same program beside it.
        let making = task::spawn(async move {
            let _held = tried;
            let Ok(place) = place.again(&config) else { return };
            if let Ok(made) = connect(&place).await {
                *current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(made);
            }
        });
        making.await.ok()?;
        let made = self.connection();
        (!Arc::ptr_eq(&made, refused)).then_some(made)
    }
}

async fn connect(place: &Place) -> Result<kube::Client> {
    let config = place.config().await?;
    // It reads files, and waits for the program that gives credentials.
    let kube = spawn_blocking(move || client(&config)).await;
    let kube = kube.map_err(|why| Fault::Unreachable(why.to_string()));
    let kube = kube.and_then(|kube| kube.map_err(Fault::from));
    kube.map_err(|why| why.told("connect", place))
}

/// As the crate makes it, but for TCP's waiting: a small write would wait there for the answer to the one before
/// it, 40 ms.
fn client(config: &Config) -> kube::Result<kube::Client> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(config.connect_timeout);
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let hyper = Hyper::builder(TokioExecutor::new()).build(connector);
    let service = tower::ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(tower::BoxError::from)
        .service(hyper);
    Ok(kube::Client::new(service, config.default_namespace.clone()))
}
