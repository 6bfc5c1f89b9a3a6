//! How trees and images come and go.

use std::{
    fs,
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::support::Layer;
use flate2::{write::GzEncoder, Compression};
use scientist_pool_images::{
    archive::{self, Form},
    blob::Digest,
    derived,
    failure::Result,
    store::{Damage, Image, OnDamage, Store, Tree},
};
use scientist_pool_protocol::images::Fault;
use serde_json::{json, Value};
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> Store {
        self.store_telling(Box::new(|_| {}))
    }

    fn store_telling(&self, told: OnDamage) -> Store {
        Store::open(&self.0.path().join("store"), told).unwrap()
    }

    fn files(&self, part: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.path().join("store").join(part)).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// A file as `docker save` writes it.
    fn saved(&self, name: &str, layers: &[Vec<u8>]) -> PathBuf {
        let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
        let config = json!({ "config": { "Env": ["A=b"] }, "rootfs": { "diff_ids": diff_ids } });
        let names: Vec<_> = (0..layers.len()).map(|index| format!("{index}/layer.tar")).collect();
        let manifest = json!([{ "Config": "config.json", "Layers": names }]);
        let mut archive = Archive::new().json("config.json", &config);
        for (name, layer) in names.iter().zip(layers) {
            archive = archive.file(name, layer);
        }
        archive.json("manifest.json", &manifest).write(&self.0.path().join(name))
    }
}

struct Archive(tar::Builder<Vec<u8>>);

impl Archive {
    fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    fn file(mut self, name: &str, content: &[u8]) -> Self {
        let mut header = crate::support::header(0o644, 0, 0);
        header.set_size(content.len() as u64);
        self.0.append_data(&mut header, name, content).unwrap();
        self
    }

    fn json(self, name: &str, value: &Value) -> Self {
        self.file(name, value.to_string().as_bytes())
    }

    fn blob(self, content: &[u8]) -> Self {
        let name = format!("blobs/sha256/{}", Digest::of(content).hex());
        self.file(&name, content)
    }

    fn write(self, path: &Path) -> PathBuf {
        fs::write(path, self.0.into_inner().unwrap()).unwrap();
        path.to_owned()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::fast());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

fn load(store: &Store, form: Form, path: &Path) -> Result<(Image, Tree)> {
    archive::load(store, "archive", form, path, &|_, _| {})
}

fn root(store: &Store, image: &Image) -> PathBuf {
    store.shown(image.clone(), true).root
}

fn two_layers() -> Vec<Vec<u8>> {
    vec![
        Layer::new().file("a/one", "1").file("a/two", "2").bytes(),
        Layer::new().file("a/.wh.one", "").file("b", "3").bytes(),
    ]
}

#[test]
fn what_docker_saves_becomes_the_tree_of_its_layers() {
    let place = Place::new();
    let store = place.store();
    let path = place.saved("saved.tar", &two_layers());
    let (image, _tree) = load(&store, Form::Docker, &path).unwrap();
    let root = root(&store, &image);
    assert!(!root.join("a/one").exists());
    assert_eq!(fs::read_to_string(root.join("a/two")).unwrap(), "2");
    assert_eq!((image.env, image.size), (vec!["A=b".to_owned()], 2));
    assert!(place.files("tmp").is_empty());
}

#[test]
fn an_archive_may_be_compressed_as_a_whole() {
    let place = Place::new();
    let path = place.saved("saved.tar", &two_layers());
    fs::write(&path, gzip(&fs::read(&path).unwrap())).unwrap();
    load(&place.store(), Form::Docker, &path).unwrap();
}

#[test]
fn an_oci_layout_is_read_by_its_digests() {
    let place = Place::new();
    let store = place.store();
    let layers = two_layers();
    let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
    let config = json!({ "rootfs": { "diff_ids": diff_ids } }).to_string();
    let blobs: Vec<_> = layers.iter().map(|layer| gzip(layer)).collect();
    let of = |bytes: &[u8], kind: &str| json!({ "mediaType": kind, "digest": Digest::of(bytes), "size": bytes.len() });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": of(config.as_bytes(), "application/vnd.oci.image.config.v1+json"),
        "layers": blobs.iter().map(|blob| of(blob, "application/vnd.oci.image.layer.v1.tar+gzip"))
            .collect::<Vec<_>>(),
    })
    .to_string();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [of(manifest.as_bytes(), "application/vnd.oci.image.manifest.v1+json")],
    });
    let mut archive = Archive::new().json("index.json", &index).blob(manifest.as_bytes());
    for blob in &blobs {
        archive = archive.blob(blob);
    }
    let damaged = config.replace("diff_ids", "diff_idz");
    let name = format!("blobs/sha256/{}", Digest::of(config.as_bytes()).hex());
    let path = place.0.path().join("oci.tar");
    let whole = archive.blob(config.as_bytes()).write(&path);
    let (image, _tree) = load(&store, Form::Oci, &whole).unwrap();
    assert_eq!(fs::read_to_string(root(&store, &image).join("b")).unwrap(), "3");
    assert_eq!(image.digest, Digest::of(manifest.as_bytes()));

    let archive = Archive::new().json("index.json", &index).blob(manifest.as_bytes());
    let path = archive.file(&name, damaged.as_bytes()).write(&path);
    let error = load(&store, Form::Oci, &path).unwrap_err();
    assert!(error.message.contains("it is damaged"), "{error}");
}

