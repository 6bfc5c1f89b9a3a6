//! System calls that `rustix` has no function for. All of the program's `unsafe` is here.

use std::{
    ffi::{CStr, CString},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        raw::{c_char, c_int, c_long},
    },
    ptr,
};

use rustix::{
    io::{Errno, Result},
    process::{getpid, pidfd_open, Pid, PidfdFlags},
};

/// Which of the two processes this is.
pub enum Cloned {
    Child,
    Parent { pid: Pid, pidfd: OwnedFd },
}

/// Namespaces, as flags of `clone3`.
pub mod new {
    pub const USER: u64 = libc::CLONE_NEWUSER as u64;
    pub const PID: u64 = libc::CLONE_NEWPID as u64;
    pub const MOUNT: u64 = libc::CLONE_NEWNS as u64;
    pub const IPC: u64 = libc::CLONE_NEWIPC as u64;
    pub const UTS: u64 = libc::CLONE_NEWUTS as u64;
    pub const CGROUP: u64 = libc::CLONE_NEWCGROUP as u64;
    pub const NETWORK: u64 = libc::CLONE_NEWNET as u64;
}

/// Forks, into new namespaces and, on version 2, into a cgroup.
pub fn clone3(namespaces: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Cloned> {
    clone_with(namespaces, libc::SIGCHLD, cgroup)
}

/// Forks a child of this process's parent, into new namespaces.
pub fn clone_sibling(namespaces: u64) -> Result<Cloned> {
    // It tells its end with the signal that this process has.
    clone_with(namespaces | libc::CLONE_PARENT as u64, 0, None)
}

fn clone_with(flags: u64, signal: c_int, cgroup: Option<BorrowedFd<'_>>) -> Result<Cloned> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let mut pidfd: c_int = -1;
    // SAFETY: all of its fields are numbers, for which 0 is a value and the kernel's default.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | libc::CLONE_PIDFD as u64;
    args.pidfd = ptr::from_mut(&mut pidfd) as u64;
    args.exit_signal = signal as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM the child has a copy of everything, as after fork(2). The program has one
    // thread, so no lock of the C library's is held by another.
    let pid =
        unsafe { libc::syscall(libc::SYS_clone3, ptr::from_mut(&mut args), size_of_val(&args)) };
    match check(pid)? {
        0 => Ok(Cloned::Child),
        pid => {
            // SAFETY: the kernel has just opened it for us.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
            Ok(Cloned::Parent { pid, pidfd })
        }
    }
}

/// Has programs that are executed inherit the descriptors from `first` on.
pub fn leave_open_from(first: u32) {
    const ENOUGH: u32 = 1024;
    for descriptor in first..ENOUGH {
        // SAFETY: it sets a flag of a descriptor, if there is one.
        unsafe { libc::fcntl(descriptor as c_int, libc::F_SETFD, 0) };
    }
}

/// Forks. `None`: this is the child.
pub fn fork() -> Result<Option<Pid>> {
    // SAFETY: as for `clone3`.
    let pid = check(unsafe { libc::fork() }.into())?;
    Ok(i32::try_from(pid).ok().and_then(Pid::from_raw))
}

/// Begins a session. Its number is not looked at: gVisor has said 0.
pub fn begin_session() -> Result<()> {
    // SAFETY: it touches no memory.
    check(unsafe { libc::setsid() }.into())?;
    Ok(())
}

/// Forks into the pid namespace of another process and, on version 2, into a cgroup.
pub fn clone_beside(process: BorrowedFd<'_>, cgroup: Option<BorrowedFd<'_>>) -> Result<Cloned> {
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    // It counts for children alone.
    setns(process, new::PID)?;
    let cloned = clone3(0, cgroup);
    if !matches!(cloned, Ok(Cloned::Child)) && setns(own.as_fd(), new::PID).is_err() {
        // All further containers would be born in this one's.
        exit(1);
    }
    cloned
}

/// Moves this process into namespaces of another, or into one that is open.
pub fn setns(process: BorrowedFd<'_>, namespaces: u64) -> Result<()> {
    let flags = c_int::try_from(namespaces).map_err(|_| Errno::INVAL)?;
    // SAFETY: as for `unshare`.
    check(unsafe { libc::setns(process.as_raw_fd(), flags) }.into())?;
    Ok(())
}

/// Moves this process into new namespaces.
pub fn unshare(namespaces: u64) -> Result<()> {
    let flags = c_int::try_from(namespaces).map_err(|_| Errno::INVAL)?;
    // SAFETY: no namespace is left that memory or a descriptor of this process depends on.
    check(unsafe { libc::unshare(flags) }.into())?;
    Ok(())
}

/// Attributes of a mount (`linux/mount.h`).
pub mod attribute {
    pub const RDONLY: u64 = 0x1;
    pub const NOSUID: u64 = 0x2;
    pub const NODEV: u64 = 0x4;
    pub const NOEXEC: u64 = 0x8;
    pub const IDMAP: u64 = 0x10_0000;
}

/// Sets attributes of a mount and of all below it; with [`attribute::IDMAP`] by a user namespace's ids.
pub fn mount_setattr(
    mount: BorrowedFd<'_>,
    set: u64,
    user_namespace: Option<BorrowedFd<'_>>,
) -> Result<()> {
    #[repr(C)]
    struct MountAttr {
        set: u64,
        clear: u64,
        propagation: u64,
        user_namespace: u64,
    }
    let user_namespace = user_namespace.map_or(0, |fd| fd.as_raw_fd() as u64);
    let attr = MountAttr { set, clear: 0, propagation: 0, user_namespace };
    // SAFETY: `attr` is what the kernel calls `struct mount_attr`, and of the size that is told.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            ptr::from_ref(&attr),
            size_of_val(&attr),
        )
    })?;
    Ok(())
}

