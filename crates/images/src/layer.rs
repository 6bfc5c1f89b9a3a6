//! A layer's entries put into a tree, none outside of it.
//!
//! A layer is a tar archive, as the OCI image specification has it ("Image Layer Filesystem Changeset"), and
//! may come from anybody. Every folder is looked up by `openat2` with the tree as the root: links in it lead
//! to where they would lead in a container, `..` and absolute ones included. A name with `..` is refused.

use std::{
    collections::HashSet,
    ffi::{CStr, CString},
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    rc::Rc,
};

use rustix::{
    fs::{
        fstat, linkat, mkdirat, mknodat, openat, openat2, readlink, symlinkat, unlinkat, AtFlags,
        FileType, Mode, OFlags, ResolveFlags,
    },
    io::Errno,
    process::geteuid,
};
use tar::{Archive, Entry, EntryType};

use crate::{
    failure::{refused, During, Result},
    folder::{self, is_folder, look, open_folder, Metadata, KEPT_MODE},
};

/// What the name of a whiteout begins with.
const WHITEOUT: &[u8] = b".wh.";
/// Hides all that the layers below have in its folder.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Other names of this beginning are notes of the file system that had whiteouts first.
const NOTE: &[u8] = b".wh..wh.";
/// Attributes that files keep; those of the file system that lays layers over one another are not an image's
/// to set.
const ATTRIBUTE: &str = "SCHILY.xattr.";
const OVERLAY: &str = "user.overlay.";
/// The longest name, with all folders in front of it: what the kernel takes at once.
const LONGEST: usize = 4095;

/// Puts the entries of a layer into a tree. `owners`: files are given to whom they belong to in the image.
pub fn apply(layer: impl Read, tree: BorrowedFd<'_>, owners: bool) -> Result<()> {
    let mut applying =
        Applying { tree, owners, own: HashSet::new(), last: None, folders: Vec::new() };
    let step = "read the layer";
    let mut archive = Archive::new(layer);
    for entry in archive.entries().during(step)? {
        applying.entry(entry.during(step)?)?;
    }
    applying.finish()
}

/// Whether this process can give files away.
pub fn gives_owners() -> bool {
    geteuid().is_root()
}

/// A folder in the tree, and its number.
struct Parent {
    folder: OwnedFd,
    inode: u64,
}

struct Applying<'a> {
    tree: BorrowedFd<'a>,
    owners: bool,
    /// What this layer has put in, by the folder and the name in it: whiteouts are about the layers below.
    own: HashSet<(u64, CString)>,
    /// Entries of one folder mostly follow one another.
    last: Option<(Vec<u8>, Rc<Parent>)>,
    /// When the folders were modified, which each entry in them changes.
    folders: Vec<(Vec<u8>, i64)>,
}

