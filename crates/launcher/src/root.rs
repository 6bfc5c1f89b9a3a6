//! A container's root, put together in the new process's own mount namespace.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{chmod, mkdirat, symlinkat, Mode},
    mount::{mount, mount_remount, unmount, MountFlags, UnmountFlags},
    process::{chdir, fchdir, pivot_root},
};
use scientist_pool_protocol::{Bind, Failure, FailureKind, Program, Spec};

use crate::{
    devices,
    failure::{invalid, of_kind, During, Result},
    fences,
    mounts::{self, open_path, open_plain_path, Mount, Place},
    proc,
    sys::attribute,
};

/// Where the new root is put together: a folder of the launcher's that is there for sure, and empty.
pub const WORKBENCH: &str = "/dev/shm";
/// The most layers: what one page of mount options has room for.
const MOST_LAYERS: usize = 512;

/// Views of this machine's files, made by the launcher, which may read what the container's users can't.
pub struct Views {
    /// The lowest first.
    pub layers: Vec<Mount>,
    /// As [`Spec::binds`].
    pub binds: Vec<Mount>,
    pub dev: Mount,
    /// That of a template, which has no pid namespace of its own to make one of.
    pub proc: Option<Mount>,
}

impl Views {
    pub fn open(spec: &Spec) -> Result<Self> {
        if spec.root.folders.len() > MOST_LAYERS {
            return Err(invalid(format!("more than {MOST_LAYERS} layers")));
        }
        let open = |path: &std::path::Path| {
            let opened = open_path(path).at("open", path)?;
            Mount::view(opened.as_fd(), "").at("show", path)
        };
        let layers = spec.root.folders.iter().map(|folder| {
            let layer = open(folder)?;
            if Place::of(&layer)? != Place::Folder {
                let message = format!("{} is no folder", folder.display());
                return Err(of_kind(FailureKind::NoSuchPath, message));
            }
            layer.with(fences::shown())
        });
        let binds = spec.binds.iter().map(|bind| {
            let Bind { source, read_only, links, .. } = bind;
            let view = if *links {
                open(source)?
            } else {
                let step = format!("mount {}", source.display());
                let opened = open_plain_path(source).during(&*step)?;
                Mount::view(opened.as_fd(), "").during(step)?
            };
            view.with(if *read_only { fences::shown() } else { fences::shown_writable() })
        });
        Ok(Self {
            layers: layers.collect::<Result<_>>()?,
            binds: binds.collect::<Result<_>>()?,
            dev: devices::view()?,
            proc: match spec.process.program {
                Program::Template(_) => Some(proc::of_template()?),
                Program::Inside | Program::Init => None,
            },
        })
    }

    /// What is shown with its owners. This machine's own files belong to nobody in a container that could
    /// open them for writing.
    pub fn owned(&self, spec: &Spec) -> impl Iterator<Item = &Mount> {
        let binds = if may_remount(spec) { &[][..] } else { &self.binds };
        self.layers.iter().chain(binds).chain([&self.dev])
    }
}

/// Puts the root together and makes it this process's own; nothing else is left in sight.
pub fn enter(spec: &Spec, views: Views) -> Result<()> {
    let Views { layers, binds, dev, proc } = views;
    let proc = proc.map_or_else(proc::new, Ok)?;
    let complete = has_all_places(spec, &layers);
    let root = if complete && spec.root.read_only && !may_remount(spec) {
        let [layer] = <[Mount; 1]>::try_from(layers).map_err(|_| invalid("no layer"))?;
        let target = open_path(WORKBENCH).during("open the workbench")?;
        layer.attach(target.as_fd()).during("mount the root")?;
        open_path(WORKBENCH).during("open the root")?
    } else {
        writable(layers, WORKBENCH)?
    };

    let dev_place = Place::Folder.find_or_make(root.as_fd(), "/dev")?;
    let proc_place = Place::Folder.find_or_make(root.as_fd(), "/proc")?;
    let dev = dev.attach(dev_place.as_fd()).during("mount /dev")?;
    let nothing = Place::find(dev.as_fd(), "null").during("find /dev/null")?;
    let shm_place = Place::find(dev.as_fd(), "shm").during("find /dev/shm")?;
    // Before anything is mounted on it, it is an empty folder.
    proc::attach(proc, proc_place.as_fd(), nothing.as_fd(), shm_place.as_fd())?;
    shm(spec.shm_size)?.attach(shm_place.as_fd()).during("mount /dev/shm")?;

    attach(&spec.binds, binds, root.as_fd())?;
    for tmpfs in &spec.tmpfs {
        let place = Place::Folder.find_or_make(root.as_fd(), &tmpfs.target)?;
        let mount = mounts::tmpfs(&tmpfs.options).map_err(|failure| Failure {
            message: format!("tmpfs {} ({}): {failure}", tmpfs.target, tmpfs.options),
            ..failure
        })?;
        mount.attach(place.as_fd()).during(format!("mount {}", tmpfs.target))?;
    }

    if spec.root.read_only {
        close(root.as_fd())?;
    }
    fchdir(&root).during("enter the root")?;
    // The old root is put over the new one, and taken away at once with all that is mounted in it.
    pivot_root(".", ".").during("change the root")?;
    unmount(".", UnmountFlags::DETACH).during("leave the old root")?;
    chdir("/").during("enter the root")
}

