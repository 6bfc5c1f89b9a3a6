//! The launcher's own group in a hierarchy, and those of launchers that are gone.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    thread::sleep,
    time::Duration,
};

use super::remove_folder;
use crate::ids::any;

const PREFIX: &str = "scientist-pool-launcher-";
const KEEPER: &str = "launcher";
/// The group that each of systemd's managers is in itself, on version 2: there as long as it runs.
const MANAGERS: &str = "init.scope";
/// How often a group is tried to be removed that is busy yet, once in a millisecond.
const TRIES: u32 = 500;

/// A group of this launcher's.
pub struct Place {
    /// The group it is in.
    parent: PathBuf,
    folder: PathBuf,
    /// Where its owner may go when it is to be removed: the first that is there and takes it.
    exits: Vec<PathBuf>,
}

impl Place {
    /// Makes it.
    pub fn make(parent: &Path, exits: Vec<PathBuf>) -> io::Result<Self> {
        let name = format!("{PREFIX}{}-{:08x}", process::id(), any());
        let folder = parent.join(name);
        fs::create_dir(&folder)?;
        Ok(Self { parent: parent.to_owned(), folder, exits })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The same name in another hierarchy.
    pub fn beside(&self, parent: &Path) -> io::Result<Self> {
        let folder = parent.join(self.folder.file_name().unwrap_or_default());
        fs::create_dir(&folder)?;
        Ok(Self { parent: parent.to_owned(), folder, exits: vec![parent.to_owned()] })
    }

    /// Puts this process into it, as the sign that its owner lives. It enters the group itself before there
    /// is one for it in there, so that it is in one of the two as soon as there are both ([`is_abandoned`]).
    pub fn occupy(&self) -> io::Result<()> {
        fs::write(self.folder.join("cgroup.procs"), "0")?;
        let keeper = self.folder.join(KEEPER);
        fs::create_dir(&keeper)?;
        fs::write(keeper.join("cgroup.procs"), "0")
    }

    /// A group beside it.
    pub fn sibling(&self, name: &str) -> PathBuf {
        self.parent.join(name)
    }

    pub fn others(&self) -> Others {
        let entries = fs::read_dir(&self.parent).into_iter().flatten().flatten();
        let (abandoned, in_use): (Vec<_>, Vec<_>) = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.starts_with(PREFIX) && self.sibling(name) != self.folder)
            .partition(|name| is_abandoned(&self.sibling(name)));
        Others { abandoned, in_use: !in_use.is_empty() }
    }

    /// Takes this process out of it, and removes it with all that is in it; whether that went.
    pub fn clear(&self) -> bool {
        // Opened, never made: none of these may be there.
        let enter = |group: &PathBuf| {
            let procs = fs::OpenOptions::new().write(true).open(group.join("cgroup.procs"));
            procs.and_then(|mut procs| procs.write_all(b"0")).is_ok()
        };
        let _ = self.exits.iter().any(enter);
        (0..TRIES).any(|_| {
            let removed = remove_tree(&self.folder);
            if !removed {
                sleep(Duration::from_millis(1));
            }
            removed
        })
    }
}

/// Where a process of version 2 may go from a group beside or above `own`, which it came from. That one may be gone,
/// as systemd removes a service's group with the last process in it. The one at the top takes processes of root's; a
/// manager's own takes those of its user.
pub fn exits(own: &Path, top: &Path) -> Vec<PathBuf> {
    let above = own.ancestors().take_while(|folder| folder.starts_with(top));
    let managers = above.map(|folder| folder.join(MANAGERS));
    [own.to_owned(), top.to_owned()].into_iter().chain(managers).collect()
}

/// The groups of launchers beside one.
pub struct Others {
    /// The names of those whose launchers are gone.
    pub abandoned: Vec<String>,
    /// Whether there are more.
    pub in_use: bool,
}

/// Whether nobody is in it any more. Its owner comes by way of the outer group into the inner one: who is in
/// neither by the second look at the inner one was in neither by the first.
fn is_abandoned(folder: &Path) -> bool {
    let is_empty = |folder: &Path| {
        fs::read_to_string(folder.join("cgroup.procs")).is_ok_and(|processes| processes.is_empty())
    };
    let keeper = folder.join(KEEPER);
    is_empty(&keeper) && is_empty(folder) && is_empty(&keeper)
}

/// Removes a group and those in it; whether nothing of it is left. What is still busy stays, and with it the
/// sign that its owner is gone: that is removed last.
pub fn remove_tree(folder: &Path) -> bool {
    let folders = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut folders: Vec<_> = folders.map(|entry| entry.path()).collect();
    folders.sort_by_key(|folder| folder.ends_with(KEEPER));
    folders.iter().all(|folder| remove_tree(folder)) && remove_folder(folder).is_ok()
}

