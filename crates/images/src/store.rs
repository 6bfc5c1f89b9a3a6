//! Which trees and images there are; how they come and go whole.
//!
//! ```text
//! trees/<chain id>/root/     a root file system, complete
//! trees/<chain id>/sum.json  what is in it, in short
//! images/<name's digest>     what an image's name stands for
//! blobs/<digest>.part        what is fetched of a layer so far
//! locks/<digest>             held by whoever fetches or unpacks that
//! tmp/                       what is on its way in or out; a next start removes what nobody holds
//! ```
//!
//! All of it is its owner's alone. Trees come by a rename, after all of it is on the disk: one that is there
//! is whole. Whoever uses one holds a shared lock on its folder, and nobody removes it then.

use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File},
    io::{ErrorKind, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::DirBuilderExt,
    },
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::fs::{flock, syncfs, FlockOperation};
use scientist_pool_protocol::images;
use serde::{Deserialize, Serialize};

use crate::{
    blob::{decompressed, Digest, Hashing},
    config::{Config, Process},
    failure::{refused, During, Result},
    folder::{self, open_folder, Sum},
    layer, lock,
};

const TREES: &str = "trees";
const IMAGES: &str = "images";
const BLOBS: &str = "blobs";
const LOCKS: &str = "locks";
const TEMPORARY: &str = "tmp";
/// In a tree's folder.
const ROOT: &str = "root";
const SUM: &str = "sum.json";

pub struct Store {
    root: PathBuf,
    /// Hears what is found damaged.
    told: OnDamage,
}

