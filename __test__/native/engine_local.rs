//! What only the local engine has: its launcher, and what it refuses.

#![cfg(target_os = "linux")]

mod support;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::process::{getrlimit, kill_process, setrlimit, Pid, Resource, Rlimit, Signal};
use scientist_pool::{
    config::{ContainerConfig, EngineConfig, Network, PullPolicy},
    engine::{
        local::{Launchers, Local},
        Engine, EngineKind, ExecSpec,
    },
    error::{Code, Error},
};
use support::{
    command, engine_config, exit_code, idle, programs, read_all, run, run_beside, unheard, why,
    PATIENCE,
};
use tokio::time::timeout;

const LAUNCHER: &str = "scientist-pool-launcher";

fn hardened() -> ContainerConfig {
    support::hardened("host")
}

async fn local() -> Local {
    prepared(of(&hardened()).unwrap()).await
}

async fn prepared(engine: Local) -> Local {
    engine.prepare(unheard()).await.unwrap();
    engine
}

fn of(container: &ContainerConfig) -> Result<Local, Error> {
    let launchers = Launchers::new(Some(&programs()), Arc::default());
    Local::new(&launchers, &engine_config(EngineKind::Local, None), container)
}

/// One whose launcher is to answer within so long.
async fn within(limit: Duration) -> Local {
    let engine = EngineConfig { timeout: limit, ..engine_config(EngineKind::Local, None) };
    let launchers = Launchers::new(Some(&programs()), Arc::default());
    prepared(Local::new(&launchers, &engine, &hardened()).unwrap()).await
}

#[tokio::test]
async fn the_launcher_ends_with_the_last_who_has_a_container_of_it() {
    let engine = local().await;
    let attached = engine.create(run(&["sleep", "1000"])).await.unwrap();
    let keeper = children().into_iter().find(|pid| is_launcher(*pid)).expect("it runs");
    drop(engine);
    assert!(is_launcher(keeper), "the container is there");
    drop(attached);
    ended(keeper).await;
}

#[tokio::test]
async fn the_launcher_ends_when_its_engine_settles_with_no_container_that_runs() {
    let engine = local().await;
    let one = engine.create(run(&["sleep", "1000"])).await.unwrap();
    let other = engine.create(run(&["sleep", "1000"])).await.unwrap();
    let keeper = children().into_iter().find(|pid| is_launcher(*pid)).expect("it runs");
    engine.remove(&one.id).await.unwrap();
    engine.settle().await;
    assert!(engine.catch_up(&other.id).await, "it is there");
    engine.remove(&other.id).await.unwrap();
    other.vitals.dead().await;
    engine.settle().await;
    ended(keeper).await;
    // Another one takes its place.
    engine.create(run(&["true"])).await.unwrap();
}

async fn ended(keeper: i32) {
    let gone = async {
        while is_launcher(keeper) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("it ends");
}

#[tokio::test]
async fn an_exec_of_what_is_no_program_says_so_and_ends_as_in_a_shell() {
    let engine = local().await;
    let attached = idle(&engine).await;
    for (program, code) in [("no-such-program", 127), ("/usr", 126)] {
        let said = run_beside(&engine, &attached.id, command(&[program])).await;
        assert_eq!((said.0.as_str(), said.2), ("", code));
        assert!(said.1.contains(program), "{}", said.1);
    }
}

#[tokio::test]
async fn an_environment_is_as_long_as_the_kernel_takes_it() {
    let engine = local().await;
    let attached = idle(&engine).await;
    let env = |count: usize| (0..count).map(|n| format!("E{n}={}", "e".repeat(100_000))).collect();
    let count = |env| ExecSpec { env, ..command(&["sh", "-c", "env | grep -c ^E"]) };
    assert_eq!(run_beside(&engine, &attached.id, count(env(12))).await.0, "12\n");
    let said = run_beside(&engine, &attached.id, count(env(80))).await;
    assert_eq!(said.2, 126, "{}", said.1);
    assert!(said.1.contains("Argument list too long"), "{}", said.1);
}

#[tokio::test]
async fn an_exec_that_can_not_be_begun_leaves_its_container_as_it_was() {
    let engine = local().await;
    let attached = idle(&engine).await;
    let spec = ExecSpec { cwd: Some("/no/such/folder".into()), ..command(&["true"]) };
    let error = engine.exec(&attached.id, spec).await.err().unwrap();
    assert!(error.message.contains("/no/such/folder"), "{}", error.message);
    assert!(error.spares_container());
    assert_eq!(run_beside(&engine, &attached.id, command(&["true"])).await.2, 0);
}

#[tokio::test]
async fn a_create_that_nobody_waits_for_leaves_nothing() {
    let engine = Arc::new(local().await);
    engine.connect().await.unwrap();
    for _ in 0..10 {
        let create = engine.create(run(&["sleep", "1000"]));
        let _ = timeout(Duration::from_micros(200), create).await;
    }
    timeout(PATIENCE, engine.settle()).await.expect("they are removed");
}

#[tokio::test]
async fn a_launcher_that_is_none_is_an_unavailable_engine_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/bin/false", folder.path().join(LAUNCHER)).unwrap();
    for (programs, said) in [(Path::new("/no/such"), "can't be started"), (folder.path(), "ended")]
    {
        let launchers = Launchers::new(Some(programs), Arc::default());
        let engine =
            Local::new(&launchers, &engine_config(EngineKind::Local, None), &hardened()).unwrap();
        let error = engine.connect().await.unwrap_err();
        assert_eq!(error.code, Code::EngineUnavailable);
        let program = programs.join(LAUNCHER);
        assert!(error.message.contains(program.to_str().unwrap()), "{}", error.message);
        assert!(error.message.contains(said), "{}", error.message);
    }
    let error =
        Local::new(&Launchers::default(), &engine_config(EngineKind::Local, None), &hardened())
            .err()
            .unwrap();
    assert_eq!(error.code, Code::EngineUnavailable);
}

