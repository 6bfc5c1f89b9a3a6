//! Commands beside process 1.
#![cfg(target_os = "linux")]

mod support;

use std::io::{Read, Write};

use scientist_pool_protocol::{Answer, Exit, FailureKind, Limits, Process, Request, Spec, User};
use support::{
    descendants, eventually, everybody, filtered, is_alive, spec, Launcher, Running, SpecExt,
    PATIENCE,
};

/// A container in which nothing happens.
fn idle(launcher: &mut Launcher, spec: &Spec) -> Running {
    launcher.create(&spec.clone().argv(&["cat"])).unwrap()
}

#[test]
fn a_command_has_its_own_environment_folder_and_streams_and_ends_with_its_code() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let running = idle(&mut launcher, &spec());
        let script = "echo $A $HOME $PWD; wc -c >&2; exit 7";
        let process = Process {
            env: ["PATH=/usr/bin", "A=a b"].map(String::from).into(),
            cwd: "/usr".to_owned(),
            ..spec().argv(&["sh", "-c", script]).process
        };
        let mut beside = launcher.exec_process(running.id, process).unwrap();
        beside.stdin.as_mut().unwrap().write_all(&[b'x'; 50_000]).unwrap();
        let said = launcher.finish_beside(&mut beside);
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("a b /usr\n", "50000\n"));
        assert_eq!(said.exit, Exit::Code(7), "{who:?}");
    }
}

#[test]
fn a_signal_that_ends_a_command_is_told_and_process_1_goes_on() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let mut running = idle(&mut launcher, &spec());
        let said = launcher.run_beside(running.id, &["sh", "-c", "kill -TERM $$"]);
        assert_eq!(said.exit, Exit::Signal(15), "{who:?}");
        assert_eq!(launcher.finish(&mut running).exit, Exit::Code(0), "{who:?}");
    }
}

#[test]
fn commands_run_side_by_side() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let running = idle(&mut launcher, &spec());
        let mut all: Vec<_> =
            (0..8).map(|_| launcher.exec(running.id, &["cat"]).unwrap()).collect();
        // The last first, so that each of them was there at the same time.
        for (index, beside) in all.iter_mut().enumerate().rev() {
            beside.stdin.as_mut().unwrap().write_all(index.to_string().as_bytes()).unwrap();
            assert_eq!(launcher.finish_beside(beside).stdout, index.to_string());
        }
    }
}

/// All that a process can see of what is around it; what differs from one process to the next is left out.
const AROUND: &str = r"
import os, resource, signal, socket, sys
own = ('Pid', 'Tgid', 'NStgid', 'NSpid', 'NSpgid', 'NSsid', 'PPid', 'Vm', 'Rss', 'voluntary', 'nonvoluntary',
       'FDSize', 'Cpus', 'Mems', 'SigQ', 'HugetlbPages')
print([line for line in open('/proc/self/status') if not line.startswith(own)])
for name in sorted(os.listdir('/proc/self/ns')): print(name, os.readlink('/proc/self/ns/' + name))
for name in ('mountinfo', 'cgroup', 'limits', 'oom_score_adj', 'uid_map', 'gid_map', 'setgroups', 'environ'):
    print(name, open('/proc/self/' + name).read())
print(os.getcwd(), os.stat('/').st_ino, os.stat('/').st_dev, sorted(os.listdir('/')), socket.gethostname())
print(oct(os.umask(0)), os.getgroups(), os.getresuid(), os.getresgid(), os.getpriority(os.PRIO_PROCESS, 0))
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), [signal.getsignal(s) for s in signal.valid_signals()])
print(sorted(map(int, os.listdir('/proc/self/fd'))), os.getsid(0) == os.getpid(), os.getppid(), flush=True)
sys.stdin.read()";

#[test]
fn a_command_is_behind_every_fence_that_process_1_is_behind() {
    let root = User { uid: 0, gid: 0 };
    let mut kept = Spec { user: root, ..filtered(&["CAP_NET_BIND_SERVICE"]) };
    kept.privileges.capabilities = vec![10];
    let mut suid = Spec { user: root, ..filtered(&[]) };
    suid.privileges.no_new_privileges = false;
    for spec in [filtered(&[]), Spec { user: root, ..spec() }, kept, suid] {
        let python = ["python3", "-I", "-S", "-c", AROUND];
        for who in everybody() {
            let mut launcher = Launcher::start(who);
            let mut running = launcher.create(&spec.clone().argv(&python)).unwrap();
            // When process 1 is done with looking: a process can't be counted on to have its own limit.
            let said = launcher.run_beside(running.id, &python);
            let first = launcher.finish(&mut running);
            assert_eq!(said.stderr, "", "{who:?}");
            assert!(said.stdout.contains("Seccomp"), "{who:?}: {}", said.stdout);
            for (mine, firsts) in said.stdout.lines().zip(first.stdout.lines()) {
                assert_eq!(mine, firsts, "{who:?}");
            }
            assert_eq!(said.stdout, first.stdout, "{who:?}");
        }
    }
}

#[test]
fn nobody_inside_can_look_into_a_command_before_it_is_one() {
    // Looks at all others as fast as it can; says of whom it has got something that is not theirs.
    let script = r"
import os, sys, threading
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set())).start()
looked, got = 0, set()
while not over.is_set():
    for pid in filter(str.isdigit, os.listdir('/proc')):
        if pid == '1': continue
        for name in 'exe', 'cwd', 'root', 'fd/0', 'fd/3':
            try:
                found = os.readlink(f'/proc/{pid}/{name}')
            except OSError:
                continue
            looked += 1
            if 'launcher' in found or name == 'fd/3' and not found.startswith('/usr/'): got.add((name, found))
        for name in 'environ', 'maps', 'mem':
            try:
                with open(f'/proc/{pid}/{name}', 'rb') as file:
                    if name != 'mem' and b'launcher' in file.read(): got.add(name)
            except OSError:
                continue
