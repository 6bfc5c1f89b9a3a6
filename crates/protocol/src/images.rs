//! What the program of the image store (`scientist-pool-images`) is asked and answers: JSON, a value a line.
//!
//! ```text
//! scientist-pool-images pull python:3.9-slim missing
//!   stdout  "login", if it has to ask the registry
//!   stdin   {"password":{…}}, or null
//!   stdout  {"progress":{…}} …
//!   stdout  {"image":{…}} or {"failed":{…}}
//! scientist-pool-images derive python:3.9-slim <folder of its tree> 'python:3.9-slim + numpy' <recipe>
//!   stdout  "layer", if nobody has derived it yet
//!   stdin   the size of a tar archive in bytes, a line feed, and the archive
//!   stdout  {"image":{…}} or {"failed":{…}}
//! scientist-pool-images list
//!   stdout  {"images":{…}}
//! scientist-pool-images prune
//!   stdout  {"removed":{…}}
//! ```
//!
//! `pull` and `derive` end with their stdin, and hold the image's tree until then: whoever wants to go on using it takes
//! a shared lock (`flock`) on [`Image::folder`] before.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Of a registry's user.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Credentials {
    Password {
        username: String,
        password: String,
    },
    /// What some registries give instead of a password.
    IdentityToken(String),
}

/// One line of the answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// It wants the credentials for the image's registry: a line on its stdin.
    Login,
    /// It wants the layer that the image is derived by, on its stdin.
    Layer,
    Progress {
        /// The layer's short id; `None`: it is about the whole image.
        layer: Option<String>,
        status: String,
        /// Bytes.
        current: Option<u64>,
        total: Option<u64>,
    },
    Image(Image),
    Images {
        /// The folder of the store.
        store: PathBuf,
        images: Vec<Image>,
    },
    Removed {
        store: PathBuf,
        images: Vec<Image>,
    },
    Failed {
        fault: Fault,
        message: String,
    },
}

/// An image of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    pub name: String,
    /// Of its manifest, or of its configuration where it came without one.
    pub digest: String,
    /// Bytes of files.
    pub size: u64,
    /// When it was last got, in s since the epoch.
    pub pulled: u64,
    /// A process uses it.
    pub in_use: bool,
    /// `NAME=value`, as the image sets them.
    pub env: Vec<String>,
    /// Whom its programs run as: `uid[:gid]` or names; empty: root.
    pub user: String,
    /// The folder they begin in; empty: the root.
    pub working_dir: String,
    /// The root file system.
    pub root: PathBuf,
    /// The folder it is in, by whose lock it is held.
    pub folder: PathBuf,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// There is no such image.
    NotFound,
    /// The registry wants other credentials.
    Denied,
    /// The registry, or the way to it, failed.
    Registry,
    /// What the image says makes no sense, or would do harm.
    Refused,
    /// This machine failed.
    System,
}
