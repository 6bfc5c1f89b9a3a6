//! What a runtime is told of a container (github.com/opencontainers/runtime-spec, `config.md`).

use std::path::Path;

use scientist_pool_protocol::{Process, Program, Rlimit, Spec, CAPABILITIES};
use serde_json::{json, Value};

use super::{inside, Kind};
use crate::{
    credentials,
    devices::DEVICES,
    failure::{invalid, Result},
    ids::Mapping,
    mounts::tmpfs_options,
    proc::{HIDDEN, READ_ONLY},
    rlimits,
    sys::attribute,
};

const ATTRIBUTES: [(u64, &str); 4] = [
    (attribute::RDONLY, "ro"),
    (attribute::NOSUID, "nosuid"),
    (attribute::NODEV, "nodev"),
    (attribute::NOEXEC, "noexec"),
];

/// `config.json`, of a container with that root and that `/dev`.
pub fn config(
    spec: &Spec,
    root: &Path,
    dev: &str,
    kind: Kind,
    mapping: Mapping,
    inherited: &[Rlimit],
) -> Result<String> {
    let below_proc =
        |names: &[&str]| -> Vec<_> { names.iter().map(|name| format!("/proc/{name}")).collect() };
    let mut namespaces = vec!["pid", "mount", "ipc", "uts"];
    // Else that of the runtime's world, in which something listens.
    if spec.proxy.is_none() {
        namespaces.push("network");
    }
    let mut ids = Value::Null;
    if let (Kind::Runc | Kind::Other, Mapping::Own { .. }) = (kind, mapping) {
        // There is one id, which is root's in the runtime's world.
        namespaces.push("user");
        let map = |id| json!([{ "containerID": id, "hostID": 0, "size": 1 }]);
        ids = json!([map(spec.user.uid), map(spec.user.gid)]);
    }
    let namespaces: Vec<_> = namespaces.iter().map(|name| json!({ "type": name })).collect();
    let mut linux = json!({
        "namespaces": namespaces,
        "maskedPaths": below_proc(&HIDDEN),
        "readonlyPaths": below_proc(&READ_ONLY),
    });
    if let Value::Array(maps) = ids {
        for (name, map) in ["uidMappings", "gidMappings"].into_iter().zip(maps) {
            linux[name] = map;
        }
    }
    let config = json!({
        "ociVersion": "1.0.2",
        "process": described(spec, &spec.process, kind, mapping, inherited)?,
        "root": { "path": root.to_string_lossy(), "readonly": spec.root.read_only },
        "hostname": spec.hostname,
        "mounts": mounts(spec, kind, dev)?,
        "linux": linux,
    });
    Ok(config.to_string())
}

/// `process.json`, of a command beside process 1.
pub fn process(
    spec: &Spec,
    process: &Process,
    kind: Kind,
    mapping: Mapping,
    inherited: &[Rlimit],
) -> Result<String> {
    Ok(described(spec, process, kind, mapping, inherited)?.to_string())
}

/// What a runtime says in a line of its log.
pub fn message(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let said = line.get("msg")?.as_str()?.trim();
    (!said.is_empty()).then(|| said.to_owned())
}

