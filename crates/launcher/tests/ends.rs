//! Whoever dies, and however: nothing is left.
#![cfg(target_os = "linux")]

mod support;

use std::{
    fs,
    io::Read,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{kill_process, Pid, Signal};
use scientist_pool_protocol::{Answer, Exit, Request};
use support::{
    cgroups_with, descendants, eventually, everybody, is_alive, proper, spec, Launcher, Running,
    SpecExt, Who, NOBODY,
};

/// How long anything may be there that has no owner.
const SOON: Duration = Duration::from_secs(2);

/// Process 1 and a child of it, neither of which ends by itself or at the end of stdin.
const STUBBORN: &str = "
import os, signal, time
for s in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(s, signal.SIG_IGN)
os.fork() or os.setsid()
os.write(1, b'r')
while True: time.sleep(60)";

fn stubborn(launcher: &mut Launcher) -> Running {
    let mut running = launcher.create(&spec().python(STUBBORN)).unwrap();
    running.stdout.read_exact(&mut [0; 2]).unwrap();
    running
}

/// A launcher with containers, and what there is of it on this machine.
struct Scene {
    launcher: Launcher,
    _running: Vec<Running>,
    remains: Remains,
}

struct Remains {
    processes: Vec<u32>,
    cgroups: Vec<PathBuf>,
}

fn scene(who: Who) -> Scene {
    let mut launcher = Launcher::start(who);
    let running: Vec<_> = (0..3).map(|_| stubborn(&mut launcher)).collect();
    let remains = Remains::of(launcher.child.id());
    // The launcher, and two processes in each container.
    assert_eq!(remains.processes.len(), 1 + 1 + 3 * 2, "{who:?}");
    Scene { launcher, _running: running, remains }
}

impl Remains {
    /// Of a keeper.
    fn of(keeper: u32) -> Self {
        let mut processes = descendants(keeper);
        processes.push(keeper);
        Self { processes, cgroups: cgroups_with(&format!("scientist-pool-launcher-{keeper}-")) }
    }

    fn are_gone(&self) {
        eventually(SOON, "every process is gone", || {
            !self.processes.iter().any(|pid| is_alive(*pid))
        });
    }

    fn are_gone_with_cgroups(&self) {
        self.are_gone();
        eventually(SOON, "every cgroup is gone", || !self.cgroups.iter().any(|path| path.exists()));
    }
}

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}

#[test]
fn at_the_end_of_the_socket_everything_ends() {
    for who in everybody() {
        let Scene { launcher, remains, .. } = scene(who);
        drop(launcher);
        remains.are_gone_with_cgroups();
    }
}

#[test]
fn when_the_launcher_is_killed_its_containers_are_gone() {
    for who in everybody() {
        let mut scene = scene(who);
        kill(proper(scene.launcher.child.id()), Signal::KILL);
        scene.launcher.child.wait().unwrap();
        scene.remains.are_gone_with_cgroups();
    }
}

#[test]
fn when_the_keeper_is_killed_everything_ends() {
    for who in everybody() {
        let mut scene = scene(who);
        kill(scene.launcher.child.id(), Signal::KILL);
        scene.launcher.child.wait().unwrap();
        scene.remains.are_gone();
        // Nobody was left to remove these: the next launcher does.
        drop(Launcher::start(who));
        scene.remains.are_gone_with_cgroups();
    }
}

#[test]
fn what_a_killed_launcher_leaves_later_than_the_next_begins_is_removed_by_that() {
    for who in everybody() {
        let mut scene = scene(who);
        let Some(inner) = scene.remains.cgroups.iter().find(|group| group.ends_with("launcher"))
        else {
            continue;
        };
        // One that takes its time to end.
        let mut dying = Command::new("sleep").arg("1000").spawn().unwrap();
        fs::write(inner.join("cgroup.procs"), dying.id().to_string()).unwrap();
        kill(scene.launcher.child.id(), Signal::KILL);
        scene.launcher.child.wait().unwrap();
        let _next = Launcher::start(who);
        assert!(inner.exists());
        dying.kill().unwrap();
        dying.wait().unwrap();
        scene.remains.are_gone_with_cgroups();
    }
}

/// A process that starts a launcher with one container, and tells of it when that is ready.
const OWNER: &str = "SCIENTIST_POOL_TEST_OWNER";

#[test]
fn an_owner_of_its_own() {
    let Ok(_) = std::env::var(OWNER) else { return };
    let who = if rustix::process::geteuid().is_root() { Who::Root } else { Who::Nobody };
    let mut launcher = Launcher::start(who);
    let _running = stubborn(&mut launcher);
    println!("\nKEEPER {}", launcher.child.id());
    loop {
        std::thread::park();
    }
}

