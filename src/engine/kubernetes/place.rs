//! Which cluster, and which namespace in it.

use std::{env, fmt};

use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use crate::{
    config::KubernetesConfig,
    error::{Code, Error, Result},
};

/// Where the cluster is, and how it is entered, as kubectl would find it; else the cluster that this process
/// runs in.
pub(super) struct Place {
    source: Source,
    server: String,
    pub namespace: String,
}

enum Source {
    /// The service account of the pod that this process runs in.
    Inside,
    File(Box<Kubeconfig>, KubeConfigOptions),
}

impl Place {
    /// Reads files; contacts nothing.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`: what is named can't be read, or is not there. `ENGINE_UNAVAILABLE`: nothing names
    /// a cluster.
    pub fn find(config: &KubernetesConfig) -> Result<Self> {
        let asked = config.kubeconfig.is_some() || config.context.is_some();
        let read = match &config.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        match read {
            Ok(file) if asked || file.current_context.is_some() => Self::of_file(file, config),
            Err(why) if asked || env::var_os("KUBECONFIG").is_some() => {
                let message = format!("the kubeconfig can't be read: {why}");
                Err(Error::new(Code::InvalidArgument, message))
            }
            Ok(_) | Err(_) => Self::inside(config),
        }
    }

    fn of_file(file: Kubeconfig, config: &KubernetesConfig) -> Result<Self> {
        let invalid = |message: String| Error::new(Code::InvalidArgument, message);
        let name = config.context.as_ref().or(file.current_context.as_ref());
        let Some(name) = name else {
            return Err(invalid(
                "kubernetes.context must be given: the kubeconfig has no current context".into(),
            ));
        };
        let context = file.contexts.iter().find(|context| context.name == *name);
        let Some(context) = context.and_then(|context| context.context.as_ref()) else {
            let known: Vec<&str> = file.contexts.iter().map(|known| &*known.name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let message = format!(
                "kubernetes.context must be one of the kubeconfig's ({known}); got '{name}'"
            );
            return Err(invalid(message));
        };
        let cluster = file.clusters.iter().find(|cluster| cluster.name == context.cluster);
        let server = cluster.and_then(|cluster| cluster.cluster.as_ref()?.server.clone());
        let server = server.ok_or_else(|| {
            invalid(format!("the kubeconfig's context '{name}' names no cluster with a server"))
        })?;
        let namespace = config.namespace.clone().or_else(|| context.namespace.clone());
        let options = KubeConfigOptions { context: Some(name.clone()), ..Default::default() };
        Ok(Self {
            server,
            namespace: namespace.unwrap_or_else(|| "default".to_owned()),
            source: Source::File(Box::new(file), options),
        })
    }

    fn inside(config: &KubernetesConfig) -> Result<Self> {
        let found = Config::incluster().map_err(|why| {
            let message = format!(
                "there is no Kubernetes cluster to be found: no kubeconfig (KUBECONFIG, ~/.kube/config) names \
                 one, and this process runs in none ({why})"
            );
            Error::new(Code::EngineUnavailable, message)
        })?;
        Ok(Self {
            server: found.cluster_url.to_string(),
            namespace: config.namespace.clone().unwrap_or(found.default_namespace),
            source: Source::Inside,
        })
    }

    /// The same place, with what it is entered by as it is now.
    ///
    /// # Errors
    ///
    /// As [`Self::find`]; or it is no more to be found, or is another one.
    pub fn again(&self, config: &KubernetesConfig) -> Result<Self> {
        let again = match &self.source {
            Source::Inside => Self::inside(config),
            Source::File(_, KubeConfigOptions { context, .. }) => {
                Self::find(&KubernetesConfig { context: context.clone(), ..config.clone() })
            }
        }?;
        if again.server != self.server {
            let message = format!("the kubeconfig names another cluster by now: {}", again.server);
            return Err(Error::new(Code::EngineUnavailable, message));
        }
        Ok(again)
    }

    /// What a client is made of.
    ///
    /// # Errors
    ///
    /// `ENGINE_UNAVAILABLE`: its certificates or its credentials can't be used.
    pub async fn config(&self) -> Result<Config> {
        let why = match &self.source {
            Source::Inside => match Config::incluster() {
                Ok(config) => return Ok(config),
                Err(why) => why.to_string(),
            },
            Source::File(file, options) => {
                match Config::from_custom_kubeconfig((**file).clone(), options).await {
                    Ok(config) => return Ok(config),
                    Err(why) => why.to_string(),
                }
            }
        };
        let message = format!("the Kubernetes cluster at {self} can't be entered: {why}");
        Err(Error::new(Code::EngineUnavailable, message))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, namespace {}", self.server.trim_end_matches('/'), self.namespace)
    }
}
