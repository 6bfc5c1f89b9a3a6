//! Compiles the seccomp profiles that container engines read into filters for the kernel.
//!
//! A profile has any number of actions, and a filter of `seccompiler` two. So each action gets a filter of
//! its own. The kernel asks them all, and does what the strictest one says; of equally strict ones the one
//! that was set last. The first one refuses what the profile does not name.
#![cfg(target_os = "linux")]

mod profile;

use std::{collections::BTreeMap, fmt, str::FromStr};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use syscalls::Sysno;

pub use profile::Profile;

use profile::{Argument, Rule};

/// A filter as the kernel takes it: an array of `struct sock_filter`.
pub type Filter = Vec<u8>;

/// Why a profile can't be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// Compiles a profile in the engines' JSON form, for the processor this runs on. `capabilities`: those the
/// container keeps, by name (`CAP_SYS_ADMIN`); `more`: calls that are allowed beside those of the profile, by
/// name. The filters are to be set in the order given.
///
/// Names of calls that this processor does not have are passed over, as by libseccomp.
///
/// # Errors
/// It is no such profile, or says something for which there is no filter.
pub fn compile(profile: &str, capabilities: &[&str], more: &[&str]) -> Result<Vec<Filter>, Error> {
    let mut profile = parsed(profile)?;
    profile.allow(more);
    Answers::of(&profile, capabilities)?.filters()
}

/// What takes back `more` from a process under the filters that [`compile`] gives: together they are those of the
/// profile alone. Usually this is a few instructions, where the profile's own are hundreds.
///
/// # Errors
/// As of [`compile`].
pub fn take_back(
    profile: &str,
    capabilities: &[&str],
    more: &[&str],
) -> Result<Vec<Filter>, Error> {
    let mut answers = Answers::of(&parsed(profile)?, capabilities)?;
    let calls = more.iter().copied().filter_map(number).collect::<Vec<_>>();
    // A filter has what it does where conditions are met, and no way to say where they are not.
    if calls.iter().any(|call| answers.passed.0.get(call).is_some_and(|some| !some.is_empty())) {
        return answers.filters();
    }
    let refused = calls.iter().filter(|call| !answers.passed.0.contains_key(call));
    let refused = Rules(refused.map(|&call| (call, Vec::new())).collect());
    for (_, rules) in &mut answers.others {
        rules.0.retain(|call, _| calls.contains(call));
    }
    let first = (answers.default != SeccompAction::Allow).then_some((answers.default, refused));
    let filters = first.into_iter().chain(answers.others).filter(|(_, rules)| !rules.0.is_empty());
    filters.map(|(wanted, rules)| rules.filter(SeccompAction::Allow, wanted)).collect()
}

fn parsed(profile: &str) -> Result<Profile, Error> {
    serde_json::from_str(profile).map_err(|error| Error(format!("no seccomp profile: {error}")))
}

/// The number that a call has on this processor.
fn number(name: &str) -> Option<i64> {
    Sysno::from_str(name).ok().map(|call| i64::from(call.id()))
}

/// What a profile says to each call of a container.
struct Answers {
    default: SeccompAction,
    /// What the first filter lets through, for others to look at.
    passed: Rules,
    others: Vec<(SeccompAction, Rules)>,
}

impl Answers {
    fn of(profile: &Profile, capabilities: &[&str]) -> Result<Self, Error> {
        let default = action(&profile.default_action, profile.default_errno_ret)?;
        let mut others: Vec<(SeccompAction, Rules)> = Vec::new();
        let mut passed = Rules::default();
        for rule in profile.syscalls.iter().filter(|rule| rule.applies(capabilities)) {
            let wanted = action(&rule.action, rule.errno_ret)?;
            if strictness(&wanted) < strictness(&default) {
                passed.add(rule)?;
            }
            if wanted == SeccompAction::Allow || wanted == default {
                continue;
            }
            match others.iter_mut().find(|(known, _)| *known == wanted) {
                Some((_, rules)) => rules.add(rule)?,
                None => {
                    let mut rules = Rules::default();
                    rules.add(rule)?;
                    others.push((wanted, rules));
                }
            }
        }
        Ok(Self { default, passed, others })
    }

