//! What only Docker has of an engine: labels, by which a sweep and a dropped create are judged, and pulls.
//!
//! `SCIENTIST_POOL_TEST_ENGINE` is the engine's address, `SCIENTIST_POOL_TEST_IMAGE` an image it has
//! (default `python:3.9-slim`). Run with `cargo test --test engine_docker -- --ignored`.

mod support;

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use scientist_pool::{
    config::{ContainerConfig, PullPolicy},
    engine::{
        docker::{Clients, Docker},
        Engine, EngineKind, PullProgress,
    },
    error::Code,
};
use support::{command, engine_config, idle, run, unheard};

fn address() -> String {
    std::env::var("SCIENTIST_POOL_TEST_ENGINE")
        .expect("SCIENTIST_POOL_TEST_ENGINE must hold the address of an engine to test on")
}

fn hardened() -> ContainerConfig {
    let image = std::env::var("SCIENTIST_POOL_TEST_IMAGE");
    support::hardened(image.as_deref().unwrap_or("python:3.9-slim"))
}

fn docker_of(container: ContainerConfig) -> Docker {
    let config = engine_config(EngineKind::Docker, Some(address()));
    Docker::new(&Clients::default(), config, container).unwrap()
}

fn docker() -> Docker {
    docker_of(hardened())
}

/// Whether the engine knows no such container, running or not.
async fn is_gone(docker: &Docker, id: &str) -> bool {
    let refused = docker.exec(id, command(&["true"])).await.err();
    refused.is_some_and(|error| error.status_code == Some(404))
}

/// What the docker CLI says, spoken to the same engine.
fn cli(args: &[&str]) -> String {
    let output = Command::new("docker").args(["-H", &address()]).args(args).output().unwrap();
    assert!(output.status.success(), "docker {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn a_create_dropped_half_way_leaves_nothing() {
    // A label of its own tells these containers from those of the tests beside this one.
    let tag = format!("drop-{}", std::process::id());
    let labels = BTreeMap::from([("test".to_owned(), tag.clone())]);
    let docker = docker_of(ContainerConfig { labels, ..hardened() });
    docker.connect().await.unwrap();
    for wait in [0, 3, 8, 15, 30, 60, 120] {
        let _ =
            tokio::time::timeout(Duration::from_millis(wait), docker.create(run(&["cat"]))).await;
    }
    docker.settle().await;
    assert_eq!(cli(&["ps", "-aq", "--filter", &format!("label=test={tag}")]), "");
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn a_sweep_leaves_what_a_living_process_owns() {
    let docker = docker();
    let attached = idle(&docker).await;
    let swept = docker.sweep().await.unwrap();
    assert!(!swept.contains(&attached.id));
    assert!(!is_gone(&docker, &attached.id).await);
    docker.remove(&attached.id).await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine"]
async fn a_sweep_removes_what_a_dead_process_of_this_host_left_and_nothing_else() {
    let docker = docker();
    let ours = idle(&docker).await;
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
        let docker = docker_of(config.clone());
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
    let error = docker_of(config).prepare(unheard()).await.unwrap_err();
    assert_eq!((error.code, error.image), (Code::ImageNotFound, Some(image)));
}
