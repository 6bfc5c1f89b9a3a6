//! What a container's file system is made of.
#![cfg(target_os = "linux")]

mod support;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use scientist_pool_protocol::{Answer, Fence, Layers, Request, Spec, Tmpfs, User};
use support::{bind, everybody, open_folder, skeleton, spec, Launcher, Who, NOBODY};

const PLACES: [&str; 6] = ["usr", "proc", "dev", "tmp", "etc", "run"];

fn of(folders: &[&Path], read_only: bool) -> Spec {
    let folders = folders.iter().map(|&folder| folder.to_owned()).collect();
    Spec { root: Layers { folders, read_only }, ..spec() }
}

fn put(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

#[test]
fn one_folder_is_shown_as_it_is() {
    let root = skeleton(&PLACES);
    put(root.path(), "etc/name", "one");
    fs::set_permissions(root.path().join("etc/name"), PermissionsExt::from_mode(0o666)).unwrap();
    let script = "
import os
print(open('/etc/name').read(), [line.split(' - ')[1].split()[0] for line in open('/proc/self/mountinfo')
       if line.split()[4] == '/'][0] == 'overlay')
try:
    open('/etc/name', 'a')
except OSError as error:
    print(error.strerror)";
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let spec = Spec { user: User { uid: 0, gid: 0 }, ..of(&[root.path()], true) };
        let said = launcher.python(&spec, script);
        assert_eq!(said, "one False\nRead-only file system", "{who:?}");
    }
}

#[test]
fn the_upper_layer_is_seen_first() {
    let (lower, upper) = (skeleton(&PLACES), skeleton(&PLACES));
    put(lower.path(), "etc/both", "lower");
    put(lower.path(), "etc/lower", "lower");
    put(upper.path(), "etc/both", "upper");
    let script = "print(open('/etc/both').read(), open('/etc/lower').read())";
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let spec = of(&[lower.path(), upper.path()], true);
        assert_eq!(launcher.python(&spec, script), "upper lower", "{who:?}");
    }
}

#[test]
fn what_is_written_to_a_root_goes_nowhere() {
    let script = "
open('/etc/new', 'w').write('new')
open('/etc/there', 'w').write('other')
print(open('/etc/new').read(), open('/etc/there').read())";
    for who in everybody() {
        let root = skeleton(&PLACES);
        put(root.path(), "etc/there", "x");
        for (path, mode) in [("etc", 0o777), ("etc/there", 0o666)] {
            let path = root.path().join(path);
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            // An ordinary user's images are that user's: others' files can't be copied.
            if who == Who::Nobody && everybody().len() > 1 {
                std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let mut launcher = Launcher::start(who);
        let spec = of(&[root.path()], false);
        assert_eq!(launcher.python(&spec, script), "new other", "{who:?}");
        assert!(!root.path().join("etc/new").exists());
        assert_eq!(fs::read_to_string(root.path().join("etc/there")).unwrap(), "x");
        // Nothing of it is in the next one.
        let script = "import os; print(os.listdir('/etc'), open('/etc/there').read())";
        assert_eq!(launcher.python(&spec, script), "['there'] x", "{who:?}");
    }
}

#[test]
fn places_that_a_root_lacks_are_made_and_it_stays_closed() {
    let root = skeleton(&["usr"]);
    let mut spec = of(&[root.path()], true);
    let options = "mode=1777".to_owned();
    spec.tmpfs.push(Tmpfs { target: "/var/deep/er".to_owned(), options });
    spec.user = User { uid: 0, gid: 0 };
    let script = "
open('/var/deep/er/x', 'w').close()
try:
    open('/var/x', 'w')
except OSError as error:
    print(error.strerror)";
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        assert_eq!(launcher.python(&spec, script), "Read-only file system", "{who:?}");
        assert!(!root.path().join("var").exists());
    }
}

#[test]
fn who_may_mount_opens_nothing_for_writing_that_others_see() {
    let script = "
import ctypes, os
MS_REMOUNT, MS_BIND = 32, 4096
for place in ('/', '/dev', '/shown'):
    assert ctypes.CDLL(None).mount(None, place.encode(), None, MS_REMOUNT | MS_BIND, None) == 0
    try:
        open(place + '/new', 'w').close()
    except OSError as error:
        print(place, error.strerror)";
    for who in everybody() {
        let (root, shown) = (skeleton(&PLACES), skeleton(&[]));
        if who == Who::Nobody && everybody().len() > 1 {
            std::os::unix::fs::chown(root.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut spec = of(&[root.path()], true);
        spec.user = User { uid: 0, gid: 0 };
        spec.privileges.capabilities = vec![21]; // CAP_SYS_ADMIN
        spec.binds.push(bind(shown.path(), "/shown"));
        let said = Launcher::start(who).python(&spec, script);
        // What it writes to its root is in memory of its own.
        assert_eq!(said, "/dev Read-only file system\n/shown Permission denied", "{who:?}");
        assert!(!root.path().join("new").exists());
    }
}

#[test]
fn files_of_an_image_keep_their_owners_where_they_can() {
    if everybody()[0] != Who::Root {
        return;
    }
    let root = skeleton(&PLACES);
    put(root.path(), "etc/secret", "for root");
    fs::set_permissions(root.path().join("etc/secret"), PermissionsExt::from_mode(0o600)).unwrap();
    put(root.path(), "etc/theirs", "x");
    std::os::unix::fs::chown(root.path().join("etc/theirs"), Some(1234), Some(4321)).unwrap();
    let mut launcher = Launcher::start(Who::Root);
    let Answer::Report(report) = launcher.call(Request::Probe { runtime: None }) else { panic!() };
    let mapped = report.fences.iter().any(|f| matches!(f, (Fence::IdMappedMounts, Ok(()))));
    let script = "
import os
for name in 'secret', 'theirs':
    print(os.stat('/etc/' + name).st_uid, end=' ')
try:
    print(open('/etc/secret').read())
except OSError as error:
    print(error.strerror)";
    let above = open_folder();
    for folders in [vec![root.path()], vec![root.path(), above.path()]] {
        let spec = of(&folders, true);
        let said = launcher.python(&spec, script);
        let expected =
            if mapped { "0 1234 Permission denied" } else { "65534 65534 Permission denied" };
        assert_eq!(said, expected);
        if mapped {
            let spec = Spec { user: User { uid: 0, gid: 0 }, ..spec };
            assert_eq!(launcher.python(&spec, script), "0 1234 for root");
        }
    }
}
