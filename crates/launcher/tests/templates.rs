//! Interpreters that are forked from a template.
#![cfg(target_os = "linux")]

mod support;

use std::{
    fs,
    io::{Read, Write},
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
};

use rustix::process::{kill_process, Pid, Signal};
use scientist_pool_protocol::{ContainerId, Program, Spec, Template, User};
use support::{
    bind, descendants, eventually, everybody, filtered, frame, is_alive, list, open_folder, proper,
    receive, Launcher, Running, Who, PATIENCE,
};

const SPARE: &str = include_str!("../../../src/runner/spare.py");
const PARK: &str = include_str!("../../../src/runner/park.py");

/// A container that a fork can come to.
fn supervised() -> Spec {
    let mut spec = filtered(&[]);
    spec.process.program = Program::Init;
    spec
}

/// What its forks are to be, as a template of them.
fn template_of(spec: &Spec, preload: &[&str]) -> Spec {
    let mut template = spec.clone();
    template.process.program = Program::Template(Template {
        preload: preload.iter().map(|&name| name.to_owned()).collect(),
        idle: Vec::new(),
        seccomp: spec.privileges.seccomp.clone(),
    });
    let profile = include_str!("../../../docs/seccomp.json");
    template.privileges.seccomp =
        scientist_pool_seccomp::compile(profile, &[], &["setns", "keyctl"]).unwrap();
    template.oom_score_adj = 1000;
    template
}

fn start(launcher: &mut Launcher, spec: &Spec) -> (Running, String) {
    let mut template = launcher.create(spec).unwrap();
    let mut word = [0; 256];
    let size = template.stdout.read(&mut word).unwrap();
    let word = String::from_utf8_lossy(&word[..size]).into_owned();
    (template, word)
}

/// A launcher with a template that is up, of the containers that are as that.
fn with_template(who: Who, preload: &[&str]) -> (Launcher, Spec, Running) {
    let mut launcher = Launcher::start(who);
    let spec = supervised();
    let template = ready(&mut launcher, &spec, preload);
    (launcher, spec, template)
}

fn ready(launcher: &mut Launcher, spec: &Spec, preload: &[&str]) -> Running {
    let (mut template, word) = start(launcher, &template_of(spec, preload));
    if word != "ready" {
        let mut why = String::new();
        let _ = template.stderr.read_to_string(&mut why);
        panic!("{word}: {why}");
    }
    template
}

fn write(init: &mut Running, frames: &[u8]) {
    init.stdin.as_mut().unwrap().write_all(frames).unwrap();
}

/// A container whose first interpreter is up.
fn container(launcher: &mut Launcher, spec: &Spec, template: Option<ContainerId>) -> Running {
    let mut init = launcher.create_of(spec, template).unwrap();
    boot(&mut init);
    assert_eq!(receive(&mut init), (b'R', vec![]));
    init
}

/// One whose interpreter is a fork of the template's: no `exec` of its own has given it another address layout.
fn fork(launcher: &mut Launcher, spec: &Spec, template: &Running) -> Running {
    let init = container(launcher, spec, Some(template.id));
    let layout = |pid: u32| {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        maps.lines()
            .find(|line| line.ends_with("[stack]"))
            .and_then(|line| Some(line.split_once('-')?.1[..12].to_owned()))
    };
    let own = layout(pid_of(&template.pidfd));
    let spares = descendants(pid_of(&init.pidfd));
    assert!(own.is_some() && spares.iter().any(|pid| layout(*pid) == own), "it has booted");
    init
}

/// The process id here.
fn pid_of(pidfd: &OwnedFd) -> u32 {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap();
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:")).unwrap();
    pid.trim().parse().unwrap()
}

fn boot(init: &mut Running) {
    let source = [SPARE, PARK].concat();
    let boot =
        [&(source.len() as u32).to_le_bytes()[..], source.as_bytes(), &list(&[]), &list(&[])]
            .concat();
    write(init, &frame(b'B', &boot));
}