/// Whether somebody in the container could take the read-only attribute off its mounts, as nothing that is
/// done in its own mount namespace binds who may mount there.
fn may_remount(spec: &Spec) -> bool {
    /// `linux/capability.h`
    const SYS_ADMIN: u8 = 21;
    spec.privileges.capabilities.contains(&SYS_ADMIN)
}

/// Puts the root together at a folder, with a place for everything that a runtime is to mount in it, and
/// beside it what that is to mount as `/dev`. It can be written to until it is closed.
pub fn lay_out(spec: &Spec, views: Views, at: &str, dev_at: &str) -> Result<OwnedFd> {
    let Views { layers, binds, dev, .. } = views;
    let dev_place = open_path(dev_at).during("open the place of /dev")?;
    dev.attach(dev_place.as_fd()).during("mount /dev")?;
    let root = writable(layers, at)?;
    for folder in ["/dev", "/proc"] {
        Place::Folder.find_or_make(root.as_fd(), folder)?;
    }
    attach(&spec.binds, binds, root.as_fd())?;
    for tmpfs in &spec.tmpfs {
        let place = Place::Folder.find_or_make(root.as_fd(), &tmpfs.target)?;
        // Some runtimes have what is mounted be as open as what it is mounted on (runc 1.1, `rootfs_linux.go`).
        let mode = tmpfs.options.split(',').find_map(|option| option.strip_prefix("mode="));
        let mode = mode.and_then(|mode| u32::from_str_radix(mode, 8).ok()).unwrap_or(0o1777);
        chmod(mounts::magic_link(place.as_fd()), Mode::from(mode))
            .during(format!("make {} in the container", tmpfs.target))?;
    }
    Ok(root)
}

fn attach(binds: &[Bind], views: Vec<Mount>, root: BorrowedFd<'_>) -> Result<()> {
    for (bind, view) in binds.iter().zip(views) {
        let place = Place::of(&view)?.find_or_make(root, &bind.target)?;
        view.attach(place.as_fd()).during(format!("mount {}", bind.target))?;
    }
    Ok(())
}

/// Has what is mounted there be read-only.
pub fn close(root: BorrowedFd<'_>) -> Result<()> {
    let flags = MountFlags::BIND | MountFlags::from_bits_retain(fences::shown() as u32);
    mount_remount(mounts::magic_link(root), flags, c"").during("close what is mounted")
}

/// Whether the only layer has every folder and file that something is mounted over.
fn has_all_places(spec: &Spec, layers: &[Mount]) -> bool {
    let [layer] = layers else { return false };
    ["/dev", "/proc"]
        .into_iter()
        .chain(spec.binds.iter().map(|bind| bind.target.as_str()))
        .chain(spec.tmpfs.iter().map(|tmpfs| tmpfs.target.as_str()))
        .all(|path| Place::find(layer.as_fd(), path).is_ok())
}

/// The layers with memory on top, put together at a folder.
fn writable(layers: Vec<Mount>, at: &str) -> Result<OwnedFd> {
    if layers.is_empty() {
        memory_root(at)
    } else {
        overlay(layers, at)
    }
}

/// An empty root.
fn memory_root(at: &str) -> Result<OwnedFd> {
    let target = open_path(at).during("open the workbench")?;
    let options = [devices::mode("755")];
    let root = Mount::new("tmpfs", &options, attribute::NOSUID | attribute::NODEV)?;
    root.attach(target.as_fd()).during("mount the root")?;
    let root = open_path(at).during("open the root")?;
    // As in every distribution of these years: nothing but `/usr` holds programs.
    for (name, target) in
        [("bin", "usr/bin"), ("sbin", "usr/sbin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")]
    {
        symlinkat(target, &root, name).during(format!("make /{name}"))?;
    }
    Ok(root)
}

/// The layers over one another, with memory on top.
fn overlay(layers: Vec<Mount>, at: &str) -> Result<OwnedFd> {
    let step = "put the layers over one another";
    let target = open_path(at).during(step)?;
    let bench = Mount::new("tmpfs", &[devices::mode("755")], attribute::NOSUID | attribute::NODEV)?;
    let bench = bench.attach(target.as_fd()).during(step)?;
    for name in ["root", "upper", "work"] {
        mkdirat(&bench, name, Mode::from(0o755)).during(step)?;
    }
    let mut lower = Vec::new();
    for (index, layer) in layers.into_iter().enumerate() {
        let name = index.to_string();
        mkdirat(&bench, &*name, Mode::from(0o755)).during(step)?;
        let place = Place::find(bench.as_fd(), &name).during(step)?;
        layer.attach(place.as_fd()).during(step)?;
        lower.push(name);
    }
    // The options name the highest first. Short names, as all of them have one page together.
    lower.reverse();
    fchdir(&bench).during(step)?;
    let data = format!("lowerdir={},upperdir=upper,workdir=work,userxattr", lower.join(":"));
    let flags = MountFlags::NODEV | MountFlags::from_bits_retain(fences::nosuid() as u32);
    let data = std::ffi::CString::new(data).map_err(|_| invalid("a NUL in a layer's name"))?;
    mount("overlay", "root", "overlay", flags, &*data).during(step)?;
    open_path("root").during(step)
}

fn shm(size: Option<u64>) -> Result<Mount> {
    let size = size.map(|size| ("size".to_owned(), Some(size.to_string())));
    let options: Vec<_> = size.into_iter().chain([devices::mode("1777")]).collect();
    Mount::new("tmpfs", &options, attribute::NOSUID | attribute::NODEV | attribute::NOEXEC)
}
