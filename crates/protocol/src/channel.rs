//! Messages over a socket, with descriptors.

use std::{
    fmt,
    fs::File,
    io,
    io::{IoSlice, IoSliceMut, Read, Seek, Write},
    marker::PhantomData,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use rustix::{
    fs::{memfd_create, MemfdFlags},
    io::Errno,
    net::{
        recvmsg, sendmsg, socketpair, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage,
        RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
        SocketType,
    },
};
use serde::{de::DeserializeOwned, Serialize};

/// The longest message; bytes. Beyond what the kernel takes for a command line.
pub const MAX_MESSAGE: usize = 64 << 20;
/// Bytes that go through the socket themselves. Well below what it takes by default
/// (`net.core.wmem_default`, 208 KiB). What is longer goes as a file in memory.
const MAX_PACKET: usize = 128 * 1024;
/// The most descriptors in one message.
const MAX_DESCRIPTORS: usize = 5;
/// Of a packet: the rest is the message.
const WHOLE: u8 = 0;
/// Of a packet: its last descriptor holds the message.
const APART: u8 = 1;

type Space = [MaybeUninit<u8>; rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS + 1))];

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
    /// [`io::ErrorKind::WouldBlock`] among them, on a socket that does not block; and what there is too
    /// little of here.
    Io(io::Error),
    /// The other end is gone.
    Ended,
    /// This process has no descriptor left for a message that came as one. The next one may arrive.
    Lost,
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
        Self { socket, buffer: vec![0; MAX_PACKET + 1], types: PhantomData }
    }

    /// Sends one message. It is sent whole or not at all.
    ///
    /// # Errors
    /// See [`ChannelError`].
    pub fn send(&self, message: &S, descriptors: &[BorrowedFd<'_>]) -> Result<(), ChannelError> {
        let bytes = postcard::to_allocvec(message)
            .map_err(|error| ChannelError::Malformed(error.to_string()))?;
        if bytes.len() > MAX_MESSAGE {
            return Err(ChannelError::TooLong(bytes.len()));
        }
        if descriptors.len() > MAX_DESCRIPTORS {
            return Err(ChannelError::Malformed(format!("{} descriptors", descriptors.len())));
        }
        let apart = (bytes.len() > MAX_PACKET).then(|| file_of(&bytes)).transpose();
        let apart = apart.map_err(ChannelError::Io)?;
        let descriptors: Vec<_> =
            descriptors.iter().copied().chain(apart.as_ref().map(AsFd::as_fd)).collect();
        let mut space: Space = [MaybeUninit::uninit(); size_of::<Space>()];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        let (kind, bytes) = if apart.is_some() { (APART, &[][..]) } else { (WHOLE, &*bytes) };
        let packet = [IoSlice::new(std::slice::from_ref(&kind)), IoSlice::new(bytes)];
        match sendmsg(&self.socket, &packet, &mut ancillary, SendFlags::NOSIGNAL) {
            Ok(_) => Ok(()),
            Err(Errno::PIPE | Errno::CONNRESET) => Err(ChannelError::Ended),
            Err(errno) => Err(ChannelError::Io(errno.into())),
        }
    }

    /// Receives one message; `None`: the other end is gone. Descriptors that this process has no room for
    /// are missing at their end.
    ///
    /// # Errors
    /// See [`ChannelError`].
    pub fn receive(&mut self) -> Result<Option<(R, Vec<OwnedFd>)>, ChannelError> {
        let mut space: Space = [MaybeUninit::uninit(); size_of::<Space>()];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut self.buffer)];
        let got = recvmsg(&self.socket, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
            .map_err(|errno| ChannelError::Io(errno.into()))?;
        let mut descriptors: Vec<OwnedFd> = ancillary
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
        if got.flags.contains(ReturnFlags::TRUNC) {
            return Err(ChannelError::Malformed("a message was cut off".to_owned()));
        }
        let apart;
        let bytes = match (&self.buffer[..got.bytes], self.buffer[0]) {
            ([_, bytes @ ..], WHOLE) => bytes,
            ([_], APART) => {
                let file = descriptors.pop().filter(|_| !got.flags.contains(ReturnFlags::CTRUNC));
                apart = bytes_of(file.ok_or(ChannelError::Lost)?).map_err(ChannelError::Io)?;
                &apart
            }
            _ => return Err(ChannelError::Malformed("neither whole nor apart".to_owned())),
        };
        let message = postcard::from_bytes(bytes)
            .map_err(|error| ChannelError::Malformed(error.to_string()))?;
        Ok(Some((message, descriptors)))
    }
}

/// A file in memory, at its beginning.
fn file_of(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("message", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

fn bytes_of(file: OwnedFd) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::from(file).take(MAX_MESSAGE as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
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
            Self::Ended => f.write_str("the other end is gone"),
            Self::Lost => f.write_str("a message was lost: this process has no descriptor left"),
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
    fn messages_of_any_length_up_to_the_longest_arrive_with_their_descriptors() {
        let (near, mut far) = pair();
        // The length itself takes three bytes, or four.
        for length in [0, MAX_PACKET - 3, MAX_PACKET - 2, MAX_MESSAGE - 4] {
            let message = "x".repeat(length);
            near.send(&message, &[far.as_fd(); MAX_DESCRIPTORS]).unwrap();
            let (received, descriptors) = far.receive().unwrap().unwrap();
            assert!(received == message, "{length}");
            assert_eq!(descriptors.len(), MAX_DESCRIPTORS, "{length}");
        }
    }

    #[test]
    fn bytes_of_another_protocol_are_an_error() {
        let (near, far) = End::pair().unwrap();
        let mut near: End = near;
        for bytes in [&b"\xff\xff\xff"[..], &[WHOLE, 0xff, 0xff], &[WHOLE], &[APART, 0]] {
            rustix::net::send(&far, bytes, SendFlags::empty()).unwrap();
            assert!(matches!(near.receive().unwrap_err(), ChannelError::Malformed(_)));
        }
    }
}
