//! A container: what it is made as, and its way from create over attach to start.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{atomic::Ordering, Arc},
    time::Duration,
};

use bollard::{
    config::ContainerCreateBody,
    models::{
        HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountBindOptions,
        MountBindOptionsPropagationEnum, MountType, ResourcesUlimits,
    },
};
use tokio::{runtime::Handle, sync::oneshot, time::sleep};

use super::{
    super::{
        background::Background, registry::reference::Reference, Attached, CreateError, Handover,
        Init, Port, Vitals,
    },
    client::Client,
    fault::Fault,
    frames::Frames,
    handover::Offer,
    honours::Honours,
    image,
    owner::{self, Owner},
    remove::discard,
    roster::Expected,
};
use crate::{
    config::{ContainerConfig, Shown},
    error::{Code, Error},
};

/// Between two looks for a container whose name is taken already.
const LOOKS_MS: [u64; 7] = [10, 20, 40, 80, 160, 320, 640];
/// Where Podman mounts a writable tmpfs without a size on a read-only root, unless something is mounted
/// there (`--read-only-tmpfs`; its Docker API has no word for it).
const PODMAN_OPENS: [&str; 3] = ["/run", "/tmp", "/var/tmp"];
const READ_ONLY: &str = "ro,nosuid,nodev,noexec";
/// How many names are tried that somebody else has taken.
const NAMES: usize = 3;

/// What all containers of a pool are made as.
#[derive(Clone)]
pub(super) struct Kind {
    pub config: Arc<ContainerConfig>,
    pub image: Reference,
    /// What the engine gives of what `config` asks for.
    pub honours: Arc<Honours>,
}

/// Creates, attaches to and starts a container. An engine that has no such files as this machine says so of the
/// socket for a handover; then it is made without.
pub(super) async fn create(
    client: &Arc<Client>,
    background: &Background,
    kind: Kind,
    init: Init,
) -> Result<Attached, CreateError> {
    let Some(offer) = offer(client, &kind.config) else {
        return create_once(client, background, kind, init, None).await;
    };
    let shown = offer.shown();
    let source = shown.source.clone();
    match create_once(client, background, kind.clone(), init.clone(), Some(shown)).await {
        Ok(attached) => {
            let works = client.hands_over().clone();
            let handover = Handover {
                path: offer.path(),
                connections: Box::pin(offer.taken()),
                is_vain: Box::new(move || works.store(false, Ordering::Relaxed)),
            };
            Ok(Attached { port: Port::Free(Some(handover)), ..attached })
        }
        Err(CreateError::Other(error)) if error.message.contains(&source) => {
            client.hands_over().store(false, Ordering::Relaxed);
            create_once(client, background, kind, init, None).await
        }
        Err(error) => Err(error),
    }
}

/// A socket by which a container of this engine may hand over what listens in it.
fn offer(client: &Client, config: &ContainerConfig) -> Option<Offer> {
    config.network.proxied()?;
    if client.address().is_remote() || !client.hands_over().load(Ordering::Relaxed) {
        return None;
    }
    Offer::new().ok()
}

/// The work is a task of its own, so that a caller who goes away leaves no call half-made: the create is
/// awaited whatever happens, as nothing else tells whether there is a container to remove.
async fn create_once(
    client: &Arc<Client>,
    background: &Background,
    kind: Kind,
    init: Init,
    offered: Option<Shown>,
) -> Result<Attached, CreateError> {
    let runtime = Handle::current();
    let (mut give, take) = oneshot::channel();
    let mut unfinished = Unfinished {
        client: client.clone(),
        background: background.clone(),
        runtime: runtime.clone(),
        container: None,
        expected: None,
    };
    let client = client.clone();
    background.spawn(&runtime, async move {
        let made = match make(&client, &kind, &init, offered, &mut unfinished).await {
            Ok(id) => {
                // Before the start: one that ends at once is heard of, too.
                let vitals = client.roster().enter(&id);
                tokio::select! {
                    biased;
                    () = give.closed() => return,
                    started = start(&client, id, &init, vitals) => {
                        started.map(|attached| (attached, unfinished))
                    }
                }
            }
            Err(error) => Err(CreateError::Other(error)),
        };
        // Nobody takes it if the caller is gone; then it is dropped, and so removed.
        let _ = give.send(made);
    });
    match take.await {
        Ok(Ok((attached, mut unfinished))) => {
            unfinished.container = None;
            Ok(attached)
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(CreateError::Other(Error::new(
            Code::EngineUnavailable,
            "create container: given up, as the runtime it ran on has ended",
        ))),
    }
}

/// A container on its way: removed in the background unless it arrives.
struct Unfinished {
    client: Arc<Client>,
    background: Background,
    runtime: Handle,
    /// Its id, or its name if it is not certain whether it has been made.
    container: Option<(String, bool)>,
    /// Its name on the roster.
    expected: Option<Expected>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some((container, certain)) = self.container.take() else {
            return;
        };
        let client = self.client.clone();
        self.background.spawn(&self.runtime, async move {
            // What can't be removed even so keeps its labels, and the next sweep finds it.
            let _ = discard(&client, &container, certain).await;
        });
    }
}