    fn filters(self) -> Result<Vec<Filter>, Error> {
        let Self { default, passed, others } = self;
        let first =
            (default != SeccompAction::Allow).then(|| passed.filter(default, SeccompAction::Allow));
        let others =
            others.into_iter().map(|(wanted, rules)| rules.filter(SeccompAction::Allow, wanted));
        first.into_iter().chain(others).collect()
    }
}

/// Conditions by number of the call; none: always.
#[derive(Default)]
struct Rules(BTreeMap<i64, Vec<SeccompRule>>);

impl Rules {
    fn add(&mut self, rule: &Rule) -> Result<(), Error> {
        for number in rule.names().filter_map(number) {
            if rule.args.is_empty() {
                self.0.insert(number, Vec::new());
                continue;
            }
            let conditions = rule.args.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
            let conditions = SeccompRule::new(conditions).map_err(failed)?;
            match self.0.get_mut(&number) {
                // Always, already.
                Some(all) if all.is_empty() => {}
                Some(some) => some.push(conditions),
                None => {
                    self.0.insert(number, vec![conditions]);
                }
            }
        }
        Ok(())
    }

    fn filter(self, otherwise: SeccompAction, matched: SeccompAction) -> Result<Filter, Error> {
        let arch = TargetArch::try_from(std::env::consts::ARCH)
            .map_err(|_| Error(format!("no seccomp filters for {}", std::env::consts::ARCH)))?;
        SeccompFilter::new(self.0, otherwise, matched, arch)
            .and_then(BpfProgram::try_from)
            .map(|program| bytes(&program))
            .map_err(failed)
    }
}

fn failed(error: impl fmt::Display) -> Error {
    Error(error.to_string())
}

fn condition(argument: &Argument) -> Result<SeccompCondition, Error> {
    let Argument { index, value, value_two, op } = argument;
    let (op, value) = match op.as_str() {
        "SCMP_CMP_EQ" => (SeccompCmpOp::Eq, *value),
        "SCMP_CMP_NE" => (SeccompCmpOp::Ne, *value),
        "SCMP_CMP_LT" => (SeccompCmpOp::Lt, *value),
        "SCMP_CMP_LE" => (SeccompCmpOp::Le, *value),
        "SCMP_CMP_GE" => (SeccompCmpOp::Ge, *value),
        "SCMP_CMP_GT" => (SeccompCmpOp::Gt, *value),
        "SCMP_CMP_MASKED_EQ" => (SeccompCmpOp::MaskedEq(*value), *value_two),
        other => return Err(Error(format!("{other:?} is no comparison of a seccomp profile"))),
    };
    SeccompCondition::new(*index, SeccompCmpArgLen::Qword, op, value).map_err(failed)
}

fn action(name: &str, errno: Option<u32>) -> Result<SeccompAction, Error> {
    const EPERM: u32 = 1;
    Ok(match name {
        "SCMP_ACT_ALLOW" => SeccompAction::Allow,
        "SCMP_ACT_ERRNO" => SeccompAction::Errno(errno.unwrap_or(EPERM)),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => SeccompAction::KillThread,
        "SCMP_ACT_KILL_PROCESS" => SeccompAction::KillProcess,
        "SCMP_ACT_LOG" => SeccompAction::Log,
        "SCMP_ACT_TRAP" => SeccompAction::Trap,
        // Without anybody to ask, the kernel refuses.
        "SCMP_ACT_TRACE" => SeccompAction::Trace(errno.unwrap_or(EPERM)),
        other => return Err(Error(format!("{other:?} is no action of a seccomp profile"))),
    })
}

/// As the kernel weighs the answers of several filters (`seccomp(2)`).
fn strictness(action: &SeccompAction) -> u8 {
    match action {
        SeccompAction::Allow => 0,
        SeccompAction::Log => 1,
        SeccompAction::Trace(_) => 2,
        SeccompAction::Errno(_) => 3,
        SeccompAction::Trap => 4,
        SeccompAction::KillThread => 5,
        SeccompAction::KillProcess => 6,
    }
}