pub type OnDamage = Box<dyn Fn(Damage<'_>) + Send + Sync>;

/// What is found damaged, and got again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage<'a> {
    /// A tree, by its chain id.
    Tree(&'a Digest),
    /// What is noted of the image with that name.
    Note(&'a str),
}

/// A tree that nobody removes as long as this is held.
#[derive(Debug)]
pub struct Tree {
    held: OwnedFd,
    pub size: u64,
}

/// What an image's name stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// As users write it.
    pub name: String,
    /// Of its manifest, or of its configuration where it came without one.
    pub digest: Digest,
    /// Of its trees, the lowest first.
    pub chain: Vec<Digest>,
    /// Bytes of files.
    pub size: u64,
    /// When it was last got, in s since the epoch.
    pub pulled: u64,
    /// `NAME=value`
    pub env: Vec<String>,
    /// As [`Process::user`].
    pub user: String,
    /// As [`Process::working_dir`].
    pub working_dir: String,
}

impl Store {
    /// Where it is for this user: in the folder of caches.
    pub fn place() -> Option<PathBuf> {
        let named = |name| {
            std::env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute())
        };
        let caches = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))?;
        Some(caches.join("scientist-pool/images"))
    }

    /// Opens the store in a folder, made if it is not there; removes what dead processes have left.
    pub fn open(root: &Path, told: OnDamage) -> Result<Self> {
        let make = |path: &Path| {
            DirBuilder::new().recursive(true).mode(0o700).create(path).at("make the folder", path)
        };
        make(root)?;
        let store = Self { root: root.to_owned(), told };
        for part in [TREES, IMAGES, BLOBS, LOCKS, TEMPORARY] {
            make(&root.join(part))?;
        }
        store.sweep()?;
        Ok(store)
    }

    pub fn lock_path(&self, digest: &Digest) -> PathBuf {
        self.root.join(LOCKS).join(digest.hex())
    }

    pub fn part_path(&self, digest: &Digest) -> PathBuf {
        self.root.join(BLOBS).join(format!("{}.part", digest.hex()))
    }

    fn tree_path(&self, chain: &Digest) -> PathBuf {
        self.root.join(TREES).join(chain.hex())
    }

    fn image_path(&self, name: &str) -> PathBuf {
        self.root.join(IMAGES).join(Digest::of(name.as_bytes()).hex())
    }

    /// The tree, if it is there and as it was when it was made. One that is not is put out of the way, to be
    /// made again.
    pub fn tree(&self, chain: &Digest) -> Result<Option<Tree>> {
        let folder = self.tree_path(chain);
        let Some(held) = lock::share_folder(&folder)? else { return Ok(None) };
        let there = fs::read(folder.join(SUM)).ok();
        let told: Option<Sum> = there.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let found = open_folder(&held, c"root").and_then(|root| folder::sum(root.as_fd())).ok();
        match (told, found) {
            (Some(told), Some(found)) if told == found => Ok(Some(Tree { held, size: found.size })),
            _ => {
                (self.told)(Damage::Tree(chain));
                self.put_away(&folder)?;
                drop(held);
                // It may take up the room of the new one. What can't be removed now is by the next sweep.
                let _ = self.sweep();
                Ok(None)
            }
        }
    }

    /// Puts a layer onto the tree below it. Whoever has the lock of `chain` is the only one to do so.
    ///
    /// `layer` may be compressed. `diff_id`: what it is to be when it is not; `None`: anything.
    pub fn build(
        &self,
        below: Option<&Tree>,
        chain: &Digest,
        diff_id: Option<&Digest>,
        layer: impl Read,
    ) -> Result<Tree> {
        let new = self.temporary()?;
        let built = self.build_in(&new, below, chain, diff_id, layer);
        // While there still is what takes up the room.
        built.map_err(|failure| failure.explained(&self.root))
    }

    fn build_in(
        &self,
        new: &Temporary,
        below: Option<&Tree>,
        chain: &Digest,
        diff_id: Option<&Digest>,
        layer: impl Read,
    ) -> Result<Tree> {
        let root = new.path.join(ROOT);
        DirBuilder::new().mode(0o755).create(&root).at("make the folder", &root)?;
        let root = File::open(&root).at("open", &root)?;
        let owners = layer::gives_owners();
        if let Some(below) = below {
            let below = open_folder(&below.held, c"root")?;
            folder::copy(below.as_fd(), root.as_fd(), owners)?;
        }
        let mut layer = Hashing::new(decompressed(layer).during("decompress the layer")?);
        layer::apply(&mut layer, root.as_fd(), owners)?;
        let found = layer.digest().during("decompress the layer")?;
        if let Some(told) = diff_id.filter(|told| found != **told) {
            return Err(refused(format!("a layer is {found}, and not {told}: it is damaged")));
        }
        let sum = folder::sum(root.as_fd())?;
        let bytes = serde_json::to_vec(&sum).during("write down what is in the tree")?;
        write(&new.path.join(SUM), &bytes)?;
        syncfs(&root).during("bring the tree to the disk")?;
        let folder = self.tree_path(chain);
        // The same lock as that of `new`, from now on shared.
        let held = new.held.try_clone().at("hold", &new.path)?;
        flock(&held, FlockOperation::LockShared).at("lock", &new.path)?;
        fs::rename(&new.path, &folder).at("put the tree at", &folder)?;
        Ok(Tree { held, size: sum.size })
    }

    /// The highest tree that is there, and how many are up to it.
    pub fn highest(&self, chain: &[Digest]) -> Result<(usize, Option<Tree>)> {
        for (below, id) in chain.iter().enumerate().rev() {
            if let Some(tree) = self.tree(id)? {
                return Ok((below + 1, Some(tree)));
            }
        }
        Ok((0, None))
    }

    /// What a name stands for. A note that can't be read is none.
    pub fn image(&self, name: &str) -> Option<Image> {
        let note = self.image_path(name);
        let image = read(&note).filter(|image| image.name == name);
        if image.is_none() && note.exists() {
            (self.told)(Damage::Note(name));
        }
        image
    }

    /// Notes what a name stands for from now on.
    pub fn note(&self, name: &str, digest: Digest, config: Config, tree: &Tree) -> Result<Image> {
        let (name, chain, size) = (name.to_owned(), config.chain(), tree.size);
        let Process { env, user, working_dir } = config.config;
        self.write_note(Image { name, digest, chain, size, pulled: 0, env, user, working_dir })
    }

    /// As [`Store::note`], of an image that is known, as got now.
    pub fn write_note(&self, image: Image) -> Result<Image> {
        let pulled = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let image = Image { pulled, ..image };
        let bytes = serde_json::to_vec(&image).during("write down what the image is")?;
        let new = self.temporary()?;
        let draft = new.path.join("image");
        write(&draft, &bytes).map_err(|failure| failure.explained(&self.root))?;
        let path = self.image_path(&image.name);
        fs::rename(draft, &path).at("write", &path)?;
        Ok(image)
    }

    /// An image as others are told of it.
    pub fn shown(&self, image: Image, in_use: bool) -> images::Image {
        let folder = image.chain.last().map(|top| self.tree_path(top)).unwrap_or_default();
        let root = folder.join(ROOT);
        let Image { name, digest, size, pulled, env, user, working_dir, .. } = image;
        let digest = digest.to_string();
        images::Image { name, digest, size, pulled, in_use, env, user, working_dir, root, folder }
    }

    /// All images, by name, and whether a process uses them.
    pub fn images(&self) -> Result<Vec<(Image, bool)>> {
        let mut images = Vec::new();
        for image in self.files(IMAGES)?.iter().filter_map(|path| read(path)) {
            let tree = image.chain.last().map(|top| self.tree_path(top));
            if let Some(tree) = tree.filter(|tree| tree.exists()) {
                let in_use = lock::claim_folder(&tree)?.is_none();
                images.push((image, in_use));
            }
        }
        images.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        Ok(images)
    }

    /// Removes every image that no process uses, and all that belongs to no image. Gives what is removed.
    pub fn prune(&self) -> Result<Vec<Image>> {
        let (mut removed, mut used) = (Vec::new(), HashSet::new());
        for (image, in_use) in self.images()? {
            if in_use {
                used.insert(self.image_path(&image.name));
                used.extend(image.chain.iter().map(|id| self.tree_path(id)));
            } else {
                removed.push(image);
            }
        }
        for note in self.files(IMAGES)?.into_iter().filter(|note| !used.contains(note)) {
            fs::remove_file(&note).at("remove", &note)?;
        }
        for tree in self.files(TREES)?.into_iter().filter(|tree| !used.contains(tree)) {
            // Somebody may have begun to use it meanwhile, or builds on it.
            if let Some(_claimed) = lock::claim_folder(&tree)? {
                self.put_away(&tree)?;
            }
        }
        for part in self.files(BLOBS)? {
            let lock = self.root.join(LOCKS).join(part.file_stem().unwrap_or_default());
            if let Some(_held) = lock::try_exclusive(&lock)? {
                fs::remove_file(&part).at("remove", &part)?;
            }
        }
        for lock in self.files(LOCKS)? {
            if let Some(_held) = lock::try_exclusive(&lock)? {
                fs::remove_file(&lock).at("remove", &lock)?;
            }
        }
        self.sweep()?;
        Ok(removed)
    }

    /// A file that is gone when it is closed.
    pub fn unnamed_file(&self) -> Result<File> {
        let folder = self.temporary()?;
        let path = folder.path.join("file");
        File::options().read(true).write(true).create_new(true).open(&path).at("make", &path)
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn temporary(&self) -> Result<Temporary> {
        Temporary::new(&self.root.join(TEMPORARY)).map_err(|failure| failure.explained(&self.root))
    }

    fn files(&self, part: &str) -> Result<Vec<PathBuf>> {
        let folder = self.root.join(part);
        let entries = fs::read_dir(&folder).at("read", &folder)?;
        entries.map(|entry| entry.map(|entry| entry.path()).at("read", &folder)).collect()
    }

    /// Takes a tree out of the store. It is removed once nobody holds it.
    fn put_away(&self, tree: &Path) -> Result<()> {
        let name = format!("away-{}", unique());
        match fs::rename(tree, self.root.join(TEMPORARY).join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other.at("put away", tree),
        }
    }

    fn sweep(&self) -> Result<()> {
        for path in self.files(TEMPORARY)? {
            if let Some(claimed) = lock::claim_folder(&path)? {
                remove(&path)?;
                drop(claimed);
            }
        }
        Ok(())
    }
}

/// A folder of this process that goes with it, unless it has become something else by a rename.
struct Temporary {
    path: PathBuf,
    held: OwnedFd,
}

impl Temporary {
    fn new(parent: &Path) -> Result<Self> {
        loop {
            let path = parent.join(format!("new-{}", unique()));
            DirBuilder::new().mode(0o700).create(&path).at("make the folder", &path)?;
            // A sweep in between takes it for left behind.
            if let Some(held) = lock::claim_folder(&path)? {
                return Ok(Self { path, held });
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What can't be removed now is by the next sweep.
        let _ = remove(&self.path);
    }
}

fn remove(path: &Path) -> Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let parent = File::open(parent).at("open", parent)?;
    let name = std::ffi::CString::new(name.as_bytes()).during("remove a folder")?;
    folder::remove(parent.as_fd(), &name)
}

fn read(note: &Path) -> Option<Image> {
    serde_json::from_slice(&fs::read(note).ok()?).ok()
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create(path).at("make", path)?;
    file.write_all(bytes).at("write", path)?;
    file.sync_all().at("write", path)
}

/// A name that no process has for anything, whatever its number.
fn unique() -> String {
    use std::{collections::hash_map::RandomState, hash::BuildHasher};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}