/// Creates the container; gives its id.
async fn make(
    client: &Client,
    kind: &Kind,
    init: &Init,
    offered: Option<Shown>,
    unfinished: &mut Unfinished,
) -> Result<String, Error> {
    let owner = Owner::current();
    let is_podman = client.is_podman().await?;
    let mut names = 0;
    loop {
        names += 1;
        let name = owner.next_name();
        unfinished.container = Some((name.clone(), false));
        unfinished.expected = Some(client.roster().expect(&name));
        let body = || body(kind, init, offered.as_ref(), owner, is_podman);
        let fault = match make_named(client, &name, body).await {
            Ok(id) => {
                unfinished.container = Some((id.clone(), true));
                return Ok(id);
            }
            Err(fault) => fault,
        };
        if !fault.may_have_happened() {
            unfinished.container = None;
        }
        match fault {
            Fault::Refused { status: 409, .. } if names < NAMES => continue,
            Fault::Refused { status, message }
                if status == 404 || message.to_ascii_lowercase().contains("no such image") =>
            {
                let error = image::not_found(
                    &kind.image,
                    "or lost it since it was pulled: call initialize() to pull it",
                );
                return Err(error
                    .status(status)
                    .cause(client.error("create container", Fault::Refused { status, message })));
            }
            fault => return Err(client.error("create container", fault)),
        }
    }
}

/// Creates the container of that name; one whose answer was lost is found by it, never made twice.
async fn make_named(
    client: &Client,
    name: &str,
    body: impl Fn() -> ContainerCreateBody,
) -> Result<String, Fault> {
    match client.create_container(name, body()).await {
        Err(Fault::Unanswered(_)) => {}
        answered => return answered,
    }
    let taken = match client.create_container(name, body()).await {
        Err(taken @ Fault::Refused { status: 409, .. }) => taken,
        answered => return answered,
    };
    // An engine takes the name before it makes the container, and knows none by it until then.
    for pause in LOOKS_MS.map(Duration::from_millis) {
        match client.inspect_container(name).await {
            Err(fault) if fault.is_missing() => sleep(pause).await,
            Err(fault) => return Err(fault),
            Ok((id, labels)) => {
                let ours = labels.get(owner::SESSION) == Some(&Owner::current().session);
                return if ours { Ok(id) } else { Err(taken) };
            }
        }
    }
    Err(Fault::Unanswered("the engine has its name, and no such container".to_owned()))
}

/// Attaches first, so that nothing PID 1 says is missed, and starts.
async fn start(
    client: &Client,
    id: String,
    init: &Init,
    vitals: Vitals,
) -> Result<Attached, CreateError> {
    let failed = |call: &str, fault: Fault| {
        let program = init.argv.first().map_or("", String::as_str);
        let missing = fault.refusal().is_some_and(|said| lacks_program(said, program));
        let error = client.error(call, fault).container(&id);
        if missing {
            CreateError::NoSuchProgram(error)
        } else {
            CreateError::Other(error)
        }
    };
    // Podman prepares the container here already, and here finds the program missing.
    let (reader, stdin) =
        client.attach_container(&id).await.map_err(|fault| failed("attach to container", fault))?;
    client.start_container(&id).await.map_err(|fault| failed("start container", fault))?;
    Ok(Attached {
        id,
        stdin,
        output: Box::new(Frames::new(reader)),
        vitals,
        port: Port::Free(None),
    })
}

/// Whether the engine says that the container's program is not there. It says so in its runtime's words
/// (runc, crun, runsc, kata); the program must be among them, as a runtime that is not there, or a
/// folder to mount, is told of in the same ones.
fn lacks_program(said: &str, program: &str) -> bool {
    let words = [
        "executable file not found",
        "not found in $path",
        "no such file or directory",
        "error finding executable",
    ];
    let said = said.to_ascii_lowercase();
    let program = program.to_ascii_lowercase();
    let named =
        ["\"", "`", "'"].iter().any(|quote| said.contains(&format!("{quote}{program}{quote}")))
            || said.contains(&format!("stat {program}:"));
    !program.is_empty() && named && words.iter().any(|word| said.contains(word))
}

