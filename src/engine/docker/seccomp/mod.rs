//! The seccomp profile of our own, as JSON for the engine. [`table`] is its source.

mod table;

use once_cell::sync::Lazy;
use serde::Serialize;

use table::Family;

/// The profile for an engine that knows error numbers in rules (`errnoRet`), and for one that does not.
static PROFILES: Lazy<[String; 2]> = Lazy::new(|| [true, false].map(|errno| render(&rules(errno))));

/// The profile as JSON text. `errno`: whether the engine knows rules with an error number. For one that
/// does not, what is to look absent is refused with `EPERM`, as by its own profile.
pub(super) fn profile(errno: bool) -> &'static str {
    let [with, without] = &*PROFILES;
    if errno {
        with
    } else {
        without
    }
}

const ALLOW: &str = "SCMP_ACT_ALLOW";
const REFUSE: &str = "SCMP_ACT_ERRNO";
const ENOSYS: u32 = 38;

/// The engine's form of a profile (`seccomp.go` of github.com/moby/profiles).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile<'a> {
    default_action: &'static str,
    arch_map: Vec<Processor>,
    syscalls: &'a [Rule],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Processor {
    architecture: &'static str,
    /// None; the field must be there.
    sub_architectures: [&'static str; 0],
}

#[derive(Serialize, Default, Clone)]
#[serde(rename_all = "camelCase")]
struct Rule {
    names: Vec<&'static str>,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno_ret: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<Argument>,
    #[serde(skip_serializing_if = "Condition::is_none")]
    includes: Condition,
    #[serde(skip_serializing_if = "Condition::is_none")]
    excludes: Condition,
}

/// A condition on an argument of the call.
#[derive(Serialize, Clone)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u8,
    value: u64,
    #[serde(skip_serializing_if = "is_zero")]
    value_two: u64,
    op: &'static str,
}

/// The containers a rule is for, or not for.
#[derive(Serialize, Default, Clone)]
struct Condition {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    caps: &'static [&'static str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    arches: &'static [&'static str],
}

