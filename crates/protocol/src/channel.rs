//! Messages over a socket, with descriptors.

use std::{
    fmt, io,
    io::{IoSlice, IoSliceMut},
    marker::PhantomData,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use rustix::net::{
    recvmsg, sendmsg, socketpair, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage,
    RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
    SocketType,
};
use serde::{de::DeserializeOwned, Serialize};

/// Bytes. Well below what a socket takes by default (`net.core.wmem_default`, 208 KiB).
pub const MAX_MESSAGE: usize = 128 * 1024;
/// The most descriptors in one message.
const MAX_DESCRIPTORS: usize = 4;

/// One end of the socket: sends `S`, receives `R`.
pub struct Channel<S, R> {
    socket: OwnedFd,
    /// What is received goes here first.
    buffer: Vec<u8>,
    types: PhantomData<fn(S) -> R>,
}

/// Why a message was not sent or not received.
#[derive(Debug)]
pub enum ChannelError {
    /// [`io::ErrorKind::WouldBlock`] among them, on a socket that does not block.
    Io(io::Error),
    /// Longer than [`MAX_MESSAGE`]; its length.
    TooLong(usize),
    /// Not a message of this protocol.
    Malformed(String),
}

impl<S: Serialize, R: DeserializeOwned> Channel<S, R> {
    /// The two ends of a new socket, closed on exec. Neither blocks.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn pair() -> io::Result<(Channel<S, R>, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self::new(near), far))
    }

    /// The end that was inherited or made by [`Channel::pair`].
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, buffer: vec![0; MAX_MESSAGE], types: PhantomData }
    }

    /// Sends one message. It is sent whole or not at all.
    ///
    /// # Errors
    /// See [`ChannelError`]; `EPIPE` when the other end is gone.
    pub fn send(&self, message: &S, descriptors: &[BorrowedFd<'_>]) -> Result<(), ChannelError> {
        let bytes = postcard::to_allocvec(message)
            .map_err(|error| ChannelError::Malformed(error.to_string()))?;
        if bytes.len() > MAX_MESSAGE {
            return Err(ChannelError::TooLong(bytes.len()));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors))
        {
            return Err(ChannelError::Malformed(format!("{} descriptors", descriptors.len())));
        }
        sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)
            .map_err(|errno| ChannelError::Io(errno.into()))?;
        Ok(())
    }

    /// Receives one message; `None`: the other end is gone.
    ///
    /// # Errors
    /// See [`ChannelError`].
    pub fn receive(&mut self) -> Result<Option<(R, Vec<OwnedFd>)>, ChannelError> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut self.buffer)];
        let got = recvmsg(&self.socket, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
            .map_err(|errno| ChannelError::Io(errno.into()))?;
        let descriptors = ancillary
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            })
            .flatten()
            .collect();
        if got.bytes == 0 {
            return Ok(None);
        }
        if got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(ChannelError::Malformed("a message was cut off".to_owned()));
        }
        let message = postcard::from_bytes(&self.buffer[..got.bytes])
            .map_err(|error| ChannelError::Malformed(error.to_string()))?;
        Ok(Some((message, descriptors)))
    }
}

impl<S, R> AsRawFd for Channel<S, R> {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl<S, R> AsFd for Channel<S, R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl ChannelError {
    /// Nothing is there to be read, or there is no room to write.
    #[must_use]
    pub fn would_block(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::TooLong(length) => {
                write!(f, "a message of {length} bytes: {MAX_MESSAGE} is the most")
            }
            Self::Malformed(why) => write!(f, "not a message of this protocol: {why}"),
        }
    }
}

impl std::error::Error for ChannelError {}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Read, io::Write};

    use super::*;

    type End = Channel<String, String>;

    fn pair() -> (End, End) {
        let (near, far) = End::pair().unwrap();
        (near, End::new(far))
    }

    #[test]
    fn a_message_arrives_with_its_descriptors() {
        let (near, mut far) = pair();
        let (mut reader, writer) = io::pipe().unwrap();
        near.send(&"hello".to_owned(), &[writer.as_fd()]).unwrap();
        drop(writer);
        let (message, mut descriptors) = far.receive().unwrap().unwrap();
        assert_eq!(message, "hello");
        File::from(descriptors.remove(0)).write_all(b"through").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
    }

    #[test]
    fn the_end_of_the_other_side_is_told_from_silence() {
        let (near, mut far) = pair();
        assert!(far.receive().unwrap_err().would_block());
        drop(near);
        assert!(far.receive().unwrap().is_none());
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_with_its_length() {
        let (near, _far) = pair();
        let error = near.send(&"x".repeat(MAX_MESSAGE), &[]).unwrap_err();
        assert!(matches!(error, ChannelError::TooLong(length) if length > MAX_MESSAGE));
    }

    #[test]
    fn the_longest_message_arrives() {
        let (near, mut far) = pair();
        let message = "x".repeat(MAX_MESSAGE - 3);
        near.send(&message, &[]).unwrap();
        assert_eq!(far.receive().unwrap().unwrap().0, message);
    }

    #[test]
    fn bytes_of_another_protocol_are_an_error() {
        let (near, far) = End::pair().unwrap();
        let mut near: End = near;
        rustix::net::send(&far, b"\xff\xff\xff", SendFlags::empty()).unwrap();
        assert!(matches!(near.receive().unwrap_err(), ChannelError::Malformed(_)));
    }
}
