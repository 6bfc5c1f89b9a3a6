//! What a container's root is made of: a folder, or this machine's own programs.

use std::path::{Path, PathBuf};

use scientist_pool_protocol::{Bind, Layers};

use crate::error::{Code, Error, Result};

/// Programs look here unless the image says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What this machine's programs need beside `/usr`: where their libraries are, and which of several is meant
/// by a name.
const HOST_FILES: [&str; 2] = ["/etc/ld.so.cache", "/etc/alternatives"];

/// The root file system of a pool's containers, as the option `image` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Image {
    /// `host`: `/usr` of this machine.
    Host,
    /// `dir:PATH`: a folder with a root file system in it.
    Folder(PathBuf),
}

impl Image {
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`: the name is of neither form.
    pub(super) fn parse(name: &str) -> Result<Self> {
        match name.strip_prefix("dir:") {
            Some(path) if path.starts_with('/') => Ok(Self::Folder(path.into())),
            _ if name == "host" => Ok(Self::Host),
            _ => {
                let message = format!(
                    "image must be 'host' or 'dir:' and an absolute path on the engine 'local'; got '{name}'"
                );
                Err(Error::new(Code::InvalidArgument, message))
            }
        }
    }

    /// Looks whether it is there.
    ///
    /// # Errors
    ///
    /// `IMAGE_NOT_FOUND`
    pub(super) fn check(&self) -> Result<()> {
        let Self::Folder(path) = self else { return Ok(()) };
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(self.not_found("it is no folder")),
            Err(error) => Err(self.not_found(&error.to_string())),
        }
    }

    fn not_found(&self, why: &str) -> Error {
        let message = format!("the image {self} can't be used: {why}");
        Error::new(Code::ImageNotFound, message).image(self.to_string())
    }

    pub(super) fn layers(&self, read_only: bool) -> Layers {
        let folders = match self {
            Self::Host => Vec::new(),
            Self::Folder(path) => vec![path.clone()],
        };
        Layers { folders, read_only }
    }

    pub(super) fn binds(&self) -> Vec<Bind> {
        let Self::Host = self else { return Vec::new() };
        let there = HOST_FILES.into_iter().filter(|path| Path::new(path).exists());
        let shown = ["/usr"].into_iter().chain(there);
        shown.map(|path| Bind { source: path.into(), target: path.to_owned() }).collect()
    }

    /// `NAME=value`, as the image sets them.
    pub(super) fn env(&self) -> Vec<String> {
        vec![format!("PATH={PATH}")]
    }
}

impl std::fmt::Display for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Folder(path) => write!(f, "dir:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_the_host_or_a_folder_by_its_whole_path() {
        assert_eq!(Image::parse("host").unwrap(), Image::Host);
        assert_eq!(Image::parse("dir:/srv/root").unwrap(), Image::Folder("/srv/root".into()));
        for name in ["python:3.9-slim", "dir:root", "dir:", ""] {
            let error = Image::parse(name).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(error.message.ends_with(&format!("got '{name}'")), "{}", error.message);
        }
    }
}
