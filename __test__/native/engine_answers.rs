//! How `engine::docker` takes answers that no real engine gives on demand: a scripted engine on a unix
//! socket gives them.
#![cfg(unix)]

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{
        atomic::{AtomicBool, Ordering::SeqCst},
        Arc, Mutex,
    },
    time::Duration,
};

use scientist_pool::{
    config::{ContainerConfig, EngineConfig, KubernetesConfig, Network, PullPolicy, Seccomp},
    engine::{
        docker::{Clients, Docker},
        CreateError, Engine, EngineKind, EngineState, Init, OnPull, Port, Stream as Of,
    },
    error::Code,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

const ID: &str = "c0ffee";

/// What the scripted engine does with a request.
enum Answer {
    Json(u16, String),
    /// An answer's head and the beginning of its body, and then the end of the connection.
    Cut(&'static str),
    /// The request is done, and the connection closed in place of an answer.
    Lost,
    /// An answer of an engine from long ago.
    Old,
    /// Nothing, ever.
    Silence,
    /// A refusal without an end.
    Endless(u16),
    /// An answer's head, and then nothing.
    Open,
    /// A switch of protocols, and then echo.
    Stream,
}

fn ok(body: &str) -> Answer {
    Answer::Json(200, body.to_owned())
}

fn refused(status: u16, message: &str) -> Answer {
    Answer::Json(status, format!(r#"{{"message":"{message}"}}"#))
}

/// An engine that answers as `script` says: to `METHOD /path?query`, the API version taken off, and how
/// many equal requests came before.
struct Fake {
    folder: tempfile::TempDir,
    seen: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Fake {
    fn new(script: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::with_bodies(move |request, _, before| script(request, before))
    }

    fn with_bodies(script: impl Fn(&str, &[u8], usize) -> Answer + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("engine.sock")).unwrap();
        let (seen, script) = (Arc::new(Mutex::new(Vec::new())), Arc::new(script));
        let requests = seen.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, requests) = (script.clone(), requests.clone());
                tokio::spawn(async move {
                    let _ = serve(stream, &*script, &requests).await;
                });
            }
        });
        Self { folder, seen, task }
    }

    fn docker(&self) -> Docker {
        docker(&self.folder.path().join("engine.sock"))
    }

    fn count(&self, what: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|request| request.starts_with(what)).count()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: UnixStream,
    script: &(impl Fn(&str, &[u8], usize) -> Answer + Sync),
    seen: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = buffer.drain(..end + 4).collect();
                break String::from_utf8_lossy(&head).into_owned();
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let length: usize = head
            .to_ascii_lowercase()
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next())
            .map_or(0, |length| length.parse().unwrap());
        while buffer.len() < length {
            stream.read_buf(&mut buffer).await?;
        }
        let body: Vec<u8> = buffer.drain(..length).collect();
        let mut words = head.split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let request = format!("{method} {}", path.strip_prefix("/v1.41").unwrap_or(path));
        let before = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.iter().filter(|earlier| **earlier == request).count() - 1
        };
        match script(&request, &body, before) {
            Answer::Json(status, body) => {
                let head = format!(
                    "HTTP/1.1 {status} X\r\nApi-Version: 1.41\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(format!("{head}{body}").as_bytes()).await?;
            }
            Answer::Cut(body) => {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                let text = format!("{head}{:x}\r\n{body}\r\n", body.len());
                return stream.write_all(text.as_bytes()).await;
            }
            Answer::Endless(status) => {
                let head = format!("HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                let chunk = format!("1000\r\n{}\r\n", "no, ".repeat(0x400));
                loop {
                    stream.write_all(chunk.as_bytes()).await?;
                }
            }
            Answer::Old => {
                let text = "HTTP/1.1 200 OK\r\nApi-Version: 1.24\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(text.as_bytes()).await?;
            }
            Answer::Lost => return Ok(()),
            Answer::Silence => std::future::pending().await,
            Answer::Open => {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                stream.write_all(head.as_bytes()).await?;
                std::future::pending().await
            }
            Answer::Stream => {
                let head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
                stream.write_all(head.as_bytes()).await?;
                let (mut reader, mut writer) = stream.split();
                return tokio::io::copy(&mut reader, &mut writer).await.map(drop);
            }
        }
    }
}

fn docker(socket: &Path) -> Docker {
    docker_of(&Clients::default(), socket)
}

