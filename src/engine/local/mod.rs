//! This machine's own kernel, without a daemon.
//!
//! - `launcher`: the process that makes the containers, and the socket to it.
//! - [`pipes`]: the streams of a process in a container.
//! - `advice`: what to do where the kernel does not let us.
//! - `runtime`: the OCI runtime that is to run containers.
//! - `template`: what interpreters are forked from.
//! - `ahead`: the next container, which waits.
//! - `image`, `user`, `store`, `spec`: what a container is made of, and made as.

mod advice;
mod ahead;
mod image;
mod launcher;
mod pipes;
mod runtime;
mod spec;
mod store;
mod template;
mod user;

use std::{
    collections::HashMap,
    fmt::Display,
    future::Future,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use scientist_pool_protocol::{
    Absence, Answer, CgroupVersion, Exit, Failure, FailureKind, Fence, Limit, Program, Report,
    Request, Spec, Usage,
};
use tokio::sync::watch;

pub use self::image::has_alone;
use self::{
    advice::explained,
    ahead::{Ahead, Kept, Makings},
    image::{Contents, Image},
    launcher::{Launcher, Link},
    pipes::{pipes, Pipes, Stdin},
    spec::Kind,
    template::Template,
};
use super::{
    background::Background,
    loopback::accepted,
    security::{Isolation, Protection, Provision, Unhonoured},
    Attached, ContainerId, CpuTime, CreateError, Engine, EngineInfo, EngineKind, ExecSpec,
    ExecStatus, ExecStream, Health, Init, KeptImage, Making, OnPull, Orphan, Port, Recipe, Runtime,
    TemplateStatus, Vitals,
};
use crate::{
    budget::Budget,
    config::{ContainerConfig, EngineConfig},
    error::{Code, Error, Result},
};

/// The launcher's file.
const PROGRAM: &str = "scientist-pool-launcher";
/// The program of the images, beside it.
const IMAGES: &str = "scientist-pool-images";
/// What not every container needs.
const OPTIONAL: [Fence; 3] = [Fence::Overlay, Fence::MountAttributes, Fence::IdMappedMounts];
/// How many descriptors of a container come before that of what listens in it.
const BEFORE_LISTENER: usize = 4;
/// How long [`Engine::settle`] waits at most.
const SETTLE: Duration = Duration::from_secs(60);

/// The kernel, and the kind of container made of it.
pub struct Local {
    launcher: Arc<Launcher>,
    image: Image,
    kind: Kind,
    background: Background,
    /// Or why there is to be none.
    template: Result<Arc<Template>, &'static str>,
    ahead: Arc<Ahead>,
}

/// The launchers in use, one for each time within which they are to answer. Belongs to one tokio runtime:
/// their sockets do.
#[derive(Default)]
pub struct Launchers {
    /// Where it is; `None`: nobody has said so.
    program: Option<PathBuf>,
    /// That of all engines that are on this machine.
    machine: Arc<Budget>,
    known: Mutex<HashMap<Duration, Weak<Launcher>>>,
}

impl Launchers {
    /// `programs`: the folder that the programs beside the addon are in, if it is known; `machine`: the
    /// budget of all engines that are on this machine.
    pub fn new(programs: Option<&Path>, machine: Arc<Budget>) -> Self {
        let program = programs.map(|folder| folder.join(PROGRAM));
        Self { program, machine, known: Mutex::default() }
    }

    /// A program that is installed beside the launcher.
    fn beside(&self, name: &str) -> PathBuf {
        self.program.as_deref().unwrap_or(Path::new("")).with_file_name(name)
    }

    /// `alone`: one that no other pool has.
    fn get(&self, limit: Duration, alone: bool) -> Result<Arc<Launcher>> {
        let Some(program) = &self.program else {
            let message =
                "the engine 'local' needs its launcher, which a bundler has left out: keep \
                           scientist-pool out of the bundle (docs/bundlers.md)";
            return Err(Error::new(Code::EngineUnavailable, message));
        };
        // Nothing done under this lock can leave the map half-changed.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(launcher) = known.get(&limit).and_then(Weak::upgrade).filter(|_| !alone) {
            return Ok(launcher);
        }
        let launcher = Arc::new(Launcher::new(program.clone(), limit, self.machine.clone()));
        if !alone {
            known.insert(limit, Arc::downgrade(&launcher));
        }
        Ok(launcher)
    }
}

