'use strict';

// The rows of `npm run test:machines`: engines as Debian has them, on cgroup v2 with systemd.

/** Debian's packages that a machine has. */
const PACKAGES = [
  ...['docker.io', 'podman', 'crun', 'runc', 'runsc', 'rootlesskit', 'uidmap', 'slirp4netns'],
  ...[
    'fuse-overlayfs',
    'openssh-server',
    'iptables',
    'iproute2',
    'procps',
    'busybox-static',
    'openssl',
  ],
];

/** What says most of an engine in the least time. */
const SHORT = ['execute', 'limits', 'security'];
const engine = (names) => `__test__/engine/(${names.join('|')})\\.test\\.js$`;
const ABUSE = '__test__/abuse/abuse\\.test\\.js$';
const ABUSE_ON_LOCAL = '__test__/abuse/local\\.test\\.js$';

/** Runs what follows as the ordinary user, whose own systemd is there. */
const AS_USER =
  'runuser -u user -- env HOME=/home/user XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus';
const IN_SCOPE = 'systemd-run --user --scope --quiet --collect';

/** Starts the user's own systemd. */
const LINGER = 'loginctl enable-linger user; systemctl start user@1000.service';

/** A `dockerd` with these options beside those of the machine. */
const docker = (options) => `mkdir -p /etc/docker
echo '${JSON.stringify(options)}' >/etc/docker/daemon.json
systemctl restart docker`;

/** The filter of this package's, for Podman, which takes none over its API. */
const PODMAN_FILTER = `mkdir -p /etc/containers
printf '[containers]\\nseccomp_profile = "/checkout/docs/seccomp.json"\\n' >/etc/containers/containers.conf`;

const SOCKET = 'unix:///run/docker.sock';

/**
 * - `on`: the releases of Debian that it is run on;
 * - `host`: the engine's address; `null`: the local engine;
 * - `start`, `stop`: scripts of bash, as root;
 * - `as`: what the tests' command line begins with;
 * - `home`: where the one who runs them keeps files;
 * - `env`: variables of theirs;
 * - `tests`: patterns of their files.
 */
const ROWS = [
  {
    name: 'local, root',
    on: ['bookworm', 'trixie', 'sid'],
    // As a service of the machine's.
    as: 'systemd-run --quiet --collect --pipe --wait --property=Delegate=yes --setenv=HOME --setenv=SCIENTIST_POOL_TEST_ENGINE --setenv=DOCKER_HOST --setenv=SCIENTIST_POOL_TEST_LAUNCHER --setenv=SCIENTIST_POOL_TEST_PATIENCE --working-directory=/checkout',
    tests: [engine([...SHORT, 'session', 'spawn'])],
  },
  {
    name: 'local, root, abuse',
    on: ['bookworm'],
    tests: [ABUSE_ON_LOCAL],
  },
  {
    name: 'local, user with delegation',
    on: ['bookworm', 'trixie'],
    start: LINGER,
    as: `${AS_USER} ${IN_SCOPE} --property=Delegate=yes`,
    home: '/home/user',
    tests: [engine(SHORT)],
  },
  {
    name: 'local, user without delegation',
    on: ['bookworm', 'trixie'],
    as: 'runuser -u user -- env HOME=/home/user',
    home: '/home/user',
    tests: [engine(SHORT)],
  },
  {
    name: 'docker',
    on: ['bookworm', 'trixie', 'sid'],
    host: SOCKET,
    start: docker({}),
    tests: [engine(SHORT)],
  },
  {
    name: 'docker, files and abuse',
    on: ['trixie'],
    host: SOCKET,
    start: docker({}),
    tests: [engine(['files']), ABUSE],
  },
  {
    name: 'docker, userns-remap',
    on: ['trixie'],
    host: SOCKET,
    start: docker({ 'userns-remap': 'default' }),
    tests: [engine(SHORT)],
  },
  {
    name: 'docker, runsc',
    on: ['bookworm'],
    host: SOCKET,
    start: docker({ 'default-runtime': 'runsc', runtimes: { runsc: { path: '/usr/bin/runsc' } } }),
    tests: [engine(['execute', 'limits'])],
  },
  {
    name: 'podman, root',
    on: ['bookworm', 'trixie'],
    host: 'unix:///run/podman/podman.sock',
    start: `${PODMAN_FILTER}
systemctl restart podman.socket`,
    tests: [engine(SHORT)],
  },
  {
    name: 'podman, rootless',
    on: ['bookworm', 'trixie'],
    host: 'unix:///run/user/1000/podman/podman.sock',
    start: `${PODMAN_FILTER}
${LINGER}
${AS_USER} systemctl --user restart podman.socket`,
    tests: [engine(SHORT)],
  },
];

module.exports = { PACKAGES, ROWS };
