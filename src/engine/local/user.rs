//! Whom a name of a user stands for in an image: its own lists of users and groups say so.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

use rustix::fs::{open, openat2, Mode, OFlags, ResolveFlags};
use scientist_pool_protocol::User;

/// The most bytes of such a list.
const MOST: u64 = 1 << 20;

/// Who programs run as.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub ids: User,
    /// Absolute.
    pub home: String,
}

/// Finds `user[:group]`, each a name or a number, as Docker does: a number needs no entry in a list, the group
/// is the user's own unless one is named, and nobody is root.
///
/// # Errors
///
/// Why there is no such user, in words.
pub(super) fn find(root: Option<&Path>, text: &str) -> Result<Member, String> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let user = if user.is_empty() { "0" } else { user };
    let users = list(root, "etc/passwd")?;
    let entry = entries(&users).find(|entry| entry.is(user));
    let uid = match &entry {
        Some(entry) => entry.number(2),
        None => user.parse().ok(),
    };
    let uid = uid.ok_or_else(|| format!("its /etc/passwd has no user '{user}'"))?;
    let gid = if group.is_empty() {
        entry.as_ref().map_or(Some(0), |entry| entry.number(3))
    } else {
        let groups = list(root, "etc/group")?;
        let named = entries(&groups).find(|entry| entry.is(group));
        named.map_or_else(|| group.parse().ok(), |entry| entry.number(2))
    };
    let gid = gid.ok_or_else(|| format!("its /etc/group has no group '{group}'"))?;
    let home = entry.and_then(|entry| entry.0.get(5).copied()).filter(|home| !home.is_empty());
    Ok(Member { ids: User { uid, gid }, home: home.unwrap_or("/").to_owned() })
}

/// A line's fields: the name is the first, its number the third.
struct Entry<'a>(Vec<&'a str>);

impl Entry<'_> {
    fn is(&self, name: &str) -> bool {
        self.0[0] == name || self.0.get(2).is_some_and(|number| *number == name)
    }

    fn number(&self, field: usize) -> Option<u32> {
        self.0.get(field)?.parse().ok()
    }
}

fn entries(list: &str) -> impl Iterator<Item = Entry<'_>> {
    list.lines().map(|line| Entry(line.trim().split(':').collect()))
}

/// A file of the image, whose links lead to where they lead in a container. One that is not there is empty.
fn list(root: Option<&Path>, path: &str) -> Result<String, String> {
    let Some(root) = root else { return Ok(String::new()) };
    let failed = |error: std::io::Error| format!("its /{path} can't be read: {error}");
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(root, folder, Mode::empty()).map_err(|errno| failed(errno.into()))?;
    // A pipe would wait for somebody who writes.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = match openat2(&root, path, flags, Mode::empty(), resolve) {
        Ok(file) => File::from(file),
        Err(errno) => {
            let error = std::io::Error::from(errno);
            return match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(String::new()),
                _ => Err(failed(error)),
            };
        }
    };
    let is_file = file.metadata().map_err(failed)?.is_file();
    let mut bytes = Vec::new();
    if is_file {
        file.take(MOST + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if !is_file || bytes.len() as u64 > MOST {
        return Err(format!("its /{path} is no file of {MOST} bytes at most"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/srv/app:/bin/sh\n\
                         1234:x:7:8::/seven:\nbroken\nodd:x:many:1::/odd:\nlost:x:9:10:\n";

    fn image() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/passwd"), USERS).unwrap();
        fs::write(root.path().join("etc/group"), "root:x:0:\ntools:x:2000:app\n").unwrap();
        root
    }

    fn member(uid: u32, gid: u32, home: &str) -> Result<Member, String> {
        Ok(Member { ids: User { uid, gid }, home: home.to_owned() })
    }

    #[test]
    fn names_and_numbers_are_looked_up_as_docker_does() {
        let root = image();
        let find = |text| find(Some(root.path()), text);
        assert_eq!(find(""), member(0, 0, "/root"));
        assert_eq!(find("app"), member(1000, 1001, "/srv/app"));
        assert_eq!(find("1000"), member(1000, 1001, "/srv/app"));
        assert_eq!(find("app:tools"), member(1000, 2000, "/srv/app"));
        assert_eq!(find("app:5"), member(1000, 5, "/srv/app"));
        assert_eq!(find(":tools"), member(0, 2000, "/root"));
        assert_eq!(find("1234"), member(7, 8, "/seven"), "a name before a number");
        assert_eq!(find("65534:65534"), member(65_534, 65_534, "/"));
        assert_eq!(find("4711"), member(4711, 0, "/"));
        assert_eq!(find("lost"), member(9, 10, "/"));
    }

    #[test]
    fn who_is_not_there_is_named() {
        let root = image();
        let find = |text| find(Some(root.path()), text).unwrap_err();
        assert!(find("nobody").contains("no user 'nobody'"));
        assert!(find("odd").contains("no user 'odd'"));
        assert!(find("-1").contains("no user '-1'"));
        assert!(find("app:nothing").contains("no group 'nothing'"));
    }

    #[test]
    fn without_lists_numbers_are_themselves() {
        let empty = tempfile::tempdir().unwrap();
        for root in [None, Some(empty.path())] {
            assert_eq!(find(root, "12:13"), member(12, 13, "/"));
            assert!(find(root, "app").unwrap_err().contains("no user 'app'"));
        }
    }

    #[test]
    fn links_lead_nowhere_out_of_the_image() {
        let (root, outside) = (image(), image());
        let (passwd, etc) = (root.path().join("etc/passwd"), root.path().join("etc"));
        fs::write(outside.path().join("etc/passwd"), "app:x:1:1::/:\n").unwrap();
        fs::remove_file(&passwd).unwrap();
        for target in [outside.path().join("etc/passwd"), "../../../../../../etc/group".into()] {
            symlink(&target, &passwd).unwrap();
            assert!(find(Some(root.path()), "app").unwrap_err().contains("no user 'app'"));
            fs::remove_file(&passwd).unwrap();
        }
        fs::write(etc.join("users"), USERS).unwrap();
        symlink("/etc/users", &passwd).unwrap();
        assert_eq!(find(Some(root.path()), "app"), member(1000, 1001, "/srv/app"));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let root = image();
        let passwd = root.path().join("etc/passwd");
        fs::remove_file(&passwd).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &passwd,
            rustix::fs::FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        assert!(find(Some(root.path()), "app").unwrap_err().contains("is no file"));
    }
}
