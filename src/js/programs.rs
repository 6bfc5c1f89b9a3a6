//! Where the programs are that belong to the addon.

use std::path::{Path, PathBuf};

use napi_derive::napi;
use once_cell::sync::OnceCell;

static FOLDER: OnceCell<PathBuf> = OnceCell::new();

/// Says in which folder they are. To be called before the first pool is made; the first call counts, as
/// the addon is in one place only.
#[napi(catch_unwind)]
pub fn set_programs(folder: String) {
    let _ = FOLDER.set(folder.into());
}

/// `None`: nobody has said so.
pub(super) fn folder() -> Option<&'static Path> {
    FOLDER.get().map(PathBuf::as_path)
}
