//! The system calls a container may make, and why: the source of the profile.
//!
//! What is allowed is what moby's default profile has allowed in every release from 19.03 to today, less
//! what a script has no need of; so it is never weaker than the engine's own, of whatever age that is.
//! (github.com/moby/profiles, `seccomp/default_linux.go`, at cd3bed8 of 2026-06, and its history back
//! to 1dd9ae5 of 2019-03.) Everything that is not named here is refused with `EPERM`. A name that the
//! engine's libseccomp does not know is passed over by it, which leaves that call refused.

/// Calls that are allowed whatever their arguments, by what they are for.
pub(super) const ALLOWED: &[&str] = &[
    // Files: opening, reading, writing, moving, their names and attributes.
    "access chdir chmod chown chown32 close copy_file_range creat dup dup2 dup3 faccessat \
     fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchown fchown32 fchownat fcntl \
     fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 \
     fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr \
     ioctl lchown lchown32 lgetxattr link linkat listxattr llistxattr _llseek lremovexattr lseek \
     lsetxattr lstat lstat64 memfd_create mkdir mkdirat mknod mknodat newfstatat open openat \
     pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv \
     removexattr rename renameat renameat2 rmdir sendfile sendfile64 setxattr splice stat stat64 \
     statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs tee truncate truncate64 \
     umask unlink unlinkat utime utimensat utimes vmsplice write writev",
    // Waiting for files and events, and the older asynchronous I/O.
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_wait epoll_wait_old \
     eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch \
     io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit _newselect pipe pipe2 \
     poll ppoll pselect6 select signalfd signalfd4 timerfd_create timerfd_gettime timerfd_settime",
    // Memory.
    "brk madvise mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap msync munlock \
     munlockall munmap remap_file_pages",
    // Processes and threads: starting, ending, scheduling. `clone` and what reaches into other processes
    // have rules of their own below.
    "execve execveat exit exit_group fork futex getcpu getpgid getpgrp getpid getppid getpriority \
     get_robust_list getrlimit getrusage getsid get_thread_area gettid ioprio_get ioprio_set \
     prctl restart_syscall sched_getaffinity sched_getattr sched_getparam \
     sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval \
     sched_yield seccomp setpgid setrlimit set_robust_list setsid set_thread_area set_tid_address times \
     ugetrlimit vfork wait4 waitid waitpid",
    // Signals.
    "kill pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn \
     rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack sigreturn tgkill tkill",
    // Users and capabilities. What may be set is for capabilities to say.
    "capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 \
     getresgid getresgid32 getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid \
     setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32 \
     setresuid setresuid32 setreuid setreuid32 setuid setuid32",
    // Sockets that are there already. `socket` has rules of its own below.
    "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg \
     recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketpair",
    // Between processes: System V and POSIX queues, semaphores, shared memory.
    "ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget \
     msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget",
    // Time. `adjtimex` without a capability only reads.
    "adjtimex alarm clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep \
     setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_settime",
    // The system: its name, its load, random numbers.
    "getrandom sysinfo uname",
];

/// Calls that are refused as if the kernel did not have them (`ENOSYS`): C libraries and programs then
/// take an older way, where `EPERM` would make them fail.
pub(super) const ABSENT: &[&str] = &[
    // Its flags are in memory, where a filter can't see them: a way around the rules for `clone`.
    "clone3",
    // On s390x, and in 32-bit programs: all socket calls in one, whose arguments are in memory too.
    // libseccomp adds one that opens sockets of any family to each rule for `socket`, unless this one
    // takes its place (moby/profiles 7158007).
    "socketcall",
    // Whole families of kernel code that no script needs. Moby 20.10 allows them; 25 does not.
    "io_uring_enter io_uring_register io_uring_setup",
    // Newer than the oldest engine's profile. Each has an older way that is allowed.
    "cachestat clock_adjtime clock_adjtime64 close_range epoll_pwait2 faccessat2 fchmodat2 \
     futex_requeue futex_wait futex_waitv futex_wake getxattrat landlock_add_rule \
     landlock_create_ruleset landlock_restrict_self listmount listxattrat map_shadow_stack \
     membarrier memfd_secret mseal name_to_handle_at openat2 pidfd_open pidfd_send_signal \
     pkey_alloc pkey_free pkey_mprotect process_mrelease removexattrat riscv_hwprobe rseq \
     setxattrat sigprocmask statmount uretprobe",
    // The same on 32-bit processors: times beyond the year 2038.
    "clock_getres_time64 clock_gettime64 clock_nanosleep_time64 futex_time64 io_pgetevents_time64 \
     mq_timedreceive_time64 mq_timedsend_time64 ppoll_time64 pselect6_time64 recvmmsg_time64 \
     rt_sigtimedwait_time64 sched_rr_get_interval_time64 semtimedop_time64 timer_gettime64 \
     timer_settime64 timerfd_gettime64 timerfd_settime64 utimensat_time64",
];

