//! A store of container images on this machine's file system, for engines that have no daemon.
//!
//! An image is kept as a *tree*: its whole root file system in one folder, which is shown to containers
//! read-only. There is a tree for each layer of an image, with all that is below it, named by its chain id
//! (OCI image specification, "Layer ChainID"); it begins as a copy of the tree below it, made of hard links,
//! and then takes the layer's entries. So what is in a container is one folder that needs no overlay, which
//! is the fastest there is, works on every kernel and file system, and has no whiteouts; images with a common
//! base share its trees, and all trees share the files. No file that has a name is ever written to: what a
//! layer changes, it replaces.
//!
//! For root, files keep the owners they have in the image. An ordinary user can't give files away: there all
//! of it is theirs, and readable to them. Nowhere are there device nodes, set-user-ID bits and capabilities of files:
//! containers have a `/dev` of their own, and mounts on which the rest means nothing.
//!
//! | file | what it owns |
//! | --- | --- |
//! | [`store`] | which trees and images there are; how they come and go whole |
//! | [`layer`] | a layer's entries put into a tree, none outside of it |
//! | [`folder`] | folders as a whole: copied, summed up, removed |
//! | [`blob`] | compressed bytes, and what they are by their digest |
//! | [`config`] | what an image says of itself |
//! | [`archive`] | images in files: `docker save`'s, and OCI layouts |
//! | [`derived`] | images that are another one with a layer on top |
//! | [`registry`] | images in registries |
//! | [`lock`] | files that one process has at a time |
//! | [`failure`] | what went wrong, in words |
#![cfg(target_os = "linux")]

pub mod archive;
pub mod blob;
pub mod config;
pub mod derived;
pub mod failure;
pub mod folder;
pub mod layer;
pub mod lock;
pub mod registry;
pub mod store;
