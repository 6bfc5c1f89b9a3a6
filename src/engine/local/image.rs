//! What a container's root is made of: an image of the store, a folder, or this machine's own programs.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use once_cell::sync::Lazy;
use scientist_pool_protocol::{Bind, User};

use super::{
    store::{self, Tree},
    user,
};
use crate::{
    config::{ContainerConfig, PullPolicy},
    engine::{
        registry::{flights::Flights, reference::Reference},
        KeptImage, Making, OnPull, Recipe,
    },
    error::{Code, Error, Result},
};

/// Programs look here unless the image says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What this machine's programs need beside `/usr`: where their libraries are, and which of several is meant
/// by a name.
const HOST_FILES: [&str; 2] = ["/etc/ld.so.cache", "/etc/alternatives"];

static FLIGHTS: Lazy<Flights<Arc<Tree>>> = Lazy::new(Flights::default);

/// Whether no other engine can have such an image: it is this machine itself, or a file or a folder of it.
/// In no other name is a colon before a slash.
pub fn has_alone(name: &str) -> bool {
    name == "host" || name.contains(":/")
}

/// The root file system of a pool's containers.
pub(super) struct Image {
    name: Name,
    pull: PullPolicy,
    /// Zero: no deadline.
    pull_timeout: Duration,
    /// The program of the store.
    program: PathBuf,
    /// As the option has it; `None`: as the image says.
    user: Option<String>,
    /// As [`ContainerConfig::home`].
    home: Option<String>,
    /// What it was found to be, once it is prepared.
    ready: Mutex<Option<Ready>>,
}

struct Ready {
    contents: Contents,
    /// Held for as long as this is, if the store has it.
    tree: Option<Arc<Tree>>,
}

/// As the option `image` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// `host`: `/usr` of this machine.
    Host,
    /// `dir:PATH`: a folder with a root file system in it.
    Folder(PathBuf),
    /// `docker-archive:FILE` or `oci-archive:FILE`.
    Archive(String),
    /// In a registry.
    Remote(Reference),
}

/// What containers of an image have in common.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Contents {
    /// As [`scientist_pool_protocol::Layers::folders`].
    pub folders: Vec<PathBuf>,
    /// `NAME=value`, as the image sets them.
    pub env: Vec<String>,
    pub user: User,
    /// Where processes begin.
    pub cwd: String,
}

impl Image {
    /// `program`: of the store.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`: the name is of no form.
    pub(super) fn new(config: &ContainerConfig, program: PathBuf) -> Result<Self> {
        Ok(Self {
            name: Name::parse(&config.image)?,
            pull: config.pull,
            pull_timeout: config.pull_timeout,
            program,
            user: config.user.clone(),
            home: config.home.clone(),
            ready: Mutex::default(),
        })
    }

    /// Makes sure that it is there.
    ///
    /// # Errors
    ///
    /// `IMAGE_NOT_FOUND`, `IMAGE_PULL_FAILED`. `INVALID_ARGUMENT`: it knows no such `user`.
    pub(super) async fn prepare(&self, on_pull: OnPull) -> Result<()> {
        let (root, tree) = match &self.name {
            Name::Host => (None, None),
            Name::Folder(path) => match std::fs::metadata(path) {
                Ok(found) if found.is_dir() => (Some(path.clone()), None),
                Ok(_) => return Err(self.not_found("it is no folder")),
                Err(error) => return Err(self.not_found(&error.to_string())),
            },
            Name::Archive(name) => {
                let tree = self.get(name, None, on_pull).await?;
                (Some(tree.root.clone()), Some(tree))
            }
            Name::Remote(reference) => {
                let key = reference.credentials_key();
                let tree = self.get(reference.as_str(), key, on_pull).await?;
                (Some(tree.root.clone()), Some(tree))
            }
        };
        let contents = self.found(root, tree.as_deref())?;
        self.be(contents, tree);
        Ok(())
    }

    /// Has what is prepared, with the layer of a recipe on top.
    ///
    /// # Errors
    ///
    /// The layer's; `IMAGE_PULL_FAILED`. `INVALID_ARGUMENT`: the store does not have what is prepared.
    pub(super) async fn derive(
        &self,
        recipe: &Recipe,
        on_pull: OnPull,
        layer: Making<'_>,
    ) -> Result<()> {
        let base = self.lock().as_ref().and_then(|ready| ready.tree.clone());
        let base = base.ok_or_else(|| {
            let message = format!(
                "packages take an image of a registry or an archive on the engine 'local'; got '{self}'"
            );
            Error::new(Code::InvalidArgument, message).image(self.to_string())
        })?;
        let (name, program) = (self.to_string(), self.program.clone());
        let tree = store::derive(program, (&name, &base), recipe, on_pull, layer).await?;
        let contents = self.found(Some(tree.root.clone()), Some(&tree))?;
        self.be(contents, Some(Arc::new(tree)));
        Ok(())
    }

    /// Asks the store of all its images: [`store::ask`].
    pub(super) async fn all(&self, command: &'static str) -> Result<Vec<KeptImage>> {
        store::ask(&self.program, command).await
    }

