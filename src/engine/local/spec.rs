//! A pool's containers, in the launcher's words.

use std::path::PathBuf;

use scientist_pool_protocol::{
    Bind, Cpu, Layers, Limits, Privileges, Process, Program, Rlimit, Spec, Template, Tmpfs, User,
    CAPABILITIES,
};
use scientist_pool_seccomp::{compile, take_back, Filter};

use super::{
    image::{Contents, Image},
    runtime,
};
use crate::{
    config::{ContainerConfig, Seccomp, Shown, NO_NETWORK},
    engine::{seccomp, ExecSpec},
    error::{Code, Error, Result},
    runner::{proxy::PROXY_PORT, session::IDLE_IMPORTS},
};

/// Above this process, which no container is to outlive when the machine is out of memory.
const OOM_SCORE: i16 = 500;
/// A template is the first to go: without it containers boot. Its forks are scripts', which have it anyway.
const HIGHEST_OOM_SCORE: i16 = 1000;
/// Of a template's folders in memory, in which modules may write as they are imported.
const TEMPLATE_TMPFS: &str = "rw,nosuid,nodev,exec,size=64m,mode=1777";

/// What a template calls to enter containers, and its forks may not.
const TEMPLATES_OWN: [&str; 2] = ["setns", "keyctl"];

/// What all containers of a pool are made as, but for their program and what their image says.
pub(super) struct Kind {
    spec: Spec,
    /// What their interpreters are forked from, or why from nothing; and what that is refused itself.
    template: Result<(Template, Vec<Filter>), &'static str>,
}

