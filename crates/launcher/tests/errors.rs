//! What can't be made is refused in words, by kind, and leaves nothing behind.
#![cfg(target_os = "linux")]

mod support;

use std::{cell::Cell, os::unix::fs::PermissionsExt};

use rustix::process::{getrlimit, prlimit, Pid, Resource, Rlimit};
use scientist_pool_protocol::{
    Answer, Exit, Failure, FailureKind, Limits, Request, Spec, Tmpfs, User,
};
use support::{
    bind, cgroups_with, everybody, open_folder, proper, rlimit, skeleton, spec, Launcher, SpecExt,
    Who,
};

/// The failure is of a kind, names a word, and the launcher goes on as if nothing had been.
fn fails(spec: &Spec, kind: FailureKind, word: &str) {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let failure: Failure = match launcher.create(spec) {
            Err(failure) => failure,
            Ok(_) => panic!("{who:?}: it was made"),
        };
        assert_eq!(failure.kind, kind, "{who:?}: {failure}");
        assert!(failure.message.contains(word), "{who:?}: {failure}");
        assert_eq!(launcher.call(Request::List), Answer::Containers(Vec::new()), "{who:?}");
        assert_eq!(launcher.python(&support::spec(), "print('well')"), "well", "{who:?}");
    }
}

#[test]
fn a_root_that_is_not_there() {
    let mut spec = spec();
    spec.root.folders = vec!["/no/such/root".into()];
    fails(&spec, FailureKind::NoSuchPath, "/no/such/root");
    spec.root.folders = vec!["/etc/passwd".into()];
    fails(&spec, FailureKind::NoSuchPath, "/etc/passwd is no folder");
}

#[test]
fn a_bind_that_is_not_there() {
    let mut spec = spec();
    spec.binds.push(bind("/no/such/file", "/file"));
    fails(&spec, FailureKind::NoSuchPath, "/no/such/file");
}

#[test]
fn a_program_that_is_not_there() {
    fails(&spec().argv(&["no-such-program"]), FailureKind::NoSuchProgram, "no-such-program");
    fails(&spec().argv(&["/opt/python"]), FailureKind::NoSuchProgram, "/opt/python");
}

#[test]
fn a_program_whose_interpreter_is_not_there() {
    let folder = open_folder();
    let script = folder.path().join("script");
    std::fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let mut spec = spec();
    spec.binds.push(bind(script, "/script"));
    fails(&spec.argv(&["/script"]), FailureKind::NoSuchProgram, "interpreter");
}

#[test]
fn a_program_that_can_not_be_executed() {
    fails(&spec().argv(&["/usr/bin"]), FailureKind::NotExecutable, "/usr/bin");
    let mut spec = spec();
    spec.binds.push(bind("/etc/passwd", "/passwd"));
    fails(&spec.argv(&["/passwd"]), FailureKind::NotExecutable, "/passwd");
}

#[test]
fn a_folder_to_begin_in_that_is_not_there() {
    let mut spec = spec();
    spec.process.cwd = "/no/such/folder".to_owned();
    fails(&spec, FailureKind::Other, "/no/such/folder");
}

#[test]
fn what_no_kernel_could_do() {
    let all: [(Spec, &str); 6] = [
        (spec().argv(&[]), "empty"),
        (spec().argv(&["a\0b"]), "NUL"),
        (Spec { rlimits: vec![rlimit("nosuch", 1)], ..spec() }, "nosuch"),
        (Spec { user: User { uid: 70_000, gid: 0 }, ..spec() }, "70000"),
        (
            Spec {
                tmpfs: vec![Tmpfs { target: "/a/../tmp".to_owned(), options: String::new() }],
                ..spec()
            },
            "/a/../tmp",
        ),
        (
            {
                let mut spec = spec();
                spec.privileges.capabilities = vec![200];
                spec
            },
            "200",
        ),
    ];
    for (spec, word) in all {
        fails(&spec, FailureKind::Invalid, word);
    }
}

#[test]
fn an_option_that_a_file_system_does_not_know() {
    let tmpfs = vec![Tmpfs { target: "/tmp".to_owned(), options: "size=many".to_owned() }];
    fails(&Spec { tmpfs, ..spec() }, FailureKind::Other, "size=many");
}

#[test]
fn a_filter_that_is_none() {
    let mut spec = spec();
    spec.privileges.seccomp = vec![vec![1, 2, 3]];
    fails(&spec, FailureKind::Other, "seccomp");
}

