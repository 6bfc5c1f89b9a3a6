//! A network namespace as it comes has a loopback interface that is down.

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::fd::{AsFd, OwnedFd},
};

use rustix::net::{bind, listen, socket_with, AddressFamily, SocketFlags, SocketType};
use scientist_pool_protocol::{Channel, FailureKind};

use crate::{
    failure::{of_kind, During, Result},
    sys,
};

/// Brings it up: programs talk to themselves over it.
pub fn loopback_up() -> Result<()> {
    let step = "bring the loopback interface up";
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
        .during(step)?;
    sys::interface_up(socket.as_fd(), c"lo").during(step)
}

/// How many connections wait to be accepted; what comes beyond that waits in whoever connects.
const BACKLOG: i32 = 128;

/// The end of a line on which a new process hands out its socket, and that on which it arrives.
pub type Line = Channel<(), ()>;

/// Listens on the loopback of this process's network namespace. Whoever gets the socket accepts what comes,
/// wherever they are.
pub fn hand_out_listener(port: u16, line: OwnedFd) -> Result<()> {
    let step = format!("listen on port {port} of the loopback");
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).during(step.as_str())?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    bind(&socket, &address).and_then(|()| listen(&socket, BACKLOG)).during(step.as_str())?;
    let sent = Line::new(line).send(&(), &[socket.as_fd()]);
    sent.map_err(|error| of_kind(FailureKind::Gone, format!("hand out a socket: {error}")))
}

/// The socket that a new process has handed out before it told that it has started.
pub fn take_listener(mut line: Line) -> Result<OwnedFd> {
    let (why, socket) = match line.receive() {
        Ok(Some(((), sockets))) => (None, sockets.into_iter().next()),
        Ok(None) => (None, None),
        Err(error) => (Some(error.to_string()), None),
    };
    let why = why.unwrap_or_else(|| "it did not come".to_owned());
    socket.ok_or_else(|| {
        of_kind(FailureKind::Exhausted, format!("take a new process's socket: {why}"))
    })
}