impl Condition {
    fn is_none(&self) -> bool {
        self.caps.is_empty() && self.arches.is_empty()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

fn render(rules: &[Rule]) -> String {
    let processors = table::ARCHITECTURES
        .iter()
        .map(|architecture| Processor { architecture, sub_architectures: [] });
    let profile =
        Profile { default_action: REFUSE, arch_map: processors.collect(), syscalls: rules };
    // Serializing it can't fail: it has only strings, numbers and lists.
    serde_json::to_string(&profile).unwrap_or_default()
}

/// A rule that allows the calls of these names, with blanks between them.
fn allow(names: &'static str) -> Rule {
    Rule { names: names.split_whitespace().collect(), action: ALLOW, ..Rule::default() }
}

fn equal(index: u8, value: u64) -> Argument {
    Argument { index, value, value_two: 0, op: "SCMP_CMP_EQ" }
}

fn rules(errno: bool) -> Vec<Rule> {
    const S390: &[&str] = &["s390", "s390x"];
    const ADMIN: &[&str] = &["CAP_SYS_ADMIN"];
    let mut rules = Vec::new();
    // First: what libseccomp makes of a rule for `socket` does not replace one that is there.
    if errno {
        let absent = table::ABSENT.iter().flat_map(|names| names.split_whitespace());
        rules.push(Rule {
            names: absent.collect(),
            action: REFUSE,
            errno_ret: Some(ENOSYS),
            ..Rule::default()
        });
    }
    rules.extend(table::ALLOWED.iter().map(|names| allow(names)));

    let socket = |family: Family, protocol: Option<u64>| {
        let protocol = protocol.map(|protocol| equal(2, protocol));
        Rule { args: [equal(0, family.0)].into_iter().chain(protocol).collect(), ..allow("socket") }
    };
    rules.extend(table::SOCKETS.iter().map(|(family, protocol)| socket(*family, *protocol)));
    rules.push(Rule {
        includes: Condition { caps: &["CAP_NET_RAW"], arches: &[] },
        ..socket(Family::PACKET, None)
    });

    let personalities = table::PERSONALITIES.iter();
    rules.extend(
        personalities.map(|value| Rule { args: vec![equal(0, *value)], ..allow("personality") }),
    );

    // On s390 the flags are the second argument.
    for (index, includes, excludes) in [(0, &[][..], S390), (1, S390, &[][..])] {
        // (flags & value) == value_two
        let none = Argument {
            index,
            value: table::NEW_NAMESPACES,
            value_two: 0,
            op: "SCMP_CMP_MASKED_EQ",
        };
        rules.push(Rule {
            args: vec![none],
            includes: Condition { caps: &[], arches: includes },
            excludes: Condition { caps: ADMIN, arches: excludes },
            ..allow("clone")
        });
    }

    rules.extend(
        table::BY_PROCESSOR.iter().map(|(arches, names)| Rule {
            includes: Condition { caps: &[], arches },
            ..allow(names)
        }),
    );
    rules.extend(table::BY_CAPABILITY.iter().map(|(capability, names)| Rule {
        includes: Condition { caps: std::slice::from_ref(capability), arches: &[] },
        ..allow(names)
    }));

    rules
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(groups: &[&'static str]) -> impl Iterator<Item = &'static str> {
        groups.join(" ").leak().split_whitespace()
    }

    /// Calls allowed to a container without any capability, whatever their arguments.
    fn allowed() -> BTreeSet<&'static str> {
        names(table::ALLOWED).collect()
    }

    #[test]
    fn a_call_is_in_one_list_alone() {
        let conditional = ["socket", "clone", "personality"];
        let all = names(table::ALLOWED)
            .chain(names(table::ABSENT))
            .chain(names(table::WITHHELD))
            .chain(conditional);
        let mut seen = BTreeSet::new();
        let twice: Vec<_> = all.filter(|name| !seen.insert(*name)).collect();
        assert_eq!(twice, [""; 0]);
    }

    #[test]
    fn what_reaches_deep_into_the_kernel_is_not_allowed() {
        let allowed = allowed();
        let refused = "add_key keyctl request_key userfaultfd bpf perf_event_open mount umount2 \
             pivot_root unshare setns clone3 io_uring_setup ptrace init_module finit_module \
             kexec_load kexec_file_load open_by_handle_at reboot swapon acct quotactl \
             syslog iopl ioperm chroot socketcall move_pages nfsservctl uselib vm86 kcmp";
        for name in refused.split_whitespace() {
            assert!(!allowed.contains(name), "{name}");
        }
    }

    /// `docs/seccomp.json` is for engines that read a profile from a file on their own side.
    #[test]
    fn the_profile_in_the_documentation_is_this_one() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/seccomp.json");
        let profile: serde_json::Value = serde_json::from_str(profile(true)).unwrap();
        if std::env::var_os("WRITE_PROFILE").is_some() {
            let text = serde_json::to_string_pretty(&profile).unwrap();
            std::fs::write(file, text + "\n").unwrap();
        }
        let written = std::fs::read_to_string(file).unwrap();
        let written: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert!(written == profile, "write it anew: WRITE_PROFILE=1 cargo test documentation");
    }

    #[test]
    fn an_engine_that_knows_no_error_numbers_gets_none() {
        assert!(profile(true).contains(r#""errnoRet":38"#));
        assert!(!profile(false).contains("errnoRet"));
    }

    #[test]
    fn every_rule_that_allows_a_socket_or_a_clone_looks_at_its_arguments() {
        for rule in rules(true) {
            let whole = rule.args.is_empty() && rule.includes.caps.is_empty();
            if rule.action == ALLOW && whole {
                for name in ["socket", "clone", "personality"] {
                    assert!(!rule.names.contains(&name), "{name}");
                }
            }
        }
    }
}