#[test]
fn images_share_the_trees_and_files_of_their_common_base() {
    let place = Place::new();
    let store = place.store();
    let base = Layer::new().file("base", "text").bytes();
    let one = place.saved("one.tar", &[base.clone(), Layer::new().file("one", "").bytes()]);
    let two = place.saved("two.tar", &[base, Layer::new().file("two", "").bytes()]);
    let (one, _one) = load(&store, Form::Docker, &one).unwrap();
    let (two, _two) = load(&store, Form::Docker, &two).unwrap();
    let inode = |image| fs::metadata(root(&store, image).join("base")).unwrap().ino();
    assert_eq!(inode(&one), inode(&two));
    assert_eq!(place.files("trees").len(), 3);
}

#[test]
fn a_layer_that_is_not_what_the_image_says_leaves_nothing() {
    let place = Place::new();
    let layers = two_layers();
    let path = place.saved("saved.tar", &layers);
    let damaged = String::from_utf8_lossy(&fs::read(&path).unwrap()).replace("a/two", "a/TWO");
    fs::write(&path, damaged).unwrap();
    let error = load(&place.store(), Form::Docker, &path).unwrap_err();
    assert_eq!(error.fault, Fault::Refused, "{error}");
    assert!(place.files("trees").is_empty() && place.files("tmp").is_empty());
}

#[test]
fn an_archive_that_is_none_says_so() {
    let place = Place::new();
    let store = place.store();
    let path = Archive::new().file("file", b"").write(&place.0.path().join("other.tar"));
    let error = load(&store, Form::Docker, &path).unwrap_err();
    assert!(error.message.contains("no archive of `docker save`"), "{error}");
    let error = load(&store, Form::Oci, &path).unwrap_err();
    assert!(error.message.contains("no OCI layout"), "{error}");
    let error = load(&store, Form::Docker, Path::new("/no/such/file.tar")).unwrap_err();
    assert_eq!(error.fault, Fault::NotFound, "{error}");
}

#[test]
fn a_tree_in_which_a_file_is_missing_or_cut_off_is_said_and_made_again() {
    let place = Place::new();
    let (say, heard) = std::sync::mpsc::channel();
    let say = std::sync::Mutex::new(say);
    let told = move |what: Damage<'_>| say.lock().unwrap().send(format!("{what:?}")).unwrap();
    let store = place.store_telling(Box::new(told));
    let path = place.saved("saved.tar", &two_layers());
    for damage in [(|path| fs::remove_file(path)) as fn(&PathBuf) -> _, |path| fs::write(path, "")]
    {
        let (image, tree) = load(&store, Form::Docker, &path).unwrap();
        let file = root(&store, &image).join("a/two");
        damage(&file).unwrap();
        drop(tree);
        load(&store, Form::Docker, &path).unwrap();
        assert_eq!(fs::read_to_string(file).unwrap(), "2");
        let tree = Damage::Tree(image.chain.last().unwrap());
        // The file is that of the tree below, too, which is looked at next.
        assert_eq!(heard.try_iter().next(), Some(format!("{tree:?}")));
        assert!(place.files("tmp").is_empty());
    }
}

#[test]
fn a_note_that_can_not_be_read_is_said_and_stands_for_nothing() {
    let place = Place::new();
    let (say, heard) = std::sync::mpsc::channel();
    let say = std::sync::Mutex::new(say);
    let told = move |what: Damage<'_>| say.lock().unwrap().send(format!("{what:?}")).unwrap();
    let store = place.store_telling(Box::new(told));
    assert!(store.image("archive").is_none());
    assert_eq!(heard.try_iter().count(), 0, "one that is not there is not damaged");
    let path = place.saved("saved.tar", &two_layers());
    let (image, _tree) = load(&store, Form::Docker, &path).unwrap();
    for garbage in ["", "{", "[1]", "\0"] {
        fs::write(&place.files("images")[0], garbage).unwrap();
        assert!(store.image("archive").is_none());
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), ["Note(\"archive\")"]);
    }
    load(&store, Form::Docker, &path).unwrap();
    assert_eq!(store.image("archive").unwrap().chain, image.chain);
}