    fn be(&self, contents: Contents, tree: Option<Arc<Tree>>) {
        *self.lock() = Some(Ready { contents, tree });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Ready>> {
        // It is put in as a whole.
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What containers have of a root file system, and of what is said in `tree` of it.
    fn found(&self, root: Option<PathBuf>, tree: Option<&Tree>) -> Result<Contents> {
        let said = tree.map_or("", |tree| &tree.user);
        let user = user::find(root.as_deref(), self.user.as_deref().unwrap_or(said));
        let user = user.map_err(|why| match &self.user {
            Some(user) => {
                let message = format!("user must be one that {self} has; got '{user}': {why}");
                Error::new(Code::InvalidArgument, message).image(self.to_string())
            }
            None => self.not_found(&format!("its user is '{said}': {why}")),
        })?;
        let mut env = tree.map(|tree| tree.env.clone()).unwrap_or_default();
        let mut unless_said = |name: &str, value: &str| {
            if !env.iter().any(|variable| variable.starts_with(name)) {
                env.push(format!("{name}{value}"));
            }
        };
        unless_said("PATH=", PATH);
        unless_said("HOME=", &user.home);
        let folder = tree.map(|tree| tree.working_dir.trim_start_matches('/'));
        let cwd = self.home.clone().unwrap_or_else(|| format!("/{}", folder.unwrap_or_default()));
        Ok(Contents { folders: root.into_iter().collect(), env, user: user.ids, cwd })
    }

    /// Has the store get it. Pulls of one image under way at once are one, for all that wait for it.
    async fn get(&self, name: &str, key: Option<&str>, on_pull: OnPull) -> Result<Arc<Tree>> {
        let policy = match self.pull {
            PullPolicy::Always => "always",
            PullPolicy::Missing => "missing",
            PullPolicy::Never => "never",
        };
        let wanted = store::Wanted {
            program: self.program.clone(),
            name: name.to_owned(),
            policy,
            credentials_key: key.map(str::to_owned),
        };
        let flight = format!("{policy} {name}");
        let shared = FLIGHTS.share(&flight, on_pull, |report| {
            let wanted = wanted.clone();
            async move { store::get(wanted, report).await.map(Arc::new) }
        });
        let limit = self.pull_timeout;
        if limit == Duration::ZERO {
            return shared.await;
        }
        tokio::time::timeout(limit, shared).await.unwrap_or_else(|_| {
            let message = format!(
                "pulling {name} took longer than {} ms; raise pullTimeout, or pull it beforehand \
                 (npx scientist-pool pull {name})",
                limit.as_millis()
            );
            Err(Error::new(Code::ImagePullFailed, message).image(name).timeout(limit))
        })
    }

    /// What is in it, once it is prepared.
    ///
    /// # Errors
    ///
    /// `IMAGE_NOT_FOUND`
    pub(super) fn contents(&self) -> Result<Contents> {
        let ready = self.lock();
        let ready = ready.as_ref().ok_or_else(|| self.not_found("it was not got yet"))?;
        Ok(ready.contents.clone())
    }

    fn not_found(&self, why: &str) -> Error {
        let message = format!("the image {self} can't be used: {why}");
        Error::new(Code::ImageNotFound, message).image(self.to_string())
    }

    pub(super) fn binds(&self) -> Vec<Bind> {
        let Name::Host = self.name else { return Vec::new() };
        let there = HOST_FILES.into_iter().filter(|path| Path::new(path).exists());
        let shown = ["/usr"].into_iter().chain(there);
        let bind = |path: &str| {
            let target = path.to_owned();
            Bind { source: path.into(), target, read_only: true, links: true }
        };
        shown.map(bind).collect()
    }
}

impl Name {
    fn parse(name: &str) -> Result<Self> {
        let form = ["dir:", "docker-archive:", "oci-archive:"]
            .into_iter()
            .find_map(|form| Some((form, name.strip_prefix(form)?)));
        match form {
            Some((form, path)) if !path.starts_with('/') => {
                let message = format!("image must be '{form}' and an absolute path; got '{name}'");
                Err(Error::new(Code::InvalidArgument, message).image(name))
            }
            Some(("dir:", path)) => Ok(Self::Folder(path.into())),
            Some(_) => Ok(Self::Archive(name.to_owned())),
            None if name == "host" => Ok(Self::Host),
            None => {
                let reference = Reference::parse(name)?;
                if reference.pull_name().is_none() {
                    let message = format!(
                        "image must be a name on the engine 'local', which knows no ids; got '{name}'"
                    );
                    return Err(Error::new(Code::InvalidArgument, message).image(name));
                }
                Ok(Self::Remote(reference))
            }
        }
    }
}

impl std::fmt::Display for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Name::Host => f.write_str("host"),
            Name::Folder(path) => write!(f, "dir:{}", path.display()),
            Name::Archive(name) => f.write_str(name),
            Name::Remote(reference) => f.write_str(reference.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_this_machine_is_no_other_engines_image() {
        assert!(["host", "dir:/srv/root", "oci-archive:/a.tar"].into_iter().all(has_alone));
        let others = ["python:3.9-slim", "hostess", "registry:5000/host", "a/dir:tag"];
        assert!(!others.into_iter().any(has_alone));
    }

    #[test]
    fn an_image_is_the_host_a_folder_an_archive_or_in_a_registry() {
        assert_eq!(Name::parse("host").unwrap(), Name::Host);
        assert_eq!(Name::parse("dir:/srv/root").unwrap(), Name::Folder("/srv/root".into()));
        for name in ["docker-archive:/a.tar", "oci-archive:/a.tar"] {
            assert_eq!(Name::parse(name).unwrap(), Name::Archive(name.to_owned()));
        }
        for name in ["python:3.9-slim", "localhost:5000/host", "library/host"] {
            assert!(matches!(Name::parse(name).unwrap(), Name::Remote(_)), "{name}");
        }
    }

    #[test]
    fn what_is_no_image_is_refused_with_what_was_given() {
        let id = "0a".repeat(32);
        for name in ["dir:root", "dir:", "oci-archive:a.tar", "docker-archive:", "", "Python", &id]
        {
            let error = Name::parse(name).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(error.message.contains(name), "{}", error.message);
        }
    }
}
