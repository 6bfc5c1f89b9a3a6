//! Containers that an OCI runtime runs are as the launcher's own are. Those that are installed are tried:
//! `cargo test -p scientist-pool-launcher --test runtimes -- --ignored`.
#![cfg(target_os = "linux")]

mod support;

use std::{
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{kill_process, Pid, Signal};
use scientist_pool_protocol::{Answer, Exit, FailureKind, Limits, Request, Spec, User};
use support::{
    cgroups_with, descendants, eventually, everybody, filtered, is_alive, open_folder, Launcher,
    SpecExt, Who, PATIENCE,
};

const FOLDERS: [&str; 3] = ["/usr/bin", "/usr/sbin", "/usr/local/bin"];

fn installed() -> Vec<PathBuf> {
    let found = ["runsc", "crun", "runc"].into_iter().filter_map(|name| {
        FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
    });
    let found: Vec<_> = found.collect();
    assert!(!found.is_empty(), "no runtime is installed");
    found
}

/// Everybody with every runtime, and the user that its containers can have.
fn everything() -> Vec<(Who, Spec)> {
    let pairs = everybody().into_iter().flat_map(|who| {
        installed().into_iter().map(move |program| {
            let lacks_users = who == Who::Nobody && program.ends_with("runc");
            let mut spec = on(&program);
            if lacks_users {
                spec.user = User { uid: 0, gid: 0 };
            }
            (who, spec)
        })
    });
    pairs.collect()
}

fn on(program: &Path) -> Spec {
    Spec { runtime: Some(program.to_owned()), ..filtered(&[]) }
}

/// A runtime of a test's own making.
fn made(folder: &Path, script: &str) -> PathBuf {
    let program = folder.join("made");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[test]
#[ignore = "takes OCI runtimes"]
fn a_script_is_who_and_where_it_is_to_be_and_has_its_streams() {
    for (who, spec) in everything() {
        let mut launcher = Launcher::start(who);
        let script = "
import os, sys
names = os.uname().nodename, os.getcwd(), os.environ['HOME']
print(os.getuid(), os.getgid(), os.getpid(), *names, sys.stdin.read())
sys.stderr.write('error')
sys.exit(3)";
        let said = launcher.run(&spec.clone().python(script));
        let id = spec.user.uid;
        let context = format!("{who:?} {:?} {said:?}", spec.runtime);
        assert_eq!(said.stdout, format!("{id} {id} 1 sandbox /tmp /tmp \n"), "{context}");
        assert_eq!(said.stderr, "error", "{context}");
        assert_eq!(said.exit, Exit::Code(3), "{context}");
    }
}

#[test]
#[ignore = "takes OCI runtimes"]
fn a_command_runs_beside_and_has_the_filter() {
    for (who, spec) in everything() {
        let mut launcher = Launcher::start(who);
        let running = launcher.create(&spec.clone().argv(&["sleep", "1000"])).unwrap();
        let command = ["sh", "-c", "id -u; grep ^Seccomp: /proc/self/status; exit 5"];
        let said = launcher.run_beside(running.id, &command);
        let context = format!("{who:?} {:?} {said:?}", spec.runtime);
        assert_eq!(said.stdout, format!("{}\nSeccomp:\t2\n", spec.user.uid), "{context}");
        assert_eq!(said.exit, Exit::Code(5), "{context}");
        let said = launcher.run_beside(running.id, &["no-such-program"]);
        let sentence = "no-such-program: program not found in the container\n";
        assert_eq!((said.stderr.as_str(), said.exit), (sentence, Exit::Code(127)));
        launcher.remove(running.id);
    }
}

#[test]
#[ignore = "takes OCI runtimes"]
fn what_is_no_program_is_told_before_there_is_a_container() {
    for (who, spec) in everything() {
        let failure = Launcher::start(who).create(&spec.argv(&["no-such-program"])).err().unwrap();
        assert_eq!(failure.kind, FailureKind::NoSuchProgram, "{failure}");
    }
}

#[test]
#[ignore = "takes OCI runtimes"]
fn limits_hold() {
    for program in installed() {
        let mut launcher = Launcher::start(Who::Root);
        let Answer::Report(report) = launcher.call(Request::Probe { runtime: None }) else {
            panic!()
        };
        if report.limits.len() < 4 {
            continue;
        }
        let spec = on(&program);
        let said = launcher.run(&spec.clone().python("x = b'x' * (200 << 20); print(len(x))"));
        assert_eq!(said.stdout, "", "{program:?} {said:?}");
        assert!(said.oom_kills > 0, "{program:?} {said:?}");
        let forking = "
import os, time
made = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(1000)
        made += 1
except OSError:
    print(made)";
        let limits = Limits { pids: Some(20), ..spec.limits };
        let said = launcher.run(&Spec { limits, ..spec }.python(forking));
        let made: u32 = said.stdout.trim().parse().unwrap();
        assert!((10..20).contains(&made), "{program:?} {said:?}");
    }
}

#[test]
#[ignore = "takes OCI runtimes"]
fn what_runs_commands_is_in_nobodys_reach() {
    let script = "
import os
for path, way in (('init', 'a'), ('privileges', 'a')):
    try:
        open(f'/.scientist-pool/{path}', way)
        print('opened', path, way)
    except OSError:
        pass
for change in (os.unlink, lambda path: os.rename(path, path + '2'), lambda path: os.chmod(path, 0o777)):
    try:
        change('/.scientist-pool/init')
        print('changed')
    except OSError:
        pass";
    for (who, mut spec) in everything() {
        // Root on a root that can be written to could do the most.
        (spec.user, spec.root.read_only) = (User { uid: 0, gid: 0 }, false);
        assert_eq!(Launcher::start(who).python(&spec, script), "", "{who:?} {:?}", spec.runtime);
    }
}

#[test]
#[ignore = "takes OCI runtimes"]
fn a_launcher_that_is_killed_leaves_nothing() {
    for (who, spec) in everything() {
        let mut launcher = Launcher::start(who);
        let mut running = launcher.create(&spec.argv(&["sh", "-c", "echo; sleep 1000"])).unwrap();
        running.stdout.read_exact(&mut [0]).unwrap();
        let keeper = launcher.child.id();
        let all = descendants(keeper);
        assert!(all.len() > 2, "{all:?}");
        kill_process(Pid::from_child(&launcher.child), Signal::KILL).unwrap();
        eventually(PATIENCE, "all are gone", || !all.iter().any(|pid| is_alive(*pid)));
    }
}

#[test]
#[ignore = "takes OCI runtimes"]
fn a_container_that_is_removed_leaves_nothing() {
    for (who, spec) in everything() {
        let mut launcher = Launcher::start(who);
        let own = descendants(launcher.child.id());
        let running = launcher.create(&spec.argv(&["sleep", "1000"])).unwrap();
        let beside = launcher.exec(running.id, &["sleep", "1000"]).unwrap();
        launcher.remove(running.id);
        drop(beside);
        assert_eq!(descendants(launcher.child.id()), own);
        let word = format!("scientist-pool-launcher-{}-", launcher.child.id());
        let groups = cgroups_with(&word);
        let of_containers = |path: &&PathBuf| path.ends_with(running.id.to_string());
        assert_eq!(groups.iter().filter(of_containers).count(), 0, "{groups:?}");
    }
}

#[test]
fn a_runtime_that_never_answers_goes_with_its_container() {
    for who in everybody() {
        let folder = open_folder();
        let spec = on(&made(folder.path(), "sleep 1000")).argv(&["true"]);
        let mut launcher = Launcher::start(who);
        let own = descendants(launcher.child.id());
        let id = launcher.next_id();
        let create = launcher.send(Request::Create { id, spec: Box::new(spec), template: None });
        // The world's process 1, and the runtime in it.
        let grown = || descendants(launcher.child.id()).len() >= own.len() + 2;
        eventually(PATIENCE, "the runtime runs", grown);
        launcher.remove(id);
        assert!(matches!(launcher.answer(create).0, Answer::Failed(_)));
        assert_eq!(descendants(launcher.child.id()), own);
    }
}

#[test]
fn a_runtime_that_fails_is_quoted() {
    let log = r#"printf '{"msg":"it is broken"}\n' > "$4"; exit 1"#;
    let cases = [
        (log, "it is broken"),
        ("exit 7", "it ended with 7"),
        ("kill -9 $$", "ended by signal 9"),
        ("exit 0", "has told no pid"),
    ];
    for (script, words) in cases {
        let folder = open_folder();
        let program = made(folder.path(), script);
        for who in everybody() {
            let failure = Launcher::start(who).create(&on(&program)).err().unwrap();
            assert!(failure.message.contains(words), "{failure}");
            assert!(failure.message.contains(program.to_str().unwrap()), "{failure}");
        }
    }
}

#[test]
fn what_is_no_runtime_says_no_version() {
    let folder = open_folder();
    let silent = made(folder.path(), "exit 0");
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        for program in [Path::new("/no/such/runtime"), &silent] {
            let request = Request::Probe { runtime: Some(program.to_owned()) };
            let Answer::Report(report) = launcher.call(request) else { panic!() };
            let failure = report.runtime.unwrap().unwrap_err();
            assert!(failure.message.contains(program.to_str().unwrap()), "{failure}");
        }
    }
}

#[test]
fn one_that_is_asked_for_its_version_may_not_hold_up_the_launcher() {
    let folder = open_folder();
    let program = made(folder.path(), "sleep 1000");
    let mut launcher = Launcher::start(everybody()[0]);
    let begin = std::time::Instant::now();
    let Answer::Report(report) = launcher.call(Request::Probe { runtime: Some(program) }) else {
        panic!()
    };
    assert!(report.runtime.unwrap().is_err());
    assert!(begin.elapsed() < Duration::from_secs(15));
}

#[test]
#[ignore = "takes OCI runtimes"]
fn an_ordinary_user_has_no_other_user_than_root_with_runc() {
    let Some(runc) = installed().into_iter().find(|program| program.ends_with("runc")) else {
        return;
    };
    let failure = Launcher::start(Who::Nobody).create(&on(&runc)).err().unwrap();
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert!(failure.message.contains("user must be null or '0:0'"), "{failure}");
}