impl Kind {
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`: an option asks for what this engine does not have. `ENGINE_UNAVAILABLE`: there is
    /// no such `runtime`.
    pub(super) fn new(config: &ContainerConfig, image: &Image) -> Result<Self> {
        if config.network.name() != NO_NETWORK {
            let expected = "'none', or an object such as { allow: ['pypi.org'] },";
            return Err(invalid("network", expected, config.network.name()));
        }
        let runtime = config.runtime.as_deref().map(runtime::find).transpose()?;
        let names: Vec<String> = config.cap_add.iter().flatten().map(|name| full(name)).collect();
        let named: Vec<&str> = names.iter().map(String::as_str).collect();
        let tmpfs = config
            .tmpfs
            .iter()
            .map(|(target, options)| Tmpfs { target: target.clone(), options: options.clone() });
        let rlimits = config.ulimits.iter().map(|(name, (soft, hard))| Rlimit {
            name: name.clone(),
            soft: limit(*soft),
            hard: limit(*hard),
        });
        // 0 is no limit either.
        let cpu = limit(config.cpu_quota)
            .filter(|quota| *quota > 0)
            .map(|quota| Cpu { quota, period: config.cpu_period.unsigned_abs() });
        let template = match without_template(config) {
            Some(why) => Err(why),
            None => Ok((
                Template {
                    preload: config.preload.clone(),
                    idle: IDLE_IMPORTS.map(String::from).to_vec(),
                    seccomp: filters(&config.seccomp, &named, take_back)?,
                },
                filters(&config.seccomp, &named, compile)?,
            )),
        };
        Ok(Self {
            template,
            spec: Spec {
                root: Layers { folders: Vec::new(), read_only: config.readonly_rootfs },
                binds: image.binds().into_iter().chain(config.mounts.iter().map(bind)).collect(),
                tmpfs: tmpfs.collect(),
                shm_size: config.shm_size.and_then(limit),
                hostname: "sandbox".to_owned(),
                proxy: config.network.proxied().map(|_| PROXY_PORT),
                process: Process {
                    program: Program::Inside,
                    argv: Vec::new(),
                    env: config.environment(),
                    cwd: String::new(),
                },
                user: User { uid: 0, gid: 0 },
                privileges: Privileges {
                    capabilities: names.iter().filter_map(|name| number(name)).collect(),
                    no_new_privileges: config.no_new_privileges,
                    seccomp: filters(&config.seccomp, &named, |profile, names, _| {
                        compile(profile, names, &[])
                    })?,
                },
                limits: Limits {
                    memory: limit(config.memory),
                    // As much again where nothing is said, as engines have it.
                    swap: limit(config.swap.unwrap_or(config.memory)),
                    pids: limit(config.pids_limit),
                    cpu,
                },
                rlimits: rlimits.collect(),
                oom_score_adj: OOM_SCORE,
                runtime,
            },
        })
    }

    /// One container of an image, and what it is to run.
    pub(super) fn with(
        &self,
        program: Program,
        argv: Vec<String>,
        contents: Contents,
    ) -> Box<Spec> {
        let mut spec = Box::new(self.spec.clone());
        spec.root.folders = contents.folders;
        spec.process.env = merged(contents.env, &spec.process.env);
        (spec.process.cwd, spec.user) = (contents.cwd, contents.user);
        (spec.process.program, spec.process.argv) = (program, argv);
        spec
    }

    /// A command beside process 1: what it does not say is as there.
    pub(super) fn beside(&self, exec: ExecSpec, contents: Contents) -> Box<Process> {
        let first = &self.spec.process;
        Box::new(Process {
            program: Program::Inside,
            argv: exec.argv,
            env: merged(merged(contents.env, &first.env), &exec.env),
            cwd: exec.cwd.unwrap_or(contents.cwd),
        })
    }

    /// # Errors
    ///
    /// Why there is to be none.
    pub(super) fn has_template(&self) -> Result<(), &'static str> {
        self.template.as_ref().map(drop).map_err(|why| *why)
    }

    /// What the interpreters of such containers are forked from.
    pub(super) fn template(&self, contents: Contents) -> Box<Spec> {
        let (template, seccomp) = self.template.clone().unwrap_or_default();
        let mut spec = self.with(Program::Template(template), Vec::new(), contents);
        spec.privileges.seccomp = seccomp;
        // Of its own user, whatever they say whose the containers' are.
        for tmpfs in &mut spec.tmpfs {
            TEMPLATE_TMPFS.clone_into(&mut tmpfs.options);
        }
        spec.proxy = None;
        // It runs nothing of a script's: what it imports may be there, and nothing is written.
        for bind in &mut spec.binds {
            bind.read_only = true;
        }
        // It is forked while others wait.
        spec.limits.cpu = None;
        spec.oom_score_adj = HIGHEST_OOM_SCORE;
        spec
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.spec.limits
    }

    /// The program of the runtime that is to run them; `None`: the launcher does.
    pub(super) fn runtime(&self) -> Option<&PathBuf> {
        self.spec.runtime.as_ref()
    }
}

/// Why the containers of such a pool are not forked from a template; `None`: they are.
fn without_template(config: &ContainerConfig) -> Option<&'static str> {
    if !config.template {
        Some("the option template is false")
    } else if !config.no_new_privileges {
        // Without it, a fork that enters a container could not set its filters.
        Some("the option noNewPrivileges is false")
    } else if config.runtime.is_some() {
        // What that makes can't be entered.
        Some("an OCI runtime makes the containers")
    } else {
        None
    }
}

/// Variables (`NAME=value`), of which `over` has the last word.
fn merged(under: Vec<String>, over: &[String]) -> Vec<String> {
    let name = |variable: &str| variable.split('=').next().map(str::to_owned);
    let said: Vec<_> = over.iter().map(|variable| name(variable)).collect();
    let rest = under.into_iter().filter(|variable| !said.contains(&name(variable)));
    rest.chain(over.iter().cloned()).collect()
}

fn bind(shown: &Shown) -> Bind {
    let Shown { source, target, read_only } = shown.clone();
    Bind { source: source.into(), target, read_only, links: false }
}

/// -1 is no limit.
fn limit(value: i64) -> Option<u64> {
    u64::try_from(value).ok()
}

fn invalid(option: &str, expected: &str, got: &str) -> Error {
    let message = format!("{option} must be {expected} on the engine 'local'; got '{got}'");
    Error::new(Code::InvalidArgument, message)
}

fn full(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    if name.starts_with("CAP_") {
        name
    } else {
        format!("CAP_{name}")
    }
}

fn number(name: &str) -> Option<u8> {
    let at = CAPABILITIES
        .split_whitespace()
        .position(|known| Some(known) == name.strip_prefix("CAP_"))?;
    u8::try_from(at).ok()
}

/// `engine` is the strict filter too: there is no engine here with one of its own.
fn filters(
    seccomp: &Seccomp,
    capabilities: &[&str],
    compile: impl Fn(&str, &[&str], &[&str]) -> Result<Vec<Filter>, scientist_pool_seccomp::Error>,
) -> Result<Vec<Filter>> {
    let (profile, said) = match seccomp {
        Seccomp::Strict | Seccomp::Engine => (seccomp::profile(true), "the profile"),
        Seccomp::Profile(profile) => (profile.as_str(), "seccomp"),
    };
    compile(profile, capabilities, &TEMPLATES_OWN).map_err(|error| {
        Error::new(Code::InvalidArgument, format!("{said} can't be compiled: {error}"))
    })
}