#[tokio::test]
async fn what_this_engine_does_not_have_is_refused_by_its_option() {
    for (option, container) in [
        ("image", ContainerConfig { image: "dir:folder".into(), ..hardened() }),
        ("network", ContainerConfig { network: Network::Named("bridge".into()), ..hardened() }),
        ("runtime", ContainerConfig { runtime: Some("bin/sh".into()), ..hardened() }),
    ] {
        let error = of(&container).err().unwrap();
        assert_eq!(error.code, Code::InvalidArgument);
        assert!(error.message.starts_with(option), "{}", error.message);
    }
}

#[tokio::test]
async fn a_user_whom_the_image_does_not_have_is_refused_by_the_option() {
    let container = ContainerConfig { user: Some("somebody".into()), ..hardened() };
    let error = of(&container).unwrap().prepare(unheard()).await.err().unwrap();
    assert_eq!(error.code, Code::InvalidArgument);
    assert!(error.message.starts_with("user"), "{}", error.message);
}

#[tokio::test]
async fn another_launcher_takes_the_place_of_one_that_was_killed() {
    let engine = local().await;
    let first = engine.create(run(&["sleep", "1000"])).await.unwrap();
    let keeper = children().into_iter().find(|pid| is_launcher(*pid)).expect("it runs");
    kill(keeper);
    timeout(PATIENCE, first.vitals.dead()).await.expect("its end is told");
    let second = engine.create(run(&["echo", "again"])).await;
    let mut second = second.unwrap_or_else(|error| panic!("{:?}", why(error)));
    assert_eq!(read_all(&mut *second.output).await.0, "again\n");
    engine.remove(&first.id).await.unwrap();
    engine.remove(&second.id).await.unwrap();
}

/// A container of an image of the store, which is this test run's own.
async fn has_python(image: String) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("images");
    std::env::set_var("XDG_CACHE_HOME", folder);
    let mut container = hardened();
    (container.image, container.pull) = (image, PullPolicy::Missing);
    let engine = of(&container).unwrap();
    let error = why(engine.create(run(&["true"])).await.err().unwrap());
    assert_eq!(error.code, Code::ImageNotFound, "it was not prepared");
    engine.prepare(unheard()).await.unwrap();
    let source =
        "import os, sys; print(sys.version_info[:2], os.environ['LANG'], os.stat('/etc').st_uid)";
    let created = engine.create(run(&["python3", "-c", source])).await;
    let mut attached = created.unwrap_or_else(|error| panic!("{:?}", why(error)));
    let (out, err) = read_all(&mut *attached.output).await;
    assert_eq!((out.as_str(), err.as_str()), ("(3, 9) C.UTF-8 0\n", ""));
    engine.remove(&attached.id).await.unwrap();
}

#[tokio::test]
#[ignore = "needs SCIENTIST_POOL_TEST_ENGINE, to save an image from"]
async fn an_image_that_docker_has_saved_is_run() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let engine = std::env::var("SCIENTIST_POOL_TEST_ENGINE").unwrap();
    let docker = std::process::Command::new("docker")
        .args(["--host", &engine, "save", "python:3.9-slim"])
        .stdout(file.reopen().unwrap())
        .status();
    assert!(docker.unwrap().success());
    has_python(format!("docker-archive:{}", file.path().display())).await;
}

#[tokio::test]
#[ignore = "needs SCIENTIST_POOL_TEST_PULL, an image with python3 in a registry"]
async fn an_image_of_a_registry_is_run() {
    has_python(std::env::var("SCIENTIST_POOL_TEST_PULL").unwrap()).await;
}