/// Where a file system of the kernel's is mounted, and which part of it: from `/proc/self/mountinfo`.
pub struct Hierarchy<'a> {
    mounted: &'a Path,
    part: &'a Path,
    /// Options of the file system: on version 1 its controllers.
    pub options: Vec<&'a str>,
}

impl<'a> Hierarchy<'a> {
    /// All that are mounted of a type (`proc_pid_mountinfo(5)`).
    pub fn all(mounts: &'a str, kind: &'a str) -> impl Iterator<Item = Self> + 'a {
        mounts.lines().filter_map(move |line| {
            let (mount, system) = line.split_once(" - ")?;
            let mut system = system.split(' ');
            if system.next() != Some(kind) {
                return None;
            }
            let mut mount = mount.split(' ').skip(3);
            let (part, mounted) = (mount.next()?, mount.next()?);
            Some(Self {
                mounted: Path::new(mounted),
                part: Path::new(part),
                options: system.nth(1)?.split(',').collect(),
            })
        })
    }

    /// The folder of a group; the highest one in sight if the group itself is not.
    pub fn folder(&self, group: &str) -> PathBuf {
        match Path::new(group).strip_prefix(self.part) {
            Ok(below) => self.mounted.join(below),
            Err(_) => self.mounted.to_owned(),
        }
    }

    /// Where it is mounted.
    pub fn top(&self) -> &Path {
        self.mounted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_abandoned_when_its_owner_has_come_and_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = folder.path().join(KEEPER);
        let abandoned_with = |outer: &str, inner: &str| {
            fs::write(folder.path().join("cgroup.procs"), outer).unwrap();
            fs::write(keeper.join("cgroup.procs"), inner).is_ok() && is_abandoned(folder.path())
        };
        assert!(!abandoned_with("", ""), "the owner is on its way into it");
        fs::create_dir(&keeper).unwrap();
        assert!(!abandoned_with("1\n", ""), "it is on its way from the one into the other");
        assert!(!abandoned_with("", "1\n"));
        assert!(abandoned_with("", ""));
    }

    const MOUNTS: &str = "\
24 1 0:22 / /proc rw,relatime - proc proc rw
31 23 0:27 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory
32 23 0:28 /docker/abc /cg/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct
33 23 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
";

    #[test]
    fn a_group_is_found_where_its_hierarchy_is_mounted() {
        let memory = Hierarchy::all(MOUNTS, "cgroup").next().unwrap();
        assert_eq!(memory.options, ["rw", "memory"]);
        assert_eq!(memory.folder("/a/b"), Path::new("/sys/fs/cgroup/memory/a/b"));
    }

    #[test]
    fn in_a_container_a_group_is_found_in_the_part_that_is_in_sight() {
        let cpu = Hierarchy::all(MOUNTS, "cgroup").nth(1).unwrap();
        assert_eq!(cpu.folder("/docker/abc/x"), Path::new("/cg/cpu,cpuacct/x"));
        assert_eq!(cpu.folder("/docker/abc"), Path::new("/cg/cpu,cpuacct/"));
        assert_eq!(cpu.folder("/elsewhere"), Path::new("/cg/cpu,cpuacct"));
    }

    #[test]
    fn a_process_leaves_its_group_for_one_that_is_there() {
        let top = tempfile::tempdir().unwrap();
        let slice = top.path().join("user/app");
        let service = slice.join("gone.service");
        let place_in = |parent: &Path| Place::make(parent, exits(&service, top.path())).unwrap();
        let manager = top.path().join("user/init.scope");
        fs::create_dir_all(&slice).unwrap();
        fs::create_dir(&manager).unwrap();
        fs::write(manager.join("cgroup.procs"), "").unwrap();

        assert!(place_in(&slice).clear());
        assert_eq!(fs::read_to_string(manager.join("cgroup.procs")).unwrap(), "0");

        fs::create_dir(&service).unwrap();
        fs::write(service.join("cgroup.procs"), "").unwrap();
        assert!(place_in(&slice).clear());
        assert_eq!(fs::read_to_string(service.join("cgroup.procs")).unwrap(), "0");
    }

    #[test]
    fn version_2_is_told_from_version_1() {
        let all: Vec<_> = Hierarchy::all(MOUNTS, "cgroup2").map(|h| h.top().to_owned()).collect();
        assert_eq!(all, [Path::new("/sys/fs/cgroup/unified")]);
    }
}