/// Starts one; gives it and its launcher's keeper.
fn owner(who: Who) -> (Child, u32) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "an_owner_of_its_own", "--nocapture", "--test-threads=1"]);
    command.env(OWNER, "1").stdout(Stdio::piped()).current_dir("/");
    if who == Who::Nobody && everybody().len() > 1 {
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut child = command.spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let keeper =
        lines.map_while(Result::ok).find_map(|line| line.strip_prefix("KEEPER ")?.parse().ok());
    (child, keeper.unwrap())
}

#[test]
fn when_the_owner_is_killed_everything_ends() {
    for who in everybody() {
        let (mut child, keeper) = owner(who);
        let remains = Remains::of(keeper);
        child.kill().unwrap();
        child.wait().unwrap();
        remains.are_gone_with_cgroups();
    }
}

#[test]
fn when_the_owner_is_killed_while_its_launcher_is_stopped_everything_ends() {
    for who in everybody() {
        let (mut child, keeper) = owner(who);
        let remains = Remains::of(keeper);
        kill(proper(keeper), Signal::STOP);
        kill(keeper, Signal::STOP);
        child.kill().unwrap();
        child.wait().unwrap();
        remains.are_gone_with_cgroups();
    }
}

#[test]
fn when_owner_and_launcher_are_killed_at_once_everything_ends() {
    for who in everybody() {
        let (mut child, keeper) = owner(who);
        let remains = Remains::of(keeper);
        kill(proper(keeper), Signal::KILL);
        child.kill().unwrap();
        child.wait().unwrap();
        remains.are_gone_with_cgroups();
    }
}

#[test]
fn a_removed_container_leaves_nothing() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let keeper = launcher.child.id();
        let (processes, cgroups) =
            (descendants(keeper), cgroups_with(&format!("scientist-pool-launcher-{keeper}-")));
        let running = stubborn(&mut launcher);
        assert_ne!(descendants(keeper), processes);
        let mounts = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        let its = mounts(descendants(keeper)[1]).unwrap();
        let everyone = fs::read_dir("/proc").unwrap().flatten();
        let everyone = everyone.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let inside: Vec<u32> = everyone.filter(|pid| mounts(*pid).as_ref() == Some(&its)).collect();
        launcher.remove(running.id);
        assert_eq!(descendants(keeper), processes, "{who:?}");
        assert_eq!(cgroups_with(&format!("scientist-pool-launcher-{keeper}-")), cgroups, "{who:?}");
        assert_eq!(inside.len(), 2, "{who:?}");
        // The kernel may have given the number to another container's by now.
        assert!(!inside.into_iter().any(|pid| mounts(pid).as_ref() == Some(&its)), "{who:?}");
    }
}

#[test]
fn a_container_can_be_removed_on_its_way() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        for _ in 0..20 {
            let id = launcher.next_id();
            let spec = Box::new(spec().python(STUBBORN));
            let made = launcher.send(Request::Create { id, spec, template: None });
            let removed = launcher.send(Request::Remove { id });
            assert_eq!(launcher.answer(removed).0, Answer::Removed, "{who:?}");
            // Whether it got as far as its program or not, it is answered, and gone.
            let _ = launcher.created(id, made);
        }
        assert_eq!(launcher.call(Request::List), Answer::Containers(Vec::new()));
    }
}

#[test]
fn a_container_that_has_ended_stays_until_it_is_removed() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let mut running = launcher.create(&spec().argv(&["true"])).unwrap();
        assert_eq!(launcher.finish(&mut running).exit, Exit::Code(0));
        assert_eq!(launcher.call(Request::List), Answer::Containers(vec![running.id]));
        assert!(matches!(launcher.call(Request::Usage { id: running.id }), Answer::Usage(_)));
        launcher.remove(running.id);
        assert_eq!(launcher.call(Request::List), Answer::Containers(Vec::new()));
    }
}

#[test]
fn the_launcher_holds_no_descriptor_of_a_container_that_is_gone() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let folder = format!("/proc/{}/fd", proper(launcher.child.id()));
        let open = || fs::read_dir(&folder).unwrap().count();
        launcher.run(&spec());
        let before = open();
        for _ in 0..10 {
            launcher.run(&spec());
        }
        assert!(launcher.create(&spec().argv(&["no-such-program"])).is_err());
        assert_eq!(open(), before, "{who:?}");
    }
}

#[test]
fn many_at_once_are_made_and_removed() {
    for who in everybody() {
        let mut launcher = Launcher::start(who);
        let calls: Vec<_> = (0..50)
            .map(|_| {
                let id = launcher.next_id();
                let spec = Box::new(spec().argv(&["cat"]));
                (id, launcher.send(Request::Create { id, spec, template: None }))
            })
            .collect();
        let running: Vec<_> =
            calls.into_iter().map(|(id, number)| launcher.created(id, number).unwrap()).collect();
        for running in running {
            launcher.remove(running.id);
        }
    }
}
