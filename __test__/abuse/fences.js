'use strict';

// What stops each probe on the local engine: the table, and how to take its fences away.

const { capabilities } = require('./capabilities');

/** Those that a pool takes away by an option. */
const OPTIONS = {
  user: { user: '0:0' },
  capAdd: { capAdd: capabilities() },
  noNewPrivileges: { noNewPrivileges: false },
  readonlyRootfs: { readonlyRootfs: false },
  tmpfs: { tmpfs: { '/tmp': 'size=256m,suid,dev,mode=1777' } },
  shmSize: { shmSize: 64 << 20 },
  memory: { memory: '1g' },
  swap: { swap: Infinity },
  pidsLimit: { pidsLimit: Infinity },
  cpuQuota: { cpuQuota: Infinity },
  ulimits: {
    ulimits: {
      core: 1 << 30,
      fsize: 1 << 30,
      nofile: 4096,
    },
  },
};

/** Those that only a launcher made for it takes away: `crates/launcher/src/fences.rs`. */
const LAUNCHERS = [
  ...['userns', 'mountns', 'pidns', 'ipcns', 'utsns', 'netns', 'cgroupns'],
  ...['proc', 'devices', 'nosuid', 'shield', 'first-user', 'descriptors', 'seccomp', 'keyring'],
];

/** Root of a container, with capabilities: they count in its own namespaces alone. */
const ROOT = ['user', 'capAdd'];
/** Where root's capabilities are to count for the machine. */
const ROOT_OF_ALL = ['userns', ...ROOT];

/**
 * Which fences stand before a probe: with all of them down it gets through, and with any one of them up it does
 * not.
 */
