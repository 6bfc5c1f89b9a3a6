//! A template as seen from the launcher: what it is started with, and what it is sent for each fork.
//!
//! It is made as a container is, by [`crate::container::Container`], but in the launcher's own pid namespace: a
//! process can enter the pid namespaces below its own alone, and those of containers are to outlive it.

use std::{
    fs::File,
    io::{IoSlice, Write},
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{memfd_create, open, MemfdFlags, Mode, OFlags},
    net::{
        sendmsg, socketpair, AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        SocketFlags, SocketType,
    },
    process::Pid,
};
use scientist_pool_protocol::{Process, Spec, Template as Wanted, User};

use crate::{
    credentials,
    doors::Doors,
    failure::{invalid, During, Result},
    fences,
    ids::Mapping,
    init::source::{archive, literal, Source, PATHS, PROGRAM},
    nested::Nest,
};

/// What it runs in its site phase.
const SITE: &str = concat!(
    include_str!("../../../src/runner/spare.py"),
    include_str!("../../../src/runner/template.py")
);
/// The most descriptors that a fork takes: its line to process 1, seven namespaces, a file of each hierarchy of
/// control groups.
const MOST: usize = 16;

/// One that runs.
pub struct Template {
    control: OwnedFd,
    namespace: OwnedFd,
    mapping: Mapping,
    user: User,
}

/// What one that is on its way has in common with it.
pub struct Seed {
    control: OwnedFd,
    /// What becomes the template's own, by these numbers: its program, and its end of `control`.
    pub handed: [OwnedFd; 2],
    /// What it executes.
    pub process: Process,
}

impl Seed {
    /// As a spare is started, but for what it does in its site phase.
    pub fn new(spec: &Spec, wanted: &Wanted, mapping: Mapping) -> Result<Self> {
        const STEP: &str = "prepare a template";
        if !fences::all_stand() {
            return Err(invalid("a fork of a template has all fences"));
        }
        let (control, far) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .during(STEP)?;
        let program = memfd_create("spare", MemfdFlags::CLOEXEC).during(STEP)?;
        let Process { env, cwd, .. } = &spec.process;
        let own = env.iter().find_map(|own| own.strip_prefix(PATHS)?.strip_prefix('='));
        let settings = [
            format!("ARCHIVE, CONTROL = {}, {}\n", program.as_raw_fd(), far.as_raw_fd()),
            // Of spares that somebody waits for: what is printed while it imports is nobody's output.
            format!(
                "TOLD, AHEAD, PYTHONPATH = None, False, {}\n",
                own.map_or("None".to_owned(), |own| literal(own.as_bytes()))
            ),
            become_fork(mapping, spec, &wanted.seccomp)?,
            format!("FOLDER, KEYCTL = {}, {}\n", literal(cwd.as_bytes()), libc::SYS_keyctl),
        ];
        let source = Source::new(SITE.as_bytes(), &bytes(&wanted.preload), &bytes(&wanted.idle));
        let module = [settings.concat().as_bytes(), source.as_bytes()].concat();
        let archive = archive(b"sitecustomize.py", &module).during(STEP)?;
        File::from(program.try_clone().during(STEP)?).write_all(&archive).during(STEP)?;
        // An empty one has no meaning, where an empty place in it is the current folder.
        let more = own.filter(|own| !own.is_empty()).map(|own| format!(":{own}"));
        let paths =
            format!("{PATHS}=/proc/self/fd/{}{}", program.as_raw_fd(), more.unwrap_or_default());
        let others = env.iter().filter(|own| own.split('=').next() != Some(PATHS)).cloned();
        let process = Process {
            argv: vec![PROGRAM.to_owned(), "-".to_owned()],
            env: others.chain([paths]).collect(),
            ..spec.process.clone()
        };
        Ok(Self { control, handed: [program, far], process })
    }

    /// It runs, as that process.
    pub fn grown(self, pid: Pid, mapping: Mapping, user: User) -> Result<Template> {
        let path = format!("/proc/{}/ns/user", pid.as_raw_nonzero());
        let namespace = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .during("open the template's user namespace")?;
        Ok(Template { control: self.control, namespace, mapping, user })
    }
}

/// What a fork is to become, as its program has it.
fn become_fork(mapping: Mapping, spec: &Spec, filters: &[Vec<u8>]) -> Result<String> {
    let Spec { user, privileges, .. } = spec;
    let filters = filters.iter().map(|filter| literal(filter));
    let (bounding, kept) = credentials::of_member(*user, privileges)?;
    let user = match mapping {
        Mapping::Range(_) => format!("({}, {})", user.uid, user.gid),
        // There is no other.
        Mapping::Own { .. } => "None".to_owned(),
    };
    let filters = filters.collect::<Vec<_>>().join(", ");
    Ok(format!("USER, BOUNDING, KEPT, FILTERS = {user}, {bounding}, {kept}, [{filters}]\n"))
}

fn bytes(words: &[String]) -> Vec<&[u8]> {
    words.iter().map(|word| word.as_bytes()).collect()
}

impl Template {
    pub fn nest(&self) -> Nest<'_> {
        let Self { namespace, mapping, user, .. } = self;
        Nest { namespace: namespace.as_fd(), mapping: *mapping, user: *user }
    }

    /// Has it send a fork into a container. Where that does not come about, `line` ends: process 1, which has
    /// the other end of it, goes by that.
    pub fn fork(&self, line: OwnedFd, doors: &Doors, entrances: &[File]) {
        let groups = entrances.iter().map(AsFd::as_fd);
        let descriptors: Vec<BorrowedFd<'_>> =
            [line.as_fd()].into_iter().chain(doors.all()).chain(groups).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return;
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let _ = sendmsg(&self.control, &[IoSlice::new(b"F")], &mut ancillary, flags);
    }
}
