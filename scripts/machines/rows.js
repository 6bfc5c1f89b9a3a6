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
    // The engines' profiles.
    'apparmor',
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

/** As Ubuntu has it from 24.04 on. */
const RESTRICTION = 'kernel.apparmor_restrict_unprivileged_userns';
const PROFILE = '/etc/apparmor.d/scientist-pool-launcher';

const SOCKET = 'unix:///run/docker.sock';

/** One pair of keys, which both ends have. */
const KEYS = '/etc/docker/keys';
const PORT = 2376;
const MAKE_KEYS = `mkdir -p ${KEYS}
cd ${KEYS}
key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $key -days 2 -subj /CN=ca -keyout ca-key.pem -out ca.pem
openssl req $key -subj /CN=both -keyout key.pem -out both.csr
printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth\\n' >extensions
openssl x509 -req -days 2 -in both.csr -extfile extensions -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out cert.pem`;
const TLS = `-H tcp://127.0.0.1:${PORT} --tlsverify --tlscacert=${KEYS}/ca.pem --tlscert=${KEYS}/cert.pem --tlskey=${KEYS}/key.pem`;

const FORWARDED = '/run/forwarded.sock';
const FORWARD = `mkdir -p /root/.ssh
[ -e /root/.ssh/id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
systemctl start ssh
systemd-run --quiet --collect --unit=forward ssh -N -o StrictHostKeyChecking=accept-new \
  -L ${FORWARDED}:/run/docker.sock root@127.0.0.1`;

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
    name: 'local, user restricted by AppArmor',
    on: ['trixie'],
    // The profile of the docs is what lets it.
    start: `sysctl -q -w ${RESTRICTION}=1
runuser -u user -- unshare --user true && { echo 'nothing is restricted'; exit 1; }
sed -n '/^abi /,/^}/p' /checkout/docs/local.md >${PROFILE}
apparmor_parser -r ${PROFILE}`,
    stop: `apparmor_parser -R ${PROFILE}
rm ${PROFILE}
sysctl -q -w ${RESTRICTION}=0`,
    as: 'runuser -u user -- env HOME=/home/user',
    home: '/home/user',
    tests: [engine(['execute'])],
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
    name: 'docker, TCP with TLS',
    on: ['bookworm'],
    host: `tcp://127.0.0.1:${PORT}`,
    env: { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: KEYS },
    start: `${MAKE_KEYS}
echo 'DOCKER_OPTS="${TLS}"' >/etc/default/docker
${docker({})}`,
    stop: 'rm /etc/default/docker',
    tests: [engine(['execute'])],
  },
  {
    name: 'docker, forwarded by ssh',
    on: ['bookworm'],
    host: `unix://${FORWARDED}`,
    start: `${docker({})}
${FORWARD}`,
    stop: 'systemctl stop forward ssh',
    tests: [engine(['execute'])],
  },
  {
    name: 'docker, rootless',
    on: ['bookworm', 'trixie'],
    host: 'unix:///run/user/1000/docker.sock',
    start: `${LINGER}
${AS_USER} systemd-run --user --quiet --collect --unit=docker --property=Delegate=yes \
  --setenv=PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/share/docker.io/contrib/dockerd-rootless.sh`,
    stop: `${AS_USER} systemctl --user stop docker`,
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
