//! The launcher's own process 1: what its children are, and that they can't reach it.
#![cfg(target_os = "linux")]

mod support;

use std::{fs, io::Write, path::Path};

use scientist_pool_protocol::{Exit, Program, Spec, User};
use support::{
    bind, everybody, filtered, frame, list, open_folder, proper, receive, spec, Launcher, Running,
    SpecExt, Who,
};

const CAP_DAC_OVERRIDE: u8 = 1;
const CAP_SYS_PTRACE: u8 = 19;

fn supervised(mut spec: Spec) -> Spec {
    spec.process.program = Program::Init;
    spec.argv(&[])
}

/// Runs a command; gives what it wrote to both streams, and its end.
fn command(init: &mut Running, argv: &[&str]) -> (String, (u8, Vec<u8>)) {
    let meta = [&b"C"[..], &list(argv), &list(&[]), &0u32.to_le_bytes()].concat();
    let frames = [frame(b'J', &meta), frame(b'E', b"")].concat();
    init.stdin.as_mut().unwrap().write_all(&frames).unwrap();
    let mut said = Vec::new();
    loop {
        match receive(init) {
            (b'1' | b'2', written) => said.extend(written),
            end => return (String::from_utf8(said).unwrap(), end),
        }
    }
}

fn python(init: &mut Running, script: &str) -> String {
    let (said, end) = command(init, &["python3", "-I", "-S", "-c", script]);
    assert_eq!(end, (b'X', vec![0]), "{said}");
    said.trim_end().to_owned()
}

/// All that a process has from whoever made it.
const WHAT_IT_IS: &str = "
import os, resource
status = {name: value.strip() for name, _, value in (line.partition(':') for line in open('/proc/self/status'))}
for name in ('Uid', 'Gid', 'Groups', 'NoNewPrivs', 'Seccomp', 'Seccomp_filters', 'SigBlk', 'SigCgt', 'Umask',
             'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'):
    print(name, status.get(name))
limits = (name for name in dir(resource) if name.startswith('RLIMIT_'))
print([(name, resource.getrlimit(getattr(resource, name))) for name in limits])
print(os.getcwd(), sorted(os.environ.items()), os.getsid(0) == os.getpid(), sorted(os.listdir('/proc/self/fd')))
print([open(f'/dev/{name}', mode).writable() for name, mode in (('stdin', 'r'), ('stdout', 'w'), ('stderr', 'w'))])";

#[test]
fn a_child_is_what_a_process_1_of_its_program_would_be() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        for (user, capabilities, no_new_privileges) in [
            (65_534, vec![], true),
            (65_533, vec![], false),
            (0, vec![5, 10], true),
            (0, vec![10], false),
        ] {
            let mut spec = filtered(&[]);
            spec.user = User { uid: user, gid: user };
            (spec.privileges.capabilities, spec.privileges.no_new_privileges) =
                (capabilities, no_new_privileges);
            let expected = launcher.python(&spec, WHAT_IT_IS);
            let mut init = launcher.create(&supervised(spec)).unwrap();
            assert_eq!(python(&mut init, WHAT_IT_IS), expected, "{who:?} as {user}");
            launcher.remove(init.id);
        }
    }
}

#[test]
fn nothing_of_process_1_is_in_reach_of_what_it_starts() {
    let script = "
import os, resource
for name in ('mem', 'maps', 'environ', 'exe', 'root', 'fd', 'fd/0', 'fd/1', 'ns/mnt', 'cwd'):
    path = '/proc/1/' + name
    try:
        print(path, os.listdir(path) if name == 'fd' else open(path, 'rb').read(1))
    except OSError:
        pass
# Only another user can be kept from it, as the kernel has it; the filter keeps everybody.
if os.getuid() and int(open('/proc/1/status').read().split('Uid:')[1].split()[0]) != os.getuid():
    try:
        print('limits', resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0)))
    except OSError:
        pass";
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        for (user, capabilities) in [(65_534, vec![]), (0, vec![CAP_DAC_OVERRIDE, CAP_SYS_PTRACE])]
        {
            let mut spec = supervised(spec());
            spec.user = User { uid: user, gid: user };
            spec.privileges.capabilities = capabilities;
            let mut init = launcher.create(&spec).unwrap();
            assert_eq!(python(&mut init, script), "", "{who:?} as {user}");
            launcher.remove(init.id);
        }
    }
}

