//! The filter as JSON, in the form that container engines read (`seccomp.go` of github.com/moby/profiles).

use once_cell::sync::Lazy;
use serde::Serialize;

use super::{rules, table::ARCHITECTURES, Argument, Condition, Rule, Test, Verdict};

/// The profile for an engine that knows error numbers in rules (`errnoRet`), and for one that does not.
static PROFILES: Lazy<[String; 2]> = Lazy::new(|| [true, false].map(render));

/// The profile as JSON text. `errno`: whether the engine knows rules with an error number. For one that
/// does not, what is to look absent is refused with `EPERM`, as by its own profile.
pub fn profile(errno: bool) -> &'static str {
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: &'static str,
    arch_map: Vec<Processor>,
    syscalls: Vec<Syscalls>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Processor {
    architecture: &'static str,
    /// None; the field must be there.
    sub_architectures: [&'static str; 0],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Syscalls {
    names: Vec<&'static str>,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno_ret: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<Comparison>,
    #[serde(skip_serializing_if = "Option::is_none")]
    includes: Option<Containers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excludes: Option<Containers>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Comparison {
    index: u8,
    value: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_two: Option<u64>,
    op: &'static str,
}

#[derive(Serialize)]
struct Containers {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    caps: &'static [&'static str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    arches: &'static [&'static str],
}

impl Containers {
    fn of(condition: Condition) -> Option<Self> {
        let Condition { caps, arches } = condition;
        (!condition.is_none()).then_some(Self { caps, arches })
    }
}

impl From<Argument> for Comparison {
    fn from(Argument { index, test }: Argument) -> Self {
        let (op, value, value_two) = match test {
            Test::Equal(value) => ("SCMP_CMP_EQ", value, None),
            // (argument & value) == valueTwo, which is 0 where it is not there.
            Test::NoneOf(value) => ("SCMP_CMP_MASKED_EQ", value, None),
            Test::AllOf(value) => ("SCMP_CMP_MASKED_EQ", value, Some(value)),
        };
        Self { index, value, value_two, op }
    }
}

impl From<Rule> for Syscalls {
    fn from(Rule { names, verdict, args, only, not }: Rule) -> Self {
        let (action, errno_ret) = match verdict {
            Verdict::Allow => (ALLOW, None),
            Verdict::Absent => (REFUSE, Some(ENOSYS)),
        };
        let args = args.into_iter().map(Comparison::from).collect();
        let (includes, excludes) = (Containers::of(only), Containers::of(not));
        Self { names, action, errno_ret, args, includes, excludes }
    }
}

fn render(errno: bool) -> String {
    // What libseccomp makes of a rule for `socket` does not replace a rule that is there: the absent calls
    // stand in front (see `socketcall`).
    let rules = rules().into_iter().filter(|rule| errno || rule.verdict == Verdict::Allow);
    let processors =
        ARCHITECTURES.iter().map(|architecture| Processor { architecture, sub_architectures: [] });
    let profile = Profile {
        default_action: REFUSE,
        arch_map: processors.collect(),
        syscalls: rules.map(Syscalls::from).collect(),
    };
    // Serializing it can't fail: it has only strings, numbers and lists.
    serde_json::to_string(&profile).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
