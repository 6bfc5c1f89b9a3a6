//! The contract of `engine::Engine`, on the engine that `SCIENTIST_POOL_TEST_ENGINE` names: an address of
//! Docker's, or `local`.
//!
//! `SCIENTIST_POOL_TEST_IMAGE` is an image with Python that the engine has: `python:3.9-slim` unless told
//! otherwise, on the local engine `host`. Run with `cargo test --test engine -- --ignored`.

mod support;

use std::sync::Arc;

use scientist_pool::{
    config::ContainerConfig,
    engine::{
        docker::{Clients, Docker},
        Attached, CreateError, Engine, EngineKind, ExecSpec, ExecStatus, ExecStream,
    },
    error::Code,
};
use support::{
    command, engine_config, exit_code, gone, hardened, idle, is_gone, python, read_all, run,
    run_beside, unheard, why, PATIENCE,
};
use tokio::{io::AsyncWriteExt, time::timeout};

fn named() -> String {
    std::env::var("SCIENTIST_POOL_TEST_ENGINE")
        .expect("SCIENTIST_POOL_TEST_ENGINE must name an engine to test on")
}

fn is_local() -> bool {
    named() == "local"
}

fn config() -> ContainerConfig {
    let image = std::env::var("SCIENTIST_POOL_TEST_IMAGE");
    let usual = if is_local() { "host" } else { "python:3.9-slim" };
    hardened(image.as_deref().unwrap_or(usual))
}

fn engine_of(container: ContainerConfig) -> Arc<dyn Engine> {
    #[cfg(target_os = "linux")]
    if is_local() {
        use scientist_pool::engine::local::{Launchers, Local};
        let launchers = Launchers::new(Some(&support::programs()), Arc::default());
        let config = engine_config(EngineKind::Local, None);
        return Arc::new(Local::new(&launchers, &config, &container).unwrap());
    }
    let config = engine_config(EngineKind::Docker, Some(named()));
    Arc::new(Docker::new(&Clients::default(), config, container).unwrap())
}

async fn engine() -> Arc<dyn Engine> {
    prepared(config()).await
}

