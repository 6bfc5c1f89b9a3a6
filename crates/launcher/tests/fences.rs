//! Each fence, as it looks from inside, for a launcher of root's and for one of an ordinary user's.
#![cfg(target_os = "linux")]

mod support;

use std::io::Write;

use scientist_pool_protocol::{Answer, Exit, Fence, Message, Request, Spec, User};
use support::{everybody, filtered, spec, Launcher, SpecExt, Who};

/// What a script prints for each of them.
fn of_everybody(spec: &Spec, script: &str) -> Vec<(Who, String)> {
    everybody().into_iter().map(|who| (who, Launcher::start(who).python(spec, script))).collect()
}

#[test]
fn a_program_runs_and_its_end_is_told() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let script = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)";
        let said = launcher.run(&spec().python(script));
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("out\n", "err\n"), "{who:?}");
        assert_eq!(said.exit, Exit::Code(7), "{who:?}");
    }
}

#[test]
fn what_comes_on_stdin_arrives() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let mut running = launcher.create(&spec().argv(&["cat"])).unwrap();
        running.stdin.as_mut().unwrap().write_all(b"through\n").unwrap();
        assert_eq!(launcher.finish(&mut running).stdout, "through\n", "{who:?}");
    }
}

const STATUS: &str = "
status = {name: value.strip() for name, _, value in (line.partition(':') for line in open('/proc/self/status'))}
print(*[f'{name} {status[name]}' for name in FIELDS], sep='\\n')";

#[test]
fn there_is_no_capability_in_any_set() {
    let fields = "FIELDS = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']";
    let none = "0000000000000000";
    for user in [65_534, 0] {
        let spec = Spec { user: User { uid: user, gid: user }, ..spec() };
        for (who, said) in of_everybody(&spec, &format!("{fields}{STATUS}")) {
            let sets: Vec<_> = said.lines().map(|line| line.split_once(' ').unwrap().1).collect();
            assert_eq!(sets, [none; 5], "{who:?} as {user}");
        }
    }
}

#[test]
fn a_capability_that_is_kept_is_roots_alone() {
    let mut kept = spec();
    kept.privileges.capabilities = vec![10]; // CAP_NET_BIND_SERVICE
    let script = format!("FIELDS = ['CapEff', 'CapBnd']{STATUS}");
    for (who, said) in of_everybody(&kept, &script) {
        assert_eq!(said, "CapEff 0000000000000000\nCapBnd 0000000000000400", "{who:?}");
    }
    kept.user = User { uid: 0, gid: 0 };
    for (who, said) in of_everybody(&kept, &script) {
        assert_eq!(said, "CapEff 0000000000000400\nCapBnd 0000000000000400", "{who:?}");
    }
}

#[test]
fn privileges_and_system_calls_are_closed() {
    let script = format!("FIELDS = ['NoNewPrivs', 'Seccomp', 'Seccomp_filters']{STATUS}");
    for (who, said) in of_everybody(&filtered(&[]), &script) {
        assert_eq!(said, "NoNewPrivs 1\nSeccomp 2\nSeccomp_filters 2", "{who:?}");
    }
}

#[test]
fn a_refused_call_fails_and_an_absent_one_looks_absent() {
    let script = "
import ctypes, errno, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    return 'ok' if libc.syscall(*args) >= 0 else errno.errorcode[ctypes.get_errno()]
numbers = {'x86_64': (272, 435, 425), 'aarch64': (97, 435, 425)}[os.uname().machine]
unshare, clone3, io_uring_setup = numbers
print(call(unshare, 0x10000000), call(clone3, 0, 0), call(io_uring_setup, 1, 0))
for family in (socket.AF_UNIX, socket.AF_INET, 40, 38):
    try:
        socket.socket(family, socket.SOCK_STREAM if family != 38 else socket.SOCK_SEQPACKET).close()
        print('ok')
    except OSError as error:
        print(errno.errorcode[error.errno])";
    for (who, said) in of_everybody(&filtered(&[]), script) {
        assert_eq!(said, "EPERM ENOSYS ENOSYS\nok\nok\nEPERM\nEPERM", "{who:?}");
    }
}

