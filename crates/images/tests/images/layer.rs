//! What a layer's entries become in a tree.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::Path,
};

use crate::support::{header, Layer};
use scientist_pool_protocol::images::Fault;
use tar::EntryType;
use tempfile::TempDir;

/// A tree in a folder that has a neighbour, which nothing must reach.
fn tree() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    fs::create_dir(folder.path().join("outside")).unwrap();
    fs::write(folder.path().join("outside/file"), "untouched").unwrap();
    (folder, tree)
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn files_folders_and_links_become_what_they_are() {
    let (_folder, tree) = tree();
    let layer = Layer::new()
        .folder("./a/")
        .file("./a/file", "text")
        .link("a/link", "/a/file")
        .entry(EntryType::Fifo, "a/pipe", "", b"");
    layer.apply(&tree).unwrap();
    assert_eq!(text(tree.join("a/file")), "text");
    assert_eq!(fs::read_link(tree.join("a/link")).unwrap(), Path::new("/a/file"));
    assert!(fs::metadata(tree.join("a/pipe")).unwrap().file_type().is_fifo());
    for name in ["a", "a/file", "a/link"] {
        let found = fs::symlink_metadata(tree.join(name)).unwrap();
        assert_eq!(found.mtime(), 1_000_000_000, "{name}");
    }
}

#[test]
fn a_folder_that_the_archive_does_not_name_is_made() {
    let (_folder, tree) = tree();
    Layer::new().file("a/b/file", "text").apply(&tree).unwrap();
    assert_eq!(text(tree.join("a/b/file")), "text");
}

#[test]
fn a_whiteout_hides_what_is_below_and_leaves_nothing_of_itself() {
    let (_folder, tree) = tree();
    Layer::new().file("a/one", "").file("a/two", "").file("b/c/d", "").apply(&tree).unwrap();
    Layer::new().file("a/.wh.one", "").file(".wh.b", "").file("no/.wh.x", "").apply(&tree).unwrap();
    let left: Vec<_> =
        fs::read_dir(&tree).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["a"]);
    let left: Vec<_> = fs::read_dir(tree.join("a")).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[test]
fn a_whiteout_spares_what_its_own_layer_has_put_there() {
    for first in [true, false] {
        let (_folder, tree) = tree();
        Layer::new().file("a/old", "").file("a/file", "old").apply(&tree).unwrap();
        let layer = Layer::new();
        let layer = if first { layer.file("a/.wh.file", "") } else { layer };
        let layer = layer.file("a/file", "new");
        let layer = if first { layer } else { layer.file("a/.wh.file", "") };
        layer.apply(&tree).unwrap();
        assert_eq!(text(tree.join("a/file")), "new");
    }
}

#[test]
fn an_opaque_folder_has_what_its_own_layer_puts_there_and_nothing_else() {
    for first in [true, false] {
        let (_folder, tree) = tree();
        let below = Layer::new().file("a/old", "").file("a/b/old", "").file("a/c/d/old", "");
        below.apply(&tree).unwrap();
        let layer = Layer::new();
        let layer = if first { layer.file("a/.wh..wh..opq", "") } else { layer };
        let layer = layer.file("a/new", "").file("a/b/new", "");
        let layer = if first { layer } else { layer.file("a/.wh..wh..opq", "") };
        layer.apply(&tree).unwrap();
        let mut left: Vec<_> = ["a/new", "a/b/new", "a/old", "a/b/old", "a/c"]
            .into_iter()
            .filter(|name| tree.join(name).exists())
            .collect();
        left.sort();
        assert_eq!(left, ["a/b/new", "a/new"], "the whiteout first: {first}");
    }
}

#[test]
fn hard_links_are_one_file_also_with_the_layers_below() {
    let (_folder, tree) = tree();
    Layer::new().file("one", "text").hard_link("two", "./one").apply(&tree).unwrap();
    Layer::new().hard_link("sub/three", "/two").apply(&tree).unwrap();
    let inode = |name: &str| fs::metadata(tree.join(name)).unwrap().ino();
    assert_eq!((inode("one"), inode("one")), (inode("two"), inode("sub/three")));
}

#[test]
fn an_entry_takes_the_place_of_an_earlier_one_of_its_name() {
    let (_folder, tree) = tree();
    Layer::new().file("a", "1").file("a", "2").file("b/c", "").link("d", "b").apply(&tree).unwrap();
    assert_eq!(text(tree.join("a")), "2");
    Layer::new().file("b", "a file").folder("a").folder("d").file("d/e", "").apply(&tree).unwrap();
    assert_eq!(text(tree.join("b")), "a file");
    assert!(tree.join("a").is_dir() && tree.join("d/e").is_file());
}

#[test]
fn a_file_that_another_tree_has_too_is_replaced_and_not_written_to() {
    let (folder, tree) = tree();
    Layer::new().file("file", "old").apply(&tree).unwrap();
    let other = folder.path().join("other");
    fs::hard_link(tree.join("file"), &other).unwrap();
    Layer::new().file("file", "new").apply(&tree).unwrap();
    assert_eq!((text(other), text(tree.join("file"))), ("old".into(), "new".into()));
}

