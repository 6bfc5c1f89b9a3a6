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
        net::{UnixListener, UnixStream},
    };

    use crate::{
        config::Shown,
        engine::{loopback, Connections},
    };

    /// In a folder that a container's runtime makes, whatever the image has.
    const TARGET: &str = "/dev/scientist-pool.sock";
    const SOCKET: &str = "socket";
    const PREFIX: &str = "scientist-pool-handover-";
    /// What is older is listened on, or was left by a process that has ended.
    const NEW: Duration = Duration::from_secs(10);

    /// A socket that waits for what one container hands over.
    pub struct Offer {
        waiting: UnixListener,
        folder: TempDir,
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
            let source = folder.path().join(SOCKET);
            let waiting = UnixListener::bind(&source)?;
            // The container's user is another one.
            fs::set_permissions(&source, Permissions::from_mode(0o666))?;
            Ok(Self { waiting, folder })
        }

        /// Where it is in the container.
        pub fn path(&self) -> &'static str {
            TARGET
        }

        fn source(&self) -> PathBuf {
            self.folder.path().join(SOCKET)
        }

        /// What is mounted.
        pub fn shown(&self) -> Shown {
            let source = self.source().to_string_lossy().into_owned();
            Shown { source, target: TARGET.to_owned(), read_only: true }
        }

        /// What connects to the socket that is handed over.
        ///
        /// # Errors
        ///
        /// This process has no descriptor left.
        pub async fn taken(self) -> io::Result<Connections> {
            loop {
                let (stream, _) = self.waiting.accept().await?;
                // Whoever connects with nothing has looked whether anybody listens.
                if let Ok(connections) = take(stream).await {
                    return Ok(connections);
                }
            }
        }
    }

    async fn take(mut stream: UnixStream) -> io::Result<Connections> {
        let receive = || received(stream.as_fd());
        let socket = stream.async_io(Interest::READABLE, receive).await?;
        let connections = loopback::accepted(socket)?;
        stream.write_all(b"L").await?;
        Ok(connections)
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
            if is_one && is_left(&entry.path(), NEW) {
                // Whoever else removes it as well has the same in mind.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    fn is_left(path: &Path, new: Duration) -> bool {
        let Ok(found) = fs::symlink_metadata(path) else { return false };
        let age = found.modified().ok().and_then(|at| at.elapsed().ok());
        let is_own = found.uid() == rustix::process::geteuid().as_raw();
        is_own
            && age.is_some_and(|age| age > new)
            && std::os::unix::net::UnixStream::connect(path.join(SOCKET)).is_err()
    }

    /// The user's own folder for sockets, or the one for all that is temporary.
    fn place() -> PathBuf {
        let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        own.filter(|path| path.is_dir()).unwrap_or_else(std::env::temp_dir)
    }

    #[cfg(test)]
    mod tests {
        use std::net::{TcpListener, TcpStream};

        use futures_util::StreamExt;
        use rustix::net::{sendmsg, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
        use tokio::io::AsyncReadExt;

        use super::*;

        /// Hands a descriptor over, or nothing.
        fn hand_over(
            source: &Path,
            descriptor: Option<BorrowedFd>,
        ) -> std::os::unix::net::UnixStream {
            let way = std::os::unix::net::UnixStream::connect(source).unwrap();
            let descriptors: Vec<_> = descriptor.into_iter().collect();
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            if !descriptors.is_empty() {
                ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
            }
            let byte = [io::IoSlice::new(b"L")];
            sendmsg(&way, &byte, &mut ancillary, SendFlags::empty()).unwrap();
            way
        }

        #[tokio::test]
        async fn what_connects_to_the_first_socket_that_listens_comes() {
            let offer = Offer::new().unwrap();
            let source = offer.source();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            drop(std::os::unix::net::UnixStream::connect(&source).unwrap());
            let _nothing = hand_over(&source, None);
            let file = fs::File::open("/dev/null").unwrap();
            let _no_socket = hand_over(&source, Some(file.as_fd()));
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let _no_listener = hand_over(&source, Some(client.as_fd()));
            let _way = hand_over(&source, Some(listener.as_fd()));
            let mut connections = offer.taken().await.unwrap();
            let mut connection = connections.next().await.unwrap().unwrap();
            drop(client);
            assert_eq!(connection.read(&mut [0]).await.unwrap(), 0);
            assert!(!source.exists());
        }

        #[tokio::test]
        async fn what_nobody_listens_on_is_left() {
            let offer = Offer::new().unwrap();
            assert!(!is_left(offer.folder.path(), Duration::ZERO));
            let Offer { waiting, folder } = offer;
            drop(waiting);
            assert!(!is_left(folder.path(), NEW), "it may be about to listen");
            assert!(is_left(folder.path(), Duration::ZERO));
        }
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