/// Has all descriptors from `first` on closed when a program is executed. An old kernel does not know it.
pub fn close_on_exec_from(first: u32) -> Result<()> {
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    // SAFETY: it sets a flag on descriptors, and takes no memory.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, CLOSE_RANGE_CLOEXEC) })?;
    Ok(())
}

/// Closes all descriptors from `first` on.
pub fn close_from(first: u32) -> Result<()> {
    // SAFETY: none of those is used any more.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    // An old kernel (before 5.9) does not know it, and a filter may not.
    check(closed).map(drop).or_else(|_| close_each_from(first))
}

/// By the list that the kernel has of them: their limit may have been lowered below some.
fn close_each_from(first: u32) -> Result<()> {
    let listed = std::fs::read_dir("/proc/self/fd");
    let listed = listed.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let numbers = listed.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let open: Vec<c_int> = numbers.collect();
    for descriptor in open {
        if u32::try_from(descriptor).is_ok_and(|number| number >= first) {
            // SAFETY: as for `close_from`. That of the list itself is closed already, which is refused.
            unsafe { libc::close(descriptor) };
        }
    }
    Ok(())
}

/// A descriptor that can be read when a child has ended.
pub fn ends_of_children() -> Result<OwnedFd> {
    // SAFETY: the set is made empty before it is used, and the descriptor is new.
    unsafe {
        let mut children: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut children);
        libc::sigaddset(&mut children, libc::SIGCHLD);
        check(libc::sigprocmask(libc::SIG_BLOCK, &children, ptr::null_mut()).into())?;
        let flags = libc::SFD_NONBLOCK | libc::SFD_CLOEXEC;
        let descriptor = libc::signalfd(-1, &children, flags);
        check(descriptor.into())?;
        Ok(OwnedFd::from_raw_fd(descriptor))
    }
}

