'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { setTimeout } = require('node:timers/promises');

const { PoolError, loadNative, resolveOptions } = require('../lib');
const { containerOptions, withEngine } = require('./engine');
const { paint } = require('./paint');
const { printable, printableJson } = require('./printable');

const MiB = 1024 ** 2;

function fault([extra]) {
  return extra === undefined ? undefined : `doctor takes no ${extra}`;
}

/** The findings, in order: `{ name, state, detail, fix }`, `state` being `ok`, `warning` or `failure`. */
class Findings {
  all = [];
  #onEach;

  constructor(onEach) {
    this.#onEach = onEach;
  }

  add(name, state, detail, fix) {
    const finding = { name, state, detail, ...(state === 'ok' || !fix ? {} : { fix }) };
    this.all.push(finding);
    this.#onEach(finding);
  }

  /** A finding that is `state` unless it holds. */
  check(name, holds, [good, bad], fix, state = 'failure') {
    this.add(name, holds ? 'ok' : state, holds ? good : bad, fix);
  }

  get failed() {
    return this.all.some(({ state }) => state === 'failure');
  }
}

/** The limits of a container of the local engine, which shows no control groups: what it says that it keeps. */
function keptLimits({ unhonoured }, settings) {
  const kept = (name, limit) =>
    unhonoured.some((missing) => missing.name === name) ? null : limit;
  return {
    memory: kept('memory', settings.memory),
    pids: kept('pids', finite(settings.pidsLimit)),
    cpu: kept('cpu', finite(settings.cpuQuota / settings.cpuPeriod)),
  };
}

const finite = (limit) => (limit === Infinity ? null : limit);

/** What a pod says of its bounds says nothing of those that are its cluster's to keep: that is told beforehand. */
function clusterBounds(findings, { unhonoured }, probe, settings) {
  const missing = (name) => unhonoured.find((one) => one.name === name);
  const fix = 'docs/kubernetes.md says how';
  for (const { name, detail } of unhonoured) findings.add(name, 'warning', detail, fix);
  if (missing('network') === undefined && settings.network === 'none') {
    findings.add('network', 'ok', 'closed by a NetworkPolicy, where the cluster enforces them');
  }
  return { pids: missing('pids') === undefined ? probe.pids : undefined, interfaces: null };
}

/** What a container says of its bounds, held against what it should say. */
function judge(findings, probe, settings) {
  findings.check(
    'user',
    probe.uid !== 0 || settings.user === null,
    [`scripts run as ${probe.uid}`, 'scripts run as root'],
    "leave the option user at its default, '65534:65534'; under userns-remap root in a container is none on the host",
  );
  findings.check(
    'capabilities',
    probe.capabilities === 0,
    ['none', `0x${probe.capabilities.toString(16)}`],
    'leave hardening and capAdd at their defaults',
    'warning',
  );
  findings.check(
    'no new privileges',
    probe.noNewPrivileges === settings.noNewPrivileges,
    ['set', 'not set by the engine'],
    'use an engine that honours the security option no-new-privileges',
  );
  findings.check(
    'seccomp',
    probe.seccomp,
    ['a filter is in force', 'no filter is in force: scripts can make every system call'],
    'use an engine and a kernel with seccomp (docker info shows it), without --seccomp-profile=unconfined',
  );
  findings.check(
    'read-only root',
    probe.readonlyRootfs === settings.readonlyRootfs,
    ['as configured', "not as configured: scripts can change the image's files"],
    'use an engine that honours ReadonlyRootfs',
  );
  if (settings.network === 'none' && probe.interfaces !== null) {
    findings.check(
      'network',
      probe.interfaces.length === 0,
      ['none', `interfaces ${probe.interfaces.join(', ')}`],
      'use an engine that honours the network mode none',
    );
  }
  const limit = (name, unit, wanted, got, fix) => {
    const none = wanted === Infinity;
    const say = (value) => (value === null ? 'no limit' : unit(value));
    findings.check(
      name,
      none ? got === null : got === wanted,
      [say(got), `${say(got)}, not ${none ? 'no limit' : unit(wanted)}`],
      fix,
    );
  };
  const cgroups =
    'give the engine the control group: rootless engines need cgroup v2 with delegation (docker info shows the warnings; docs/local.md)';
  limit('memory', (n) => `${Math.round(n / MiB)} MiB`, settings.memory, probe.memory, cgroups);
  if (probe.pids !== undefined)
    limit('processes', (n) => `${n}`, settings.pidsLimit, probe.pids, cgroups);
  const cores = settings.cpuQuota / settings.cpuPeriod;
  limit('cpu', (n) => `${n} cores`, cores, probe.cpu, cgroups);
}

