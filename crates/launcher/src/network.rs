//! A network namespace as it comes has a loopback interface that is down.

use std::os::fd::AsFd;

use rustix::net::{socket_with, AddressFamily, SocketFlags, SocketType};

use crate::{
    failure::{During, Result},
    sys,
};

/// Brings it up: programs talk to themselves over it.
pub fn loopback_up() -> Result<()> {
    let step = "bring the loopback interface up";
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
        .during(step)?;
    sys::interface_up(socket.as_fd(), c"lo").during(step)
}
