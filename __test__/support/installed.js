'use strict';

const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify, stripVTControlCharacters } = require('node:util');

const ROOT = path.join(__dirname, '../..');

const execute = promisify(execFile);

/** Runs a program of npm's, offline. */
async function npm(args, cwd) {
  const quiet = [
    '--offline',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
  ];
  const { stdout } = await execute('npm', [...args, ...quiet], { cwd });
  return stdout;
}

/**
 * The tarball of a package, put into a folder: of this one, as it would be published, with its binary.
 * `files` are those in it with their modes, `paths` their paths.
 */
async function pack(folder, from = ROOT) {
  const [packed] = JSON.parse(await npm(['pack', '--json', '--pack-destination', folder], from));
  const { filename, files } = packed;
  return { file: path.join(folder, filename), files, paths: files.map(({ path }) => path) };
}

/** How package managers install tarballs into a project, offline. */
const INSTALL = {
  npm: (project, tarballs) => npm(['install', ...tarballs], project.path('.')),
  pnpm: (project, tarballs) => project.manager('pnpm', ['add', '--offline', ...tarballs]),
  yarn: (project, tarballs) => {
    // Without it, Yarn looks for the project in the folders above.
    project.write('yarn.lock', '');
    const files = tarballs.map((file) => `${nameOf(file)}@file:${file}`);
    return project.manager('yarn', ['add', ...files]);
  },
};

/** The development dependencies that bring them. */
const MANAGERS = { pnpm: 'pnpm', yarn: '@yarnpkg/cli-dist' };

/** A package's name, from that of its tarball. */
const nameOf = (file) => path.basename(file).replace(/-\d+\.\d+\.\d+\.tgz$/, '');

/** An empty project with tarballs installed, in a folder of its own. */
class Project {
  #folder;

  static async with(tarballs, { by = 'npm' } = {}) {
    const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'installed-')));
    const project = new Project(folder);
    // Yarn has its loader for ES modules where the project says that it has some.
    project.write('package.json', '{ "private": true, "type": "module" }');
    await INSTALL[by](project, tarballs);
    return project;
  }

  constructor(folder) {
    this.#folder = folder;
  }

  /** A file of it. */
  path(name) {
    return path.join(this.#folder, name);
  }

  write(name, text) {
    fs.writeFileSync(this.path(name), text);
  }

  /** Runs Node in it; gives its output, without colours, and how it ended. */
  async node(args, env = {}) {
    // jest's own wish for colours is not the tools'.
    const { FORCE_COLOR, NODE_PATH, ...inherited } = process.env;
    const options = { cwd: this.#folder, env: { ...inherited, ...env } };
    const ended = await execute(process.execPath, args, options).catch((error) => error);
    const { code = 0, stdout, stderr } = ended;
    const [out, err] = [stdout, stderr].map(stripVTControlCharacters);
    return { code, stdout: out, stderr: err };
  }

  /** Runs the program of one of this package's development dependencies in it. */
  tool(name, args, env) {
    const home = path.join(ROOT, 'node_modules', name);
    const { bin } = JSON.parse(fs.readFileSync(path.join(home, 'package.json'), 'utf8'));
    const program = typeof bin === 'string' ? bin : Object.values(bin)[0];
    return this.node([path.join(home, program), ...args], env);
  }

  /** Runs pnpm or Yarn in it, with what they keep for all projects in it, too. */
  async manager(name, args) {
    const home = this.path('home');
    const ended = await this.tool(MANAGERS[name], args, {
      ...{ HOME: home, USERPROFILE: home, LOCALAPPDATA: home, PNPM_HOME: undefined },
      ...{ XDG_DATA_HOME: undefined, XDG_CACHE_HOME: undefined, XDG_STATE_HOME: undefined },
      ...{ YARN_ENABLE_NETWORK: '0', YARN_ENABLE_TELEMETRY: '0' },
    });
    if (ended.code !== 0)
      throw new Error(`${name} ${args.join(' ')}: ${ended.stdout}${ended.stderr}`);
    return ended;
  }

  remove() {
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }
}

module.exports = { Project, ROOT, execute, pack };