#[test]
fn nothing_in_use_is_pruned_and_everything_else_is() {
    let place = Place::new();
    let store = place.store();
    let path = place.saved("saved.tar", &two_layers());
    let (image, tree) = load(&store, Form::Docker, &path).unwrap();
    fs::write(store.part_path(&Digest::of(b"layer")), "half").unwrap();
    assert!(store.prune().unwrap().is_empty());
    assert_eq!(fs::read_to_string(root(&store, &image).join("b")).unwrap(), "3");
    assert_eq!(store.images().unwrap(), [(image.clone(), true)]);
    assert_eq!(place.files("trees").len(), 2, "what it is made of stays, too");
    drop(tree);
    assert_eq!(store.prune().unwrap(), [image]);
    for part in ["trees", "images", "blobs", "locks", "tmp"] {
        assert_eq!(place.files(part), Vec::<PathBuf>::new());
    }
}

#[test]
fn what_a_dead_process_was_making_is_removed_by_the_next() {
    let place = Place::new();
    drop(place.store());
    let left = place.0.path().join("store/tmp/new-0000");
    fs::create_dir_all(left.join("root/etc")).unwrap();
    place.store();
    assert!(!left.exists());
}

#[test]
fn two_at_once_make_a_tree_once() {
    let place = Place::new();
    let store = place.store();
    let path = place.saved("saved.tar", &two_layers());
    let made = std::sync::Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let told = |_: &Digest, status: &str| {
                    *made.lock().unwrap() += usize::from(status == "Extracting");
                };
                archive::load(&store, "archive", Form::Docker, &path, &told).unwrap();
            });
        }
    });
    assert_eq!(*made.lock().unwrap(), 2, "one for each layer");
}

#[test]
fn what_is_derived_is_made_once_and_has_all_that_its_base_says() {
    let place = Place::new();
    let store = place.store();
    let path = place.saved("saved.tar", &two_layers());
    let (base, _tree) = load(&store, Form::Docker, &path).unwrap();
    let top = base.chain.last().unwrap().hex().to_owned();
    let derive = |recipe: &str, layer: Option<Vec<u8>>| {
        let layer = || Ok(std::io::Cursor::new(layer.unwrap()));
        derived::derive(&store, "archive", &top, "archive + c", recipe, layer)
    };
    let layer = gzip(&Layer::new().file("c", "4").bytes());
    let (image, _held) = derive("c", Some(layer)).unwrap();
    let root = root(&store, &image);
    assert_eq!(fs::read_to_string(root.join("b")).unwrap(), "3");
    assert_eq!(fs::read_to_string(root.join("c")).unwrap(), "4");
    assert_eq!((image.name.as_str(), &image.env), ("archive + c", &base.env));
    // Nobody asks for the layer a second time.
    let (again, _held) = derive("c", None).unwrap();
    assert_eq!(again.digest, image.digest);
    let (other, _held) = derive("d", Some(Layer::new().file("d", "5").bytes())).unwrap();
    assert_ne!(other.digest, image.digest);
}

#[test]
fn nothing_is_derived_of_a_layer_that_was_cut_off_or_of_another_base() {
    let place = Place::new();
    let store = place.store();
    let path = place.saved("saved.tar", &two_layers());
    let (base, _tree) = load(&store, Form::Docker, &path).unwrap();
    let top = base.chain.last().unwrap().hex().to_owned();
    let trees = place.files("trees").len();
    let layer = gzip(&Layer::new().file("c", &"4".repeat(100_000)).bytes());
    let cut = layer[..layer.len() / 2].to_vec();
    let layer = || Ok(std::io::Cursor::new(cut));
    derived::derive(&store, "archive", &top, "archive + c", "c", layer).unwrap_err();
    let layer = || -> Result<std::io::Empty> { panic!("nobody asks for it") };
    let error = derived::derive(&store, "archive", "0", "archive + c", "c", layer).unwrap_err();
    assert!(error.message.contains("pulled again or removed"), "{}", error.message);
    assert_eq!(place.files("trees").len(), trees);
    assert!(place.files("tmp").is_empty());
}