print(looked > 0, got)";
    for user in [65_534, 0] {
        let spec = Spec { user: User { uid: user, gid: user }, ..filtered(&[]) };
        for who in everybody() {
            let mut launcher = Launcher::start(who);
            let mut running = launcher.create(&spec.clone().python(script)).unwrap();
            for _ in 0..30 {
                let exit =
                    launcher.run_beside(running.id, &["sh", "-c", "for i in 1 2 3; do true; done"]);
                assert_eq!(exit.exit, Exit::Code(0), "{who:?}");
            }
            // One that stays until it has been looked at.
            let mut last = launcher.exec(running.id, &["cat"]).unwrap();
            running.stdin = None;
            let said = launcher.finish(&mut running);
            assert_eq!(said.stdout, "True set()\n", "{who:?}: {said:?}");
            let _ = last.stdout.read(&mut [0]);
        }
    }
}

#[test]
fn a_program_that_is_not_there_or_none_ends_as_in_a_shell() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let running = idle(&mut launcher, &spec());
        for (name, code) in [("no-such-program", 127), ("/opt/python", 127), ("/usr/bin", 126)] {
            let said = launcher.run_beside(running.id, &[name]);
            assert_eq!(said.exit, Exit::Code(code), "{who:?}: {said:?}");
            assert!(said.stderr.contains(name), "{who:?}: {said:?}");
        }
        assert_eq!(launcher.run_beside(running.id, &["true"]).exit, Exit::Code(0));
    }
}

#[test]
fn what_can_not_be_begun_is_refused_in_words_and_the_container_goes_on() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let running = idle(&mut launcher, &spec());
        let nowhere = Process { cwd: "/no/such/folder".to_owned(), ..spec().process };
        for (process, kind, word) in [
            (nowhere, FailureKind::Other, "/no/such/folder"),
            (spec().argv(&[]).process, FailureKind::Invalid, "empty"),
            (spec().argv(&["a\0b"]).process, FailureKind::Invalid, "NUL"),
        ] {
            let failure = launcher.exec_process(running.id, process).err().unwrap();
            assert_eq!(failure.kind, kind, "{who:?}: {failure}");
            assert!(failure.message.contains(word), "{who:?}: {failure}");
        }
        assert_eq!(launcher.run_beside(running.id, &["true"]).exit, Exit::Code(0));
    }
}

#[test]
fn a_command_without_a_container_that_runs_is_refused() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let failure = launcher.exec(99, &["true"]).err().unwrap();
        assert_eq!(failure.kind, FailureKind::NoSuchContainer, "{who:?}");
        let mut running = launcher.create(&spec().argv(&["true"])).unwrap();
        launcher.finish(&mut running);
        let failure = launcher.exec(running.id, &["true"]).err().unwrap();
        assert_eq!(failure.kind, FailureKind::Gone, "{who:?}");
    }
}

#[test]
fn commands_end_with_their_container_and_before_it() {
    let script = "
import os, signal, time
for s in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(s, signal.SIG_IGN)
os.fork() or os.setsid()
os.write(1, b'r')
while True: time.sleep(60)";
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let running = idle(&mut launcher, &spec());
        let mut beside = launcher.exec(running.id, &["python3", "-I", "-S", "-c", script]).unwrap();
        beside.stdout.read_exact(&mut [0; 2]).unwrap();
        let processes = descendants(launcher.child.id());
        assert_eq!(processes.len(), 1 + 1 + 2, "{who:?}");
        let removed = launcher.send(Request::Remove { id: running.id });
        assert_eq!(launcher.end_of_exec(beside.id), Exit::Signal(9), "{who:?}");
        assert_eq!(launcher.answer(removed).0, Answer::Removed);
        eventually(PATIENCE, "they are gone", || !processes[1..].iter().any(|pid| is_alive(*pid)));
    }
}

#[test]
fn a_container_made_after_a_command_has_a_process_1_of_its_own() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let running = idle(&mut launcher, &spec());
        assert_eq!(launcher.run_beside(running.id, &["true"]).exit, Exit::Code(0));
        let said =
            launcher.python(&spec(), "import os; print(os.getpid(), os.listdir('/proc')[-1])");
        assert!(said.starts_with("1 "), "{who:?}: {said}");
    }
}

#[test]
fn limits_of_the_container_are_those_of_its_commands_too() {
    let limits = Limits { memory: Some(64 << 20), swap: Some(0), pids: Some(8), cpu: None };
    let spec = Spec { limits, ..spec() };
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let running = idle(&mut launcher, &spec);
        if !running.created.unkept.is_empty() {
            continue;
        }
        let hungry = ["python3", "-I", "-S", "-c", "x = b'x' * (256 << 20)"];
        let said = launcher.run_beside(running.id, &hungry);
        assert_eq!((said.exit, said.oom_kills), (Exit::Signal(9), 1), "{who:?}");
        let fertile = "
import os, time
made = 0
try:
    while True:
        if not os.fork(): time.sleep(60)
        made += 1
except BlockingIOError:
    print(made)
    os.kill(-1, 9)";
        let said = launcher.run_beside(running.id, &["python3", "-I", "-S", "-c", fertile]);
        assert_eq!(said.stdout, "6\n", "{who:?}");
    }
}
