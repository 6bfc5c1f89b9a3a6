//! What an engine honours of the options, by what it says of itself.

use super::{
    super::security::{Isolation, Protection, Unhonoured},
    info::Info,
};
use crate::{
    config::{ContainerConfig, Seccomp},
    engine::seccomp,
};

/// The first Docker whose rules take an error number, and whose own profile has one
/// (github.com/moby/moby/pull/42836). An older runc fails on a rule that says nothing but what the
/// default says, which is what is left of it without the number.
const ERROR_NUMBERS: (u64, u64, u64) = (20, 10, 10);
/// The first whose own profile refuses io_uring (github.com/moby/moby/pull/46762) and, since 23,
/// AF_VSOCK.
const REFUSES_IO_URING: (u64, u64, u64) = (25, 0, 0);

/// What one engine does with containers of one kind.
#[derive(Debug, Clone)]
pub(super) struct Honours {
    pub isolation: Isolation,
    pub unhonoured: Vec<Unhonoured>,
    /// The profile for `Seccomp::Strict`; `None`: the engine takes none, its own stays.
    pub strict: Option<&'static str>,
    /// Whether the engine counts the CPU time of a container. Without control groups it gives that of the
    /// machine.
    pub counts_cpu_time: bool,
    /// What is asked for and can't be had: the option, and what to do. Nothing is made.
    pub refused: Option<&'static str>,
}

impl Honours {
    /// Of an engine that has not been asked: of today, with everything.
    pub(super) fn assumed(is_podman: bool) -> Self {
        Self {
            isolation: Isolation::default(),
            unhonoured: Vec::new(),
            strict: (!is_podman).then(|| seccomp::profile(true)),
            counts_cpu_time: true,
            refused: None,
        }
    }

    pub(super) fn of(info: &Info, config: &ContainerConfig, is_podman: bool) -> Self {
        let isolation = isolation(info);
        let version = info.server_version.as_deref().and_then(version);
        let takes_profiles = !is_podman && isolation.seccomp.is_some();
        let knows_numbers = version.is_none_or(|version| version >= ERROR_NUMBERS);
        let mut unhonoured = limits(info, config);
        unhonoured.extend(filter(&isolation, config, is_podman, version));
        if !isolation.apparmor && !isolation.selinux {
            unhonoured.push(Unhonoured {
                name: Protection::Apparmor,
                option: None,
                detail: "the engine confines containers with neither AppArmor nor SELinux: a line of defence less; use a host that has one of them"
                    .to_owned(),
            });
        }
        let strict = takes_profiles.then(|| seccomp::profile(knows_numbers));
        let refused = if is_podman { podman_lacks(&isolation, config) } else { None };
        Self { isolation, unhonoured, strict, counts_cpu_time: has_cgroups(info), refused }
    }

    /// The profile to ask for; `None`: the engine's own.
    pub(super) fn seccomp<'a>(&'a self, asked: &'a Seccomp) -> Option<&'a str> {
        match asked {
            Seccomp::Strict => self.strict,
            Seccomp::Engine => None,
            Seccomp::Profile(text) => Some(text),
        }
    }
}

/// From `SecurityOptions`: `name=seccomp,profile=default`, `name=rootless` …
fn isolation(info: &Info) -> Isolation {
    let options: Vec<Vec<(&str, &str)>> = info
        .security_options
        .iter()
        .flatten()
        .map(|option| option.split(',').filter_map(|field| field.split_once('=')).collect())
        .collect();
    let find = |name: &str| options.iter().find(|fields| fields.contains(&("name", name)));
    let seccomp = find("seccomp").map(|fields| {
        let profile = fields.iter().find(|(key, _)| *key == "profile");
        profile.map_or("default", |(_, profile)| profile).to_owned()
    });
    Isolation {
        rootless: find("rootless").is_some(),
        user_namespace: find("userns").is_some() || find("rootless").is_some(),
        seccomp,
        apparmor: find("apparmor").is_some(),
        selinux: find("selinux").is_some(),
        cgroup_version: info.cgroup_version.clone().filter(|version| !version.is_empty()),
        default_runtime: info.default_runtime.clone().filter(|name| !name.is_empty()),
    }
}

/// Whether the engine has control groups to put containers into.
fn has_cgroups(info: &Info) -> bool {
    info.cgroup_driver.as_deref() != Some("none")
}

