//! What the tests of every engine share: a hardened kind of container, and ways to talk to one.

// Each test program takes a part of it.
#![allow(dead_code)]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use scientist_pool::{
    config::{ContainerConfig, EngineConfig, KubernetesConfig, Network, PullPolicy, Seccomp},
    engine::{
        Attached, CreateError, Engine, EngineKind, ExecSpec, ExecStatus, Init, OnPull, Output,
        Stream,
    },
    error::{Code, Error},
};
use tokio::{io::AsyncWriteExt, time::timeout};

/// For what takes no time to speak of on a machine that is not busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn engine_config(kind: EngineKind, host: Option<String>) -> EngineConfig {
    EngineConfig {
        kind,
        host,
        cert_path: None,
        tls_verify: None,
        timeout: Duration::from_secs(30),
        kubernetes: KubernetesConfig::default(),
    }
}

pub fn hardened(image: &str) -> ContainerConfig {
    ContainerConfig {
        image: image.into(),
        pull: PullPolicy::Never,
        pull_timeout: Duration::from_secs(60),
        memory: 128 << 20,
        swap: Some(0),
        pids_limit: 50,
        cpu_quota: 50_000,
        cpu_period: 100_000,
        network: Network::Named("none".into()),
        user: Some("65534:65534".into()),
        readonly_rootfs: true,
        no_new_privileges: true,
        cap_add: Some(Vec::new()),
        tmpfs: BTreeMap::from([(
            "/tmp".into(),
            "rw,nosuid,nodev,exec,size=67108864,mode=1777".into(),
        )]),
        mounts: Vec::new(),
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
        template: true,
    }
}

/// Above the tests, where Cargo puts the programs of the workspace.
pub fn programs() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

/// Hears nothing of a pull.
pub fn unheard() -> OnPull {
    Arc::new(|_| {})
}

fn words(argv: &[&str]) -> Vec<String> {
    argv.iter().map(|word| word.to_string()).collect()
}

/// A process 1.
pub fn run(argv: &[&str]) -> Init {
    Init { argv: words(argv) }
}

pub fn python(source: &str) -> Init {
    run(&["python3", "-I", "-S", "-c", source])
}

/// A container whose process 1 waits for the end of its stdin.
pub async fn idle(engine: &dyn Engine) -> Attached {
    let attached = engine.create(run(&["cat"])).await;
    attached.unwrap_or_else(|error| panic!("{:?}", why(error)))
}

pub fn why(error: CreateError) -> Error {
    match error {
        CreateError::NoSuchProgram(error) | CreateError::Other(error) => error,
    }
}

/// Stdout and stderr, to the end.
pub async fn read_all(output: &mut dyn Output) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut take = |stream, bytes: &[u8]| match stream {
        Stream::Stdout => out.extend_from_slice(bytes),
        Stream::Stderr => err.extend_from_slice(bytes),
    };
    let reading = async { while output.read(&mut take).await.unwrap() > 0 {} };
    timeout(PATIENCE, reading).await.expect("the output ends");
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// A command beside process 1.
pub fn command(argv: &[&str]) -> ExecSpec {
    ExecSpec { argv: words(argv), ..ExecSpec::default() }
}

/// Runs a command to its end with nothing on its stdin: what it wrote, and its exit code.
pub async fn run_beside(engine: &dyn Engine, id: &str, spec: ExecSpec) -> (String, String, u32) {
    let mut exec = engine.exec(id, spec).await.unwrap();
    exec.stdin.shutdown().await.unwrap();
    let (out, err) = read_all(&mut *exec.output).await;
    (out, err, exit_code(engine, &exec.exec_id).await)
}

/// As a shell tells it.
pub async fn exit_code(engine: &dyn Engine, exec_id: &str) -> u32 {
    let ended = async {
        loop {
            match engine.exec_status(exec_id).await.unwrap() {
                ExecStatus::Running => tokio::task::yield_now().await,
                ExecStatus::Exited(code) => return code,
                ExecStatus::Signaled(number) => return 128 + number,
            }
        }
    };
    timeout(PATIENCE, ended).await.expect("it ends")
}

/// Whether the engine has no such container any more.
pub async fn is_gone(engine: &dyn Engine, id: &str) -> bool {
    match engine.exec(id, command(&["true"])).await {
        Err(error) => error.code == Code::ContainerLost,
        Ok(_) => false,
    }
}

pub async fn gone(engine: &dyn Engine, id: &str) {
    let gone = async {
        while !is_gone(engine, id).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("it goes");
}
