//! Layers made for a test.

use std::{fs::File, os::fd::AsFd, path::Path};

use scientist_pool_images::{failure::Result, layer};
use tar::{Builder, EntryType, Header};

/// Of an entry with that mode, and of that user and group.
pub fn header(mode: u32, uid: u64, gid: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_uid(uid);
    header.set_gid(gid);
    header
}

/// A tar archive in the making, whose names are taken as they are.
pub struct Layer(Builder<Vec<u8>>);

impl Layer {
    pub fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub fn file(self, name: &str, text: &str) -> Self {
        self.entry(EntryType::Regular, name, "", text.as_bytes())
    }

    pub fn folder(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name, "", b"")
    }

    pub fn link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name, target, b"")
    }

    pub fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, name, target, b"")
    }

    pub fn entry(self, kind: EntryType, name: &str, target: &str, content: &[u8]) -> Self {
        self.with(header(0o755, 0, 0), kind, name, target, content)
    }

    pub fn with(
        mut self,
        mut header: Header,
        kind: EntryType,
        name: &str,
        target: &str,
        content: &[u8],
    ) -> Self {
        header.set_entry_type(kind);
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        for (kind, text) in [(EntryType::GNULongName, name), (EntryType::GNULongLink, target)] {
            let fields = header.as_old_mut();
            let field =
                if kind.is_gnu_longname() { &mut fields.name } else { &mut fields.linkname };
            match field.get_mut(..text.len()) {
                Some(place) => place.copy_from_slice(text.as_bytes()),
                None => {
                    let mut long = Header::new_gnu();
                    long.set_entry_type(kind);
                    long.set_size(text.len() as u64);
                    long.set_cksum();
                    self.0.append(&long, text.as_bytes()).unwrap();
                }
            }
        }
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    /// Attributes of the entry that follows.
    pub fn attributes(mut self, attributes: &[(&str, &str)]) -> Self {
        let named = attributes.iter().map(|(name, value)| (format!("SCHILY.xattr.{name}"), value));
        let named: Vec<_> = named.collect();
        let extensions = named.iter().map(|(key, value)| (key.as_str(), value.as_bytes()));
        self.0.append_pax_extensions(extensions).unwrap();
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    /// Puts it into a tree.
    pub fn apply(self, tree: &Path) -> Result<()> {
        let folder = File::open(tree).unwrap();
        layer::apply(&*self.bytes(), folder.as_fd(), layer::gives_owners())
    }
}
