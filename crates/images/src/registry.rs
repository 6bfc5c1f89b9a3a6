//! Images in registries.
//!
//! Three layers are fetched at a time, each into a file that a pull which was cut off leaves behind: the next
//! one goes on where that ends. Layers are unpacked in their order, while others still come.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;
use oci_client::{
    client::{BlobResponse, ClientConfig, ClientProtocol, SizedStream},
    errors::{OciDistributionError, OciErrorCode},
    manifest::{
        OciDescriptor, OciImageManifest, IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE,
        OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
    },
    secrets::RegistryAuth,
    Client, Reference, RegistryOperation,
};
use scientist_pool_protocol::images::{Credentials, Fault};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{spawn_blocking, JoinHandle},
};

use crate::{
    blob::{Digest, Hash},
    config::{Config, Manifest, MOST},
    failure::{refused, During, Failure, Result},
    lock,
    store::{Image, Store, Tree},
};

/// How many layers are fetched at once; as Docker does.
const AT_ONCE: usize = 3;
/// How often a layer is asked for again when the way to the registry fails; as Docker does.
const TRIES: u32 = 5;
/// The wait before the second try; twice as long before each further one.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest silence.
const SILENCE: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(15);
/// How often it is looked whether another process has fetched a layer.
const LOOK: Duration = Duration::from_millis(50);
/// How many bytes there are between two words about them.
const STEP: u64 = 1 << 20;
const MANIFESTS: [&str; 4] = [
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
];

/// One step of a pull.
pub struct Step<'a> {
    /// `None`: it is about the whole image.
    pub layer: Option<&'a Digest>,
    pub status: &'a str,
    /// Bytes so far, and in all.
    pub extent: Option<(u64, u64)>,
}