impl Local {
    /// Starts nothing.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`: an option asks for what this engine does not have. `ENGINE_UNAVAILABLE`: there
    /// is no launcher, or no such `runtime`.
    pub fn new(
        launchers: &Launchers,
        engine: &EngineConfig,
        container: &ContainerConfig,
    ) -> Result<Self> {
        let image = Image::new(container, launchers.beside(IMAGES))?;
        let kind = Kind::new(container, &image)?;
        let template = kind.has_template().map(|()| Arc::new(Template::new()));
        // Where all processes are one user's, a template is to be among those of its own pool alone.
        let alone = template.is_ok() && !rustix::process::geteuid().is_root();
        let launcher = launchers.get(engine.timeout, alone)?;
        let (background, ahead) = (Background::new(), Arc::default());
        Ok(Self { launcher, image, kind, background, template, ahead })
    }

    /// What a container has used.
    async fn usage(&self, id: &str) -> Result<Usage> {
        let lost = || lost().container(id);
        let link = self.launcher.running().await.ok_or_else(lost)?;
        let own = link.own(id).ok_or_else(lost)?;
        match self.launcher.ask(&link, Request::Usage { id: own }).await? {
            (Answer::Usage(usage), _) => Ok(usage),
            (Answer::Failed(failure), _) => Err(error_of("ask what was used", failure)),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// The container that was begun ahead, or a new one; and has the next one begun.
    async fn supervised(&self) -> Result<Attached, CreateError> {
        let contents = self.image.contents().map_err(CreateError::Other)?;
        let link = self.launcher.link().await.map_err(CreateError::Other)?;
        let makings = Makings { template: self.template_of(&link, &contents), contents };
        let begin = |link| {
            let spec = self.kind.with(Program::Init, Vec::new(), makings.contents.clone());
            begin(self.launcher.clone(), self.background.clone(), link, spec, makings.template)
        };
        let attached = match self.ahead.take(&makings) {
            Some(attached) => attached,
            None => begin(link.clone()).await?,
        };
        // A runtime's own processes are too much to have waiting.
        if self.kind.runtime().is_none() {
            let next = kept(&self.launcher, &self.background, begin(link));
            self.ahead.make(makings.clone(), next);
        }
        Ok(attached)
    }

    /// What interpreters are to be forked from. `None`: they are booted.
    fn template_of(&self, link: &Arc<Link>, contents: &Contents) -> Option<u64> {
        self.template.as_ref().ok()?.current(link, || {
            let spec = self.kind.template(contents.clone());
            let (launcher, background) = (&self.launcher, &self.background);
            let process = begin(launcher.clone(), background.clone(), link.clone(), spec, None);
            kept(launcher, background, process)
        })
    }

    /// What containers run under, as it says itself.
    fn runtime(&self, report: &Report) -> Result<Option<Runtime>> {
        let (Some(program), Some(said)) = (self.kind.runtime(), &report.runtime) else {
            return Ok(None);
        };
        match said {
            Ok(version) => {
                let path = program.display().to_string();
                Ok(Some(Runtime { path, version: version.clone() }))
            }
            Err(why) => Err(Error::new(Code::EngineUnavailable, why.message.clone())),
        }
    }

    async fn report(&self, link: &Arc<Link>) -> Result<Report> {
        let runtime = self.kind.runtime().cloned();
        match self.launcher.ask(link, Request::Probe { runtime }).await? {
            (Answer::Report(report), _) => Ok(report),
            (other, _) => Err(unexpected(&other)),
        }
    }
}

/// What has been begun, for nobody yet.
fn kept(
    launcher: &Arc<Launcher>,
    background: &Background,
    begun: impl Future<Output = Result<Attached, CreateError>>,
) -> impl Future<Output = Result<Kept, CreateError>> {
    let (launcher, background) = (launcher.clone(), background.clone());
    async move { Ok(Kept::new(begun.await?, launcher, background)) }
}

/// Makes a container, whose interpreter is forked from `template`.
async fn begin(
    launcher: Arc<Launcher>,
    background: Background,
    link: Arc<Link>,
    spec: Box<Spec>,
    template: Option<u64>,
) -> Result<Attached, CreateError> {
    let (id, told) = link.next();
    let full = link.full(id);
    let entered = Entered {
        id: full.clone(),
        launcher: launcher.clone(),
        background: background.clone(),
        link: link.clone(),
        kept: false,
    };
    let listens = spec.proxy.is_some();
    let reply = launcher.ask(&link, Request::Create { id, spec, template }).await;
    let descriptors = match reply.map_err(CreateError::Other)? {
        (Answer::Created(_), descriptors) => descriptors,
        (Answer::Failed(failure), _) => return Err(create_error(failure)),
        (other, _) => return Err(CreateError::Other(unexpected(&other))),
    };
    let unusable = |why: io::Error| {
        let message = format!("create container: its streams can't be used: {why}");
        CreateError::Other(Error::new(Code::EngineError, message).container(&full))
    };
    let mut descriptors = descriptors;
    let listener = descriptors.split_off(descriptors.len().min(BEFORE_LISTENER)).pop();
    let port = match (listens, listener) {
        (true, Some(listener)) => Port::Heard(accepted(listener).map_err(unusable)?),
        (true, None) => return Err(unusable(no_descriptor())),
        (false, _) => Port::Free(None),
    };
    let (stdin, output) = streams(descriptors).map_err(unusable)?;
    let vitals = Vitals::new(told, entered.keep());
    let (stdin, output) = (Box::new(stdin), Box::new(output));
    Ok(Attached { id: full, stdin, output, vitals, port })
}

/// A container that is known to the link. One that does not arrive is removed behind the call.
struct Entered {
    id: ContainerId,
    launcher: Arc<Launcher>,
    background: Background,
    link: Arc<Link>,
    kept: bool,
}

impl Entered {
    fn keep(mut self) -> Self {
        self.kept = true;
        self
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let Some(id) = self.link.own(&self.id) else { return };
        self.link.forget(id);
        if !self.kept {
            discard(&self.launcher, &self.background, self.id.clone());
        }
    }
}

fn discard(launcher: &Arc<Launcher>, background: &Background, id: ContainerId) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let launcher = launcher.clone();
    background.spawn(&runtime, async move {
        // A launcher that can't do it ends in the end, and all its containers with it.
        let _ = remove(&launcher, &id).await;
    });
}

async fn remove(launcher: &Launcher, id: &str) -> Result<()> {
    // With a launcher its containers are gone.
    let Some(link) = launcher.running().await else { return Ok(()) };
    let Some(own) = link.own(id) else { return Ok(()) };
    match launcher.ask(&link, Request::Remove { id: own }).await {
        Ok((Answer::Removed, _)) => Ok(()),
        Ok((Answer::Failed(failure), _)) => Err(error_of("remove container", failure)),
        Ok((other, _)) => Err(unexpected(&other)),
        Err(_) if link.is_over() => Ok(()),
        Err(error) => Err(error.container(id)),
    }
}

#[async_trait]
impl Engine for Local {
    fn kind(&self) -> EngineKind {
        EngineKind::Local
    }