fn docker_of(clients: &Clients, socket: &Path) -> Docker {
    docker_with(clients, socket, Network::Named("none".into()))
}

fn docker_with(clients: &Clients, socket: &Path, network: Network) -> Docker {
    let engine = EngineConfig {
        kind: EngineKind::Docker,
        host: Some(format!("unix://{}", socket.display())),
        cert_path: None,
        tls_verify: None,
        timeout: Duration::from_millis(500),
        kubernetes: KubernetesConfig::default(),
    };
    let container = ContainerConfig {
        image: "team/py:1".into(),
        pull: PullPolicy::Missing,
        pull_timeout: Duration::from_secs(10),
        memory: 1 << 27,
        swap: Some(0),
        pids_limit: 50,
        cpu_quota: 50_000,
        cpu_period: 100_000,
        network,
        user: None,
        readonly_rootfs: true,
        no_new_privileges: true,
        cap_add: Some(Vec::new()),
        tmpfs: BTreeMap::new(),
        mounts: Vec::new(),
        shm_size: None,
        ulimits: BTreeMap::new(),
        seccomp: Seccomp::Strict,
        runtime: None,
        home: None,
        log: false,
        labels: BTreeMap::new(),
        preload: Vec::new(),
        template: true,
    };
    Docker::new(clients, engine, container).unwrap()
}

