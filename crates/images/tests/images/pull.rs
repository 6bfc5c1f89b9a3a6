//! How images come from a registry.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Barrier},
    thread,
};

use scientist_pool_images::{
    failure::Result,
    registry::{OnStep, Remote},
    store::{Image, Store, Tree},
};
use scientist_pool_protocol::images::{Credentials, Fault};
use tempfile::TempDir;

use crate::fake::Registry;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> Arc<Store> {
        Arc::new(Store::open(self.0.path(), Box::new(|_| {})).unwrap())
    }

    fn files(&self, part: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.path().join(part)).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn pull(store: &Arc<Store>, name: &str) -> Result<(Image, Tree)> {
    pull_as(store, name, None)
}

fn pull_as(
    store: &Arc<Store>,
    name: &str,
    credentials: Option<Credentials>,
) -> Result<(Image, Tree)> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let told: OnStep = Arc::new(|_| {});
    let remote = Remote::new(name, told).unwrap();
    runtime.block_on(remote.pull(store.clone(), name, credentials))
}

fn text(store: &Store, image: &Image) -> String {
    fs::read_to_string(store.shown(image.clone(), true).root.join("file")).unwrap()
}

#[test]
fn an_image_becomes_a_tree_and_its_compressed_layers_go() {
    let (registry, place) = (Registry::start(), Place::new());
    let store = place.store();
    let (image, _tree) = pull(&store, &registry.image()).unwrap();
    assert_eq!(text(&store, &image), "text");
    assert_eq!(place.files("blobs"), Vec::<PathBuf>::new());
    pull(&store, &registry.image()).unwrap();
    assert_eq!(registry.asked(), [None], "what is there is not fetched again");
}

#[test]
fn a_layer_that_was_cut_off_goes_on_where_it_was() {
    let (registry, place) = (Registry::start(), Place::new());
    let store = place.store();
    registry.cut_once(10_000);
    let (image, _tree) = pull(&store, &registry.image()).unwrap();
    assert_eq!(text(&store, &image), "text");
    assert_eq!(registry.asked(), [None, Some(10_000)]);
}

#[test]
fn a_pull_goes_on_where_that_of_a_dead_process_ended() {
    let (registry, place) = (Registry::start(), Place::new());
    let store = place.store();
    fs::write(store.part_path(&registry.layer), &registry.blob[..20_000]).unwrap();
    let (image, _tree) = pull(&store, &registry.image()).unwrap();
    assert_eq!(text(&store, &image), "text");
    assert_eq!(registry.asked(), [Some(20_000)]);
}

#[test]
fn what_is_there_of_a_layer_and_damaged_is_fetched_anew() {
    let (registry, place) = (Registry::start(), Place::new());
    let store = place.store();
    let longer = vec![0; registry.blob.len() + 1];
    for part in [&longer[..5_000], &longer[..registry.blob.len()], &longer] {
        fs::write(store.part_path(&registry.layer), part).unwrap();
        let (image, tree) = pull(&store, &registry.image()).unwrap();
        assert_eq!(text(&store, &image), "text");
        assert_eq!(registry.asked().last(), Some(&None));
        drop(tree);
        store.prune().unwrap();
    }
}

#[test]
fn a_layer_that_is_not_what_its_digest_says_is_refused_and_leaves_nothing() {
    let (registry, place) = (Registry::start(), Place::new());
    let store = place.store();
    let mut longer = registry.blob.clone();
    longer.push(0);
    for (layer, why) in
        [(vec![0; registry.blob.len()], "a layer came as"), (longer, "has more than")]
    {
        registry.replace_layer(layer);
        let error = pull(&store, &registry.image()).unwrap_err();
        assert_eq!(error.fault, Fault::Refused);
        assert!(error.message.contains(why), "{error}");
        for part in ["trees", "blobs", "images", "tmp"] {
            assert_eq!(place.files(part), Vec::<PathBuf>::new());
        }
    }
}

#[test]
fn a_tag_that_the_registry_does_not_have_is_told_apart() {
    let (registry, place) = (Registry::start(), Place::new());
    let error = pull(&place.store(), &format!("{}/app:2", registry.address)).unwrap_err();
    assert_eq!(error.fault, Fault::NotFound);
    assert!(error.message.contains("manifest unknown"), "{error}");
}

#[test]
fn credentials_open_a_registry_and_others_do_not() {
    let (registry, place) = (Registry::start(), Place::new());
    let store = place.store();
    // "user:pass"
    registry.want_login("Basic dXNlcjpwYXNz");
    let of = |password: &str| Credentials::Password {
        username: "user".to_owned(),
        password: password.to_owned(),
    };
    for credentials in [None, Some(of("wrong"))] {
        let error = pull_as(&store, &registry.image(), credentials).unwrap_err();
        assert_eq!(error.fault, Fault::Denied);
        assert!(!error.message.contains("wrong"), "{error}");
    }
    pull_as(&store, &registry.image(), Some(of("pass"))).unwrap();
}

#[test]
fn a_registry_that_is_not_there_is_named() {
    let place = Place::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = pull(&place.store(), &format!("{free}/app:1")).unwrap_err();
    assert_eq!(error.fault, Fault::Registry);
    assert!(error.message.contains(&free.to_string()), "{error}");
}

#[test]
fn two_who_pull_at_once_fetch_a_layer_once() {
    let (registry, place) = (Registry::start(), Place::new());
    place.store();
    let go = Barrier::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let store = place.store();
                go.wait();
                let (image, _tree) = pull(&store, &registry.image()).unwrap();
                assert_eq!(text(&store, &image), "text");
            });
        }
    });
    assert_eq!(registry.asked(), [None]);
}