#[tokio::test]
async fn a_container_whose_first_process_is_killed_from_outside_is_told_dead_with_its_execs() {
    let engine = local().await;
    if !engine.connect().await.unwrap().unhonoured.is_empty() {
        return;
    }
    let (attached, other) = (idle(&engine).await, idle(&engine).await);
    let mut exec = engine.exec(&attached.id, command(&["sleep", "1000"])).await.unwrap();
    kill(first_process(&attached.id));
    timeout(PATIENCE, attached.vitals.dead()).await.expect("its end is told");
    assert_eq!(read_all(&mut *exec.output).await, (String::new(), String::new()));
    assert_eq!(exit_code(&engine, &exec.exec_id).await, 137);
    assert_eq!(run_beside(&engine, &other.id, command(&["true"])).await.2, 0);
}

fn kill(pid: i32) {
    signal(pid, Signal::KILL);
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Of a container, by its control group, which is named as CONTRIBUTING.md says.
fn first_process(id: &str) -> i32 {
    let (launcher, number) = id.split_once('-').unwrap();
    let keeper = u32::from_str_radix(&launcher[..8], 16).unwrap();
    let groups = folders(Path::new("/sys/fs/cgroup"));
    let group = groups.iter().find(|folder| {
        let name = |folder: &Path| folder.file_name().unwrap().to_string_lossy().into_owned();
        let whose = name(folder.parent().unwrap());
        name(folder) == number && whose.starts_with(&format!("scientist-pool-launcher-{keeper}-"))
    });
    let processes = std::fs::read_to_string(group.unwrap().join("cgroup.procs")).unwrap();
    let first = processes.lines().find(|pid| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        pids.is_some_and(|pids| pids.split_whitespace().last() == Some("1"))
    });
    first.unwrap().parse().unwrap()
}

/// All folders in a folder.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let inner = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    inner.flat_map(|entry| [vec![entry.path()], folders(&entry.path())].concat()).collect()
}

/// The launcher's keeper, and the launcher proper.
fn stop_launcher() {
    let keeper = children().into_iter().find(|pid| is_launcher(*pid)).expect("it runs");
    let proper = std::fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children"));
    for pid in [keeper, proper.unwrap().trim().parse().unwrap()] {
        signal(pid, Signal::STOP);
    }
}

#[tokio::test]
async fn calls_keep_their_deadlines_while_the_launcher_is_stopped_and_another_takes_its_place() {
    let engine = within(Duration::from_secs(1)).await;
    let first = idle(&engine).await;
    stop_launcher();
    let (create, exec, cpu_time, remove) = tokio::join!(
        engine.create(run(&["true"])),
        engine.exec(&first.id, command(&["true"])),
        engine.cpu_time(&first.id),
        engine.remove(&first.id),
    );
    for error in
        [create.err().map(why), exec.err(), cpu_time.err(), remove.err()].map(Option::unwrap)
    {
        assert_eq!(error.code, Code::EngineUnavailable);
        assert!(error.message.contains("did not answer within 1s"), "{}", error.message);
    }
    timeout(PATIENCE, first.vitals.dead()).await.expect("it is ended");
    let second = idle(&engine).await;
    assert_eq!(run_beside(&engine, &second.id, command(&["true"])).await.2, 0);
    engine.remove(&first.id).await.unwrap();
}

/// Set for a process that runs one test alone.
const ALONE: &str = "SCIENTIST_POOL_TEST_ALONE";

#[test]
fn a_process_without_descriptors_is_told_so_and_goes_on_with_what_it_has() {
    // Descriptors are all of a process's: the other tests have theirs.
    if std::env::var_os(ALONE).is_none() {
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        let name = "a_process_without_descriptors_is_told_so_and_goes_on_with_what_it_has";
        let alone = alone.args(["--exact", name, "--nocapture"]).env(ALONE, "1").output().unwrap();
        assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stdout));
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = local().await;
        let attached = idle(&engine).await;
        let before = getrlimit(Resource::Nofile);
        // As many as there are: each new one is the lowest number that is free.
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
        setrlimit(Resource::Nofile, Rlimit { current: Some(open), ..before }).unwrap();
        let create = engine.create(run(&["true"])).await.err().map(why);
        let exec = engine.exec(&attached.id, command(&["true"])).await.err();
        setrlimit(Resource::Nofile, before).unwrap();
        for error in [create, exec].map(Option::unwrap) {
            assert_eq!(error.code, Code::EngineError);
            assert!(error.message.contains("no descriptor left"), "{}", error.message);
        }
        assert_eq!(run_beside(&engine, &attached.id, command(&["true"])).await.2, 0);
        let other = idle(&engine).await;
        assert_eq!(run_beside(&engine, &other.id, command(&["true"])).await.2, 0);
        engine.settle().await;
    });
}

/// Of this test's thread, as each test has a launcher of its own.
fn children() -> Vec<i32> {
    let text = std::fs::read_to_string("/proc/thread-self/children").unwrap();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

fn is_launcher(pid: i32) -> bool {
    let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    command.contains("scientist-pool-launcher")
}
