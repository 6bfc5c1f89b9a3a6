//! Why the kernel does not let the launcher do something here, and what to do about it.

use rustix::io::Errno;

/// The part of the machine that it depends on.
struct Surroundings<'a> {
    /// A file of `/proc` as text; `None`: there is no such file.
    read: &'a dyn Fn(&str) -> Option<String>,
    is_root: bool,
}

/// What stands behind a refusal, as far as the machine shows it, and the way out; `None`: nothing is known
/// of it. `step`: what was tried, `errno`: what the kernel said, 0 if it was not the kernel.
pub(super) fn advice(step: &str, errno: i32) -> Option<&'static str> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let is_root = rustix::process::geteuid().is_root();
    Surroundings { read: &read, is_root }.advice(step, errno)
}

/// A refusal with its advice.
pub(super) fn explained(said: &str, errno: i32) -> String {
    match advice(said, errno) {
        Some(advice) => format!("{said}; {advice}"),
        None => said.to_owned(),
    }
}

impl Surroundings<'_> {
    fn advice(&self, step: &str, errno: i32) -> Option<&'static str> {
        let refusals = [Errno::PERM, Errno::ACCESS, Errno::NOSYS, Errno::NOSPC, Errno::INVAL];
        if !refusals.iter().any(|refusal| refusal.raw_os_error() == errno) {
            return None;
        }
        if self.is("/proc/sys/user/max_user_namespaces", "0") {
            return Some(
                "user namespaces are switched off: as root, sysctl -w user.max_user_namespaces=15000",
            );
        }
        if !self.is_root && self.is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
            return Some(
                "user namespaces are for root alone here: as root, sysctl -w \
                 kernel.unprivileged_userns_clone=1",
            );
        }
        if (self.read)("/proc/self/uid_map").is_none() {
            return Some(
                "this kernel was built without user namespaces: use one with CONFIG_USER_NS, or another engine",
            );
        }
        if !self.is_root && self.is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
            return Some(
                "AppArmor keeps user namespaces from programs that have no profile, as Ubuntu sets it up: give \
                 the launcher one (docs/local.md), or, as root, sysctl -w \
                 kernel.apparmor_restrict_unprivileged_userns=0",
            );
        }
        // With some of its paths hidden, a container shows no /proc that the kernel would show another of.
        if step.contains("mount /proc") || step.contains("make a proc file system") {
            return Some(
                "the container around this process hides parts of /proc: start it with --security-opt \
                 systempaths=unconfined (Kubernetes: procMount: Unmasked)",
            );
        }
        if self.is_filtered() {
            return Some(
                "a system call filter is around this process, as a container's: start that container with \
                 --security-opt seccomp=unconfined (Kubernetes: seccompProfile of the type Unconfined)",
            );
        }
        None
    }

    fn is(&self, path: &str, value: &str) -> bool {
        (self.read)(path).is_some_and(|text| text.trim() == value)
    }

    /// man 5 proc_pid_status: 2 is SECCOMP_MODE_FILTER.
    fn is_filtered(&self) -> bool {
        let status = (self.read)("/proc/self/status").unwrap_or_default();
        let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
        mode.is_some_and(|mode| mode.trim() == "2")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERM: i32 = Errno::PERM.raw_os_error();
    const UID_MAP: (&str, &str) = ("/proc/self/uid_map", "0 0 4294967295");

    fn found(
        files: &[(&str, &str)],
        is_root: bool,
        step: &str,
        errno: i32,
    ) -> Option<&'static str> {
        let read = |path: &str| {
            let file = files.iter().chain([&UID_MAP]).find(|(name, _)| *name == path);
            file.map(|(_, text)| (*text).to_owned())
        };
        Surroundings { read: &read, is_root }.advice(step, errno)
    }

    #[test]
    fn each_thing_that_stands_in_the_way_has_a_way_out() {
        let restricted = ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
        let filtered = ("/proc/self/status", "Name:\tnode\nSeccomp:\t2\nSeccomp_filters:\t1\n");
        for (file, step, word) in [
            (("/proc/sys/user/max_user_namespaces", "0\n"), "clone", "user.max_user_namespaces="),
            (("/proc/sys/kernel/unprivileged_userns_clone", "0\n"), "clone", "userns_clone=1"),
            (restricted, "clone", "apparmor_restrict_unprivileged_userns=0"),
            (filtered, "clone", "seccomp=unconfined"),
            (filtered, "mount /proc: Operation not permitted", "systempaths=unconfined"),
            (filtered, "make a proc file system: Operation not permitted", "systempaths="),
        ] {
            let advice = found(&[file], false, step, PERM).unwrap_or_default();
            assert!(advice.contains(word), "{file:?}: {advice}");
        }
    }

    #[test]
    fn a_kernel_without_user_namespaces_is_told_from_one_that_denies_them() {
        let advice = Surroundings { read: &|_| None, is_root: true }.advice("clone", PERM);
        assert!(advice.unwrap().contains("CONFIG_USER_NS"));
    }

    #[test]
    fn what_is_for_ordinary_users_is_not_told_to_root() {
        let restricted = ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
        assert_eq!(found(&[restricted], true, "clone", PERM), None);
    }

    #[test]
    fn what_is_no_refusal_has_no_advice() {
        let off = ("/proc/sys/user/max_user_namespaces", "0\n");
        assert_eq!(found(&[off], false, "open /srv", Errno::NOENT.raw_os_error()), None);
    }
}