const FENCES = {
  'files/control_groups': ['mountns', 'userns', 'user'],
  'files/devices': ['devices'],
  'files/engine_socket': ['mountns'],
  'files/fill_temporary_folder': ['tmpfs'],
  'files/host_mounts': ['mountns'],
  'files/kernel_settings': ['proc', 'userns', 'user'],
  'files/masked': ['proc'],
  'files/temporary_folder': ['tmpfs'],
  'files/writable_places': ['readonlyRootfs'],
  'files/write_to_image': ['readonlyRootfs'],
  'kernel/acct': ROOT_OF_ALL,
  'kernel/add_key': ['seccomp'],
  'kernel/bpf': ROOT_OF_ALL,
  'kernel/init_module': [...ROOT_OF_ALL, 'seccomp'],
  'kernel/io_uring': ['seccomp'],
  'kernel/iopl': [...ROOT_OF_ALL, 'seccomp'],
  'kernel/kexec_load': [...ROOT_OF_ALL, 'seccomp'],
  'kernel/keyctl': ['seccomp'],
  'kernel/open_by_handle_at': ROOT_OF_ALL,
  'kernel/perf_event_open': ROOT_OF_ALL,
  'kernel/personality': ['seccomp'],
  'kernel/process_memory': ['seccomp'],
  'kernel/ptrace': ['seccomp'],
  'kernel/reboot': ROOT,
  'kernel/set_clock': ROOT_OF_ALL,
  'kernel/swapon': [...ROOT_OF_ALL, 'seccomp'],
  'kernel/syslog': ROOT_OF_ALL,
  'kernel/userfaultfd': [...ROOT_OF_ALL, 'seccomp'],
  'leaks/environment_of_node': ['pidns', ...ROOT_OF_ALL],
  'leaks/host_file': ['mountns'],
  'leaks/host_name': ['utsns'],
  'leaks/other_container': ['pidns', 'userns'],
  'leaks/shared_segment': ['ipcns'],
  'limits/core_dump': ['ulimits'],
  'limits/file_size': ['ulimits'],
  'limits/memory': ['memory'],
  'limits/open_files': ['ulimits'],
  'limits/processes': ['pidsLimit'],
  'limits/processor': ['mountns', 'cgroupns', 'cpuQuota'],
  'limits/shared_memory': ['shmSize'],
  'limits/swap': ['mountns', 'cgroupns', 'swap'],
  'namespaces/clone3_user': ['seccomp'],
  'namespaces/clone_user': ['seccomp'],
  'namespaces/mount': ROOT,
  'namespaces/new_mount_calls': [...ROOT, 'seccomp'],
  'namespaces/pivot_root': [...ROOT, 'seccomp'],
  'namespaces/set_host_name': ROOT,
  'namespaces/setns': ROOT,
  'namespaces/unshare_host_name': ROOT,
  'namespaces/unshare_ipc': ROOT,
  'namespaces/unshare_mount': ROOT,
  'namespaces/unshare_network': ROOT,
  'namespaces/unshare_process': ROOT,
  'namespaces/unshare_user': ['seccomp'],
  'network/abstract_socket': ['netns'],
  'network/cloud_metadata': ['netns'],
  'network/dns': ['netns'],
  'network/host_loopback': ['netns'],
  'network/interfaces': ['netns'],
  'network/public': ['netns'],
  'network/routes': ['netns'],
  'privilege/become_root': ['user'],
  'privilege/capabilities': ['capAdd'],
  'privilege/change_owner': ROOT,
  'privilege/chroot': ROOT,
  'privilege/mknod': ROOT_OF_ALL,
  'privilege/nice': ROOT_OF_ALL,
  'privilege/no_new_privileges': ['noNewPrivileges'],
  'privilege/read_any_file': ['user'],
  'privilege/seccomp': ['seccomp'],
  'privilege/set_groups': ROOT,
  'privilege/setuid_program': ['noNewPrivileges', 'nosuid'],
  'protocol/first_process': ['shield', ...ROOT],
  'protocol/levers': ['seccomp', 'first-user'],
  'sockets/alg': ['seccomp'],
  'sockets/netlink': ['seccomp'],
  'sockets/other_families': ['seccomp'],
  'sockets/packet': ROOT,
  'sockets/raw': ROOT,
  'sockets/through_32_bit': ['seccomp'],
  'sockets/vsock': ['seccomp'],
  'local/kernel_log': [...ROOT_OF_ALL, 'tmpfs'],
  'local/control_group': ['cgroupns'],
  'local/descriptors': ['descriptors'],
  'local/first_namespaces': ['shield', ...ROOT],
  'local/first_root': ['shield', ...ROOT],
  'local/ids': ['userns'],
  'local/kernel_objects': ['mountns'],
  'local/keys': ['keyring', 'seccomp'],
  'local/launcher': ['pidns'],
  'local/launcher_memory': ['pidns', ...ROOT_OF_ALL],
  'local/launcher_program': ['shield', ...ROOT],
  'local/mount_control_groups': ROOT_OF_ALL,
  'local/mount_proc': ROOT,
  'local/remount': ROOT_OF_ALL,
  'local/signal_first': ['first-user'],
  'host/folders': ['mountns'],
};

/** What gets past first-user by another way as well, with these down. */
const OTHERWISE = {
  'local/signal_first': ROOT,
  'protocol/levers': [...ROOT, 'seccomp'],
};

/** What gets through where an ordinary user's Node.js makes the containers; `docs/security.md` says why. */
const OF_ORDINARY_USERS = [
  ...['limits/memory', 'limits/processes'],
  ...['local/ids', 'local/signal_first'],
];

/**
 * The probes for which an image of a store shows nothing: it has no setuid programs, and is under an overlay where
 * somebody may mount.
 */
const ON_HOST = ['privilege/setuid_program', 'local/remount', 'host/folders'];

/** The options of a pool with these fences down. */
const optionsWithout = (fences) =>
  Object.assign({}, ...fences.filter((fence) => fence in OPTIONS).map((fence) => OPTIONS[fence]));

/** The name of the folder that a launcher with these fences down lies in. */
const folderWithout = (fences) =>
  fences.filter((fence) => LAUNCHERS.includes(fence)).join('+') || 'all-up';

/** Whether a probe gets through with these fences down. */
const isOpen = (name, fences) =>
  [FENCES[name], OTHERWISE[name]].some((own) => own?.every((fence) => fences.includes(fence)));

module.exports = {
  FENCES,
  LAUNCHERS,
  OF_ORDINARY_USERS,
  ON_HOST,
  OPTIONS,
  folderWithout,
  isOpen,
  optionsWithout,
};