/// The limits that the engine can't set. What it says nothing of it is taken to have.
fn limits(info: &Info, config: &ContainerConfig) -> Vec<Unhonoured> {
    let no_cgroups = !has_cgroups(info);
    let lacks = |has: Option<bool>| no_cgroups || has == Some(false);
    let remedy = if no_cgroups {
        "the engine has no control groups to itself (rootless without cgroup v2 and systemd)"
    } else {
        "the host's kernel does not have it switched on"
    };
    let missing = [
        (
            lacks(info.memory_limit),
            Protection::Memory,
            "memory",
            "containers may use all of the host's memory",
        ),
        (
            config.swap == Some(0) && lacks(info.swap_limit),
            Protection::Swap,
            "swap",
            "containers may use swap beyond their memory; boot with swapaccount=1, or without swap",
        ),
        (
            config.pids_limit > 0 && lacks(info.pids_limit),
            Protection::Pids,
            "pidsLimit",
            "containers may start any number of processes",
        ),
        (
            config.cpu_quota > 0 && (lacks(info.cpu_cfs_quota) || lacks(info.cpu_cfs_period)),
            Protection::Cpu,
            "cpuQuota",
            "containers may use all of the host's processors",
        ),
    ];
    missing
        .into_iter()
        .filter(|(missing, ..)| *missing)
        .map(|(_, name, option, effect)| Unhonoured {
            name,
            option: Some(option),
            detail: format!("{effect}: {remedy}"),
        })
        .collect()
}

/// What falls short of the system call filter that is asked for.
fn filter(
    isolation: &Isolation,
    config: &ContainerConfig,
    is_podman: bool,
    version: Option<(u64, u64, u64)>,
) -> Option<Unhonoured> {
    let detail = match (&isolation.seccomp, &config.seccomp) {
        (None, _) => "the engine, or its kernel, has no seccomp: containers may make any system call",
        (Some(_), Seccomp::Strict) if is_podman => {
            "Podman takes no profile over its API: its own counts; to have ours, name docs/seccomp.json of this package as seccomp_profile in its containers.conf"
        }
        (Some(_), Seccomp::Strict) if version.is_some_and(|version| version < ERROR_NUMBERS) => {
            "the engine is older than Docker 20.10.10: what is to look absent is refused with EPERM, on which programs of newer C libraries may fail"
        }
        (Some(profile), Seccomp::Engine) if profile == "unconfined" => {
            "the engine is set up to confine no container's system calls; use seccomp: 'strict'"
        }
        (Some(_), Seccomp::Engine)
            if !is_podman && version.is_some_and(|version| version < REFUSES_IO_URING) =>
        {
            "the engine's profile is older than Docker 25's and allows io_uring, which newer ones refuse; use seccomp: 'strict'"
        }
        _ => return None,
    };
    Some(Unhonoured {
        name: Protection::Seccomp,
        option: Some("seccomp"),
        detail: detail.to_owned(),
    })
}

/// What Podman's Docker API would pass over in silence (github.com/containers/podman/issues/28429), or take
/// for something else.
fn podman_lacks(isolation: &Isolation, config: &ContainerConfig) -> Option<&'static str> {
    if matches!(config.seccomp, Seccomp::Profile(_)) {
        return Some("seccomp can't be a profile on Podman, which reads one from a file on its own side: give 'engine', and set seccomp_profile in the engine's containers.conf");
    }
    (config.runtime.is_some() && config.runtime != isolation.default_runtime).then_some(
        "runtime can't be chosen on Podman, whose Docker API passes over it: set runtime in the engine's containers.conf, and leave the option out",
    )
}

