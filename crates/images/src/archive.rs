//! Images in files: `docker save`'s (`docker-archive:`), and OCI layouts in a tar archive (`oci-archive:`).

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek},
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

use scientist_pool_protocol::images::Fault;
use serde::Deserialize;
use tar::{Archive, EntryType};

use crate::{
    blob::{decompressed, Digest},
    config::{parse, Config, Manifest, MOST},
    failure::{refused, During, Failure, Result},
    lock,
    store::{Image, Store, Tree},
};

/// The most files in an archive: each layer of an image has four of them in the oldest form.
const MOST_FILES: usize = 100_000;
/// How many indexes may lead to one another before there is a manifest.
const DEEPEST: usize = 4;

/// What is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Docker,
    Oci,
}

/// Gets the image of an archive into the store, unless it is there.
pub fn load(
    store: &Store,
    name: &str,
    form: Form,
    path: &Path,
    told: &dyn Fn(&Digest, &str),
) -> Result<(Image, Tree)> {
    let files = Files::open(store, path)?;
    let found = match form {
        Form::Docker => docker(&files),
        Form::Oci => oci(&files),
    }?;
    let chain = found.config.chain();
    let (mut there, mut tree) = store.highest(&chain)?;
    while there < chain.len() {
        let (id, diff_id) = (&chain[there], &found.config.rootfs.diff_ids[there]);
        let _held = lock::exclusive(&store.lock_path(id))?;
        tree = Some(match store.tree(id)? {
            Some(tree) => tree,
            None => {
                told(diff_id, "Extracting");
                let layer = files.open_file(&found.layers[there])?;
                let built = store.build(tree.as_ref(), id, Some(diff_id), layer)?;
                told(diff_id, "Pull complete");
                built
            }
        });
        there += 1;
    }
    let tree = tree.ok_or_else(|| refused("it has no layers"))?;
    let image = store.note(name, found.digest, found.config, &tree)?;
    Ok((image, tree))
}

/// An image in an archive.
struct Found {
    digest: Digest,
    config: Config,
    /// Names of files.
    layers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

fn docker(files: &Files) -> Result<Found> {
    let list = files
        .read("manifest.json")
        .map_err(|failure| failure.about("it is no archive of `docker save`"))?;
    let saved: Vec<Saved> = parse(&list, "manifest.json")?;
    let [image] = &*saved else {
        let names: Vec<_> = saved.iter().flat_map(|one| one.repo_tags.iter().flatten()).collect();
        let message = format!("it has {} images, not one: {names:?}", saved.len());
        return Err(refused(message));
    };
    let config = files.read(&image.config)?;
    Ok(Found {
        digest: Digest::of(&config),
        config: Config::parse(&config, image.layers.len())?,
        layers: image.layers.clone(),
    })
}

fn oci(files: &Files) -> Result<Found> {
    let mut manifest =
        files.read("index.json").map_err(|failure| failure.about("it is no OCI layout"))?;
    let mut digest = Digest::of(&manifest);
    for _ in 0..DEEPEST {
        match Manifest::parse(&manifest)? {
            Manifest::ForPlatform(chosen) => {
                manifest = files.read_blob(&chosen)?;
                digest = chosen;
            }
            Manifest::Image(image) => {
                let config = files.read_blob(&Digest::try_from(image.config.digest)?)?;
                let layers = image.layers.into_iter().map(|layer| layer.digest.try_into());
                let layers: Vec<Digest> = layers.collect::<Result<_>>()?;
                return Ok(Found {
                    digest,
                    config: Config::parse(&config, layers.len())?,
                    layers: layers.iter().map(blob_name).collect(),
                });
            }
        }
    }
    Err(refused(format!("its indexes lead to one another more than {DEEPEST} times")))
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// The files in an archive, by their names.
struct Files {
    archive: Arc<File>,
    places: HashMap<String, Place>,
}

enum Place {
    File {
        at: u64,
        size: u64,
    },
    /// To a file beside it, as `docker save` has them for a layer that is there twice.
    Link(String),
}

impl Files {
    fn open(store: &Store, path: &Path) -> Result<Self> {
        let opened = File::open(path).at("open", path);
        let file = opened.map_err(|failure| Failure { fault: Fault::NotFound, ..failure })?;
        if !file.metadata().at("look at", path)?.is_file() {
            let message = format!("{} is no file", path.display());
            return Err(Failure::new(Fault::NotFound, message));
        }
        let mut file = uncompressed(store, file)?;
        let mut places = HashMap::new();
        let step = "read the archive";
        file.rewind().during(step)?;
        let mut archive = Archive::new(&mut file);
        for entry in archive.entries_with_seek().during(step)? {
            let entry = entry.during(step)?;
            let Ok(name) = String::from_utf8(entry.path_bytes().into_owned()) else { continue };
            let place = match entry.header().entry_type() {
                EntryType::Regular => {
                    Place::File { at: entry.raw_file_position(), size: entry.size() }
                }
                EntryType::Symlink => match entry.link_name_bytes() {
                    Some(target) => Place::Link(beside(&name, &String::from_utf8_lossy(&target))),
                    None => continue,
                },
                _ => continue,
            };
            places.insert(beside("", &name), place);
            if places.len() > MOST_FILES {
                return Err(refused(format!("it has more than {MOST_FILES} files")));
            }
        }
        Ok(Self { archive: Arc::new(file), places })
    }

    fn open_file(&self, name: &str) -> Result<Part> {
        let mut place = self.places.get(&beside("", name));
        if let Some(Place::Link(target)) = place {
            place = self.places.get(target);
        }
        match place {
            Some(Place::File { at, size }) => {
                Ok(Part { of: self.archive.clone(), at: *at, left: *size })
            }
            _ => Err(refused(format!("it has no file {name}"))),
        }
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let part = self.open_file(name)?;
        if part.left > MOST {
            return Err(refused(format!("{name} has {} bytes", part.left)));
        }
        let mut bytes = Vec::new();
        let mut part = part;
        part.read_to_end(&mut bytes).during(format_args!("read {name}"))?;
        Ok(bytes)
    }

    fn read_blob(&self, digest: &Digest) -> Result<Vec<u8>> {
        let bytes = self.read(&blob_name(digest))?;
        let found = Digest::of(&bytes);
        if found != *digest {
            return Err(refused(format!(
                "a file in it is {found}, and not {digest}: it is damaged"
            )));
        }
        Ok(bytes)
    }
}

/// An archive that may be compressed as a whole, in a file without a name then.
fn uncompressed(store: &Store, file: File) -> Result<File> {
    let mut begin = [0; 4];
    let read = file.read_at(&mut begin, 0).during("read the archive")?;
    let is_plain = !begin[..read].starts_with(&[0x1f, 0x8b]) && begin != [0x28, 0xb5, 0x2f, 0xfd];
    if is_plain {
        return Ok(file);
    }
    let step = "decompress the archive";
    let mut plain = store.unnamed_file()?;
    let copied = io::copy(&mut decompressed(file).during(step)?, &mut plain).during(step);
    copied.map_err(|failure| failure.explained(store.root()))?;
    Ok(plain)
}

/// What `target` means as seen from the file `name`, as a name in the archive.
fn beside(name: &str, target: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A part of a file, read from its beginning to its end.
struct Part {
    of: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Part {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.of.read_at(&mut into[..most], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}