#[test]
fn a_filter_can_be_set_without_no_new_privileges() {
    let mut spec = filtered(&[]);
    spec.privileges.no_new_privileges = false;
    let script = format!("FIELDS = ['NoNewPrivs', 'Seccomp']{STATUS}");
    for (who, said) in of_everybody(&spec, &script) {
        assert_eq!(said, "NoNewPrivs 0\nSeccomp 2", "{who:?}");
    }
}

#[test]
fn users_are_others_outside() {
    let script = "import os; print(os.getuid(), os.getgid(), os.getgroups(), open('/proc/self/uid_map').read().split())";
    for (who, said) in of_everybody(&spec(), script) {
        let map = said.split_once("['").unwrap().1;
        let map: Vec<u32> = map
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        assert!(said.starts_with("65534 65534 []"), "{who:?}: {said}");
        match who {
            Who::Root => {
                assert_eq!((map[0], map[2]), (0, 65_536));
                assert!(map[1] >= 0x4000_0000, "{said}");
            }
            Who::Nobody => assert_eq!(map, [65_534, 65_534, 1]),
        }
    }
}

#[test]
fn two_containers_of_roots_have_no_user_in_common() {
    if everybody()[0] != Who::Root {
        return;
    }
    let mut launcher = Launcher::start(Who::Root);
    let script = "print(open('/proc/self/uid_map').read().split()[1])";
    assert_ne!(launcher.python(&spec(), script), launcher.python(&spec(), script));
}

#[test]
fn nothing_can_be_written_but_where_memory_is() {
    let script = "
import errno, os
for path in ['/', '/usr', '/usr/bin', '/dev', '/proc', '/proc/sys/kernel', '/etc', '/tmp', '/dev/shm']:
    try:
        open(os.path.join(path, 'x'), 'w').close()
        print(path, 'ok')
    except OSError as error:
        print(path, errno.errorcode[error.errno])";
    // As its root, which modes don't stop.
    let root = Spec { user: User { uid: 0, gid: 0 }, ..spec() };
    for (who, said) in of_everybody(&root, script) {
        let open: Vec<_> = said.lines().filter(|line| line.ends_with("ok")).collect();
        assert_eq!(open, ["/tmp ok", "/dev/shm ok"], "{who:?}: {said}");
        assert!(said.contains("/usr EROFS") && said.contains("/ EROFS"), "{who:?}: {said}");
    }
}

#[test]
fn memory_file_systems_have_the_size_and_flags_they_were_given() {
    let script = "
import os
for path in '/tmp', '/dev/shm':
    fs = os.statvfs(path)
    print(path, fs.f_blocks * fs.f_frsize >> 20, bool(fs.f_flag & os.ST_NOSUID),
          bool(fs.f_flag & os.ST_NODEV), bool(fs.f_flag & os.ST_NOEXEC), oct(os.stat(path).st_mode))";
    for (who, said) in of_everybody(&spec(), script) {
        let expected = "/tmp 64 True True False 0o41777\n/dev/shm 16 True True True 0o41777";
        assert_eq!(said, expected, "{who:?}");
    }
}

#[test]
fn masked_paths_of_proc_show_nothing_and_others_are_closed() {
    let script = "
import errno, os
for name in ['kcore', 'keys', 'timer_list', 'sched_debug', 'interrupts', 'latency_stats']:
    path = '/proc/' + name
    if os.path.exists(path):
        print(name, os.stat(path).st_rdev == os.stat('/dev/null').st_rdev, len(open(path, 'rb').read()))
for name in ['acpi', 'scsi']:
    if os.path.exists('/proc/' + name):
        print(name, os.listdir('/proc/' + name))
for name in ['sys/kernel/hostname', 'sysrq-trigger']:
    if os.path.exists('/proc/' + name):
        try:
            open('/proc/' + name, 'w')
        except OSError as error:
            print(name, error.errno == errno.EROFS)";
    let root = Spec { user: User { uid: 0, gid: 0 }, ..spec() };
    for (who, said) in of_everybody(&root, script) {
        assert!(said.contains("sys/kernel/hostname True"), "{who:?}: {said}");
        for line in said.lines() {
            let right = ["True 0", "[]", "True"].iter().any(|end| line.ends_with(end));
            assert!(right, "{who:?}: {line}");
        }
    }
}

