//! The contract of `engine::Engine`, as `engine::docker` keeps it on a real engine.
//!
//! `SCIENTIST_POOL_TEST_ENGINE` is the engine's address, `SCIENTIST_POOL_TEST_IMAGE` an image with
//! Python it has (default `python:3.9-slim`). Run with `cargo test -- --include-ignored`.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use scientist_pool::{
    config::{ContainerConfig, EngineConfig, PullPolicy, Seccomp},
    engine::{
        docker::{Clients, Docker},
        Attached, CreateError, Engine, EngineKind, ExecSpec, ExecStatus, Init, OnPull, Output,
        PullProgress, Stream,
    },
    error::Code,
};
use tokio::io::AsyncWriteExt;

const NEEDS_ENGINE: &str =
    "SCIENTIST_POOL_TEST_ENGINE must hold the address of an engine to test on";

fn engine() -> EngineConfig {
    EngineConfig {
        kind: EngineKind::Docker,
        host: Some(std::env::var("SCIENTIST_POOL_TEST_ENGINE").expect(NEEDS_ENGINE)),
        cert_path: None,
        tls_verify: None,
        timeout: Duration::from_secs(30),
    }
}

fn hardened() -> ContainerConfig {
    ContainerConfig {
        image: std::env::var("SCIENTIST_POOL_TEST_IMAGE")
            .unwrap_or_else(|_| "python:3.9-slim".into()),
        pull: PullPolicy::Never,
        pull_timeout: Duration::from_secs(60),
        memory: 128 << 20,
        swap: Some(0),
        pids_limit: 50,
        cpu_quota: 50_000,
        cpu_period: 100_000,
        network: "none".into(),
        user: Some("65534:65534".into()),
        readonly_rootfs: true,
        no_new_privileges: true,
        cap_add: Some(Vec::new()),
        tmpfs: BTreeMap::from([(
            "/tmp".into(),
            "rw,nosuid,nodev,exec,size=67108864,mode=1777".into(),
        )]),
        shm_size: Some(16 << 20),
        // Podman sets nproc to 1048576 where it is not given, which an engine without CAP_SYS_RESOURCE
        // may not.
        ulimits: [("nofile", 1024), ("core", 0), ("nproc", 4096)]
            .map(|(name, limit)| (name.into(), (limit, limit)))
            .into(),
        seccomp: Seccomp::Strict,
        runtime: None,
        home: Some("/tmp".into()),
        log: false,
        labels: BTreeMap::new(),
        preload: Vec::new(),
    }
}

fn docker() -> Docker {
    Docker::new(&Clients::default(), engine(), hardened()).unwrap()
}

fn quiet() -> OnPull {
    Arc::new(|_| {})
}

fn python(source: &str) -> Init {
    Init { argv: ["python3", "-I", "-S", "-c", source].map(String::from).into() }
}

fn cat() -> Init {
    Init { argv: vec!["cat".into()] }
}