#[test]
fn a_name_that_leads_out_is_refused() {
    for name in ["../outside/file", "a/../../outside/file", "/../outside/file", "..", "a/.."] {
        let (folder, tree) = tree();
        let error = Layer::new().file(name, "reached").apply(&tree).unwrap_err();
        assert_eq!(error.fault, Fault::Refused);
        assert!(error.message.contains("leads out of the image"), "{error}");
        let error = Layer::new().hard_link("in", name).apply(&tree).unwrap_err();
        assert_eq!(error.fault, Fault::Refused, "{error}");
        assert_eq!(text(folder.path().join("outside/file")), "untouched");
    }
}

#[test]
fn a_link_in_the_way_leads_to_where_it_would_in_a_container() {
    let (folder, tree) = tree();
    let outside = folder.path().join("outside");
    for (name, target) in [
        ("absolute", outside.to_str().unwrap()),
        ("relative", "../outside"),
        ("deep/relative", "../../../../../outside"),
    ] {
        let layer = Layer::new().link(name, target).file(&format!("{name}/file"), "reached");
        layer.apply(&tree).unwrap();
        assert_eq!(text(outside.join("file")), "untouched", "{name}");
    }
    let layer = Layer::new().folder("run").link("var/run", "/run").file("var/run/file", "text");
    layer.apply(&tree).unwrap();
    assert_eq!(text(tree.join("run/file")), "text");
}

#[test]
fn a_hard_link_or_a_whiteout_through_a_link_stays_inside() {
    let (folder, tree) = tree();
    let link = Layer::new().link("out", "../outside");
    let error = link.hard_link("in", "out/file").apply(&tree).unwrap_err();
    assert!(error.message.contains("is not there"), "{error}");
    Layer::new().file("out/.wh.file", "").file("out/.wh..wh..opq", "").apply(&tree).unwrap();
    assert_eq!(text(folder.path().join("outside/file")), "untouched");
}

#[test]
fn links_that_go_in_circles_are_an_error() {
    let (_folder, tree) = tree();
    let layer = Layer::new().link("a", "b").link("b", "a").file("a/file", "");
    assert!(layer.apply(&tree).is_err());
}

#[test]
fn device_nodes_and_the_bits_that_raise_rights_are_left_out() {
    let (_folder, tree) = tree();
    Layer::new()
        .entry(EntryType::Char, "dev/null", "", b"")
        .entry(EntryType::Block, "dev/sda", "", b"")
        .with(header(0o6755, 0, 0), EntryType::Regular, "su", "", b"")
        .apply(&tree)
        .unwrap();
    assert!(!tree.join("dev").exists());
    assert_eq!(fs::metadata(tree.join("su")).unwrap().permissions().mode() & 0o7777, 0o755);
}

#[test]
fn owners_are_kept_by_root_and_by_nobody_else() {
    let (_folder, tree) = tree();
    let header = header(0o000, 1234, 56);
    Layer::new().with(header, EntryType::Regular, "file", "", b"").apply(&tree).unwrap();
    let found = fs::metadata(tree.join("file")).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let expected = if is_root { (1234, 56, 0) } else { (found.uid(), found.gid(), 0o400) };
    assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), expected);
}

#[test]
fn long_and_odd_names_are_taken_as_they_are() {
    let (_folder, tree) = tree();
    let long = format!("{}/{}", "d".repeat(200), "n".repeat(255));
    let odd = "new\nline, \\ \u{1b}[31m and ü";
    Layer::new().file(&long, "long").file(odd, "odd").link("l", &long).apply(&tree).unwrap();
    assert_eq!(text(tree.join(&long)), "long");
    assert_eq!(text(tree.join(odd)), "odd");
    assert_eq!(text(tree.join("l")), "long");
    let error = Layer::new().file(&"a/".repeat(3000), "").apply(&tree).unwrap_err();
    assert_eq!(error.fault, Fault::Refused, "{error}");
}

#[test]
fn attributes_of_users_are_kept_and_those_of_the_overlay_are_not() {
    let (_folder, tree) = tree();
    Layer::new()
        .attributes(&[
            ("user.note", "kept"),
            ("user.overlay.opaque", "y"),
            ("security.capability", "all"),
        ])
        .file("file", "")
        .apply(&tree)
        .unwrap();
    let mut names = vec![0; 1000];
    let length = rustix::fs::listxattr(tree.join("file"), &mut names).unwrap();
    let names = String::from_utf8_lossy(&names[..length]).into_owned();
    assert_eq!(names.contains("user.note"), !names.is_empty(), "{names:?}");
    assert!(!names.contains("overlay") && !names.contains("capability"), "{names:?}");
}

#[test]
fn folders_deeper_than_a_name_can_say_are_refused_and_can_be_removed() {
    let (folder, tree) = tree();
    let deep = "d/".repeat(1000);
    let mut layer = Layer::new().folder(&deep).link("l", &deep);
    for _ in 0..3 {
        layer = layer.folder(&format!("l/{deep}")).link("l", &format!("{deep}{deep}"));
    }
    let _ = layer.apply(&tree);
    drop(folder);
    assert!(!tree.exists());
}

#[test]
fn an_archive_that_is_cut_off_is_an_error() {
    let (_folder, tree) = tree();
    let whole = Layer::new().file("file", &"x".repeat(5000)).bytes();
    let root = fs::File::open(&tree).unwrap();
    let cut =
        scientist_pool_images::layer::apply(&whole[..2000], std::os::fd::AsFd::as_fd(&root), false);
    assert!(cut.is_err());
}
