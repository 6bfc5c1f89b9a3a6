//! A container, as a list of the engine's shows it.

use std::collections::HashMap;

use serde::Deserialize;

/// What is used of it. bollard's own type refuses states it does not know, and with one of them the whole
/// list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    pub id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    pub image: String,
    /// The id of its image.
    #[serde(default, rename = "ImageID")]
    pub image_id: String,
    /// In s since the epoch.
    #[serde(default)]
    pub created: i64,
    #[serde(default)]
    state: String,
    #[serde(default)]
    pub labels: Option<HashMap<String, String>>,
}

impl Listed {
    /// Its names, without the slash in front.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().flatten().map(|name| name.trim_start_matches('/'))
    }

    pub(super) fn has_ended(&self) -> bool {
        // The last two are Podman's.
        matches!(self.state.as_str(), "exited" | "dead" | "removing" | "stopped" | "stopping")
    }
}
