//! The JSON form (`seccomp.go` of github.com/moby/profiles).

use serde::Deserialize;

/// What of a profile makes a filter; the rest is passed over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    pub default_action: String,
    pub default_errno_ret: Option<u32>,
    #[serde(default)]
    pub syscalls: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// One, in profiles of old.
    name: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    pub action: String,
    pub errno_ret: Option<u32>,
    #[serde(default)]
    pub args: Vec<Argument>,
    #[serde(default)]
    includes: Condition,
    #[serde(default)]
    excludes: Condition,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    pub index: u8,
    pub value: u64,
    #[serde(default)]
    pub value_two: u64,
    pub op: String,
}

/// The containers a rule is for, or not for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    arches: Vec<String>,
    min_kernel: Option<String>,
}

impl Profile {
    /// Has these calls allowed, whatever else is said of them.
    pub fn allow(&mut self, names: &[&str]) {
        for rule in &mut self.syscalls {
            rule.names.retain(|name| !names.contains(&name.as_str()));
        }
        self.syscalls.push(Rule {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            ..Rule::of("SCMP_ACT_ALLOW")
        });
    }
}

impl Rule {
    fn of(action: &str) -> Self {
        Self {
            name: None,
            names: Vec::new(),
            action: action.to_owned(),
            errno_ret: None,
            args: Vec::new(),
            includes: Condition::default(),
            excludes: Condition::default(),
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.name.iter().chain(&self.names).map(String::as_str)
    }

    /// Whether the rule is for a container with these capabilities, on this processor.
    pub fn applies(&self, capabilities: &[&str]) -> bool {
        let has = |capability: &String| capabilities.contains(&capability.as_str());
        let here = |arch: &String| arch == processor();
        let Self { includes, excludes, .. } = self;
        includes.caps.iter().all(has)
            && (includes.arches.is_empty() || includes.arches.iter().any(here))
            && includes.min_kernel.as_ref().is_none_or(|kernel| is_old(kernel))
            && !excludes.caps.iter().any(has)
            && !excludes.arches.iter().any(here)
            && !excludes.min_kernel.as_ref().is_some_and(|kernel| is_old(kernel))
    }
}

/// Whether a kernel is no newer than the oldest one that containers are made on (5.4).
fn is_old(kernel: &str) -> bool {
    let mut parts = kernel.split('.').map(|part| part.parse::<u32>().ok());
    let version = (parts.next().flatten(), parts.next().flatten().or(Some(0)));
    version.0.is_some() && version <= (Some(5), Some(4))
}

/// The engines' name of this processor.
fn processor() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