impl Applying<'_> {
    fn entry<R: Read>(&mut self, mut entry: Entry<'_, R>) -> Result<()> {
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader | EntryType::Block | EntryType::Char) {
            return Ok(());
        }
        let path = inside(&entry.path_bytes())?;
        let put = self.put(&mut entry, kind, &path);
        put.map_err(|failure| {
            failure.about(format_args!("{:?} in the layer", String::from_utf8_lossy(&path)))
        })
    }

    fn put<R: Read>(
        &mut self,
        entry: &mut Entry<'_, R>,
        kind: EntryType,
        path: &[u8],
    ) -> Result<()> {
        let attributes = attributes(entry)?;
        let metadata = self.metadata(entry)?;
        let Some((parent, name)) = split(path) else {
            // The root itself.
            if kind != EntryType::Directory {
                return Err(refused("the root is to be a folder"));
            }
            self.folders.push((Vec::new(), metadata.modified));
            let root = open_folder(self.tree, c".")?;
            set_attributes(&root, &attributes)?;
            return metadata.set(self.tree, c".", FileType::Directory);
        };
        if name.starts_with(WHITEOUT) {
            return self.whiteout(parent, name);
        }
        let parent = self.parent(parent)?;
        let name = c_string(name)?;
        self.make_room(&parent, &name, kind)?;
        let at = parent.folder.as_fd();
        self.own.insert((parent.inode, name.clone()));
        match kind {
            EntryType::Directory => {
                match mkdirat(at, &*name, Mode::RWXU) {
                    Err(Errno::EXIST) => {}
                    other => other.during("make the folder")?,
                }
                set_attributes(open_folder(at, &name)?, &attributes)?;
                self.folders.push((path.to_vec(), metadata.modified));
                metadata.set(at, &name, FileType::Directory)
            }
            EntryType::Symlink => {
                let target = c_string(&link_name(entry)?)?;
                symlinkat(&*target, at, &*name).during("make the link")?;
                metadata.set(at, &name, FileType::Symlink)
            }
            // It is the other name's file: that has the metadata.
            EntryType::Link => self.hard_link(&link_name(entry)?, at, &name),
            EntryType::Fifo => {
                mknodat(at, &*name, FileType::Fifo, Mode::RUSR, 0).during("make the pipe")?;
                metadata.set(at, &name, FileType::Fifo)
            }
            kind if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                let file =
                    openat(at, &*name, flags, Mode::RUSR | Mode::WUSR).during("make the file")?;
                let mut file = File::from(file);
                io::copy(entry, &mut file).during("write the file")?;
                set_attributes(&file, &attributes)?;
                metadata.set(at, &name, FileType::RegularFile)
            }
            _ => Err(refused(format!("an entry of the type {:?}", kind.as_byte() as char))),
        }
    }

    fn metadata<R: Read>(&self, entry: &Entry<'_, R>) -> Result<Metadata> {
        let header = entry.header();
        let number = |value: io::Result<u64>| {
            let value = value.during("read its owner")?;
            u32::try_from(value).map_err(|_| refused(format!("{value} is the number of no user")))
        };
        // A user who owns everything and may look at nothing could not even remove it.
        let least = match (self.owners, header.entry_type()) {
            (true, _) => 0,
            (false, EntryType::Directory) => 0o700,
            (false, _) => 0o400,
        };
        Ok(Metadata {
            owner: if self.owners {
                Some((number(header.uid())?, number(header.gid())?))
            } else {
                None
            },
            mode: header.mode().during("read its mode")? & KEPT_MODE | least,
            modified: header.mtime().during("read its time")?.try_into().unwrap_or(i64::MAX),
        })
    }

    /// The folder of a path in the tree, made if it is not there.
    fn parent(&mut self, path: &[u8]) -> Result<Rc<Parent>> {
        if let Some((known, parent)) = &self.last {
            if known == path {
                return Ok(parent.clone());
            }
        }
        let parent = Rc::new(match self.find(path)? {
            Some(found) => found,
            None => self.make_parent(path)?,
        });
        self.last = Some((path.to_vec(), parent.clone()));
        Ok(parent)
    }

    fn make_parent(&mut self, path: &[u8]) -> Result<Parent> {
        let (above, name) = split(path).ok_or_else(|| refused("the root is not there"))?;
        let above = self.parent(above)?;
        let name = c_string(name)?;
        // A link that leads nowhere, or a file.
        self.make_room(&above, &name, EntryType::Directory)?;
        mkdirat(&above.folder, &*name, Mode::from_raw_mode(0o755)).during("make its folder")?;
        self.own.insert((above.inode, name.clone()));
        parent_of(open_folder(&above.folder, &name)?)
    }

    fn find(&self, path: &[u8]) -> Result<Option<Parent>> {
        if path.is_empty() {
            return parent_of(open_folder(self.tree, c".")?).map(Some);
        }
        let path = c_string(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |resolve| openat2(self.tree, &*path, flags, Mode::empty(), resolve);
        let found = match open(ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS) {
            Err(Errno::LOOP) => {
                let found = open(ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS);
                // By way of links, folders could be put into one another deeper than anything can follow.
                found.and_then(|found| {
                    readlink(format!("/proc/self/fd/{}", found.as_raw_fd()), Vec::new())?;
                    Ok(found)
                })
            }
            other => other,
        };
        match found {
            Ok(found) => parent_of(found).map(Some),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(errno).during("find its folder"),
        }
    }

    /// Takes away what has the name, but for a folder that a folder is to be put over.
    fn make_room(&mut self, parent: &Parent, name: &CStr, kind: EntryType) -> Result<()> {
        let at = parent.folder.as_fd();
        match look(at, name)? {
            None => Ok(()),
            Some(found) if is_folder(&found) && kind == EntryType::Directory => Ok(()),
            Some(_) => {
                self.last = None;
                folder::remove(at, name)
            }
        }
    }

    fn hard_link(&mut self, target: &[u8], at: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        let target = inside(target)?;
        let (folder, old) = split(&target).ok_or_else(|| refused("a hard link to the root"))?;
        let missing = || {
            let target = String::from_utf8_lossy(&target);
            refused(format!("a hard link to {target:?}, which is not there"))
        };
        let folder = self.find(folder)?.ok_or_else(missing)?;
        match linkat(&folder.folder, &*c_string(old)?, at, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Err(missing()),
            // Folders have no hard links.
            Err(Errno::PERM) => Err(refused("a hard link to what can have none")),
            other => other.during("make the hard link"),
        }
    }

    fn whiteout(&mut self, parent: &[u8], name: &[u8]) -> Result<()> {
        // Where there is no such folder there is nothing to hide.
        let Some(parent) = self.find(parent)? else { return Ok(()) };
        self.last = None;
        if name == OPAQUE {
            return self.clear(parent.folder.as_fd(), parent.inode).map(drop);
        }
        if name.starts_with(NOTE) {
            return Ok(());
        }
        match &name[WHITEOUT.len()..] {
            b"" | b"." | b".." => Err(refused("a whiteout of no file")),
            hidden => self.hide(&parent, &c_string(hidden)?).map(drop),
        }
    }

    /// Takes away what layers below have put into a folder; says whether nothing is left.
    fn clear(&self, folder: BorrowedFd<'_>, inode: u64) -> Result<bool> {
        let folder = Parent { folder: folder.try_clone_to_owned().during("open a folder")?, inode };
        let mut all = true;
        for name in folder::names(folder.folder.as_fd())? {
            all &= self.hide(&folder, &name)?;
        }
        Ok(all)
    }

    /// Takes away what layers below have put there; says whether nothing is left.
    fn hide(&self, parent: &Parent, name: &CStr) -> Result<bool> {
        let at = parent.folder.as_fd();
        let Some(found) = look(at, name)? else { return Ok(true) };
        let mut gone = !self.own.contains(&(parent.inode, name.to_owned()));
        if is_folder(&found) {
            gone &= self.clear(open_folder(at, name)?.as_fd(), found.st_ino)?;
        }
        if gone {
            let flags = if is_folder(&found) { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            unlinkat(at, name, flags).during("hide what is below")?;
        }
        Ok(gone)
    }

    fn finish(&self) -> Result<()> {
        for (path, modified) in &self.folders {
            let (parent, name) = split(path).unwrap_or((b"", b"."));
            let Some(parent) = self.find(parent)? else { continue };
            let name = c_string(name)?;
            if look(&parent.folder, &name)?.is_some_and(|found| is_folder(&found)) {
                folder::set_time(&parent.folder, &name, *modified)?;
            }
        }
        Ok(())
    }
}

fn parent_of(folder: OwnedFd) -> Result<Parent> {
    let inode = fstat(&folder).during("look at a folder")?.st_ino;
    Ok(Parent { folder, inode })
}

/// A path as it is in the tree: without `/` at its ends, and without `.`.
fn inside(path: &[u8]) -> Result<Vec<u8>> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let parts: Vec<_> = parts.collect();
    let shown = || String::from_utf8_lossy(&path[..path.len().min(200)]).into_owned();
    if parts.contains(&b"..".as_slice()) {
        return Err(refused(format!("{:?} leads out of the image", shown())));
    }
    let path = parts.join(&b'/');
    if path.len() > LONGEST {
        return Err(refused(format!("the name {:?}… has {} bytes", shown(), path.len())));
    }
    Ok(path)
}