    fn address(&self) -> &dyn Display {
        self.launcher.as_ref()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.launcher.health()
    }

    fn budget(&self) -> &Arc<Budget> {
        self.launcher.budget()
    }

    fn template(&self) -> watch::Receiver<Option<TemplateStatus>> {
        match &self.template {
            Ok(template) => template.status(),
            Err(why) => template::off(why),
        }
    }

    async fn connect(&self) -> Result<EngineInfo> {
        let link = self.launcher.link().await?;
        let report = self.report(&link).await?;
        if let Some(refusal) = refusal(&report) {
            return Err(refusal);
        }
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(EngineInfo {
            kind: self.kind(),
            address: self.address().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            api_version: scientist_pool_protocol::VERSION.to_string(),
            memory: memory(),
            cpus: cpus as u64,
            warnings: Vec::new(),
            isolation: isolation(&report),
            runtime: self.runtime(&report)?,
            fences: fences(&report),
            unhonoured: unhonoured(&report, &self.kind),
        })
    }

    async fn prepare(&self, on_pull: OnPull) -> Result<()> {
        self.image.prepare(on_pull).await
    }

    async fn derive(&self, recipe: &Recipe, on_pull: OnPull, layer: Making<'_>) -> Result<()> {
        self.image.derive(recipe, on_pull, layer).await
    }

    async fn images(&self) -> Result<Vec<KeptImage>> {
        self.image.all("list").await
    }

    async fn prune_images(&self) -> Result<Vec<KeptImage>> {
        self.image.all("prune").await
    }

    async fn create(&self, init: Init) -> Result<Attached, CreateError> {
        let contents = self.image.contents().map_err(CreateError::Other)?;
        let link = self.launcher.link().await.map_err(CreateError::Other)?;
        let spec = self.kind.with(Program::Inside, init.argv, contents);
        begin(self.launcher.clone(), self.background.clone(), link, spec, None).await
    }

    async fn create_supervised(&self) -> Option<Result<Attached, CreateError>> {
        Some(self.supervised().await)
    }