#[test]
fn only_its_own_processes_are_in_sight() {
    let script = "
import os
print(os.getpid(), [name for name in os.listdir('/proc') if name.isdigit()], os.path.exists('/sys'))";
    for (who, said) in of_everybody(&spec(), script) {
        assert_eq!(said, "1 ['1'] False", "{who:?}");
    }
}

#[test]
fn there_are_the_devices_that_programs_need_and_no_others() {
    let script = "
import os
print(sorted(os.listdir('/dev')), flush=True)
for name, major, minor in [('null', 1, 3), ('zero', 1, 5), ('full', 1, 7), ('random', 1, 8), ('urandom', 1, 9)]:
    rdev = os.stat('/dev/' + name).st_rdev
    assert (os.major(rdev), os.minor(rdev)) == (major, minor), name
    open('/dev/' + name, 'rb' if name != 'full' else 'wb', buffering=0).close()
open('/dev/null', 'w').write('x')
open('/dev/stdout', 'w').write('said\\n')";
    let names =
        "['fd', 'full', 'null', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'urandom', 'zero']";
    for (who, said) in of_everybody(&spec(), script) {
        assert_eq!(said, format!("{names}\nsaid"), "{who:?}");
    }
}

#[test]
fn the_only_network_is_its_own_loopback_and_that_is_up() {
    let script = "
import socket
print([name for _, name in socket.if_nameindex()])
server = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(server.getsockname())
client.send(b'x'); print(server.accept()[0].recv(1))
try:
    socket.create_connection(('192.0.2.1', 80), timeout=1)
except OSError as error:
    print(error.strerror)";
    for (who, said) in of_everybody(&spec(), script) {
        assert_eq!(said, "['lo']\nb'x'\nNetwork is unreachable", "{who:?}");
    }
}

#[test]
fn a_port_that_was_asked_for_leads_out_to_whoever_asked_and_no_further() {
    let script = "
import socket
print(socket.create_connection(('127.0.0.1', 3128)).makefile().read())
try:
    socket.create_connection(('192.0.2.1', 80), timeout=1)
except OSError as error:
    print(error.strerror)";
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let asked = Spec { proxy: Some(3128), ..spec() };
        let mut running = launcher.create(&asked.python(script)).unwrap();
        let mut other = launcher.create(&spec().python(script)).unwrap();
        let listener = running.listener.take().expect("it comes with the answer");
        listener.set_nonblocking(false).unwrap();
        write!(listener.accept().unwrap().0, "hello").unwrap();
        let said = launcher.finish(&mut running);
        assert_eq!(said.stdout, "hello\nNetwork is unreachable\n", "{who:?} {said:?}");
        assert!(other.listener.is_none(), "{who:?}");
        let said = launcher.finish(&mut other);
        assert!(said.stderr.contains("Connection refused"), "{who:?} {said:?}");
    }
}

#[test]
fn no_mount_of_this_machine_is_in_sight() {
    let script = "
for line in open('/proc/self/mountinfo'):
    print(line.split()[4])";
    let known = |path: &str| {
        ["/", "/usr", "/tmp", "/dev"].contains(&path)
            || path.starts_with("/proc")
            || path.starts_with("/dev/")
    };
    for (who, said) in of_everybody(&spec(), script) {
        let unknown: Vec<_> = said.lines().filter(|path| !known(path)).collect();
        assert_eq!(unknown, [""; 0], "{who:?}");
    }
}

#[test]
fn process_1_has_three_descriptors_and_no_more() {
    // The fourth is the folder that is being listed.
    let script = "import os; print(sorted(map(int, os.listdir('/proc/self/fd'))))";
    for (who, said) in of_everybody(&spec(), script) {
        assert_eq!(said, "[0, 1, 2, 3]", "{who:?}");
    }
}