/// Calls the engine's profile allows, and this one refuses. Nothing is made of this list but a test and
/// the documentation: to be refused it is enough not to be named above.
#[cfg(test)]
pub(super) const WITHHELD: &[&str] = &[
    // Another process's memory and registers. A supervisor runs as the same user.
    "ptrace process_vm_readv process_vm_writev",
];

/// Address families a script may open a socket of, with the protocol where one alone is meant.
pub(super) const SOCKETS: &[(Family, Option<u64>)] = &[
    (Family::UNIX, None),
    (Family::INET, None),
    (Family::INET6, None),
    // What the C library asks for the interfaces there are (NETLINK_ROUTE).
    (Family::NETLINK, Some(0)),
];

/// An address family (`linux/socket.h`). All others are refused, AF_ALG and AF_VSOCK among them: they
/// are reached through kernel modules that hardly anybody uses, and nobody in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family(pub u64);

impl Family {
    pub(super) const UNIX: Self = Self(1);
    pub(super) const INET: Self = Self(2);
    pub(super) const INET6: Self = Self(10);
    pub(super) const NETLINK: Self = Self(16);
    pub(super) const PACKET: Self = Self(17);
}

/// Calls that change what another process may have: its limits, its processors, its turn. Their first
/// argument is its id, and that of the first process, which tells how the scripts end, is refused.
pub(super) const LEVERS: &str =
    "prlimit64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler";

/// What `setpriority` may be for, by its first argument: a process (0) or a group of them (1), and not all
/// of the user's (2), of whom the first process is one. Its second is the id, as above.
pub(super) const PROCESS_OR_GROUP: u64 = 1;

/// A process id has no more bits (`PID_MAX_LIMIT`).
pub(super) const PID_BITS: u32 = 22;

/// Flags of `clone` that make a namespace: `CLONE_NEWCGROUP`, `NEWUTS`, `NEWIPC`, `NEWUSER`, `NEWPID`,
/// `NEWNET` and `NEWNS`. None may be given.
pub(super) const NEW_NAMESPACES: u64 = 0x7e02_0000;

/// Personalities that may be set, as in the engine's profile: Linux, Linux with the addresses of 32-bit
/// programs, with `UNAME26`, with both, and the question which one it is.
pub(super) const PERSONALITIES: &[u64] = &[0, 0x0008, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// What single processors have beside the rest, by the engine's name of the processor.
pub(super) const BY_PROCESSOR: &[(&[&str], &str)] = &[
    (&["ppc64le"], "sync_file_range2 swapcontext"),
    (
        &["arm", "arm64"],
        "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    ),
    (&["amd64", "x32"], "arch_prctl"),
    (&["amd64", "x32", "x86"], "modify_ldt"),
    (&["s390", "s390x"], "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"),
    (&["riscv64"], "riscv_flush_icache"),
];

/// What a capability opens, where the pool's owner grants it (`capAdd`); as in the engine's profile,
/// less what was added to it since 19.03.
pub(super) const BY_CAPABILITY: &[(&str, &str)] = &[
    ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    (
        "CAP_SYS_ADMIN",
        "bpf clone fanotify_init lookup_dcookie mount perf_event_open quotactl setdomainname \
         sethostname setns syslog umount umount2 unshare",
    ),
    ("CAP_SYS_BOOT", "reboot"),
    ("CAP_SYS_CHROOT", "chroot"),
    ("CAP_SYS_MODULE", "delete_module init_module finit_module"),
    ("CAP_SYS_PACCT", "acct"),
    ("CAP_SYS_PTRACE", "kcmp process_vm_readv process_vm_writev ptrace"),
    ("CAP_SYS_RAWIO", "iopl ioperm"),
    ("CAP_SYS_TIME", "settimeofday stime clock_settime"),
    ("CAP_SYS_TTY_CONFIG", "vhangup"),
    ("CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy"),
    ("CAP_SYSLOG", "syslog"),
];

/// The processors there is a filter for, by the names of libseccomp, each with its own calls alone. A filter
/// for those of its 32-bit programs too, as the engine has it, takes a tenth longer to set up, and opens a
/// second way into the kernel, by which several faults were reached (CVE-2021-22555 among them). Such
/// programs end with SIGSYS.
pub(super) const ARCHITECTURES: &[&str] = &[
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_LOONGARCH64",
];