    async fn exec(&self, id: &str, spec: ExecSpec) -> Result<ExecStream> {
        let lost = || lost().container(id);
        let link = self.launcher.running().await.ok_or_else(lost)?;
        let own = link.own(id).ok_or_else(lost)?;
        let exec = link.next_exec(own).ok_or_else(lost)?;
        let process = self.kind.beside(spec, self.image.contents()?);
        let request = Request::Exec { id: own, exec, process };
        let descriptors = match self.launcher.ask(&link, request).await {
            Ok((Answer::Started, descriptors)) => descriptors,
            Ok((Answer::Failed(failure), _)) => {
                return Err(match error_of("exec", failure) {
                    error if error.code == Code::ContainerLost => error,
                    // Nothing was begun, so the container is as it was.
                    error => error.refused(),
                }
                .container(id));
            }
            Ok((other, _)) => return Err(unexpected(&other).container(id)),
            Err(_) if link.is_over() => return Err(lost()),
            Err(error) => return Err(error.container(id)),
        };
        let (stdin, output) = streams(descriptors).map_err(|why| {
            let message = format!("exec: its streams can't be used: {why}");
            Error::new(Code::EngineError, message).container(id)
        })?;
        let exec_id = format!("{id}-{exec}");
        Ok(ExecStream { exec_id, stdin: Box::new(stdin), output: Box::new(output) })
    }

    async fn exec_status(&self, exec_id: &str) -> Result<ExecStatus> {
        let link = self.launcher.running().await.ok_or_else(lost)?;
        Ok(match link.exec(exec_id).ok_or_else(lost)? {
            None => ExecStatus::Running,
            Some(Exit::Code(code)) => ExecStatus::Exited(code.unsigned_abs()),
            Some(Exit::Signal(signal)) => ExecStatus::Signaled(signal.unsigned_abs()),
        })
    }

    async fn catch_up(&self, id: &str) -> bool {
        // The launcher tells of kills before it answers, and both are heard in that order.
        self.usage(id).await.is_ok()
    }

    async fn cpu_time(&self, id: &str) -> Result<CpuTime> {
        let Some(used) = self.usage(id).await?.cpu else {
            let message = "cpuTime: no control group counts the CPU time of containers here";
            return Err(Error::new(Code::EngineError, message).container(id));
        };
        let processors = self.kind.limits().cpu.map(|cpu| cpu.quota as f64 / cpu.period as f64);
        let all = || std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64);
        Ok(CpuTime { used, processors: processors.unwrap_or_else(all) })
    }

    async fn remove(&self, id: &str) -> Result<()> {
        remove(&self.launcher, id).await
    }

    fn discard(&self, id: &str) {
        discard(&self.launcher, &self.background, id.to_owned());
    }

    async fn orphans(&self) -> Result<Vec<Orphan>> {
        // Containers end with their launcher, and that with its process.
        Ok(Vec::new())
    }

    async fn sweep(&self) -> Result<Vec<ContainerId>> {
        Ok(Vec::new())
    }

    async fn settle(&self) {
        self.ahead.end();
        if let Ok(template) = &self.template {
            template.end().await;
        }
        // What is given up on ends with the launcher.
        let _ = tokio::time::timeout(SETTLE, self.background.settle()).await;
        self.launcher.rest().await;
    }
}

/// Those of a process, which come first among what came with it.
fn streams(descriptors: Vec<OwnedFd>) -> io::Result<(Stdin, Pipes)> {
    let mut descriptors = descriptors.into_iter();
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (descriptors.next(), descriptors.next(), descriptors.next())
    else {
        return Err(no_descriptor());
    };
    Ok((Stdin::new(stdin)?, pipes(stdout, stderr)?))
}

fn no_descriptor() -> io::Error {
    io::Error::other("they did not come, as this process has no descriptor left for them")
}

fn lost() -> Error {
    Error::new(Code::ContainerLost, "the container has ended")
}

fn unexpected(answer: &Answer) -> Error {
    let message = format!("the launcher answered with {answer:?}");
    Error::new(Code::EngineError, message)
}

fn error_of(call: &str, failure: Failure) -> Error {
    let code = match failure.kind {
        FailureKind::Invalid => Code::InvalidArgument,
        FailureKind::NoSuchPath => Code::ImageNotFound,
        FailureKind::NoSuchContainer | FailureKind::Gone => Code::ContainerLost,
        _ => Code::EngineError,
    };
    Error::new(code, format!("{call}: {failure}"))
}

fn create_error(failure: Failure) -> CreateError {
    let missing = failure.kind == FailureKind::NoSuchProgram;
    let error = error_of("create container", failure);
    if missing {
        CreateError::NoSuchProgram(error)
    } else {
        CreateError::Other(error)
    }
}