async fn prepared(container: ContainerConfig) -> Arc<dyn Engine> {
    let engine = engine_of(container);
    engine.prepare(unheard()).await.unwrap();
    engine
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn connect_tells_what_the_engine_is() {
    let engine = engine().await;
    let info = engine.connect().await.unwrap();
    assert_eq!((info.kind, info.address), (engine.kind(), engine.address().to_string()));
    assert!(!info.version.is_empty(), "{}", info.version);
    assert!(info.memory > 1 << 28 && info.cpus >= 1, "{} {}", info.memory, info.cpus);
    assert!(info.unhonoured.iter().all(|each| each.option.is_none()), "{:?}", info.unhonoured);
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn an_image_that_is_there_is_prepared() {
    engine().await.prepare(unheard()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn an_image_that_is_not_there_is_named() {
    let image = if is_local() { "dir:/no/such/folder" } else { "registry.invalid/nothing:here" };
    let engine = engine_of(ContainerConfig { image: image.into(), ..config() });
    let error = engine.prepare(unheard()).await.unwrap_err();
    assert_eq!((error.code, error.image.as_deref()), (Code::ImageNotFound, Some(image)));
    let error = why(engine.create(run(&["cat"])).await.err().unwrap());
    assert_eq!(error.code, Code::ImageNotFound, "{}", error.message);
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn process_1_is_reached_over_its_streams_both_ways() {
    let engine = engine().await;
    let source = "import os, sys; print(os.getpid(), flush=True); \
                  data = sys.stdin.read(); print(len(data), file=sys.stderr, flush=True)";
    // What is told of it is held, too: the engine removes what nobody wants to hear of.
    let Attached { id, mut stdin, mut output, vitals: _vitals, .. } =
        engine.create(python(source)).await.unwrap();
    let mut head = Vec::new();
    while head.len() < 2 {
        let read = output.read(&mut |_, bytes: &[u8]| head.extend_from_slice(bytes)).await;
        assert_ne!(read.unwrap(), 0, "it ends");
    }
    assert_eq!(head, b"1\n");
    stdin.write_all(&vec![b'x'; 300_000]).await.unwrap();
    stdin.shutdown().await.unwrap();
    assert_eq!(read_all(&mut *output).await, (String::new(), "300000\n".to_owned()));
    gone(&*engine, &id).await;
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn the_container_ends_when_its_streams_are_dropped_and_that_is_told() {
    let engine = engine().await;
    let Attached { id, stdin, output, vitals, .. } = idle(&*engine).await;
    assert!(!is_gone(&*engine, &id).await);
    drop((stdin, output));
    timeout(PATIENCE, vitals.dead()).await.expect("its end is told");
    gone(&*engine, &id).await;
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn a_kill_for_memory_is_told_of() {
    let engine = engine().await;
    let fills = "import os; pid = os.fork()\nif not pid: b'x' * (1 << 30)\nos.wait(); input()";
    let attached = engine.create(python(fills)).await.unwrap();
    let killed = timeout(PATIENCE, attached.vitals.oom_kill_after(0)).await;
    killed.expect("the kill is told of");
    engine.remove(&attached.id).await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn the_hardening_holds_inside() {
    let source = r#"
import os, resource
status = open('/proc/self/status').read()
field = lambda name: status.split(name + ':')[1].split()[0]
print(os.getuid(), os.getgid(), os.environ['HOME'], os.getcwd())
print(*(field(name) for name in ('CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp')))
devices = [line.split(':')[0].strip() for line in open('/proc/net/dev').readlines()[2:]]
print(sorted(devices)[0], resource.getrlimit(resource.RLIMIT_NOFILE))
try:
    open('/usr/x', 'w')
except OSError as error:
    print(error.strerror)
"#;
    let mut attached = engine().await.create(python(source)).await.unwrap();
    let (out, err) = read_all(&mut *attached.output).await;
    assert_eq!(err, "");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        lines,
        [
            "65534 65534 /tmp /tmp",
            "0000000000000000 0000000000000000 1 2",
            "lo (1024, 1024)",
            "Read-only file system"
        ]
    );
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn no_more_processes_than_its_limit_are_in_a_container() {
    let source = r#"
import errno, os, time
count = 1
try:
    while count < 200:
        if not os.fork():
            time.sleep(1000)
        count += 1
except OSError as error:
    print(count, error.errno == errno.EAGAIN, flush=True)
os.kill(-1, 9)
"#;
    let mut attached = engine().await.create(python(source)).await.unwrap();
    assert_eq!(read_all(&mut *attached.output).await.0, "50 True\n");
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn an_image_without_the_program_is_told_apart_and_leaves_nothing() {
    let engine = engine().await;
    for program in ["no-such-python3", "/no/such/python3"] {
        match engine.create(run(&[program])).await {
            Err(CreateError::NoSuchProgram(error)) => {
                assert_eq!(error.code, Code::EngineError);
                engine.settle().await;
                if let Some(id) = &error.container_id {
                    assert!(is_gone(&*engine, id).await);
                }
            }
            Err(CreateError::Other(error)) => panic!("{error:?}"),
            Ok(made) => panic!("{}", made.id),
        }
    }
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn remove_ends_a_running_container_and_again_is_fine() {
    let engine = engine().await;
    let stubborn = "import signal, time\n\
                    for n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\n\
                    time.sleep(600)";
    let attached = engine.create(python(stubborn)).await.unwrap();
    engine.remove(&attached.id).await.unwrap();
    assert!(is_gone(&*engine, &attached.id).await);
    timeout(PATIENCE, attached.vitals.dead()).await.expect("its end is told");
    engine.remove(&attached.id).await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn removals_of_one_container_at_once_all_succeed() {
    let engine = engine().await;
    let attached = idle(&*engine).await;
    let id = &attached.id;
    let (one, two, three) = tokio::join!(engine.remove(id), engine.remove(id), engine.remove(id));
    assert!(one.is_ok() && two.is_ok() && three.is_ok(), "{one:?} {two:?} {three:?}");
    assert!(is_gone(&*engine, id).await);
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn an_exec_gets_its_environment_folder_and_stdin_and_ends_with_its_code() {
    let engine = engine().await;
    let attached = idle(&*engine).await;
    let spec = ExecSpec {
        env: vec!["A=a b".into(), "HOME=/usr".into()],
        cwd: Some("/usr".into()),
        ..command(&["sh", "-c", r#"echo "$A $PWD $HOME $PATH" >&2; wc -c; exit 7"#])
    };
    let ExecStream { exec_id, mut stdin, mut output } =
        engine.exec(&attached.id, spec).await.unwrap();
    assert_eq!(engine.exec_status(&exec_id).await.unwrap(), ExecStatus::Running);
    let input = vec![b'x'; 300_000];
    let (_, (out, err)) = tokio::join!(
        async {
            stdin.write_all(&input).await.unwrap();
            stdin.shutdown().await.unwrap();
        },
        read_all(&mut *output)
    );
    assert_eq!(out, "300000\n");
    assert!(err.starts_with("a b /usr /usr /usr/local"), "{err}");
    assert_eq!(exit_code(&*engine, &exec_id).await, 7);
    engine.remove(&attached.id).await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn an_exec_begins_where_process_1_does_unless_it_says_otherwise() {
    let engine = engine().await;
    let attached = idle(&*engine).await;
    let said = run_beside(&*engine, &attached.id, command(&["sh", "-c", "pwd; echo $HOME"])).await;
    assert_eq!(said, ("/tmp\n/tmp\n".to_owned(), String::new(), 0));
    engine.remove(&attached.id).await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn the_signal_that_ends_an_exec_is_in_its_code() {
    let engine = engine().await;
    let attached = idle(&*engine).await;
    let killed = command(&["sh", "-c", "kill -9 $$"]);
    assert_eq!(run_beside(&*engine, &attached.id, killed).await.2, 137);
    assert_eq!(attached.vitals.oom_kills(), 0);
    engine.remove(&attached.id).await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn an_exec_that_is_killed_for_memory_is_told_of() {
    let engine = engine().await;
    let attached = idle(&*engine).await;
    let hungry = command(&["dd", "if=/dev/zero", "of=/dev/null", "bs=512M", "count=1"]);
    assert_eq!(run_beside(&*engine, &attached.id, hungry).await.2, 137);
    timeout(PATIENCE, attached.vitals.oom_kill_after(0)).await.expect("the kill is told of");
    engine.remove(&attached.id).await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn an_exec_in_a_container_that_is_gone_says_so() {
    let engine = engine().await;
    let attached = idle(&*engine).await;
    engine.remove(&attached.id).await.unwrap();
    let error = engine.exec(&attached.id, command(&["true"])).await.err().unwrap();
    assert_eq!(error.code, Code::ContainerLost);
    assert_eq!(error.container_id.as_deref(), Some(attached.id.as_str()));
}
