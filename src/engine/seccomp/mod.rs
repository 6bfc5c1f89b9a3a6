//! The system call filter of our own: its rules, made from [`table`], and as a [`profile`].

mod profile;
mod table;

pub use profile::profile;

use table::Family;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Allow,
    /// Refused as if the kernel did not have it (`ENOSYS`).
    Absent,
}

/// What becomes of some calls. A call that no rule allows is refused with `EPERM`.
#[derive(Debug, Clone)]
struct Rule {
    /// The calls, by the kernel's names for them. One that a processor or a kernel does not have counts as
    /// not named.
    names: Vec<&'static str>,
    verdict: Verdict,
    /// What their arguments must be, all of them.
    args: Vec<Argument>,
    /// The containers the rule is for, and those it is not for.
    only: Condition,
    not: Condition,
}

/// What one argument of a call must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Argument {
    /// Which: from 0.
    index: u8,
    test: Test,
}

/// A condition on an argument's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equal(u64),
    /// Of these bits none is set.
    NoneOf(u64),
    /// All of these bits are set.
    AllOf(u64),
}

/// Containers: those with one of these capabilities, on one of these processors (as Go names them). An
/// empty list says nothing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Condition {
    caps: &'static [&'static str],
    arches: &'static [&'static str],
}

impl Condition {
    fn is_none(&self) -> bool {
        self.caps.is_empty() && self.arches.is_empty()
    }

    const fn caps(caps: &'static [&'static str]) -> Self {
        Self { caps, arches: &[] }
    }

    const fn arches(arches: &'static [&'static str]) -> Self {
        Self { caps: &[], arches }
    }
}

impl Rule {
    /// Allows the calls of these names, with blanks between them.
    fn allow(names: &'static str) -> Self {
        Self {
            names: names.split_whitespace().collect(),
            verdict: Verdict::Allow,
            args: Vec::new(),
            only: Condition::default(),
            not: Condition::default(),
        }
    }

    fn where_equal(mut self, index: u8, value: u64) -> Self {
        self.args.push(Argument { index, test: Test::Equal(value) });
        self
    }
}

/// The filter. A later rule never takes back what an earlier one says.
fn rules() -> Vec<Rule> {
    const S390: Condition = Condition::arches(&["s390", "s390x"]);
    const ADMIN: &[&str] = &["CAP_SYS_ADMIN"];
    let absent = table::ABSENT.iter().flat_map(|names| names.split_whitespace());
    let mut rules =
        vec![Rule { names: absent.collect(), verdict: Verdict::Absent, ..Rule::allow("") }];
    rules.extend(table::ALLOWED.iter().map(|names| Rule::allow(names)));

    let socket = |family: Family| Rule::allow("socket").where_equal(0, family.0);
    rules.extend(table::SOCKETS.iter().map(|(family, protocol)| match protocol {
        Some(protocol) => socket(*family).where_equal(2, *protocol),
        None => socket(*family),
    }));
    rules.push(Rule { only: Condition::caps(&["CAP_NET_RAW"]), ..socket(Family::PACKET) });

    let personalities = table::PERSONALITIES.iter();
    rules.extend(personalities.map(|value| Rule::allow("personality").where_equal(0, *value)));

    let ids = || not_the_first_process(0);
    rules.extend(ids().map(|id| Rule { args: vec![id], ..Rule::allow(table::LEVERS) }));
    let kinds = Argument { index: 0, test: Test::NoneOf(!table::PROCESS_OR_GROUP & LOW_WORD) };
    rules.extend(
        not_the_first_process(1)
            .map(|id| Rule { args: vec![kinds, id], ..Rule::allow("setpriority") }),
    );

    // On s390 the flags are the second argument.
    for (index, only, arches) in [(0, Condition::default(), S390.arches), (1, S390, &[][..])] {
        let flags = Argument { index, test: Test::NoneOf(table::NEW_NAMESPACES) };
        let not = Condition { caps: ADMIN, arches };
        rules.push(Rule { args: vec![flags], only, not, ..Rule::allow("clone") });
    }

    rules.extend(
        table::BY_PROCESSOR
            .iter()
            .map(|(arches, names)| Rule { only: Condition::arches(arches), ..Rule::allow(names) }),
    );
    rules.extend(table::BY_CAPABILITY.iter().map(|(capability, names)| Rule {
        only: Condition::caps(std::slice::from_ref(capability)),
        ..Rule::allow(names)
    }));

    rules
}

/// What the kernel looks at of an argument of 32 bits. A filter sees 64, and whoever calls sets them all.
const LOW_WORD: u64 = 0xffff_ffff;

/// Tests, one of which every process id passes but 1, whatever stands beyond its 32 bits. There is none that
/// says so at once: an even number is one, and so is one with any further bit.
fn not_the_first_process(index: u8) -> impl Iterator<Item = Argument> {
    let further = (1..table::PID_BITS).map(|bit| Test::AllOf(1 << bit));
    std::iter::once(Test::NoneOf(1)).chain(further).map(move |test| Argument { index, test })
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
        let conditional = ["socket", "clone", "personality", "setpriority"];
        let all = names(table::ALLOWED)
            .chain(names(table::ABSENT))
            .chain(names(&[table::LEVERS]))
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

    #[test]
    fn the_first_process_is_the_only_one_that_no_test_is_for() {
        let passes = |id: u64| {
            not_the_first_process(0).any(|argument| match argument.test {
                Test::Equal(value) => id == value,
                Test::NoneOf(bits) => id & bits == 0,
                Test::AllOf(bits) => id & bits == bits,
            })
        };
        for id in (0..1 << table::PID_BITS).filter(|id| *id != 1) {
            assert!(passes(id), "{id}");
        }
        for beyond in [0, 1 << 32, LOW_WORD << 32] {
            assert!(!passes(beyond | 1), "{beyond}");
        }
    }

    #[test]
    fn every_rule_that_allows_a_socket_or_a_clone_looks_at_its_arguments() {
        for rule in rules() {
            let whole = rule.args.is_empty() && rule.only.caps.is_empty();
            if rule.verdict == Verdict::Allow && whole {
                for name in ["socket", "clone", "personality"] {
                    assert!(!rule.names.contains(&name), "{name}");
                }
            }
        }
    }
}