fn bytes(program: &BpfProgram) -> Filter {
    program
        .iter()
        .flat_map(|instruction| {
            let [code_low, code_high] = instruction.code.to_ne_bytes();
            let [a, b, c, d] = instruction.k.to_ne_bytes();
            [code_low, code_high, instruction.jt, instruction.jf, a, b, c, d]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = include_str!("../../../docs/seccomp.json");

    #[test]
    fn each_action_gets_a_filter_and_the_first_is_for_what_is_not_named() {
        assert_eq!(compile(OURS, &[], &[]).unwrap().len(), 2);
        let open = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
            {"names":["mount"],"action":"SCMP_ACT_ERRNO"},
            {"names":["bpf"],"action":"SCMP_ACT_KILL_PROCESS"}]}"#;
        assert_eq!(compile(open, &[], &[]).unwrap().len(), 2);
    }

    #[test]
    fn a_capability_opens_calls() {
        let without = compile(OURS, &[], &[]).unwrap();
        let with = compile(OURS, &["CAP_SYS_ADMIN"], &[]).unwrap();
        assert!(with[0].len() > without[0].len());
    }

    #[test]
    fn a_call_can_be_allowed_beside_those_of_the_profile() {
        let text = |name| {
            format!(
                r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
                    {{"names":["read"],"action":"SCMP_ACT_ALLOW"}},
                    {{"names":["{name}"],"action":"SCMP_ACT_KILL_PROCESS"}}]}}"#
            )
        };
        let allowed = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["read", "setns"],"action":"SCMP_ACT_ALLOW"}]}"#;
        let expected = compile(allowed, &[], &[]).unwrap();
        assert_eq!(compile(&text("setns"), &[], &["setns"]).unwrap()[0], expected[0]);
    }

    #[test]
    fn what_was_allowed_beside_is_taken_back_as_the_profile_has_it() {
        let refuse = |name| {
            let text = format!(
                r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{{"names":["{name}"],"action":"SCMP_ACT_ERRNO"}}]}}"#
            );
            compile(&text, &[], &[]).unwrap()
        };
        assert!(take_back(OURS, &["CAP_SYS_ADMIN"], &["setns"]).unwrap().is_empty());
        assert_eq!(take_back(OURS, &[], &["setns"]).unwrap(), refuse("setns"));
        let conditional = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["setns"],"action":"SCMP_ACT_ALLOW",
            "args":[{"index":1,"value":0,"op":"SCMP_CMP_EQ"}]}]}"#;
        let whole = compile(conditional, &[], &[]).unwrap();
        assert_eq!(take_back(conditional, &[], &["setns"]).unwrap(), whole);
        let open = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
            {"names":["mount", "setns"],"action":"SCMP_ACT_ERRNO"}]}"#;
        assert_eq!(take_back(open, &[], &["setns"]).unwrap(), refuse("setns"));
    }

    #[test]
    fn a_call_without_conditions_wins_over_one_with_them() {
        let rules = |first: &str, second: &str| {
            format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{first},{second}]}}"#)
        };
        let whole = r#"{"names":["socket"],"action":"SCMP_ACT_ALLOW"}"#;
        let part = r#"{"names":["socket"],"action":"SCMP_ACT_ALLOW",
            "args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}"#;
        let one = compile(&rules(whole, part), &[], &[]).unwrap();
        assert_eq!(one, compile(&rules(part, whole), &[], &[]).unwrap());
        assert_ne!(one, compile(&rules(part, part), &[], &[]).unwrap());
    }

    #[test]
    fn names_that_this_processor_does_not_have_are_passed_over() {
        let text = |name| {
            format!(
                r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
                    {{"names":["read","{name}"],"action":"SCMP_ACT_ALLOW"}}]}}"#
            )
        };
        let known = compile(&text("read"), &[], &[]).unwrap();
        assert_eq!(compile(&text("no_such_call"), &[], &[]).unwrap(), known);
    }

    #[test]
    fn what_is_no_profile_is_refused_by_name() {
        for (text, word) in [
            ("{", "no seccomp profile"),
            (r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#, "SCMP_ACT_NOTIFY"),
            (
                r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],
                    "action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"ODD"}]}]}"#,
                "ODD",
            ),
        ] {
            let error = compile(text, &[], &[]).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