/** Makes a container, runs the probe in it, and removes it. */
async function tryOut(findings, pool, engine, settings) {
  const began = performance.now();
  const container = await pool.acquire();
  const ms = Math.round(performance.now() - began);
  findings.add('container', 'ok', `made in ${ms} ms`);
  try {
    const probe = fs.readFileSync(path.join(__dirname, 'probe.py'), 'utf8');
    const {
      stdout,
      stderr,
      reason,
      exitCode,
      duration,
      path: way,
    } = await container.execute(probe);
    if (exitCode !== 0) {
      const said = stderr.split('\n').at(-1);
      const detail = `the script ended with ${exitCode} (${reason}): ${said}`;
      findings.add('call', 'failure', detail, 'use an image with python3, 3.8 or later');
      return;
    }
    const said = JSON.parse(stdout);
    findings.check(
      'call',
      way === 'warm',
      [
        `Python ${said.python}, ${duration} ms`,
        `Python ${said.python}, ${duration} ms, by the slow way`,
      ],
      "the image's python3 can't run the supervisor; use one with CPython 3.8 or later",
      'warning',
    );
    const limits =
      engine.kind === 'local'
        ? keptLimits(engine, settings)
        : engine.kind === 'kubernetes'
          ? clusterBounds(findings, engine, said, settings)
          : {};
    judge(findings, { ...said, ...limits }, settings);
  } finally {
    await container.destroy();
  }
  findings.add('removal', 'ok', 'confirmed by the engine');
}

/** Whether containers can be forked from a template: the first one has had it begun. */
async function tryTemplate(findings, pool) {
  for (;;) {
    const { template } = pool.stats();
    if (template === null) return;
    const { state, reason } = template;
    if (state === 'starting') {
      await setTimeout(20);
      continue;
    }
    const fix =
      'containers boot an interpreter of their own: slower, and else the same (docs/local.md)';
    const detail = state === 'ready' ? 'can be forked' : `none: ${reason}`;
    // Without one by an option is as it should be.
    findings.add('template', /^(ready|off)$/.test(state) ? 'ok' : 'warning', detail, fix);
    return;
  }
}

async function perform({ values, pool: given, io }) {
  const findings = new Findings((finding) => {
    if (!values.json) io.stdout.write(line(finding, paint(io)));
  });
  findings.check(
    'Node.js',
    Number(process.versions.node.split('.')[0]) >= 20,
    [process.version, `${process.version}, older than 20`],
    'use Node.js 20 or later',
  );
  let step = 'options';
  try {
    const settings = resolveOptions(given);
    step = 'native part';
    loadNative();
    findings.add(step, 'ok', `for ${process.platform} ${process.arch}`);
    step = 'engine';
    await withEngine(given, io, async ({ pool, engine, swept, failure }) => {
      const cores = `${engine.cpus} cores, ${Math.round(engine.memory / MiB)} MiB`;
      const what = `${engine.kind} ${engine.version} (API ${engine.apiVersion}) at ${engine.address}, ${cores}`;
      findings.add('engine', 'ok', what);
      if (engine.runtime !== null) {
        findings.add('runtime', 'ok', `${engine.runtime.path}: ${engine.runtime.version}`);
      }
      for (const warning of engine.warnings) {
        findings.add(
          'engine',
          'warning',
          warning,
          "see the engine's documentation of this warning",
        );
      }
      for (const { name, missing } of engine.fences) {
        const fix = 'docs/local.md says what each is for';
        findings.check(name, missing === null, ['there', `not there: ${missing}`], fix, 'warning');
      }
      if (swept.length > 0) {
        findings.add('orphans', 'ok', `${swept.length} of processes that are gone, removed`);
      }
      step = 'image';
      if (failure !== null) throw failure;
      findings.add('image', 'ok', settings.image);
      step = 'container';
      await tryOut(findings, pool, engine, settings);
      step = 'template';
      await tryTemplate(findings, pool);
    });
  } catch (error) {
    if (!(error instanceof PoolError)) throw error;
    // A message of this package says what to do next.
    findings.add(step, 'failure', `${error.code}: ${error.message}`);
  }
  if (values.json) {
    io.stdout.write(`${printableJson({ ok: !findings.failed, findings: findings.all })}\n`);
  }
  return findings.failed ? 1 : 0;
}

const MARKS = { ok: ['green', 'ok'], warning: ['yellow', 'warning'], failure: ['red', 'FAILED'] };

function line({ name, state, detail, fix }, colour) {
  const [shade, mark] = MARKS[state];
  const first = `${colour(shade, mark.padEnd(8))} ${name.padEnd(18)} ${printable(detail)}\n`;
  return fix === undefined ? first : `${first}${' '.repeat(28)}fix: ${fix}\n`;
}

module.exports = { fault, options: containerOptions, perform };