/// Stdout and stderr, to the end.
async fn read_all(output: &mut dyn Output) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut take = |stream, bytes: &[u8]| match stream {
        Stream::Stdout => out.extend_from_slice(bytes),
        Stream::Stderr => err.extend_from_slice(bytes),
    };
    while output.read(&mut take).await.unwrap() > 0 {}
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// What the docker CLI says, spoken to the same engine.
fn cli(args: &[&str]) -> String {
    let host = std::env::var("SCIENTIST_POOL_TEST_ENGINE").expect(NEEDS_ENGINE);
    let output = Command::new("docker").args(["-H", &host]).args(args).output().unwrap();
    assert!(output.status.success(), "docker {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Whether the engine knows a container: asked through an exec, which it refuses for one it does not.
async fn is_gone(docker: &Docker, id: &str) -> bool {
    let spec = ExecSpec { argv: vec!["true".into()], ..ExecSpec::default() };
    matches!(docker.exec(id, spec).await, Err(error) if error.status_code == Some(404))
}

async fn gone_within(docker: &Docker, id: &str, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    while Instant::now() < until {
        if is_gone(docker, id).await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn connect_tells_what_the_engine_is() {
    let info = docker().connect().await.unwrap();
    assert_eq!(info.address, std::env::var("SCIENTIST_POOL_TEST_ENGINE").unwrap());
    assert!(!info.version.is_empty() && info.api_version.starts_with("1."), "{info:?}");
    assert!(info.memory > 1 << 28 && info.cpus >= 1, "{info:?}");
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn an_image_that_is_there_is_not_pulled() {
    docker().prepare(quiet()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn an_image_that_is_not_there_is_named() {
    let image = "scientist-pool.invalid/nothing:here";
    let config = ContainerConfig { image: image.into(), ..hardened() };
    let docker = Docker::new(&Clients::default(), engine(), config).unwrap();
    let error = docker.prepare(quiet()).await.unwrap_err();
    assert_eq!((error.code, error.image.as_deref()), (Code::ImageNotFound, Some(image)));
    match docker.create(cat()).await {
        Err(CreateError::Other(error)) => assert_eq!(error.code, Code::ImageNotFound),
        other => panic!("{:?}", other.map(|made| made.id)),
    }
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn pid_1_is_reached_over_the_attached_streams_both_ways() {
    let docker = docker();
    let source = "import sys; print('ready', flush=True); \
                  data = sys.stdin.read(); print(len(data), file=sys.stderr, flush=True)";
    let Attached { id, mut stdin, mut output, .. } = docker.create(python(source)).await.unwrap();
    let mut head = Vec::new();
    while head.len() < 6 {
        let read = output.read(|_, bytes| head.extend_from_slice(bytes)).await.unwrap();
        assert_ne!(read, 0, "it ends");
    }
    assert_eq!(head, b"ready\n");
    stdin.write_all(&vec![b'x'; 300_000]).await.unwrap();
    stdin.shutdown().await.unwrap();
    assert_eq!(read_all(&mut *output).await, (String::new(), "300000\n".to_owned()));
    assert!(gone_within(&docker, &id, Duration::from_secs(5)).await);
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn the_container_goes_when_its_streams_are_dropped() {
    let docker = docker();
    let Attached { id, stdin, output, .. } = docker.create(cat()).await.unwrap();
    assert!(!is_gone(&docker, &id).await);
    drop((stdin, output));
    assert!(gone_within(&docker, &id, Duration::from_secs(5)).await);
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn a_death_and_a_kill_for_memory_are_told_of() {
    let docker = docker();
    let fills = "import os; pid = os.fork()\nif not pid: b'x' * (1 << 30)\nos.wait(); input()";
    let attached = docker.create(python(fills)).await.unwrap();
    let limit = Duration::from_secs(20);
    let killed = tokio::time::timeout(limit, attached.vitals.oom_kill_after(0)).await;
    killed.expect("the kill is told of");
    cli(&["kill", &attached.id]);
    tokio::time::timeout(limit, attached.vitals.dead()).await.expect("the death is told of");
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn the_limits_hold_inside() {
    let docker = docker();
    let source = r#"
import os, resource
status = open('/proc/self/status').read()
field = lambda name: status.split(name + ':')[1].split()[0]
print(os.getuid(), os.environ['HOME'], os.getcwd(), field('CapBnd'), field('NoNewPrivs'), field('Seccomp'))
print(sorted(os.listdir('/sys/class/net')), resource.getrlimit(resource.RLIMIT_NOFILE))
try:
    open('/etc/x', 'w')
except OSError as error:
    print(error.strerror)
def read(*paths):
    for path in paths:
        if os.path.exists(path):
            return open(path).read().split()
print(read('/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/memory.max')[0],
      read('/sys/fs/cgroup/pids/pids.max', '/sys/fs/cgroup/pids.max')[0])
"#;
    let mut attached = docker.create(python(source)).await.unwrap();
    let (out, err) = read_all(&mut *attached.output).await;
    assert_eq!(err, "");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[0], "65534 /tmp /tmp 0000000000000000 1 2");
    assert!(lines[1].starts_with("['lo']") && lines[1].ends_with("(1024, 1024)"), "{out}");
    assert_eq!(lines[2], "Read-only file system");
    assert_eq!(lines[3], "134217728 50");
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn an_image_without_the_program_is_told_apart_and_leaves_nothing() {
    let docker = docker();
    for program in ["no-such-python3", "/no/such/python3"] {
        match docker.create(Init { argv: vec![program.into()] }).await {
            Err(CreateError::NoSuchProgram(error)) => {
                docker.settle().await;
                assert!(is_gone(&docker, error.container_id.as_deref().unwrap()).await);
            }
            Err(CreateError::Other(error)) => panic!("{error:?}"),
            Ok(made) => panic!("{}", made.id),
        }
    }
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn a_create_dropped_half_way_leaves_nothing() {
    // A label of its own tells these containers from those of the tests beside this one.
    let tag = format!("drop-{}", std::process::id());
    let labels = BTreeMap::from([("test".to_owned(), tag.clone())]);
    let docker =
        Docker::new(&Clients::default(), engine(), ContainerConfig { labels, ..hardened() })
            .unwrap();
    docker.connect().await.unwrap();
    for wait in [0, 3, 8, 15, 30, 60, 120] {
        let _ = tokio::time::timeout(Duration::from_millis(wait), docker.create(cat())).await;
    }
    docker.settle().await;
    assert_eq!(cli(&["ps", "-aq", "--filter", &format!("label=test={tag}")]), "");
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn remove_ends_a_running_container_and_again_is_fine() {
    let docker = docker();
    let stubborn = "import signal, time\n\
                    for n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\n\
                    time.sleep(600)";
    let attached = docker.create(python(stubborn)).await.unwrap();
    docker.remove(&attached.id).await.unwrap();
    assert!(is_gone(&docker, &attached.id).await);
    docker.remove(&attached.id).await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn removals_of_one_container_at_once_all_succeed() {
    let docker = docker();
    let attached = docker.create(cat()).await.unwrap();
    let id = &attached.id;
    let (one, two, three) = tokio::join!(docker.remove(id), docker.remove(id), docker.remove(id));
    assert!(one.is_ok() && two.is_ok() && three.is_ok(), "{one:?} {two:?} {three:?}");
    assert!(is_gone(&docker, id).await);
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn an_exec_gets_its_environment_folder_and_stdin_and_ends_with_its_code() {
    let docker = docker();
    let attached = docker.create(cat()).await.unwrap();
    let spec = ExecSpec {
        argv: ["sh", "-c", r#"echo "$A $PWD" >&2; wc -c; exit 7"#].map(String::from).into(),
        env: vec!["A=a b".into()],
        cwd: Some("/usr".into()),
    };
    let mut exec = docker.exec(&attached.id, spec).await.unwrap();
    let input = vec![b'x'; 200_000];
    let (_, (out, err)) = tokio::join!(
        async {
            exec.stdin.write_all(&input).await.unwrap();
            exec.stdin.shutdown().await.unwrap();
        },
        read_all(&mut *exec.output)
    );
    assert_eq!((out.trim(), err.trim()), ("200000", "a b /usr"));
    let until = Instant::now() + Duration::from_secs(10);
    let mut status = docker.exec_status(&exec.exec_id).await.unwrap();
    while status == ExecStatus::Running && Instant::now() < until {
        status = docker.exec_status(&exec.exec_id).await.unwrap();
    }
    assert_eq!(status, ExecStatus::Exited(7));
    docker.remove(&attached.id).await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn an_exec_in_a_container_that_is_gone_says_so() {
    let docker = docker();
    let attached = docker.create(cat()).await.unwrap();
    docker.remove(&attached.id).await.unwrap();
    let spec = ExecSpec { argv: vec!["true".into()], ..ExecSpec::default() };
    let error = docker.exec(&attached.id, spec).await.err().unwrap();
    assert_eq!(error.code, Code::ContainerLost);
    assert_eq!(error.container_id.as_deref(), Some(attached.id.as_str()));
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn a_sweep_leaves_what_a_living_process_owns() {
    let docker = docker();
    let attached = docker.create(cat()).await.unwrap();
    let swept = docker.sweep().await.unwrap();
    assert!(!swept.contains(&attached.id));
    assert!(!is_gone(&docker, &attached.id).await);
    docker.remove(&attached.id).await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn a_sweep_removes_what_a_dead_process_of_this_host_left_and_nothing_else() {
    let docker = docker();
    let ours = docker.create(cat()).await.unwrap();
    let host =
        cli(&["inspect", "-f", r#"{{index .Config.Labels "scientist-pool.host"}}"#, &ours.id]);
    let mut short_lived = Command::new("true").spawn().unwrap();
    let dead = short_lived.id().to_string();
    short_lived.wait().unwrap();
    let alive = std::process::id().to_string();
    let left = |host: &str, pid: &str, started: &str| {
        let labels = [
            "session=other",
            &format!("host={host}"),
            &format!("pid={pid}"),
            &format!("started={started}"),
        ]
        .map(|label| format!("--label=scientist-pool.{label}"));
        let [session, host, pid, started] = &labels;
        cli(&["create", session, host, pid, started, &hardened().image, "true"])
    };
    let orphans = [left(&host, &dead, "1"), left(&host, &alive, "1")];
    let foreign = [left("elsewhere", &dead, "1"), left("", &dead, "1")];
    let swept = docker.sweep().await.unwrap();
    for id in &orphans {
        assert!(swept.contains(id) && is_gone(&docker, id).await);
    }
    for id in foreign.iter().chain([&ours.id]) {
        assert!(!swept.contains(id) && !is_gone(&docker, id).await);
        docker.remove(id).await.unwrap();
    }
}

/// An image in a registry (`host:port/name:tag`) that the engine reaches.
fn to_pull() -> String {
    std::env::var("SCIENTIST_POOL_TEST_PULL").expect(
        "SCIENTIST_POOL_TEST_PULL must name an image in a registry which the engine reaches",
    )
}

#[tokio::test]
#[ignore = "needs an engine and a registry"]
async fn pulls_of_one_image_at_once_are_one_with_progress_for_all() {
    let config = ContainerConfig { image: to_pull(), pull: PullPolicy::Always, ..hardened() };
    let steps = [(); 3].map(|()| Arc::new(Mutex::new(Vec::<PullProgress>::new())));
    let pulls = steps.clone().map(|steps| {
        let docker = Docker::new(&Clients::default(), engine(), config.clone()).unwrap();
        async move { docker.prepare(Arc::new(move |step| steps.lock().unwrap().push(step))).await }
    });
    for result in futures_util::future::join_all(pulls).await {
        result.unwrap();
    }
    let steps = steps.map(|steps| steps.lock().unwrap().clone());
    assert!(!steps[0].is_empty());
    assert_eq!(steps[0], steps[1]);
    assert_eq!(steps[0], steps[2]);
}

#[tokio::test]
#[ignore = "needs an engine and a registry"]
async fn a_tag_the_registry_does_not_have_is_not_found() {
    let pull = to_pull();
    let image = format!("{}:no-such-tag", pull.rsplit_once(':').unwrap().0);
    let config = ContainerConfig { image: image.clone(), pull: PullPolicy::Missing, ..hardened() };
    let error = Docker::new(&Clients::default(), engine(), config)
        .unwrap()
        .prepare(quiet())
        .await
        .unwrap_err();
    assert_eq!((error.code, error.image), (Code::ImageNotFound, Some(image)));
}