/// The folder and the name in it; `None` for the root.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    match path.iter().rposition(|byte| *byte == b'/') {
        _ if path.is_empty() => None,
        Some(slash) => Some((&path[..slash], &path[slash + 1..])),
        None => Some((b"", path)),
    }
}

fn c_string(bytes: &[u8]) -> Result<CString> {
    CString::new(bytes).map_err(|_| refused("a NUL in a name"))
}

fn link_name<R: Read>(entry: &Entry<'_, R>) -> Result<Vec<u8>> {
    let name = entry.link_name_bytes().ok_or_else(|| refused("a link to nothing"))?;
    Ok(name.into_owned())
}

type Attributes = Vec<(CString, Vec<u8>)>;

fn attributes<R: Read>(entry: &mut Entry<'_, R>) -> Result<Attributes> {
    let Some(extensions) = entry.pax_extensions().during("read its extensions")? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for extension in extensions {
        let extension = extension.during("read its extensions")?;
        let Some(name) = extension.key().ok().and_then(|key| key.strip_prefix(ATTRIBUTE)) else {
            continue;
        };
        if name.starts_with("user.") && !name.starts_with(OVERLAY) {
            found.push((c_string(name.as_bytes())?, extension.value_bytes().to_vec()));
        }
    }
    Ok(found)
}

fn set_attributes(file: impl AsFd, attributes: &Attributes) -> Result<()> {
    attributes.iter().try_for_each(|(name, value)| folder::set_attribute(&file, name, value))
}