/// What a script prints, by the interpreter that waits.
fn script(init: &mut Running, source: &str) -> String {
    let meta = [&b"S"[..], &list(&[]), &list(&[])].concat();
    let job = [frame(b'J', &meta), frame(b'D', source.as_bytes()), frame(b'E', b"")].concat();
    write(init, &job);
    let mut said = Vec::new();
    loop {
        match receive(init) {
            (b'1' | b'2', written) => said.extend(written),
            end => {
                let said = String::from_utf8(said).unwrap();
                assert_eq!(end, (b'X', vec![0]), "{said}");
                return said.trim_end().to_owned();
            }
        }
    }
}

/// Whether it is a fork: hash seeds are what no two booted ones have in common.
const SEED: &str = "print(hash('x'))";

/// All that an interpreter has from whoever made it.
const WHAT_IT_IS: &str = "
import os, resource, sys
status = {name: value.strip() for name, _, value in (line.partition(':') for line in open('/proc/self/status'))}
for name in ('Name', 'Uid', 'Gid', 'Groups', 'NoNewPrivs', 'Seccomp', 'SigBlk', 'SigIgn', 'SigCgt', 'Umask', 'PPid',
             'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'Threads'):
    print(name, status.get(name))
limits = (name for name in dir(resource) if name.startswith('RLIMIT_'))
print([(name, resource.getrlimit(getattr(resource, name))) for name in limits])
print(os.getcwd(), sorted(os.environ.items()), os.getsid(0) == os.getpid(), sorted(os.listdir('/proc/self/fd')))
print([open(f'/dev/{name}', mode).writable() for name, mode in (('stdin', 'r'), ('stdout', 'w'), ('stderr', 'w'))])
print(open('/proc/self/oom_score_adj').read(), open('/proc/self/cgroup').read())
print(open('/proc/self/cmdline').read(), sys.path, sys.argv, sys.flags, os.readlink('/proc/self/exe'), os.readlink('/proc/self/root'))
print(sorted(sys.modules), sys.executable, sys.orig_argv)
print([(entry, os.lstat('/' + entry).st_uid) for entry in sorted(os.listdir('/'))])
print(open('/proc/self/uid_map').read().split()[::2], open('/proc/self/mountinfo').read().count('\\n'))
print(sorted(name for name in os.listdir('/proc') if name.isdigit() and name not in ('1', str(os.getpid()))))
import socket; print(socket.gethostname(), socket.if_nameindex(), os.access('/tmp', os.W_OK), os.access('/', os.W_OK))";

#[test]
fn a_fork_is_what_a_booted_interpreter_would_be() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        for (user, capabilities) in [(65_534, vec![]), (0, vec![10])] {
            let mut spec = supervised();
            spec.user = User { uid: user, gid: user };
            spec.privileges.capabilities = capabilities;
            let template = ready(&mut launcher, &spec, &[]);
            let mut booted = container(&mut launcher, &spec, None);
            let mut forked = fork(&mut launcher, &spec, &template);
            let is = script(&mut forked, WHAT_IT_IS);
            for (is, expected) in is.lines().zip(script(&mut booted, WHAT_IT_IS).lines()) {
                assert_eq!(is, expected, "{who:?} as {user}");
            }
            for id in [booted.id, forked.id, template.id] {
                launcher.remove(id);
            }
        }
    }
}

