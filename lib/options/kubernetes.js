'use strict';

const kinds = require('./value-kinds');
const { invalid, wrong } = require('../errors');
const { checkNames, isRecord } = require('./unknown-names');

const { listOf, mapOf, millis, orNull, text, words } = kinds;

const DAY = 24 * 60 * 60 * 1000;

/** The name of an object of the cluster (RFC 1123, subdomain). */
const objectName = text(
  /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/,
  'the name of an object of the cluster: small letters, digits, - and .',
);

const labelText = text(/^[^\0]*$/, 'text without NUL');

const nodeSelector = mapOf(
  (name, path) => {
    if (name === '') throw wrong(`${path}'s name`, 'the label of a node', name);
  },
  labelText,
  "an object of nodes' labels such as { pool: 'sandboxes' }",
);

/** The fields of a toleration, as the API has them. */
const TOLERATION = {
  key: labelText,
  operator: kinds.oneOf('Exists', 'Equal'),
  value: labelText,
  effect: kinds.oneOf('NoSchedule', 'PreferNoSchedule', 'NoExecute'),
  tolerationSeconds: kinds.whole(0, Number.MAX_SAFE_INTEGER, { unit: 'seconds' }),
};

const toleration = {
  read(value, path) {
    checkNames(value, path, Object.keys(TOLERATION));
    const given = Object.keys(value).filter((name) => value[name] !== undefined);
    return Object.fromEntries(
      given.map((name) => [name, TOLERATION[name].read(value[name], `${path}.${name}`)]),
    );
  },
};

/** Each field, with its value where it isn't given. */
const FIELDS = {
  kubeconfig: { kind: orNull(words), default: null },
  context: { kind: orNull(words), default: null },
  namespace: { kind: orNull(objectName), default: null },
  nodeSelector: { kind: nodeSelector, default: {} },
  tolerations: { kind: listOf(toleration, 'an array of tolerations'), default: [] },
  priorityClassName: { kind: orNull(objectName), default: null },
  runtimeClassName: { kind: orNull(objectName), default: null },
  imagePullSecrets: { kind: listOf(objectName, 'an array of names of secrets'), default: [] },
  serviceAccount: { kind: orNull(objectName), default: null },
  seccompProfile: {
    kind: orNull(
      text(
        /^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$))[^\0]+$/,
        "a file below the nodes' folder of seccomp profiles",
      ),
    ),
    default: null,
  },
  activeDeadline: { kind: millis({ none: false }), default: DAY },
};

/** What a pod can have that would let a script out of it, or others in. */
const OPENINGS =
  'automountServiceAccountToken capabilities containers dnsPolicy ephemeralContainers hostAliases hostIPC hostNetwork hostPID hostUsers initContainers privileged procMount securityContext shareProcessNamespace volumes volumeMounts'.split(
    ' ',
  );

/** The option of a pool: which cluster, and the fields of a pod that a pool may set. */
const kubernetes = {
  read(value, path) {
    for (const name of isRecord(value) ? Object.keys(value) : []) {
      if (OPENINGS.includes(name)) {
        throw invalid(
          `${path}.${name} is not for a pool to set: pods are as closed as it makes them`,
        );
      }
    }
    checkNames(value, path, Object.keys(FIELDS));
    return Object.fromEntries(
      Object.entries(FIELDS).map(([name, { kind, default: standard }]) => [
        name,
        value[name] === undefined ? standard : kind.read(value[name], `${path}.${name}`),
      ]),
    );
  },
};

/** As `src/config.rs` has it. */
function encodeKubernetes({ activeDeadline, ...others }) {
  return { ...others, activeDeadlineMs: activeDeadline };
}

/** What is asked for where nothing is. */
const ANY_CLUSTER = kubernetes.read({}, 'kubernetes');

module.exports = { ANY_CLUSTER, encodeKubernetes, kubernetes };