#[test]
fn a_limit_that_this_user_may_not_have() {
    if everybody()[0] == Who::Root {
        // Root may have any; this one is beyond the kernel's own.
        let spec = Spec { rlimits: vec![rlimit("nofile", 1 << 40)], ..spec() };
        fails(&spec, FailureKind::Denied, "nofile");
    }
}

#[test]
fn too_little_memory_to_begin_with() {
    if everybody()[0] != Who::Root {
        return;
    }
    let mut launcher = Launcher::start(Who::Root);
    let limits = Limits { memory: Some(4096), swap: Some(0), ..Limits::default() };
    let failure = launcher.create(&Spec { limits, ..spec() }).err().unwrap();
    assert!(
        matches!(failure.kind, FailureKind::Exhausted | FailureKind::Gone),
        "{:?}: {failure}",
        failure.kind
    );
    assert_eq!(launcher.python(&spec(), "print('well')"), "well");
}

/// While there is too little, containers and commands are refused in words; afterwards all is well.
fn recovers(launcher: &mut Launcher, take: impl FnOnce(), give_back: impl FnOnce()) {
    let running = launcher.create(&spec().argv(&["cat"])).unwrap();
    take();
    let (first, beside) =
        (launcher.create(&spec()).err(), launcher.exec(running.id, &["true"]).err());
    give_back();
    for failure in [first.unwrap(), beside.unwrap()] {
        assert_eq!(failure.kind, FailureKind::Exhausted, "{failure}");
    }
    assert_eq!(launcher.run_beside(running.id, &["true"]).exit, Exit::Code(0));
    assert_eq!(launcher.python(&spec(), "print('well')"), "well");
    assert_eq!(launcher.call(Request::List), Answer::Containers(vec![running.id]));
}

#[test]
fn out_of_descriptors() {
    // Its own user's: another's limits take a capability that root may lack.
    let mut launcher = Launcher::start(everybody()[0]);
    let pid = Pid::from_raw(proper(launcher.child.id()) as i32);
    let set = |limit| prlimit(pid, Resource::Nofile, limit).unwrap();
    let before = Cell::new(None);
    recovers(
        &mut launcher,
        || {
            // It has more than that: there is no new one, then.
            let few = Rlimit { current: Some(3), ..getrlimit(Resource::Nofile) };
            before.set(Some(set(few)));
        },
        || {
            set(before.take().unwrap());
        },
    );
}

#[test]
fn out_of_processes() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let group = format!("scientist-pool-launcher-{}-", launcher.child.id());
        let all = cgroups_with(&group).into_iter().map(|group| group.join("pids.max"));
        // That of the launcher with all its containers: the outermost.
        let Some(file) = all.filter(|file| file.exists()).min_by_key(|file| file.as_os_str().len())
        else {
            continue;
        };
        let set = |limit: &str| std::fs::write(&file, limit).unwrap();
        recovers(&mut launcher, || set("1"), || set("max"));
    }
}

#[test]
fn an_id_in_use() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let running = launcher.create(&spec().argv(&["cat"])).unwrap();
        let request = Request::Create { id: running.id, spec: Box::new(spec()), template: None };
        let Answer::Failed(failure) = launcher.call(request) else { panic!() };
        assert_eq!(failure.kind, FailureKind::Invalid);
    }
}

#[test]
fn a_container_that_there_is_not() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let Answer::Failed(failure) = launcher.call(Request::Usage { id: 99 }) else { panic!() };
        assert_eq!(failure.kind, FailureKind::NoSuchContainer);
        assert_eq!(launcher.call(Request::Remove { id: 99 }), Answer::Removed);
    }
}

#[test]
fn no_link_of_a_root_leads_out_of_it() {
    // Where it would lead to, outside, stays as it is.
    let outside = open_folder();
    let root = skeleton(&["usr", "proc", "dev", "etc"]);
    let link = root.path().join("tmp");
    std::os::unix::fs::symlink(outside.path(), &link).unwrap();
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let mut spec = spec();
        spec.root.folders = vec![root.path().to_owned()];
        spec.process.cwd = "/".to_owned();
        match launcher.create(&spec) {
            // The folder that the link names is made within the container.
            Ok(mut running) => {
                assert_eq!(launcher.finish(&mut running).exit, Exit::Code(0), "{who:?}");
            }
            Err(failure) => assert!(failure.message.contains("/tmp"), "{failure}"),
        }
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
