//! What an image says of itself.

use oci_client::{
    client::current_platform_resolver,
    manifest::{OciImageManifest, OciManifest},
};
use scientist_pool_protocol::images::Fault;
use serde::Deserialize;

use crate::{
    blob::Digest,
    failure::{refused, Failure, Result},
};

/// The most bytes of a manifest, and of a configuration. Registries take no manifest above 4 MiB.
pub const MOST: u64 = 8 << 20;
/// The most layers: what other engines can lay over one another.
const MOST_LAYERS: usize = 500;

/// An image's configuration, as much of it as is used.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub os: String,
    #[serde(default, deserialize_with = "or_default")]
    pub config: Process,
    pub rootfs: Layers,
}

/// How its programs are run.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Process {
    /// `NAME=value`
    #[serde(default, deserialize_with = "or_default")]
    pub env: Vec<String>,
    /// Whom they run as: `uid[:gid]` or names; empty: root.
    #[serde(default, deserialize_with = "or_default")]
    pub user: String,
    /// Where they begin; empty: at the root.
    #[serde(default, deserialize_with = "or_default")]
    pub working_dir: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Layers {
    /// Of the uncompressed layers, the lowest first.
    #[serde(deserialize_with = "or_default")]
    pub diff_ids: Vec<Digest>,
}

/// Go writes `null` for what is empty.
fn or_default<'de, D, T>(from: D) -> std::result::Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl Config {
    /// Reads the configuration of an image that has that many layers.
    pub fn parse(bytes: &[u8], layers: usize) -> Result<Self> {
        let config: Self = parse(bytes, "configuration")?;
        let told = config.rootfs.diff_ids.len();
        if told != layers {
            return Err(refused(format!(
                "its configuration tells of {told} layers, not of {layers}"
            )));
        }
        if layers == 0 {
            return Err(refused("it has no layers"));
        }
        if layers > MOST_LAYERS {
            return Err(refused(format!("it has {layers} layers; {MOST_LAYERS} are the most")));
        }
        let here = (std::env::consts::OS, go_name(std::env::consts::ARCH));
        let (os, architecture) = (config.os.as_str(), config.architecture.as_str());
        if (os, architecture) != here && !(os.is_empty() && architecture.is_empty()) {
            let (this_os, this) = here;
            return Err(refused(format!(
                "it is for {os}/{architecture}; this machine is {this_os}/{this}"
            )));
        }
        Ok(config)
    }

    /// Of each layer with all below it, the lowest first.
    pub fn chain(&self) -> Vec<Digest> {
        let mut chain: Vec<Digest> = Vec::new();
        for layer in &self.rootfs.diff_ids {
            chain.push(Digest::chained(chain.last(), layer));
        }
        chain
    }
}

/// Rust's name of a processor in Go's words.
fn go_name(architecture: &str) -> &str {
    match architecture {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        "loongarch64" => "loong64",
        other => other,
    }
}

pub fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| refused(format!("its {what}: {error}")))
}

/// What a manifest leads to.
pub enum Manifest {
    Image(Box<OciImageManifest>),
    /// The manifest for this machine's platform.
    ForPlatform(Digest),
}

impl Manifest {
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        match parse(bytes, "manifest")? {
            OciManifest::Image(manifest) => Ok(Self::Image(Box::new(manifest))),
            OciManifest::ImageIndex(index) => {
                let [only] = &*index.manifests else {
                    let chosen = current_platform_resolver(&index.manifests).ok_or_else(|| {
                        let (os, this) = (std::env::consts::OS, go_name(std::env::consts::ARCH));
                        let message = format!("it is not there for this machine, {os}/{this}");
                        Failure::new(Fault::NotFound, message)
                    })?;
                    return Digest::try_from(chosen).map(Self::ForPlatform);
                };
                // What an archive with one image in it tells no platform of; its configuration does.
                Digest::try_from(only.digest.clone()).map(Self::ForPlatform)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, Value};

    use super::*;

    fn config(of: Value, layers: usize) -> Result<Config> {
        Config::parse(of.to_string().as_bytes(), layers)
    }

    fn digest(digit: char) -> String {
        format!("sha256:{}", digit.to_string().repeat(64))
    }

    fn here(diff_ids: &[String]) -> Value {
        let architecture = go_name(std::env::consts::ARCH);
        json!({ "os": "linux", "architecture": architecture, "rootfs": { "diff_ids": diff_ids } })
    }

    #[test]
    fn nulls_are_what_is_not_there() {
        let mut image = here(&[digest('a')]);
        image["config"] = json!({ "Env": null });
        assert!(config(image.clone(), 1).unwrap().config.env.is_empty());
        image["config"] = Value::Null;
        assert!(config(image, 1).unwrap().config.env.is_empty());
    }

    #[test]
    fn a_layer_is_named_with_all_that_is_below_it() {
        let chain = config(here(&[digest('a'), digest('b')]), 2).unwrap().chain();
        assert_eq!(chain[0].to_string(), digest('a'));
        let both = format!("{} {}", digest('a'), digest('b'));
        assert_eq!(chain[1], Digest::of(both.as_bytes()));
    }

    #[test]
    fn an_image_that_does_not_fit_is_refused_with_the_reason() {
        let mut other = here(&[digest('a')]);
        other["architecture"] = "s390x".into();
        for (image, layers, why) in [
            (other, 1, "it is for linux/s390x"),
            (here(&[digest('a')]), 2, "tells of 1 layers, not of 2"),
            (here(&[]), 0, "no layers"),
            (here(&vec![digest('a'); 501]), 501, "it has 501 layers"),
            (json!({ "rootfs": { "diff_ids": ["../../etc"] } }), 1, "no SHA-256 digest"),
        ] {
            let error = config(image, layers).unwrap_err();
            assert!(error.message.contains(why), "{error}");
        }
    }

    #[test]
    fn the_manifest_for_this_platform_is_chosen_among_others() {
        let one = |digit, architecture| {
            json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1,
                "digest": digest(digit), "platform": { "os": "linux", "architecture": architecture } })
        };
        let index = |manifests: &[Value]| {
            let index = json!({ "schemaVersion": 2, "manifests": manifests,
                "mediaType": "application/vnd.oci.image.index.v1+json" });
            Manifest::parse(index.to_string().as_bytes())
        };
        let this = go_name(std::env::consts::ARCH);
        let Ok(Manifest::ForPlatform(chosen)) = index(&[one('a', "s390x"), one('b', this)]) else {
            panic!("none was chosen");
        };
        assert_eq!(chosen.to_string(), digest('b'));
        let error = index(&[one('a', "s390x"), one('b', "mips")]).err().unwrap();
        assert_eq!(error.fault, Fault::NotFound);
    }
}