#[test]
fn what_forks_draw_by_chance_is_not_the_same() {
    // By each what a fork would share: a state of modules that are imported already.
    let script_of_chance = "
import random, uuid, secrets, tempfile, ssl, multiprocessing.process, threading, os
print(random.random())
print(uuid.uuid4())
print(uuid.uuid1())
print(secrets.token_hex())
print(os.path.basename(tempfile.mkdtemp()))
print(ssl.RAND_bytes(16).hex())
print(bytes(multiprocessing.process.current_process().authkey).hex())
assert threading.main_thread().native_id == os.getpid() == threading.get_native_id()";
    let preload =
        ["random", "uuid", "secrets", "tempfile", "ssl", "multiprocessing.process", "threading"];
    let (mut launcher, spec, template) = with_template(*everybody().first().unwrap(), &preload);
    let drawn: Vec<String> = (0..3)
        .map(|_| {
            let mut forked = fork(&mut launcher, &spec, &template);
            let drawn = script(&mut forked, script_of_chance);
            launcher.remove(forked.id);
            drawn
        })
        .collect();
    for (at, first) in drawn[0].lines().enumerate() {
        let all: Vec<_> = drawn.iter().map(|drawn| drawn.lines().nth(at).unwrap()).collect();
        assert!(all[1..].iter().all(|other| *other != first) && all[1] != all[2], "{all:?}");
    }
}

#[test]
fn a_fork_sees_nothing_of_another() {
    for who in everybody() {
        let (mut launcher, spec, template) = with_template(who, &[]);
        let mut one = fork(&mut launcher, &spec, &template);
        let mut other = fork(&mut launcher, &spec, &template);
        let leave = "
import os, socket, time
open('/tmp/mine', 'w').close(); open('/dev/shm/mine', 'w').close()
listening = socket.socket(socket.AF_UNIX); listening.bind('\\0mine'); listening.listen()
port = socket.socket(); port.bind(('127.0.0.1', 7777)); port.listen()
if not os.fork():
    for fd in (0, 1, 2): os.close(fd)
    time.sleep(1000)";
        let look = "
import os, socket
def reaches(kind, address):
    try: return socket.socket(kind).connect(address) is None
    except OSError: return False
others = [pid for pid in os.listdir('/proc') if pid.isdigit() and pid not in ('1', str(os.getpid()))]
print(len(others), os.path.exists('/tmp/mine'), os.path.exists('/dev/shm/mine'),
    reaches(socket.AF_UNIX, '\\0mine'), reaches(socket.AF_INET, ('127.0.0.1', 7777)))";
        script(&mut one, leave);
        assert_eq!(script(&mut one, look), "1 True True True True", "{who:?}: in the same one");
        assert_eq!(script(&mut other, look), "0 False False False False", "{who:?}");
    }
}

#[test]
fn when_a_template_ends_its_forks_go_on_and_others_are_booted() {
    for who in everybody() {
        let (mut launcher, spec, template) = with_template(who, &[]);
        let mut one = fork(&mut launcher, &spec, &template);
        let mut other = fork(&mut launcher, &spec, &template);
        let seed = script(&mut other, SEED);
        let mut waiting = launcher.create_of(&spec, Some(template.id)).unwrap();
        rustix::process::pidfd_send_signal(&template.pidfd, Signal::KILL).unwrap();
        launcher.end_of(template.id);
        assert_eq!(script(&mut one, SEED), seed, "{who:?}: both are forks");
        let mut booted = container(&mut launcher, &spec, Some(template.id));
        boot(&mut waiting);
        assert_eq!(receive(&mut waiting), (b'R', vec![]));
        assert_ne!(script(&mut booted, SEED), seed, "{who:?}");
        // Whether its fork had come in by then or not.
        assert_eq!(script(&mut waiting, "print(1)"), "1", "{who:?}");
        for id in [one.id, other.id, booted.id, waiting.id, template.id] {
            launcher.remove(id);
        }
        let proper = proper(launcher.child.id());
        eventually(PATIENCE, "no child is left", || descendants(proper).is_empty());
    }
}

#[test]
fn a_container_whose_fork_comes_to_nothing_boots() {
    let (mut launcher, spec, template) = with_template(*everybody().first().unwrap(), &[]);
    let mut init = launcher.create_of(&spec, Some(template.id)).unwrap();
    let fork = Pid::from_raw(waiting_in(&init) as i32).unwrap();
    kill_process(fork, Signal::KILL).unwrap();
    boot(&mut init);
    assert_eq!(receive(&mut init), (b'R', vec![]));
}