fn isolation(report: &Report) -> Isolation {
    Isolation {
        rootless: !report.root,
        user_namespace: true,
        seccomp: has(report, Fence::Seccomp).then(|| "strict".to_owned()),
        cgroup_version: report.cgroup.map(|version| match version {
            CgroupVersion::V1 => "1".to_owned(),
            CgroupVersion::V2 => "2".to_owned(),
        }),
        ..Isolation::default()
    }
}

/// Why no container can be made here; `None`: all is there that one needs.
fn refusal(report: &Report) -> Option<Error> {
    let needed = report.fences.iter().filter(|(fence, _)| !OPTIONAL.contains(fence));
    let missing: Vec<_> =
        needed.filter_map(|(fence, there)| Some((*fence, there.as_ref().err()?))).collect();
    let (_, first) = missing.first()?;
    let names: Vec<_> = missing.iter().map(|(fence, _)| name_of(*fence)).collect();
    let why = explained(&first.step, first.errno);
    let message = format!("no container can be made here without {}: {why}", names.join(", "));
    Some(Error::new(Code::EngineUnavailable, message))
}

fn fences(report: &Report) -> Vec<Provision> {
    let told = |(fence, there): &(Fence, std::result::Result<(), Absence>)| Provision {
        name: name_of(*fence),
        missing: there.as_ref().err().map(|absence| explained(&absence.step, absence.errno)),
    };
    report.fences.iter().map(told).collect()
}

fn name_of(fence: Fence) -> &'static str {
    match fence {
        Fence::UserNamespace => "user namespace",
        Fence::MountNamespace => "mount namespace",
        Fence::PidNamespace => "pid namespace",
        Fence::IpcNamespace => "ipc namespace",
        Fence::UtsNamespace => "uts namespace",
        Fence::CgroupNamespace => "cgroup namespace",
        Fence::NetworkNamespace => "network namespace",
        Fence::Proc => "own /proc",
        Fence::Overlay => "overlay",
        Fence::MountAttributes => "mount attributes",
        Fence::IdMappedMounts => "id-mapped mounts",
        Fence::Seccomp => "system call filter",
    }
}

fn has(report: &Report, fence: Fence) -> bool {
    report.fences.iter().any(|(known, there)| *known == fence && there.is_ok())
}

fn unhonoured(report: &Report, kind: &Kind) -> Vec<Unhonoured> {
    let limits = kind.limits();
    let asked = [
        (Protection::Memory, "memory", Limit::Memory, limits.memory.is_some()),
        (Protection::Swap, "swap", Limit::Swap, limits.memory.is_some() && limits.swap.is_some()),
        (Protection::Pids, "pidsLimit", Limit::Pids, limits.pids.is_some()),
        (Protection::Cpu, "cpuQuota", Limit::Cpu, limits.cpu.is_some()),
    ];
    let missing =
        asked.into_iter().filter(|(_, _, limit, asked)| *asked && !report.limits.contains(limit));
    missing
        .map(|(name, option, ..)| Unhonoured {
            name,
            option: Some(option),
            detail:
                "no control group is there to keep it: run as root, or in a control group that is \
                     delegated to this user"
                    .to_owned(),
        })
        .collect()
}

/// Of this machine, bytes; 0 where it can't be read.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|total| total.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(missing: &[Fence]) -> Report {
        let absence = Absence { errno: 0, step: "tried it".to_owned() };
        let tried = [Fence::UserNamespace, Fence::PidNamespace, Fence::IdMappedMounts];
        let there = |fence| if missing.contains(&fence) { Err(absence.clone()) } else { Ok(()) };
        Report {
            fences: tried.into_iter().map(|fence| (fence, there(fence))).collect(),
            cgroup: None,
            limits: Vec::new(),
            root: false,
            landlock: 0,
            runtime: None,
        }
    }

    #[test]
    fn without_what_every_container_needs_the_engine_is_not_to_be_had() {
        let error = refusal(&report(&[Fence::UserNamespace, Fence::PidNamespace])).unwrap();
        assert_eq!(error.code, Code::EngineUnavailable);
        let said = "no container can be made here without user namespace, pid namespace: tried it";
        assert_eq!(error.message, said);
        assert!(refusal(&report(&[])).is_none());
    }

    #[test]
    fn without_what_some_containers_need_it_is() {
        let report = report(&[Fence::IdMappedMounts]);
        assert!(refusal(&report).is_none());
        assert_eq!(fences(&report)[2].missing.as_deref(), Some("tried it"));
    }
}