#[test]
fn every_namespace_is_its_own() {
    let namespaces = ["user", "mnt", "pid", "ipc", "uts", "cgroup", "net"];
    let script = format!(
        "
import os
for name in {namespaces:?}: print(os.readlink('/proc/self/ns/' + name))"
    );
    for (who, said) in of_everybody(&spec(), &script) {
        for (name, link) in namespaces.iter().zip(said.lines()) {
            let ours = std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
            assert_ne!(ours.to_string_lossy(), link, "{who:?}");
        }
    }
}

#[test]
fn a_process_begins_as_if_started_alone() {
    let script = "
import os, signal, socket
ignored = [s.name for s in signal.valid_signals() if isinstance(s, signal.Signals)
           and signal.getsignal(s) == signal.SIG_IGN]
print(socket.gethostname(), os.getcwd(), oct(os.umask(0)), os.getsid(0) == os.getpid(),
      signal.pthread_sigmask(signal.SIG_BLOCK, []), ignored, open('/proc/self/oom_score_adj').read().strip(),
      open('/proc/self/cgroup').read().split(':')[-1].strip(), dict(os.environ).keys())";
    for (who, said) in of_everybody(&spec(), script) {
        // Python itself ignores these two.
        let expected =
            "sandbox /tmp 0o22 True set() ['SIGPIPE', 'SIGXFSZ'] 500 / dict_keys(['PATH', 'HOME'";
        assert!(said.starts_with(expected), "{who:?}: {said}");
    }
}

#[test]
fn limits_of_a_process_are_as_asked() {
    let script = "
import resource
print([resource.getrlimit(getattr(resource, 'RLIMIT_' + name)) for name in ('NOFILE', 'CORE', 'FSIZE')])";
    for (who, said) in of_everybody(&spec(), script) {
        assert_eq!(said, "[(1024, 1024), (0, 0), (67108864, 67108864)]", "{who:?}");
    }
}

#[test]
fn what_is_not_asked_for_is_limited_as_this_process_is() {
    let names = ["CORE", "DATA", "MEMLOCK", "STACK"];
    let mut spec = spec();
    spec.rlimits.clear();
    let script = format!(
        "
import resource
for name in {names:?}: print(resource.getrlimit(getattr(resource, 'RLIMIT_' + name))[1])
print(resource.getrlimit(13), resource.getrlimit(14))"
    );
    let ours = |resource| rustix::process::getrlimit(resource).maximum;
    use rustix::process::Resource::{Core, Data, Memlock, Stack};
    let expected = [Core, Data, Memlock, Stack].map(ours).map(|hard| match hard {
        Some(hard) => hard.to_string(),
        None => "-1".to_owned(),
    });
    for (who, said) in of_everybody(&spec, &script) {
        // And it may not go before others.
        assert_eq!(said, format!("{}\n(0, 0) (0, 0)", expected.join("\n")), "{who:?}");
    }
}

#[test]
fn the_launcher_is_out_of_reach() {
    let script = "
import os, signal
for pid in 0, 2, 3, os.getppid():
    print(pid, os.path.exists(f'/proc/{pid}'))
try:
    os.kill(-1, signal.SIGKILL)
except OSError as error:
    print(error.strerror)";
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let said = launcher.python(&spec(), script);
        assert!(!said.contains("True"), "{who:?}: {said}");
        assert_eq!(launcher.python(&spec(), "print('still here')"), "still here");
    }
}

#[test]
fn the_machine_says_which_fences_it_has() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        assert!(
            matches!(launcher.hello, Message::Hello { fault: None, .. }),
            "{:?}",
            launcher.hello
        );
        let Answer::Report(report) = launcher.call(Request::Probe { runtime: None }) else {
            panic!()
        };
        assert_eq!(report.root, who == Who::Root);
        for (fence, there) in &report.fences {
            let optional = matches!(fence, Fence::IdMappedMounts | Fence::MountAttributes);
            assert!(there.is_ok() || optional, "{who:?}: {fence:?} {there:?}");
        }
        assert_eq!(report.fences.len(), 12);
    }
}