#[test]
fn a_fork_that_waits_ends_with_its_container() {
    let (mut launcher, spec, template) = with_template(*everybody().first().unwrap(), &[]);
    let init = launcher.create_of(&spec, Some(template.id)).unwrap();
    let fork = waiting_in(&init);
    launcher.remove(init.id);
    eventually(PATIENCE, "it has ended", || !is_alive(fork));
}

/// The fork that waits in a container until process 1 wants it.
fn waiting_in(init: &Running) -> u32 {
    let inside = || descendants(pid_of(&init.pidfd));
    eventually(PATIENCE, "a fork waits in it", || !inside().is_empty());
    inside()[0]
}

#[test]
fn a_template_that_says_nothing_is_not_waited_for() {
    let (mut launcher, spec, template) = with_template(*everybody().first().unwrap(), &[]);
    kill_process(Pid::from_raw(pid_of(&template.pidfd) as i32).unwrap(), Signal::STOP).unwrap();
    let mut init = container(&mut launcher, &spec, Some(template.id));
    assert_eq!(script(&mut init, "print(6 * 7)"), "42");
}

#[test]
fn with_its_launcher_a_template_ends() {
    for who in everybody() {
        let (mut launcher, spec, template) = with_template(who, &[]);
        fork(&mut launcher, &spec, &template);
        let all = descendants(launcher.child.id());
        assert!(all.len() >= 4, "the launcher proper, the template, process 1, its fork");
        drop(launcher);
        assert!(!all.into_iter().any(is_alive), "{who:?}");
    }
}

#[test]
fn a_module_that_forks_would_share_something_by_is_named() {
    let folder = open_folder();
    let module = |name: &str, source: &str| {
        fs::write(folder.path().join(format!("{name}.py")), source).unwrap();
    };
    module("threads", "import threading, time\nthreading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()");
    module("opens", "import os\nkept = os.open('/dev/null', os.O_RDONLY)");
    module("maps", "import mmap\nkept = mmap.mmap(-1, 4096)");
    module("fails", "1 / 0");
    // As libraries do that compute on all processors.
    module(
        "works",
        "import os, threading
done = threading.Event()
thread = threading.Thread(target=done.wait)
thread.start()
os.register_at_fork(before=lambda: (done.set(), thread.join()))",
    );
    let mut launcher = Launcher::start(*everybody().first().unwrap());
    let mut spec = supervised();
    spec.binds.push(bind(folder.path(), "/modules"));
    spec.process.env.push("PYTHONPATH=/modules".to_owned());
    for (name, why) in [
        ("threads", "thread"),
        ("opens", "open file"),
        ("maps", "memory"),
        ("fails", "fails: ZeroDivisionError"),
        ("works", "ready"),
        ("json", "ready"),
    ] {
        let (template, word) = start(&mut launcher, &template_of(&spec, &[name]));
        assert!(word.contains(why), "{name}: {word}");
        launcher.remove(template.id);
    }
}

#[test]
fn a_template_may_do_nothing_but_enter_what_is_its_own() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let template = ready(&mut launcher, &supervised(), &[]);
        let pid = pid_of(&template.pidfd);
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(|line| line.trim_start_matches(':').trim().to_owned()).unwrap()
        };
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(line(set), "0000000000000000", "{set}");
        }
        assert_eq!((&*line("NoNewPrivs"), &*line("Seccomp")), ("1", "2"));
        assert_ne!(line("Uid").split_whitespace().next(), Some("0"));
        for kind in ["user", "mnt", "ipc", "uts", "net", "cgroup"] {
            let namespace =
                |of: &str| fs::read_link(Path::new("/proc").join(of).join("ns").join(kind));
            let own = namespace(&pid.to_string()).unwrap();
            assert_ne!(own, namespace("self").unwrap(), "{kind}");
            let launchers = namespace(&proper(launcher.child.id()).to_string()).unwrap();
            assert_ne!(own, launchers, "{kind}");
        }
    }
}