/// Has writing where nobody reads, and beyond the largest file, be errors instead of signals.
pub fn ignore_signals_of_writing() {
    for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
        // SAFETY: no handler of ours is replaced.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Has this process look at files, and make them, as that user and group.
pub fn set_file_ids(uid: u32, gid: u32) {
    // SAFETY: they take no memory. Neither tells whether it was refused.
    unsafe {
        libc::setfsgid(gid);
        libc::setfsuid(uid);
    }
}

/// Undoes what Rust and whoever started us did to signals: none is blocked, none ignored.
pub fn default_signals() {
    // SAFETY: no handler of ours is replaced, as there is none; an empty set is a valid one.
    unsafe {
        for signal in 1..=libc::SIGRTMAX() {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
    }
}

/// Executes a program; returns only to say why not.
pub fn execute(program: &CStr, argv: &[CString], env: &[CString]) -> Errno {
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: both lists end with a null pointer, and outlive the call.
    let failed = unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    check(failed.into()).err().unwrap_or(Errno::IO)
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

/// Ends this process at once, without any destructor.
pub fn exit(code: i32) -> ! {
    // SAFETY: it touches no memory.
    unsafe { libc::_exit(code) }
}

/// Sets a compiled seccomp filter.
pub fn set_seccomp(filter: &[u8]) -> Result<()> {
    let instruction = size_of::<libc::sock_filter>();
    if filter.is_empty() || !filter.len().is_multiple_of(instruction) {
        return Err(Errno::INVAL);
    }
    // In memory of its own, aligned as the kernel wants it.
    let mut program: Vec<libc::sock_filter> = filter
        .chunks_exact(instruction)
        .map(|bytes| libc::sock_filter {
            code: u16::from_ne_bytes([bytes[0], bytes[1]]),
            jt: bytes[2],
            jf: bytes[3],
            k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        })
        .collect();
    let len = u16::try_from(program.len()).map_err(|_| Errno::INVAL)?;
    let program = libc::sock_fprog { len, filter: program.as_mut_ptr() };
    // SAFETY: it points to `len` instructions, which outlive the call.
    check(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, ptr::from_ref(&program))
    })?;
    Ok(())
}

/// Leaves the session's keyring, which namespaces do not divide, for a new one. Kernels and filters around this
/// process that know no keyrings have none to leave.
pub fn leave_keyring() {
    const JOIN_SESSION_KEYRING: c_long = 1;
    // SAFETY: without a name it takes no memory.
    unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, ptr::null::<c_char>()) };
}

/// Whether the kernel has seccomp filters that can refuse with an error number.
pub fn has_seccomp() -> Result<()> {
    let action = libc::SECCOMP_RET_ERRNO;
    // SAFETY: it reads one number.
    check(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, ptr::from_ref(&action))
    })?;
    Ok(())
}

/// The version of Landlock's interface; 0: the kernel has none, or has it switched off.
pub fn landlock_version() -> u32 {
    const LANDLOCK_CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: asked for its version, it takes no memory.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            ptr::null::<u8>(),
            0,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    };
    u32::try_from(version).unwrap_or(0)
}

/// Brings a network interface up.
pub fn interface_up(socket: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    // SAFETY: numbers and a name, for which zeroes are values.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.to_bytes()) {
        *to = *from as c_char;
    }
    // SAFETY: both calls take an `ifreq`, the first fills in the flags that the second sets.
    unsafe {
        let socket = socket.as_raw_fd();
        check(libc::ioctl(socket, libc::SIOCGIFFLAGS as _, ptr::from_mut(&mut request)).into())?;
        request.ifr_ifru.ifru_flags |= libc::IFF_UP as i16;
        check(libc::ioctl(socket, libc::SIOCSIFFLAGS as _, ptr::from_ref(&request)).into())?;
    }
    Ok(())
}

/// Makes `descriptor` a copy of `from` that outlives the execution of a program.
pub fn duplicate_onto(from: BorrowedFd<'_>, descriptor: i32) -> Result<()> {
    // SAFETY: nothing here owns `descriptor`.
    check(unsafe { libc::dup2(from.as_raw_fd(), descriptor) }.into())?;
    Ok(())
}

/// Has a descriptor have that number. What had it is closed.
pub fn duplicate_as(from: OwnedFd, descriptor: i32) -> Result<OwnedFd> {
    if from.as_raw_fd() == descriptor {
        return Ok(from);
    }
    // SAFETY: whoever has had that number is not asked for it again; from here on it is the caller's.
    unsafe {
        check(libc::dup3(from.as_raw_fd(), descriptor, libc::O_CLOEXEC).into())?;
        Ok(OwnedFd::from_raw_fd(descriptor))
    }
}

fn check(result: c_long) -> Result<c_long> {
    if result < 0 {
        let errno = std::io::Error::last_os_error();
        return Err(Errno::from_io_error(&errno).unwrap_or(Errno::IO));
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_call_for_a_range_descriptors_are_closed_whatever_their_limit() {
        // Beyond those of the other tests of this process.
        const HIGH: i32 = 700;
        let (reading, writing) = std::io::pipe().unwrap();
        let copy = duplicate_as(writing.into(), HIGH).unwrap();
        std::mem::forget(copy);
        close_each_from(HIGH as u32).unwrap();
        assert_eq!(std::io::read_to_string(reading).unwrap(), "", "nobody holds the other end");
    }
}