pub type OnStep = Arc<dyn Fn(Step<'_>) + Send + Sync>;

/// An image in a registry.
pub struct Remote {
    client: Client,
    reference: Reference,
    told: OnStep,
}

impl Remote {
    pub fn new(name: &str, told: OnStep) -> Result<Self> {
        let reference: Reference =
            name.parse().map_err(|error| refused(format!("{name:?}: {error}")))?;
        // Twice is no harm, and fails.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let registry = reference.resolve_registry();
        let protocol = if is_this_machine(registry) {
            ClientProtocol::HttpsExcept(vec![registry.to_owned()])
        } else {
            ClientProtocol::Https
        };
        let config = ClientConfig {
            protocol,
            read_timeout: Some(SILENCE),
            connect_timeout: Some(CONNECT),
            user_agent: concat!("scientist-pool/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(failure)?;
        Ok(Self { client, reference, told })
    }

    /// Gets the image into the store, unless all of it is there.
    pub async fn pull(
        self,
        store: Arc<Store>,
        name: &str,
        credentials: Option<Credentials>,
    ) -> Result<(Image, Tree)> {
        let this = Arc::new(self);
        this.say(&format!("Pulling from {}", this.reference.repository()));
        let auth = auth(credentials)?;
        let logged_in = this.client.auth(&this.reference, &auth, RegistryOperation::Pull).await;
        logged_in.map_err(failure)?;
        let (digest, manifest) = this.manifest(&auth).await?;
        let config = this.config(&manifest).await?;
        let image_store = store.clone();
        let chain = config.chain();
        let wanted = chain.clone();
        let highest = move || image_store.highest(&wanted);
        let (there, mut tree) = blocking(highest).await?;
        let is_new = there < chain.len();
        let layers = this.clone().fetch(&store, &manifest, &chain, there)?;
        for (index, fetched) in (there..chain.len()).zip(layers) {
            let fetched = fetched.await.during("fetch a layer")??;
            let (store, told) = (store.clone(), this.told.clone());
            let (id, diff_id) = (chain[index].clone(), config.rootfs.diff_ids[index].clone());
            let work = move || unpack(&store, tree, &id, &diff_id, fetched, &told);
            tree = Some(blocking(work).await?);
        }
        let tree = tree.ok_or_else(|| refused("it has no layers"))?;
        this.say(&format!("Digest: {digest}"));
        let news = if is_new { "Downloaded newer image" } else { "Image is up to date" };
        this.say(&format!("Status: {news} for {name}"));
        let image = store.note(name, digest, config, &tree)?;
        Ok((image, tree))
    }

    fn say(&self, status: &str) {
        (self.told)(Step { layer: None, status, extent: None });
    }

    async fn manifest(&self, auth: &RegistryAuth) -> Result<(Digest, OciImageManifest)> {
        let mut reference = self.reference.clone();
        // An index, and what it leads to.
        for _ in 0..2 {
            let pulled = self.client.pull_manifest_raw(&reference, auth, &MANIFESTS).await;
            let (bytes, digest) = pulled.map_err(failure)?;
            if bytes.len() as u64 > MOST {
                return Err(refused(format!("its manifest has {} bytes", bytes.len())));
            }
            match Manifest::parse(&bytes)? {
                Manifest::Image(manifest) => return Ok((digest.try_into()?, *manifest)),
                Manifest::ForPlatform(chosen) => {
                    reference = reference.clone_with_digest(chosen.to_string());
                }
            }
        }
        Err(refused("its index leads to another index"))
    }

    async fn config(&self, manifest: &OciImageManifest) -> Result<Config> {
        let size = manifest.config.size;
        if u64::try_from(size).is_ok_and(|size| size > MOST) {
            return Err(refused(format!("its configuration has {size} bytes")));
        }
        let stream = self.client.pull_blob_stream(&self.reference, &manifest.config).await;
        let mut stream = stream.map_err(failure)?;
        let mut bytes = Vec::new();
        while let Some(more) = stream.next().await {
            bytes.extend_from_slice(&more.during("fetch its configuration").map_err(network)?);
            if bytes.len() as u64 > MOST {
                return Err(refused(format!("its configuration has more than {MOST} bytes")));
            }
        }
        let digest = Digest::of(&bytes);
        if digest.to_string() != manifest.config.digest {
            let wanted = &manifest.config.digest;
            return Err(refused(format!("its configuration is {digest}, and not {wanted}")));
        }
        Config::parse(&bytes, manifest.layers.len())
    }

    /// Begins to fetch all layers from one on.
    fn fetch(
        self: Arc<Self>,
        store: &Arc<Store>,
        manifest: &OciImageManifest,
        chain: &[Digest],
        from: usize,
    ) -> Result<Vec<Fetching>> {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut all = Vec::new();
        for (layer, id) in manifest.layers.iter().zip(chain).skip(from) {
            let blob = Blob {
                remote: self.clone(),
                store: store.clone(),
                digest: layer.digest.clone().try_into()?,
                size: u64::try_from(layer.size)
                    .map_err(|_| refused(format!("a layer of {} bytes", layer.size)))?,
                // Without the addresses beside the registry that a manifest may name.
                layer: OciDescriptor { urls: None, ..layer.clone() },
                chain: id.clone(),
            };
            blob.say("Pulling fs layer", None);
            let turns = turns.clone();
            all.push(Fetching(tokio::spawn(async move {
                let turn = turns
                    .acquire_owned()
                    .await
                    .map_err(io::Error::other)
                    .during("fetch a layer")?;
                blob.get(turn).await
            })));
        }
        Ok(all)
    }
}

/// Ends with whoever waits for it.
struct Fetching(JoinHandle<Result<Fetched>>);

impl std::future::Future for Fetching {
    type Output = std::result::Result<Result<Fetched>, tokio::task::JoinError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(context)
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A layer that is here.
struct Fetched {
    digest: Digest,
    as_what: Form,
}

enum Form {
    Compressed(File),
    /// By somebody else, or for another image.
    Unpacked(Tree),
}

/// A layer of an image in a registry.
struct Blob {
    remote: Arc<Remote>,
    store: Arc<Store>,
    layer: OciDescriptor,
    digest: Digest,
    size: u64,
    /// What it is unpacked as.
    chain: Digest,
}

impl Blob {
    fn say(&self, status: &str, extent: Option<(u64, u64)>) {
        (self.remote.told)(Step { layer: Some(&self.digest), status, extent });
    }

    async fn get(self, _turn: OwnedSemaphorePermit) -> Result<Fetched> {
        let _held = self.hold().await?;
        let (store, chain) = (self.store.clone(), self.chain.clone());
        let as_what = match blocking(move || store.tree(&chain)).await? {
            Some(tree) => {
                self.say("Already exists", None);
                Form::Unpacked(tree)
            }
            None => Form::Compressed(self.download().await?),
        };
        Ok(Fetched { digest: self.digest, as_what })
    }

    async fn download(&self) -> Result<File> {
        let mut tries = 0;
        loop {
            let failure = match self.attempt().await {
                Ok(file) => {
                    self.say("Download complete", None);
                    return Ok(file);
                }
                Err(failure) => failure.explained(self.store.root()),
            };
            tries += 1;
            if failure.is_full() || failure.fault == Fault::Refused {
                // What is here of it is of no use, or in the way.
                let _ = fs::remove_file(self.store.part_path(&self.digest));
            }
            let most = match failure.fault {
                Fault::Registry => TRIES,
                // What was there before may have been the damaged part.
                Fault::Refused => 2,
                _ => 1,
            };
            if tries >= most {
                return Err(failure);
            }
            self.say(&format!("Retrying: {failure}"), None);
            tokio::time::sleep(FIRST_WAIT * 2_u32.pow(tries - 1)).await;
        }
    }

    /// The lock on its file, as soon as no other process has it.
    async fn hold(&self) -> Result<File> {
        let path = self.store.lock_path(&self.digest);
        let mut waited = false;
        loop {
            if let Some(held) = lock::try_exclusive(&path)? {
                return Ok(held);
            }
            if !waited {
                self.say("Waiting for another process", None);
                waited = true;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Fetches what is not there yet.
    async fn attempt(&self) -> Result<File> {
        let path = self.store.part_path(&self.digest);
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.at("open", &path)?;
        let mut there = file.metadata().at("look at", &path)?.len();
        let mut hash = Hash::default();
        if there > self.size {
            return Err(refused(format!(
                "{} has {there} bytes, not {}",
                path.display(),
                self.size
            )));
        }
        if there > 0 {
            (file, hash) = blocking(move || {
                hash_all(&mut file, &mut hash).during("read what is there of a layer")?;
                Ok((file, hash))
            })
            .await?;
        }
        if there < self.size {
            let client = &self.remote.client;
            let asked =
                client.pull_blob_stream_partial(&self.remote.reference, &self.layer, there, None);
            let mut stream = match asked.await.map_err(failure)? {
                BlobResponse::Partial(stream) => stream,
                BlobResponse::Full(stream) => {
                    file.set_len(0).at("empty", &path)?;
                    file.rewind().at("empty", &path)?;
                    (there, hash) = (0, Hash::default());
                    stream
                }
            };
            self.take(&mut stream, &mut file, &mut hash, there).await?;
        }
        let found = hash.digest();
        if found != self.digest {
            return Err(refused(format!("a layer came as {found}, and not as {}", self.digest)));
        }
        file.rewind().at("read", &path)?;
        Ok(file)
    }

    async fn take(
        &self,
        stream: &mut SizedStream,
        file: &mut File,
        hash: &mut Hash,
        mut there: u64,
    ) -> Result<()> {
        let mut told = there;
        self.say("Downloading", Some((there, self.size)));
        while let Some(bytes) = stream.next().await {
            let bytes = bytes.during("fetch a layer").map_err(network)?;
            there += bytes.len() as u64;
            if there > self.size {
                return Err(refused(format!("a layer has more than its {} bytes", self.size)));
            }
            hash.update(&bytes);
            file.write_all(&bytes).during("write a layer")?;
            if there - told >= STEP || there == self.size {
                told = there;
                self.say("Downloading", Some((there, self.size)));
            }
        }
        if there < self.size {
            let message = format!("a layer ended after {there} of {} bytes", self.size);
            return Err(Failure::new(Fault::Registry, message));
        }
        Ok(())
    }
}

fn hash_all(file: &mut File, hash: &mut Hash) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// Makes a tree of a layer that was fetched.
fn unpack(
    store: &Store,
    below: Option<Tree>,
    id: &Digest,
    diff_id: &Digest,
    fetched: Fetched,
    told: &OnStep,
) -> Result<Tree> {
    let layer = Some(&fetched.digest);
    let say = |status| told(Step { layer, status, extent: None });
    let _held = lock::exclusive(&store.lock_path(id))?;
    let tree = match (store.tree(id)?, fetched.as_what) {
        (Some(tree), _) | (None, Form::Unpacked(tree)) => tree,
        (None, Form::Compressed(file)) => {
            say("Extracting");
            let built = store.build(below.as_ref(), id, Some(diff_id), file);
            if built.as_ref().is_err_and(Failure::is_full) {
                // It can be fetched again where there is room again.
                let _ = fs::remove_file(store.part_path(&fetched.digest));
            }
            let tree = built?;
            say("Pull complete");
            tree
        }
    };
    // What was fetched is not needed any more.
    let _ = fs::remove_file(store.part_path(&fetched.digest));
    Ok(tree)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work).await.during("work on the store")?
}

/// Registries that are spoken to without TLS; as Docker does.
fn is_this_machine(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => registry,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn auth(credentials: Option<Credentials>) -> Result<RegistryAuth> {
    match credentials {
        None => Ok(RegistryAuth::Anonymous),
        Some(Credentials::Password { username, password }) => {
            Ok(RegistryAuth::Basic(username, password))
        }
        Some(Credentials::IdentityToken(_)) => {
            let message = "the credentials for its registry are an identity token, which is not \
                           taken here: log in with a password or an access key";
            Err(Failure::new(Fault::Denied, message))
        }
    }
}

fn network(failure: Failure) -> Failure {
    match failure.errno {
        None => Failure { fault: Fault::Registry, ..failure },
        Some(_) => failure,
    }
}

/// What a registry, or the way to it, says.
fn failure(error: OciDistributionError) -> Failure {
    use OciDistributionError as E;
    let fault = match &error {
        E::AuthenticationFailure(_) | E::UnauthorizedError { .. } => Fault::Denied,
        E::ImageManifestNotFoundError(_) => Fault::NotFound,
        E::RegistryError { envelope, .. } => {
            let has = |codes: &[OciErrorCode]| {
                envelope.errors.iter().any(|error| codes.contains(&error.code))
            };
            use OciErrorCode::{Denied, ManifestUnknown, NameUnknown, NotFound, Unauthorized};
            if has(&[ManifestUnknown, NameUnknown, NotFound]) {
                Fault::NotFound
            } else if has(&[Denied, Unauthorized]) {
                Fault::Denied
            } else {
                Fault::Registry
            }
        }
        E::ServerError { code: 404, .. } => Fault::NotFound,
        E::ServerError { code: 401 | 403, .. } => Fault::Denied,
        E::DigestError(_)
        | E::ManifestParsingError(_)
        | E::VersionedParsingError(_)
        | E::UnsupportedMediaTypeError(_)
        | E::UnsupportedSchemaVersionError(_)
        | E::SpecViolationError(_) => Fault::Refused,
        _ => Fault::Registry,
    };
    Failure::new(fault, words(&error))
}

/// What it says, with all that lies beneath it, which says why.
fn words(error: &OciDistributionError) -> String {
    if let OciDistributionError::RegistryError { envelope, url } = error {
        let said: Vec<_> = envelope.errors.iter().map(|error| error.message.as_str()).collect();
        return format!("{} ({url})", said.join("; "));
    }
    let mut words = error.to_string();
    let mut beneath = std::error::Error::source(error);
    while let Some(error) = beneath {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        beneath = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_on_this_machine_are_spoken_to_without_tls() {
        for registry in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000"]
        {
            assert!(is_this_machine(registry), "{registry}");
        }
        for registry in ["localhost.example.org", "10.0.0.1:5000", "h.io", "127.0.0.1.h.io:80"] {
            assert!(!is_this_machine(registry), "{registry}");
        }
    }
}
