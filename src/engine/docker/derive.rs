//! Images that are another one with a layer on top.
//!
//! A container that is never started takes the layer in, and is committed. Its name says what it is for, so there
//! is one at a time: whoever finds the name taken waits for the image, or for the end of who has it. As every
//! container it has labels of its owner, by which what a dead one has left is swept.

use std::{
    collections::{HashMap, HashSet},
    io::Read,
    sync::Arc,
    time::Duration,
};

use bollard::config::ContainerCreateBody;
use bytes::Bytes;
use futures_util::stream;
use tokio::{runtime::Handle, time::sleep};

use super::{
    super::{
        background::Background, registry::reference::Reference, KeptImage, Layer, Making, OnPull,
        PullProgress, Recipe, Vitals,
    },
    client::{Client, ListedImage},
    fault::Fault,
    hold::{self, Hold},
    owner::Owner,
    remove::{discard, remove},
    sweep,
};
use crate::error::{Code, Error, Result};

/// What derived images are called, with a tag that says what went in.
const REPOSITORY: &str = "scientist-pool/packages";
/// Of a derived image: what was put on top, and of which image.
const PACKAGES: &str = "scientist-pool.packages";
const IMAGE: &str = "scientist-pool.image";
/// How much of a key is in a name.
const KEY: usize = 32;
/// Between two looks for what another process makes.
const LOOK: Duration = Duration::from_millis(250);
/// How much of a layer is read at once.
const PIECE: usize = 256 << 10;

/// What is derived of an image.
pub(super) struct Derived {
    pub image: Reference,
    _hold: Hold,
}

/// Gets what is derived from an image by a recipe.
///
/// # Errors
///
/// The layer's, and the engine's.
pub(super) async fn derive(
    client: &Arc<Client>,
    background: &Background,
    base: &Reference,
    recipe: &Recipe,
    on_pull: OnPull,
    layer: Making<'_>,
) -> Result<Derived> {
    let failed = |call: &str, fault: Fault| client.error(call, fault).image(base.as_str());
    let id =
        client.image_id(base.as_str()).await.map_err(|fault| failed("inspect image", fault))?;
    let key = recipe.key(&id);
    let key = &key[..KEY];
    let image = Reference::parse(&format!("{REPOSITORY}:{key}"))?;
    let found = || async {
        match client.image_id(image.as_str()).await {
            Ok(id) => Ok(Some(id)),
            Err(fault) if fault.is_missing() => Ok(None),
            Err(fault) => Err(failed("inspect image", fault)),
        }
    };
    let there = || async {
        let Some(id) = found().await? else { return Ok(None) };
        let Some(_hold) = hold::share(&id) else { return Ok(None) };
        // It may have been removed before it was held.
        let same = found().await?.is_some_and(|now| now == id);
        Ok(same.then(|| Derived { image: image.clone(), _hold }))
    };
    let mut vessel = loop {
        if let Some(derived) = there().await? {
            return Ok(derived);
        }
        let mut vessel = Vessel {
            client: client.clone(),
            background: background.clone(),
            name: format!("scientist-pool-packages-{key}"),
            made: None,
        };
        let _expected = client.roster().expect(&vessel.name);
        match client.create_container(&vessel.name, body(&id, base, recipe)).await {
            Ok(id) => {
                vessel.made = Some(client.roster().enter(&id));
                break vessel;
            }
            Err(Fault::Refused { status: 409, .. }) => {
                // Of a process that is gone it is nobody's any more. A sweep that fails is tried again.
                let _ = sweep::sweep(client).await;
                sleep(LOOK).await;
            }
            Err(fault) => {
                if fault.may_have_happened() {
                    vessel.discard(false);
                }
                return Err(failed("create container", fault));
            }
        }
    };
    // Whoever had the name may have made it meanwhile.
    let mut derived = there().await?;
    if derived.is_none() {
        let layer = layer.await?;
        on_pull(PullProgress {
            image: base.as_str().to_owned(),
            layer: None,
            status: "Extracting".to_owned(),
            current: None,
            total: None,
        });
        let kept = client.put_archive(&vessel.name, pieces(layer)).await;
        kept.map_err(|fault| failed("put the packages into a container", fault))?;
        let made = client.commit(&vessel.name, REPOSITORY, key, disowned()).await;
        made.map_err(|fault| failed("commit container", fault))?;
        derived = there().await?;
    }
    remove(client, &vessel.name).await?;
    vessel.made = None;
    derived.ok_or_else(|| {
        let message = "the engine has committed an image, and does not have it; see its log";
        Error::new(Code::EngineError, message).image(base.as_str())
    })
}