fn described(
    spec: &Spec,
    process: &Process,
    kind: Kind,
    mapping: Mapping,
    inherited: &[Rlimit],
) -> Result<Value> {
    if !process.cwd.starts_with('/') {
        return Err(invalid(format!("{:?} is no absolute path", process.cwd)));
    }
    credentials::check(spec.user, &spec.privileges)?;
    let mut args = vec![inside::PROGRAM.to_owned()];
    match &process.program {
        Program::Init => args.push(inside::INIT.to_owned()),
        Program::Template(_) => return Err(invalid("a runtime makes no template")),
        Program::Inside => {
            args.push(inside::COMMAND.to_owned());
            args.extend(process.argv.iter().cloned());
        }
    }
    let mut bounding: Vec<_> = spec
        .privileges
        .capabilities
        .iter()
        .filter_map(|number| CAPABILITIES.split_whitespace().nth(usize::from(*number)))
        .map(|name| format!("CAP_{name}"))
        .collect();
    // Only root has them.
    let mut own = if spec.user.uid == 0 { bounding.clone() } else { Vec::new() };
    let (mut user, mut ambient) = (spec.user, Vec::new());
    if process.program == Program::Init && kind.has_users(mapping) {
        user = credentials::first_beside(user);
        // What it is not to keep it gives up itself. Of another user than root only these get past its start.
        for name in credentials::FIRST_CAPABILITIES.map(|name| format!("CAP_{name}")) {
            if !bounding.contains(&name) {
                bounding.push(name);
            }
        }
        own.clone_from(&bounding);
        ambient.clone_from(&bounding);
    }
    let rlimits = limits(spec, kind, inherited).into_iter().map(|limit| {
        rlimits::resource(&limit)?;
        Ok(json!({
            "type": format!("RLIMIT_{}", limit.name.to_ascii_uppercase()),
            "soft": limit.soft.unwrap_or(u64::MAX),
            "hard": limit.hard.unwrap_or(u64::MAX),
        }))
    });
    Ok(json!({
        "terminal": false,
        "user": { "uid": user.uid, "gid": user.gid },
        "args": args,
        "env": process.env,
        "cwd": process.cwd,
        "capabilities": {
            "bounding": bounding, "effective": own, "permitted": own, "inheritable": ambient, "ambient": ambient,
        },
        "rlimits": rlimits.collect::<Result<Vec<_>>>()?,
        // Without it nobody could set a filter in there. Nothing that is shown has programs that gain any.
        "noNewPrivileges": spec.privileges.no_new_privileges || !spec.privileges.seccomp.is_empty(),
    }))
}

/// Each once.
fn limits(spec: &Spec, kind: Kind, inherited: &[Rlimit]) -> Vec<Rlimit> {
    let mut limits = rlimits::merged(inherited, &spec.rlimits);
    if let (Kind::Runsc, Some(pids)) = (kind, spec.limits.pids) {
        // The kernel of this machine counts gVisor's own threads, and can't count these.
        let least = |limit: Option<u64>| Some(limit.map_or(pids, |limit| limit.min(pids)));
        let name = "nproc".to_owned();
        match limits.iter_mut().find(|limit| limit.name == name) {
            Some(limit) => (limit.soft, limit.hard) = (least(limit.soft), least(limit.hard)),
            None => limits.push(Rlimit { name, soft: Some(pids), hard: Some(pids) }),
        }
    }
    limits
}

fn mounts(spec: &Spec, kind: Kind, dev: &str) -> Result<Vec<Value>> {
    let mount = |target: &str, kind: &str, source: &str, options: &[&str]| json!({ "destination": target, "type": kind, "source": source, "options": options });
    let mut mounts = vec![mount("/proc", "proc", "proc", &["nosuid", "nodev", "noexec"])];
    if kind != Kind::Runsc {
        mounts.push(mount("/dev", "bind", dev, &["rbind", "ro", "nosuid", "noexec"]));
        // Mounts themselves where this is no root, and not every runtime shows what is mounted in a mount.
        for (name, ..) in DEVICES {
            let (target, source) = (format!("/dev/{name}"), format!("{dev}/{name}"));
            mounts.push(mount(&target, "bind", &source, &["bind", "nosuid", "noexec"]));
        }
    }
    let size = spec.shm_size.map(|size| format!("size={size}"));
    let shm: Vec<_> =
        ["nosuid", "nodev", "noexec", "mode=1777"].into_iter().chain(size.as_deref()).collect();
    mounts.push(mount("/dev/shm", "tmpfs", "tmpfs", &shm));
    for tmpfs in &spec.tmpfs {
        // Not every runtime takes one back that came before.
        let (attributes, own) = tmpfs_options(&tmpfs.options)?;
        let set = ATTRIBUTES.into_iter().filter(|(attribute, _)| attributes & attribute != 0);
        let own = own.into_iter().map(|(key, value)| match value {
            Some(value) => format!("{key}={value}"),
            None => key,
        });
        let options: Vec<_> = set.map(|(_, name)| name.to_owned()).chain(own).collect();
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        mounts.push(mount(&tmpfs.target, "tmpfs", "tmpfs", &options));
    }
    Ok(mounts)
}