/// Answers as an engine on which all goes well.
fn well(request: &str) -> Answer {
    match request {
        "GET /_ping" => ok("OK"),
        _ if request.starts_with("POST /containers/create") => {
            Answer::Json(201, format!(r#"{{"Id":"{ID}","Warnings":[]}}"#))
        }
        _ if request.contains("/attach") => Answer::Stream,
        _ if request.contains("/start") || request.starts_with("DELETE") => {
            Answer::Json(204, String::new())
        }
        _ => refused(404, "no such thing"),
    }
}

fn cat() -> Init {
    Init { argv: vec!["cat".into()] }
}

fn quiet() -> OnPull {
    Arc::new(|_| {})
}

fn why(error: CreateError) -> scientist_pool::error::Error {
    match error {
        CreateError::NoSuchProgram(error) | CreateError::Other(error) => error,
    }
}

#[tokio::test]
async fn no_socket_there_is_unavailable_and_names_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let error = docker(&folder.path().join("none.sock")).connect().await.unwrap_err();
    assert_eq!(error.code, Code::EngineUnavailable);
    assert!(error.message.contains("none.sock") && error.message.contains("DOCKER_HOST"));
}

#[tokio::test]
async fn an_engine_that_comes_back_is_spoken_to_again() {
    let fake = Fake::new(|request, _| well(request));
    let docker = fake.docker();
    docker.create(cat()).await.unwrap();
    let socket = fake.folder.path().join("engine.sock");
    let away = fake.folder.path().join("away.sock");
    std::fs::rename(&socket, &away).unwrap();
    let error = why(docker.create(cat()).await.err().unwrap());
    assert_eq!(error.code, Code::EngineUnavailable);
    std::fs::rename(&away, &socket).unwrap();
    docker.create(cat()).await.unwrap();
}

#[tokio::test]
async fn an_engine_that_never_answers_is_unavailable_when_the_time_is_up() {
    let fake = Fake::new(|_, _| Answer::Silence);
    let error = fake.docker().connect().await.unwrap_err();
    assert_eq!((error.code, error.timeout), (Code::EngineUnavailable, Some(500)));
}

#[tokio::test]
async fn an_engine_too_old_is_refused_with_what_is_needed() {
    let fake = Fake::new(|_, _| Answer::Old);
    let error = fake.docker().connect().await.unwrap_err();
    assert_eq!(error.code, Code::EngineError);
    assert!(error.message.contains("1.24") && error.message.contains("1.40"), "{}", error.message);
}

#[tokio::test]
async fn an_engines_error_comes_with_its_status_and_words() {
    let fake = Fake::new(|request, _| match request {
        _ if request.starts_with("POST /containers/create") => refused(500, "disk full"),
        _ => well(request),
    });
    let error = why(fake.docker().create(cat()).await.err().unwrap());
    assert_eq!((error.code, error.status_code), (Code::EngineError, Some(500)));
    assert!(error.message.contains("disk full"), "{}", error.message);
}

#[tokio::test]
async fn an_engines_words_without_an_end_are_cut() {
    for call in ["/create", "/attach", "/start"] {
        let fake = Fake::new(move |request, _| match request {
            _ if request.contains(call) => Answer::Endless(500),
            _ => well(request),
        });
        let error = why(fake.docker().create(cat()).await.err().unwrap());
        assert_eq!(error.status_code, Some(500));
        assert!(error.message.contains("answered 500"), "{call}");
        assert!(error.message.len() < 8 << 10, "{call}: {} bytes", error.message.len());
    }
}

/// What an engine that says this of itself is told to make.
async fn made_on(info: &'static str) -> serde_json::Value {
    let made = Arc::new(Mutex::new(serde_json::Value::Null));
    let body = made.clone();
    let fake = Fake::with_bodies(move |request, sent, _| match request {
        "GET /info" => ok(info),
        _ if request.starts_with("POST /containers/create") => {
            *body.lock().unwrap() = serde_json::from_slice(sent).unwrap();
            well(request)
        }
        _ => well(request),
    });
    let docker = fake.docker();
    docker.connect().await.unwrap();
    docker.create(cat()).await.unwrap();
    let made = made.lock().unwrap().clone();
    made["HostConfig"].clone()
}

#[tokio::test]
async fn a_container_is_made_with_a_filter_of_our_own_and_no_swap() {
    let made =
        made_on(r#"{"ServerVersion":"27.0.3","SecurityOptions":["name=seccomp,profile=builtin"]}"#)
            .await;
    let options = made["SecurityOpt"].as_array().unwrap();
    let profile = options.iter().find_map(|option| option.as_str()?.strip_prefix("seccomp="));
    let profile: serde_json::Value = serde_json::from_str(profile.unwrap()).unwrap();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    assert!(options.contains(&"no-new-privileges".into()));
    assert_eq!(made["MemorySwap"], made["Memory"]);
}

/// The sources of what is mounted in the containers that an engine was asked for, by a pool with a proxy. `refuses`:
/// it has no such files.
async fn mounted(containers: usize, refuses: bool) -> Vec<Option<String>> {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let fake = Fake::with_bodies(move |request, sent, _| {
        if !request.starts_with("POST /containers/create") {
            return well(request);
        }
        let body: serde_json::Value = serde_json::from_slice(sent).unwrap();
        let source = body["HostConfig"]["Mounts"][0]["Source"].as_str().map(str::to_owned);
        seen.lock().unwrap().push(source.clone());
        match source {
            Some(source) if refuses => refused(400, &format!("no such path: {source}")),
            _ => well(request),
        }
    });
    let proxied = serde_json::json!({
        "allow": ["api.test"], "deny": [], "hosts": {}, "opaque": false, "maxConnections": 1,
        "maxSentBytes": 1, "maxReceivedBytes": 1, "connectTimeout": 1, "idleTimeout": 1,
    });
    let network = Network::Proxied(serde_json::from_value(proxied).unwrap());
    let docker = docker_with(&Clients::default(), &fake.folder.path().join("engine.sock"), network);
    for _ in 0..containers {
        let port = docker.create(cat()).await.unwrap().port;
        assert_eq!(matches!(port, Port::Free(Some(_))), !refuses && cfg!(target_os = "linux"));
    }
    let asked = asked.lock().unwrap().clone();
    asked
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_socket_for_a_handover_is_mounted_in_each_container_and_gone_with_it() {
    let asked = mounted(2, false).await;
    let [Some(one), Some(other)] = &asked[..] else { panic!("{asked:?}") };
    assert_ne!(one, other);
    assert!([one, other].iter().all(|path| !Path::new(path).exists()));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_engine_that_does_not_find_that_socket_is_asked_without_from_then_on() {
    let asked = mounted(2, true).await;
    assert!(matches!(&asked[..], [Some(_), None, None]), "{asked:?}");
}

#[tokio::test]
async fn a_long_answer_is_read_as_a_short_one_is() {
    let labels = "x".repeat(1 << 20);
    let info =
        format!(r#"{{"ServerVersion":"27.0.3","SecurityOptions":[],"Labels":["{labels}"]}}"#);
    let made = made_on(info.leak()).await;
    assert_eq!(made["SecurityOpt"], serde_json::json!(["no-new-privileges"]));
}

#[tokio::test]
async fn an_engine_without_seccomp_is_not_asked_for_it() {
    let made = made_on(r#"{"ServerVersion":"27.0.3","SecurityOptions":[]}"#).await;
    assert_eq!(made["SecurityOpt"], serde_json::json!(["no-new-privileges"]));
}

#[tokio::test]
async fn what_a_container_has_used_is_what_the_engine_counts() {
    let fake = Fake::new(|request, _| match request {
        "GET /containers/c0ffee/stats?stream=0&one-shot=1" => ok(
            r#"{"cpu_stats":{"cpu_usage":{"total_usage":1500000000},"online_cpus":8},"unknown":{}}"#,
        ),
        _ => well(request),
    });
    let time = fake.docker().cpu_time(ID).await.unwrap();
    assert_eq!(time.used, Duration::from_millis(1500));
    // Half a core, whatever the machine has.
    assert_eq!(time.processors, 0.5);
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_found_by_its_name_and_not_made_twice() {
    // What the engine was told to make, as it tells it on inspection.
    let labels = Arc::new(Mutex::new(String::new()));
    let fake = Fake::with_bodies(move |request, body, before| match request {
        _ if request.starts_with("POST /containers/create") && before == 0 => {
            let made: serde_json::Value = serde_json::from_slice(body).unwrap();
            *labels.lock().unwrap() = made["Labels"].to_string();
            Answer::Lost
        }
        _ if request.starts_with("POST /containers/create") => refused(409, "name in use"),
        // It has the name, and is still making the container.
        _ if request.starts_with("GET /containers/scientist-pool-") && before < 2 => {
            refused(404, "No such container")
        }
        _ if request.starts_with("GET /containers/scientist-pool-") => {
            let labels = labels.lock().unwrap();
            ok(&format!(r#"{{"Id":"{ID}","Config":{{"Labels":{labels}}}}}"#))
        }
        _ => well(request),
    });
    let attached = fake.docker().create(cat()).await.unwrap();
    assert_eq!(attached.id, ID);
    assert_eq!(fake.count("POST /containers/create"), 2);
}

#[tokio::test]
async fn a_name_somebody_else_has_taken_is_not_taken_for_ours() {
    let fake = Fake::new(|request, _| match request {
        _ if request.starts_with("POST /containers/create") => refused(409, "name in use"),
        _ => well(request),
    });
    let docker = fake.docker();
    let error = why(docker.create(cat()).await.err().unwrap());
    assert_eq!((error.code, error.status_code), (Code::EngineError, Some(409)));
    docker.settle().await;
    assert_eq!(fake.count("DELETE"), 0);
}

#[tokio::test]
async fn a_create_that_is_never_answered_is_removed_by_its_name() {
    let fake = Fake::new(|request, before| match request {
        _ if request.starts_with("POST /containers/create") => Answer::Silence,
        // The engine is still making it when it is asked to remove it for the first time.
        _ if request.starts_with("DELETE") && before == 0 => refused(404, "no such container"),
        _ => well(request),
    });
    let docker = fake.docker();
    let error = why(docker.create(cat()).await.err().unwrap());
    assert_eq!((error.code, error.timeout), (Code::EngineUnavailable, Some(500)));
    docker.settle().await;
    assert_eq!(fake.count("POST /containers/create"), 1);
    assert_eq!(fake.count("DELETE /containers/scientist-pool-"), 2);
}

#[tokio::test]
async fn a_container_that_does_not_start_is_removed() {
    let fake = Fake::new(|request, _| match request {
        _ if request.contains("/start") => refused(500, "no space left on device"),
        _ => well(request),
    });
    let docker = fake.docker();
    let error = why(docker.create(cat()).await.err().unwrap());
    assert_eq!((error.code, error.container_id.as_deref()), (Code::EngineError, Some(ID)));
    docker.settle().await;
    assert_eq!(fake.count(&format!("DELETE /containers/{ID}")), 1);
}

#[tokio::test]
async fn a_create_given_up_during_start_is_removed() {
    let fake = Fake::new(|request, _| match request {
        _ if request.contains("/start") => Answer::Silence,
        _ => well(request),
    });
    let docker = fake.docker();
    tokio::select! {
        _ = docker.create(cat()) => panic!("it never starts"),
        () = async { while fake.count("POST /containers/c0ffee/start") == 0 { tokio::task::yield_now().await } } => {}
    }
    docker.settle().await;
    assert_eq!(fake.count(&format!("DELETE /containers/{ID}")), 1);
}

#[tokio::test]
async fn the_attached_stream_passes_frames_and_its_half_close() {
    let fake = Fake::new(|request, _| well(request));
    let mut attached = fake.docker().create(cat()).await.unwrap();
    attached.stdin.write_all(b"\x01\0\0\0\0\0\0\x05bytes").await.unwrap();
    attached.stdin.shutdown().await.unwrap();
    let mut echo = Vec::new();
    let mut take = |stream, bytes: &[u8]| {
        assert_eq!(stream, Of::Stdout);
        echo.extend_from_slice(bytes);
    };
    while attached.output.read(&mut take).await.unwrap() > 0 {}
    assert_eq!(echo, b"bytes");
}

#[tokio::test]
async fn an_upgrade_that_something_in_between_swallows_is_an_error() {
    let fake = Fake::new(|request, _| match request {
        _ if request.contains("/attach") => ok(""),
        _ => well(request),
    });
    let error = why(fake.docker().create(cat()).await.err().unwrap());
    assert_eq!(error.code, Code::EngineError);
    assert!(error.message.contains("proxy"), "{}", error.message);
}

#[tokio::test]
async fn a_removal_somebody_else_has_begun_is_waited_for() {
    let fake = Fake::new(|request, before| match request {
        _ if request.starts_with("DELETE") => refused(409, "removal is already in progress"),
        _ if request.ends_with("/json") && before < 2 => ok(&format!(r#"{{"Id":"{ID}"}}"#)),
        _ => well(request),
    });
    fake.docker().remove(ID).await.unwrap();
    assert_eq!(fake.count(&format!("GET /containers/{ID}/json")), 3);
}

#[tokio::test]
async fn a_removal_that_fails_once_is_tried_again() {
    let fake = Fake::new(|request, before| match request {
        _ if request.starts_with("DELETE") && before == 0 => refused(500, "device busy"),
        _ => well(request),
    });
    fake.docker().remove(ID).await.unwrap();
}

#[tokio::test]
async fn an_error_inside_a_successful_pull_is_a_failed_pull() {
    for report in [
        r#"{"status":"Pulling"}{"errorDetail":{"message":"layer gone"},"error":"layer gone"}"#,
        r#"{"error":"layer gone"}"#,
    ] {
        let report = report.replace("}{", "}\r\n{");
        let fake = Fake::new(move |request, _| match request {
            _ if request.starts_with("POST /images/create?fromImage=team%2Fpy&tag=1") => {
                ok(&report)
            }
            _ => well(request),
        });
        let error = fake.docker().prepare(quiet()).await.unwrap_err();
        assert_eq!(error.code, Code::ImagePullFailed);
        assert_eq!(error.image.as_deref(), Some("team/py:1"));
        assert!(error.message.contains("layer gone"), "{}", error.message);
    }
}

#[tokio::test]
async fn a_pull_cut_off_or_without_its_image_at_the_end_is_a_failed_pull() {
    for cut in [true, false] {
        let report = "{\"status\":\"Downloading\",\"id\":\"a\"}\r\n";
        let fake = Fake::new(move |request, _| match request {
            _ if request.starts_with("POST /images/create") && cut => Answer::Cut(report),
            _ if request.starts_with("POST /images/create") => ok(report),
            _ => well(request),
        });
        let error = fake.docker().prepare(quiet()).await.unwrap_err();
        assert_eq!(error.code, Code::ImagePullFailed, "{}", error.message);
    }
}

/// An engine whose event streams are `streams`, one after another and then silent ones, and that lists
/// `listed` as this process's containers.
fn with_events(streams: &'static [&'static str], listed: &'static str) -> Fake {
    Fake::new(move |request, before| match request {
        _ if request.starts_with("GET /events") => {
            streams.get(before).map_or(Answer::Silence, |text| ok(text))
        }
        _ if request.starts_with("GET /containers/json") => ok(listed),
        _ => well(request),
    })
}

const RUNS: &str = r#"[{"Id":"c0ffee","Names":["/a"],"State":"running"}]"#;
const PATIENCE: Duration = Duration::from_secs(10);

async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the condition holds in time");
}

#[tokio::test]
async fn what_the_events_say_of_a_container_reaches_whoever_holds_it() {
    let fake = with_events(
        &["{\"Action\":\"oom\",\"Actor\":{\"ID\":\"c0ffee\"}}\n{\"Action\":\"die\",\"Actor\":{\"ID\":\"c0ffee\"}}\n"],
        RUNS,
    );
    let docker = fake.docker();
    let attached = docker.create(cat()).await.unwrap();
    tokio::time::timeout(PATIENCE, attached.vitals.dead()).await.expect("it is told");
    assert_eq!(attached.vitals.oom_kills(), 1);
}

#[tokio::test]
async fn when_the_event_stream_breaks_what_is_there_is_compared_with_what_should_be() {
    let fake = with_events(
        &["", ""],
        r#"[{"Id":"5742a7","Names":["/scientist-pool-stray-1"],"State":"created"}]"#,
    );
    let docker = fake.docker();
    let attached = docker.create(cat()).await.unwrap();
    tokio::time::timeout(PATIENCE, attached.vitals.dead()).await.expect("its death is found");
    until(|| fake.count("DELETE /containers/5742a7") > 0).await;
    assert!(!docker.health().borrow().is_down(), "the engine itself is well");
}

#[tokio::test]
async fn what_an_engine_that_hung_has_made_too_late_is_removed() {
    let [hangs, has_hung] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let (hanging, late) = (hangs.clone(), has_hung.clone());
    let fake = Fake::new(move |request, _| match request {
        _ if hanging.load(SeqCst) => Answer::Silence,
        _ if request.starts_with("GET /events") => Answer::Open,
        _ if request.starts_with("GET /containers/json") && late.load(SeqCst) => ok(
            r#"[{"Id":"c0ffee","State":"running"},{"Id":"5742a7","Names":["/x"],"State":"created"}]"#,
        ),
        _ if request.starts_with("GET /containers/json") => ok(RUNS),
        _ => well(request),
    });
    let docker = fake.docker();
    let _held = docker.create(cat()).await.unwrap();
    until(|| fake.count("GET /containers/json") == 1).await;
    hangs.store(true, SeqCst);
    docker.create(cat()).await.err().expect("no answer");
    until(|| docker.health().borrow().is_down()).await;
    has_hung.store(true, SeqCst);
    hangs.store(false, SeqCst);
    until(|| fake.count("DELETE /containers/5742a7") > 0).await;
}

#[tokio::test]
async fn an_engine_that_gives_no_events_is_used_without_and_not_asked_again_and_again() {
    let fake = Fake::new(|request, _| match request {
        _ if request.starts_with("GET /events") => refused(403, "forbidden by the proxy"),
        _ => well(request),
    });
    let docker = fake.docker();
    let _held = docker.create(cat()).await.unwrap();
    until(|| fake.count("GET /events") == 1).await;
    for _ in 0..100 {
        docker.remove(&docker.create(cat()).await.unwrap().id).await.unwrap();
    }
    assert_eq!(fake.count("GET /events"), 1);
}

#[tokio::test]
async fn the_event_stream_ends_when_no_container_is_left() {
    let fake = with_events(&[], RUNS);
    let docker = fake.docker();
    let attached = docker.create(cat()).await.unwrap();
    until(|| fake.count("GET /events") == 1).await;
    docker.remove(&attached.id).await.unwrap();
    docker.settle().await;
    docker.create(cat()).await.unwrap();
    until(|| fake.count("GET /events") == 2).await;
}

#[tokio::test]
async fn a_removal_whose_answer_is_lost_is_asked_for_again() {
    let fake = Fake::new(|request, before| match request {
        _ if request.starts_with("DELETE") && before == 0 => Answer::Lost,
        _ if request.starts_with("DELETE") => refused(404, "No such container"),
        _ => well(request),
    });
    fake.docker().remove(ID).await.unwrap();
    assert_eq!(fake.count("DELETE"), 2);
}

#[tokio::test]
async fn pools_on_one_engine_share_a_client_and_so_its_state() {
    let fake = Fake::new(|request, _| match request {
        _ if request.starts_with("POST /containers/create") => refused(500, "disk full"),
        _ => well(request),
    });
    let clients = Clients::default();
    let socket = fake.folder.path().join("engine.sock");
    let [one, other] = [0, 1].map(|_| docker_of(&clients, &socket));
    one.create(cat()).await.err().unwrap();
    assert_eq!(other.health().borrow().state, EngineState::Degraded);
}