/// The images that were derived.
///
/// # Errors
///
/// The engine's.
pub(super) async fn images(client: &Client) -> Result<Vec<KeptImage>> {
    let failed = |fault| client.error("list images", fault);
    let images = client.list_images(PACKAGES).await.map_err(failed)?;
    if images.is_empty() {
        // An empty filter would be none.
        return Ok(Vec::new());
    }
    let ids: Vec<_> = images.iter().map(|image| image.id.clone()).collect();
    let containers = client.list_containers_of(&ids).await.map_err(failed)?;
    let used: HashSet<_> = containers.into_iter().map(|container| container.image_id).collect();
    let mut images: Vec<_> = images.into_iter().map(|image| kept(image, &used)).collect();
    images.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(images)
}

/// Removes those of them that are not in use; gives them.
///
/// # Errors
///
/// The engine's.
pub(super) async fn prune(client: &Client) -> Result<Vec<KeptImage>> {
    let mut removed = Vec::new();
    for image in images(client).await?.into_iter().filter(|image| !image.in_use) {
        let Some(_claim) = hold::claim(&image.digest) else { continue };
        match client.remove_image(&image.digest).await {
            Ok(()) => removed.push(image),
            // Somebody else has removed it, or uses it by now.
            Err(Fault::Refused { status: 404 | 409, .. }) => {}
            Err(fault) => return Err(client.error("remove image", fault)),
        }
    }
    Ok(removed)
}

fn kept(image: ListedImage, used: &HashSet<String>) -> KeptImage {
    let ListedImage { id, size, created, labels, .. } = image;
    let label = |name: &str| labels.get(name).map_or("", String::as_str);
    let name = format!("{} + {}", label(IMAGE), label(PACKAGES));
    let in_use = used.contains(&id) || hold::claim(&id).is_none();
    KeptImage { name, in_use, digest: id, size, since: created }
}

/// What is put on top is said by the container, whose labels an engine has its image keep.
fn body(image: &str, base: &Reference, recipe: &Recipe) -> ContainerCreateBody {
    let labels = Owner::current().labels().map(|(name, value)| (name.to_owned(), value));
    let mut labels: HashMap<String, String> = labels.into_iter().collect();
    labels.insert(PACKAGES.to_owned(), recipe.title.clone());
    labels.insert(IMAGE.to_owned(), base.as_str().to_owned());
    ContainerCreateBody {
        image: Some(image.to_owned()),
        labels: Some(labels),
        ..ContainerCreateBody::default()
    }
}

/// Has the image have no owner, unlike the container that it is made of: lines as a Dockerfile has them.
fn disowned() -> String {
    Owner::current().labels().map(|(name, _)| format!("LABEL {name}=")).join("\n")
}

/// A layer, read as it is sent. One that can't be read to its end is cut off, which its own form shows.
fn pieces(mut layer: Layer) -> impl futures_util::Stream<Item = Bytes> + Send + 'static {
    stream::unfold((), move |()| {
        let mut piece = vec![0; PIECE];
        let read = layer.file.read(&mut piece).unwrap_or_default();
        piece.truncate(read);
        std::future::ready((read > 0).then(|| (Bytes::from(piece), ())))
    })
}

/// A container that takes the layer in. One that is given up is removed in the background.
struct Vessel {
    client: Arc<Client>,
    background: Background,
    name: String,
    /// It is there, and on the roster: else it would be taken for one that nobody wants.
    made: Option<Vitals>,
}

impl Vessel {
    fn discard(&self, certain: bool) {
        let (client, name) = (self.client.clone(), self.name.clone());
        self.background.spawn(&Handle::current(), async move {
            // What can't be removed even so keeps its labels, and the next sweep finds it.
            let _ = discard(&client, &name, certain).await;
        });
    }
}

impl Drop for Vessel {
    fn drop(&mut self) {
        if self.made.is_some() {
            self.discard(true);
        }
    }
}
