//! Limits of a container as a whole. They take a cgroup: where none can be made, it is said.
#![cfg(target_os = "linux")]

mod support;

use std::time::Duration;

use scientist_pool_protocol::{Answer, Cpu, Exit, Limit, Limits, Request, Spec};
use support::{everybody, spec, Launcher, SpecExt};

/// Launchers that can keep all limits.
fn able() -> Vec<Launcher> {
    let launchers = everybody().into_iter().map(Launcher::start);
    let able: Vec<_> = launchers
        .filter_map(|mut launcher| match launcher.call(Request::Probe { runtime: None }) {
            Answer::Report(report) if report.limits.len() == 4 => Some(launcher),
            _ => None,
        })
        .collect();
    // Root can always; if not, this machine can't run these tests.
    assert!(!able.is_empty() || !rustix::process::geteuid().is_root(), "no cgroups");
    able
}

fn limited(limits: Limits) -> Spec {
    Spec { limits, ..spec() }
}

#[test]
fn too_much_memory_ends_a_process_and_is_told() {
    let spec = limited(Limits { memory: Some(64 << 20), swap: Some(0), ..Limits::default() });
    for mut launcher in able() {
        let said = launcher.run(&spec.clone().python("x = b'x' * (256 << 20)"));
        assert_eq!(said.exit, Exit::Signal(9));
        assert_eq!(said.oom_kills, 1);
    }
}

#[test]
fn a_child_killed_for_memory_is_counted_while_process_1_lives() {
    let spec = limited(Limits { memory: Some(64 << 20), swap: Some(0), ..Limits::default() });
    let script = "
import os, sys
pid = os.fork()
if not pid:
    x = b'x' * (256 << 20)
print(os.waitpid(pid, 0)[1], flush=True)
sys.stdin.read()";
    for mut launcher in able() {
        let mut running = launcher.create(&spec.clone().python(script)).unwrap();
        let mut said = [0; 2];
        std::io::Read::read_exact(&mut running.stdout, &mut said).unwrap();
        assert_eq!(&said, b"9\n");
        let answer = launcher.call(Request::Usage { id: running.id });
        assert!(matches!(answer, Answer::Usage(_)));
        assert_eq!(launcher.oom_kills(running.id), 1, "told of before the answer");
        assert_eq!(launcher.finish(&mut running).exit, Exit::Code(0));
    }
}

#[test]
fn files_in_memory_count_as_memory() {
    let spec = limited(Limits { memory: Some(48 << 20), swap: Some(0), ..Limits::default() });
    let script = "open('/tmp/x', 'wb').write(bytes(60 << 20))";
    for mut launcher in able() {
        let said = launcher.run(&Spec { rlimits: Vec::new(), ..spec.clone() }.python(script));
        assert_eq!((said.exit, said.oom_kills), (Exit::Signal(9), 1));
    }
}

#[test]
fn a_kill_is_not_taken_for_one_for_memory() {
    for mut launcher in able() {
        let running = launcher.create(&spec().argv(&["cat"])).unwrap();
        rustix::process::pidfd_send_signal(&running.pidfd, rustix::process::Signal::KILL).unwrap();
        let exit = launcher.end_of(running.id);
        assert_eq!((exit, launcher.oom_kills(running.id)), (Exit::Signal(9), 0));
    }
}

#[test]
fn there_are_no_more_processes_than_asked_for() {
    let spec = limited(Limits { pids: Some(7), ..Limits::default() });
    let script = "
import os, time
made = 0
try:
    while True:
        if not os.fork():
            time.sleep(60)
            os._exit(0)
        made += 1
except BlockingIOError:
    print(made)";
    for mut launcher in able() {
        assert_eq!(launcher.python(&spec, script), "6");
    }
}

#[test]
fn processor_time_is_rationed_and_counted() {
    let cpu = Some(Cpu { quota: 20_000, period: 100_000 });
    let spec = limited(Limits { cpu, ..Limits::default() });
    // Measured by its own clock: what it had, and in which time.
    let script = "
import sys, time
begin = time.monotonic()
while time.process_time() < 0.3: pass
print(time.monotonic() - begin, flush=True)
sys.stdin.read()";
    for mut launcher in able() {
        let mut running = launcher.create(&spec.clone().python(script)).unwrap();
        let mut said = [0; 3];
        std::io::Read::read_exact(&mut running.stdout, &mut said).unwrap();
        let took: f64 = std::str::from_utf8(&said).unwrap().parse().unwrap();
        assert!(took >= 1.0, "0.3 s of a fifth of a processor in {took} s");
        let Answer::Usage(usage) = launcher.call(Request::Usage { id: running.id }) else {
            panic!()
        };
        let used = usage.cpu.unwrap();
        assert!(used >= Duration::from_millis(250) && used < Duration::from_secs(3), "{used:?}");
        launcher.remove(running.id);
    }
}

#[test]
fn what_is_not_kept_is_said() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let Answer::Report(report) = launcher.call(Request::Probe { runtime: None }) else {
            panic!()
        };
        let cpu = Some(Cpu { quota: 50_000, period: 100_000 });
        let spec = limited(Limits { cpu, ..spec().limits });
        let running = launcher.create(&spec).unwrap();
        let all = [Limit::Memory, Limit::Swap, Limit::Pids, Limit::Cpu];
        let missing: Vec<_> = all.into_iter().filter(|l| !report.limits.contains(l)).collect();
        assert_eq!(running.created.unkept, missing, "{who:?}");
    }
}

#[test]
fn launchers_that_start_at_once_leave_each_others_groups_alone() {
    // Each looks for groups of launchers that are gone, while others are making theirs.
    let start = |who| {
        let mut launcher = Launcher::start(who);
        let Answer::Report(report) = launcher.call(Request::Probe { runtime: None }) else {
            panic!()
        };
        assert_eq!(launcher.run(&spec()).exit, Exit::Code(0));
        report.limits
    };
    for who in everybody() {
        let expected = start(who);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..10).map(|_| start(who)).collect::<Vec<_>>()))
                .collect();
            for limits in threads.into_iter().flat_map(|thread| thread.join().unwrap()) {
                assert_eq!(limits, expected, "{who:?}");
            }
        });
    }
}