/// The three numbers a version begins with: `20.10.24+dfsg1`.
fn version(text: &str) -> Option<(u64, u64, u64)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map_while(|n| n.parse().ok());
    Some((numbers.next()?, numbers.next()?, numbers.next().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(seccomp: Seccomp) -> ContainerConfig {
        serde_json::from_value(serde_json::json!({
            "image": "python", "pull": "missing", "pullTimeoutMs": 1, "memory": 1 << 27, "swap": 0,
            "pidsLimit": 50, "cpuQuota": 50_000, "cpuPeriod": 100_000, "network": "none",
            "user": null, "readonlyRootfs": true, "noNewPrivileges": true, "capAdd": [],
            "tmpfs": {}, "mounts": [], "shmSize": null, "ulimits": {}, "seccomp": "strict", "runtime": null,
            "home": null, "log": false, "labels": {}, "preload": [], "template": true,
        }))
        .map(|config| ContainerConfig { seccomp, ..config })
        .unwrap()
    }

    /// An engine that has everything.
    fn able() -> Info {
        Info {
            server_version: Some("27.3.1".into()),
            memory_limit: Some(true),
            swap_limit: Some(true),
            pids_limit: Some(true),
            cpu_cfs_quota: Some(true),
            cpu_cfs_period: Some(true),
            security_options: Some(vec![
                "name=apparmor".into(),
                "name=seccomp,profile=builtin".into(),
            ]),
            ..Info::default()
        }
    }

    fn names(honours: &Honours) -> Vec<Protection> {
        honours.unhonoured.iter().map(|unhonoured| unhonoured.name).collect()
    }

    #[test]
    fn an_engine_that_has_everything_has_nothing_to_report() {
        let honours = Honours::of(&able(), &config(Seccomp::Strict), false);
        assert_eq!(names(&honours), []);
        assert!(honours.counts_cpu_time);
        assert!(honours.strict.is_some_and(|profile| profile.contains("errnoRet")));
        assert_eq!(honours.isolation.seccomp.as_deref(), Some("builtin"));
    }

    #[test]
    fn each_missing_limit_is_reported_by_name() {
        use Protection::{Apparmor, Cpu, Memory, Pids, Swap};
        let info = Info {
            memory_limit: Some(false),
            swap_limit: Some(false),
            pids_limit: Some(false),
            cpu_cfs_quota: Some(false),
            security_options: Some(vec!["name=seccomp,profile=default".into()]),
            ..able()
        };
        let honours = Honours::of(&info, &config(Seccomp::Strict), false);
        assert_eq!(names(&honours), [Memory, Swap, Pids, Cpu, Apparmor]);
    }

    #[test]
    fn a_limit_that_is_not_asked_for_is_not_missed() {
        let info = Info {
            swap_limit: Some(false),
            pids_limit: Some(false),
            cpu_cfs_quota: Some(false),
            ..able()
        };
        let config =
            ContainerConfig { swap: None, pids_limit: -1, cpu_quota: 0, ..config(Seccomp::Strict) };
        assert_eq!(names(&Honours::of(&info, &config, false)), []);
    }

    #[test]
    fn rootless_without_control_groups_has_no_limits() {
        use Protection::{Cpu, Memory, Pids, Swap};
        let info = Info {
            cgroup_driver: Some("none".into()),
            security_options: Some(vec![
                "name=apparmor".into(),
                "name=seccomp,profile=builtin".into(),
                "name=rootless".into(),
            ]),
            ..able()
        };
        let honours = Honours::of(&info, &config(Seccomp::Strict), false);
        assert_eq!(names(&honours), [Memory, Swap, Pids, Cpu]);
        assert!(honours.isolation.rootless && honours.isolation.user_namespace);
        assert!(!honours.counts_cpu_time);
    }

    #[test]
    fn an_engine_without_seccomp_is_given_no_profile() {
        let info = Info { security_options: Some(vec!["name=selinux".into()]), ..able() };
        let honours = Honours::of(&info, &config(Seccomp::Strict), false);
        assert_eq!(names(&honours), [Protection::Seccomp]);
        assert_eq!(honours.seccomp(&Seccomp::Strict), None);
    }

    #[test]
    fn podman_is_given_no_profile_of_ours() {
        let honours = Honours::of(&able(), &config(Seccomp::Strict), true);
        assert_eq!(names(&honours), [Protection::Seccomp]);
        assert_eq!(honours.seccomp(&Seccomp::Strict), None);
    }

    #[test]
    fn podman_is_asked_for_no_profile_and_no_other_runtime() {
        let info = Info { default_runtime: Some("crun".into()), ..able() };
        let refused = |config: &ContainerConfig, is_podman| {
            let refused = Honours::of(&info, config, is_podman).refused;
            refused.and_then(|words| words.split(' ').next())
        };
        let of = |runtime: &str| ContainerConfig {
            runtime: Some(runtime.into()),
            ..config(Seccomp::Strict)
        };
        assert_eq!(refused(&config(Seccomp::Strict), true), None);
        assert_eq!(refused(&config(Seccomp::Profile("{}".into())), true), Some("seccomp"));
        assert_eq!(refused(&of("runsc"), true), Some("runtime"));
        assert_eq!(refused(&of("crun"), true), None);
        assert_eq!(refused(&of("runsc"), false), None);
    }

    #[test]
    fn an_old_engine_gets_rules_without_error_numbers() {
        let info = Info { server_version: Some("20.10.7".into()), ..able() };
        let honours = Honours::of(&info, &config(Seccomp::Strict), false);
        assert_eq!(names(&honours), [Protection::Seccomp]);
        assert!(honours.strict.is_some_and(|profile| !profile.contains("errnoRet")));
    }

    #[test]
    fn the_engines_own_profile_is_reported_where_it_is_old_or_none() {
        for (version, profile, reported) in [
            ("20.10.24+dfsg1", "default", true),
            ("24.0.7", "builtin", true),
            ("25.0.0-rc.1", "builtin", false),
            ("27.3.1", "unconfined", true),
        ] {
            let info = Info {
                server_version: Some(version.into()),
                security_options: Some(vec![
                    "name=apparmor".into(),
                    format!("name=seccomp,profile={profile}"),
                ]),
                ..able()
            };
            let honours = Honours::of(&info, &config(Seccomp::Engine), false);
            assert_eq!(!honours.unhonoured.is_empty(), reported, "{version} {profile}");
            assert_eq!(honours.seccomp(&Seccomp::Engine), None);
        }
    }
}
