//! How a process of a container hands over a socket that listens on the container's loopback: by a Unix socket of
//! this process's, which is mounted into the container. What connects to it comes here then, by no engine.
//!
//! That takes an engine whose containers share this machine's files and its kernel. One behind a network does not,
//! nor one in a virtual machine; and one that has another `/tmp` than this process does not find the socket.

pub(super) use system::{sweep, Offer};

#[cfg(target_os = "linux")]
mod system {
    use std::{
        fs::{self, Permissions},
        io::{self, IoSliceMut},
        mem::MaybeUninit,
        os::{
            fd::{AsFd, BorrowedFd, OwnedFd},
            unix::fs::{MetadataExt, PermissionsExt},
        },
        path::{Path, PathBuf},
        time::Duration,
    };

    use rustix::{
        cmsg_space,
        net::{
            recvmsg,
            sockopt::{socket_acceptconn, socket_domain},
            AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags,
        },
    };
    use tempfile::TempDir;
    use tokio::{
        io::{AsyncWriteExt, Interest},
        net::UnixListener,
    };

    use crate::{
        config::Shown,
        engine::{loopback, Connections},
    };

    /// In a folder that a container's runtime makes, whatever the image has.
    const TARGET: &str = "/dev/scientist-pool.sock";
    const PREFIX: &str = "scientist-pool-handover-";
    /// What is older was left by a process that was killed: no container is made for so long.
    const LEFT: Duration = Duration::from_secs(3600);

    /// A socket that waits for what one container hands over.
    pub struct Offer {
        waiting: UnixListener,
        source: PathBuf,
        _folder: TempDir,
    }

    impl Offer {
        /// # Errors
        ///
        /// There is no place for it.
        pub fn new() -> io::Result<Self> {
            // Nobody else may enter it: it is the first to connect whose connections will be served.
            let folder = tempfile::Builder::new()
                .prefix(PREFIX)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(place())?;
            let source = folder.path().join("socket");
            let waiting = UnixListener::bind(&source)?;
            // The container's user is another one.
            fs::set_permissions(&source, Permissions::from_mode(0o666))?;
            Ok(Self { waiting, source, _folder: folder })
        }

        /// Where it is in the container.
        pub fn path(&self) -> &'static str {
            TARGET
        }

        /// What is mounted.
        pub fn shown(&self) -> Shown {
            let source = self.source.to_string_lossy().into_owned();
            Shown { source, target: TARGET.to_owned(), read_only: true }
        }

        /// What connects to the socket that is handed over.
        ///
        /// # Errors
        ///
        /// It is none that listens on a loopback.
        pub async fn taken(self) -> io::Result<Connections> {
            let (mut stream, _) = self.waiting.accept().await?;
            let receive = || received(stream.as_fd());
            let socket = stream.async_io(Interest::READABLE, receive).await?;
            let connections = loopback::accepted(socket)?;
            stream.write_all(b"L").await?;
            Ok(connections)
        }
    }

    fn received(stream: BorrowedFd) -> io::Result<OwnedFd> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let into = &mut [IoSliceMut::new(&mut byte)];
        recvmsg(stream, into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        let mut descriptors = ancillary.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect(),
            _ => Vec::new(),
        });
        let socket = descriptors.next().ok_or(io::ErrorKind::InvalidData)?;
        let listens = socket_acceptconn(&socket)? && socket_domain(&socket)? == AddressFamily::INET;
        listens.then_some(socket).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Removes what processes left that were killed while a container was made.
    pub fn sweep() {
        let Ok(entries) = fs::read_dir(place()) else { return };
        for entry in entries.flatten() {
            let is_one = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
            if is_one && is_left(&entry.path()) {
                // Whoever else removes it as well has the same in mind.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    fn is_left(path: &Path) -> bool {
        let Ok(found) = fs::symlink_metadata(path) else { return false };
        let age = found.modified().ok().and_then(|at| at.elapsed().ok());
        let is_own = found.uid() == rustix::process::geteuid().as_raw();
        is_own && age.is_some_and(|age| age > LEFT)
    }

    /// The user's own folder for sockets, or the one for all that is temporary.
    fn place() -> PathBuf {
        let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        own.filter(|path| path.is_dir()).unwrap_or_else(std::env::temp_dir)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    use crate::{config::Shown, engine::Connections};

    /// There is none: containers are in a virtual machine here.
    pub enum Offer {}

    impl Offer {
        pub fn new() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub fn path(&self) -> &'static str {
            match *self {}
        }

        pub fn shown(&self) -> Shown {
            match *self {}
        }

        pub async fn taken(self) -> io::Result<Connections> {
            match self {}
        }
    }

    pub fn sweep() {}
}