#[test]
fn it_is_another_user_than_what_it_starts_where_there_are_others() {
    if everybody()[0] != Who::Root {
        return;
    }
    let mut launcher = Launcher::start(Who::Root);
    for user in [0, 65_533, 65_534] {
        let mut spec = supervised(spec());
        spec.user = User { uid: user, gid: user };
        let mut init = launcher.create(&spec).unwrap();
        let script = "print(open('/proc/1/status').read().split('Uid:')[1].split()[:3])";
        let said = python(&mut init, script);
        assert!(!said.contains(&format!("'{user}'")), "{said} as {user}");
        assert!(!said.contains("'0'"), "{said}");
        launcher.remove(init.id);
    }
}

#[test]
fn it_holds_nothing_of_the_launchers() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let first = launcher.create(&supervised(spec())).unwrap();
        let mut init = launcher.create(&supervised(spec())).unwrap();
        // It is there when it answers.
        assert_eq!(command(&mut init, &["true"]).1, (b'X', vec![0]));
        let children =
            fs::read_to_string(format!("/proc/{0}/task/{0}/children", proper(launcher.child.id())));
        for pid in children.unwrap().split_whitespace() {
            let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
            let links = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
            let links: Vec<_> = links.map(|link| link.to_string_lossy().into_owned()).collect();
            let pipes = links.iter().filter(|link| link.starts_with("pipe:")).count();
            let others: Vec<_> = links.iter().filter(|link| !link.starts_with("pipe:")).collect();
            let own = |link: &&&String| {
                ["[signalfd]", "[eventpoll]", "/oom_score_adj"]
                    .iter()
                    .any(|own| link.ends_with(own))
            };
            assert!(others.iter().all(|link| own(&link)), "{who:?}: {others:?}");
            assert_eq!(pipes, 3, "{who:?}: {links:?}");
        }
        launcher.remove(first.id);
        launcher.remove(init.id);
    }
}

#[test]
fn commands_run_in_an_image_of_one_program() {
    // Linked statically: there is nothing else in the image.
    let program = Path::new("/bin/busybox");
    if !program.exists() {
        return;
    }
    let root = open_folder();
    for place in ["proc", "dev", "tmp"] {
        fs::create_dir(root.path().join(place)).unwrap();
    }
    fs::write(root.path().join("echo"), "").unwrap();
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let mut spec = supervised(spec());
        spec.root.folders = vec![root.path().to_owned()];
        spec.binds = vec![bind(program, "/echo")];
        let mut init = launcher.create(&spec).unwrap();
        let boot = [&0u32.to_le_bytes()[..], &list(&[]), &list(&[])].concat();
        init.stdin.as_mut().unwrap().write_all(&frame(b'B', &boot)).unwrap();
        assert_eq!(receive(&mut init), (b'C', vec![]), "it has no python3");
        let (said, end) = command(&mut init, &["/echo", "hello"]);
        assert_eq!((said.as_str(), end), ("hello\n", (b'X', vec![0])), "{who:?}");
        init.stdin = None;
        assert_eq!(launcher.end_of(init.id), Exit::Code(0), "it ends with its stdin");
        launcher.remove(init.id);
    }
}

#[test]
fn a_command_runs_beside_it() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let mut init = launcher.create(&supervised(spec())).unwrap();
        assert_eq!(command(&mut init, &["true"]).1, (b'X', vec![0]), "{who:?}");
        let said = launcher.run_beside(init.id, &["sh", "-c", "id -u; exit 5"]);
        assert_eq!((said.stdout.as_str(), said.exit), ("65534\n", Exit::Code(5)), "{who:?}");
        launcher.remove(init.id);
    }
}

#[test]
fn what_it_is_left_as_the_parent_of_is_gone_when_it_has_ended() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let mut init = launcher.create(&supervised(spec())).unwrap();
        let argv = ["sh", "-c", "for n in 1 2 3; do sleep 0 & done; sleep 1000 & echo $!"];
        let (left, end) = command(&mut init, &argv);
        assert_eq!(end, (b'X', vec![0]), "{who:?}");
        // Those that have ended are no processes any more, and that which runs is told from them.
        let count = "ls -d /proc/[0-9]* | wc -l; cat /proc/$0/comm";
        let seen = || command(&mut init, &["sh", "-c", count, left.trim()]).0;
        let mut seen = seen;
        // Process 1, what was left, the shell, `ls` and `wc`.
        support::eventually(support::PATIENCE, "they are reaped", || seen() == "5\nsleep\n");
        launcher.remove(init.id);
    }
}

#[test]
fn there_is_one_of_it_in_a_container() {
    let mut launcher = Launcher::start(everybody()[0]);
    let running = launcher.create(&spec().argv(&["sleep", "1000"])).unwrap();
    let mut process = spec().process;
    process.program = Program::Init;
    let failure = launcher.exec_process(running.id, process).err().unwrap();
    assert!(failure.message.contains("process 1"), "{failure}");
    launcher.remove(running.id);
}