/// The create call's body.
fn body(
    kind: &Kind,
    init: &Init,
    offered: Option<&Shown>,
    owner: &Owner,
    is_podman: bool,
) -> ContainerCreateBody {
    let Kind { config, image, honours } = kind;
    let mut labels: HashMap<String, String> = config.labels.clone().into_iter().collect();
    labels.extend(owner.labels().map(|(name, value)| (name.to_owned(), value)));
    ContainerCreateBody {
        image: Some(image.as_str().to_owned()),
        entrypoint: Some(init.argv.clone()),
        cmd: Some(Vec::new()),
        env: Some(config.environment()),
        working_dir: config.home.clone(),
        user: config.user.clone(),
        labels: Some(labels),
        // The lifeline: PID 1's stdin ends with our connection, and ends it.
        open_stdin: Some(true),
        stdin_once: Some(true),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(false),
        // A supervisor as PID 1 gets no default action for any signal but this one.
        stop_signal: Some("SIGKILL".to_owned()),
        // An image's own check would run processes of its own beside the script. Podman (4.3) takes
        // this for a check to be run by a timer of systemd's.
        healthcheck: (!is_podman).then(|| HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        host_config: Some(host_config(config, honours, offered, is_podman)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(
    config: &ContainerConfig,
    honours: &Honours,
    offered: Option<&Shown>,
    is_podman: bool,
) -> HostConfig {
    let mut security = Vec::new();
    if config.no_new_privileges {
        security.push("no-new-privileges".to_owned());
    }
    if let Some(profile) = honours.seccomp(&config.seccomp) {
        security.push(format!("seccomp={profile}"));
    }
    let ulimits = config.ulimits.iter().map(|(name, (soft, hard))| ResourcesUlimits {
        name: Some(name.clone()),
        soft: Some(*soft),
        hard: Some(*hard),
    });
    HostConfig {
        auto_remove: Some(true),
        network_mode: Some(config.network.name().to_owned()),
        memory: Some(config.memory),
        // The engine counts memory and swap together here, and -1 as any.
        memory_swap: config.swap.map(|swap| match swap {
            0.. => config.memory.saturating_add(swap),
            any => any,
        }),
        pids_limit: Some(config.pids_limit),
        cpu_quota: Some(config.cpu_quota),
        cpu_period: Some(config.cpu_period),
        readonly_rootfs: Some(config.readonly_rootfs),
        cap_drop: config.cap_add.as_ref().map(|_| vec!["ALL".to_owned()]),
        cap_add: config.cap_add.clone(),
        security_opt: Some(security),
        tmpfs: Some(tmpfs(&config.tmpfs, is_podman && config.readonly_rootfs)),
        mounts: Some(config.mounts.iter().chain(offered).map(mount).collect()),
        shm_size: config.shm_size,
        ulimits: Some(ulimits.collect()),
        log_config: (!config.log)
            .then(|| HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        ipc_mode: Some("private".to_owned()),
        // An engine set up to put an init of its own in front would take PID 1 from the supervisor.
        init: Some(false),
        runtime: config.runtime.clone(),
        ..HostConfig::default()
    }
}

/// As the local engine has it: no file system below it, and no mount that is made later on either side.
fn mount(shown: &Shown) -> Mount {
    let Shown { source, target, read_only } = shown.clone();
    Mount {
        typ: Some(MountType::BIND),
        source: Some(source),
        target: Some(target),
        read_only: Some(read_only),
        bind_options: Some(MountBindOptions {
            propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
            non_recursive: Some(true),
            ..MountBindOptions::default()
        }),
        ..Mount::default()
    }
}

/// What is mounted as tmpfs. `close`: what Podman would make writable keeps the image's files, read-only.
fn tmpfs(asked: &BTreeMap<String, String>, close: bool) -> HashMap<String, String> {
    let mut mounts: HashMap<String, String> = asked.clone().into_iter().collect();
    if close {
        for place in PODMAN_OPENS {
            mounts.entry(place.to_owned()).or_insert_with(|| READ_ONLY.to_owned());
        }
    }
    mounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn podman_opens_no_place_of_its_own_and_those_asked_for_stay() {
        let asked = BTreeMap::from([("/tmp".to_owned(), "size=64m".to_owned())]);
        assert_eq!(tmpfs(&asked, false).into_iter().collect::<BTreeMap<_, _>>(), asked);
        let closed = tmpfs(&asked, true);
        assert_eq!(closed["/tmp"], "size=64m");
        assert!(["/run", "/var/tmp"].iter().all(|place| closed[*place].starts_with("ro,")));
    }

    #[test]
    fn a_missing_program_is_told_from_anything_else_that_is_missing() {
        for said in [
            // runc through Docker 20.10 and 27
            r#"OCI runtime create failed: container_linux.go:380: starting container process caused: exec: "python3": executable file not found in $PATH: unknown"#,
            r#"failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "python3": executable file not found in $PATH: unknown"#,
            // crun through Podman
            "crun: executable file `python3` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found",
            // runsc
            r#"starting root container: starting sandbox: error finding executable "python3" in PATH [/bin]: no such file or directory"#,
        ] {
            assert!(lacks_program(said, "python3"), "{said}");
        }
        for said in [
            r#"failed to create shim task: exec: "runsc": executable file not found in $PATH: unknown"#,
            "error mounting \"/x\" to rootfs: no such file or directory",
            r#"exec: "python3": permission denied"#,
        ] {
            assert!(!lacks_program(said, "python3"), "{said}");
        }
        assert!(lacks_program(
            r#"exec: "/opt/py": stat /opt/py: no such file or directory"#,
            "/opt/py"
        ));
    }
}
