'use strict';

const { createReadStream } = require('node:fs');
const {
  lstat,
  mkdir,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} = require('node:fs/promises');
const path = require('node:path');

const { PoolError, checkPath, hiddenName, invalid } = require('../lib');

/** Does some work with files here; what the file system refuses is told as a fault of that option. */
async function onBehalfOf(option, work) {
  try {
    return await work();
  } catch (error) {
    if (error.syscall === undefined) throw error;
    throw invalid(`${option}: ${error.message}`);
  }
}

// ---- --file LOCAL[:PATH] ----

/** The PATH that puts a folder's files right into the working directory. */
const HERE = '.';

/** The two at the last colon; on Windows the one behind the letter of a drive is none. */
function splitFile(given) {
  const at = given.lastIndexOf(':');
  const isDrive = path.sep === '\\' && at === 1;
  if (at < 0 || isDrive) return { local: given, target: path.basename(path.resolve(given)) };
  return { local: given.slice(0, at), target: given.slice(at + 1) };
}

/** The regular files below a folder, as paths from it. Links are not followed: they may lead anywhere. */
async function* filesBelow(folder, prefix = '') {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const name = `${prefix}${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(path.join(folder, entry.name), `${name}/`);
    else if (entry.isFile()) yield name;
  }
}

/** A file's bytes. It is opened when they are asked for: a folder may have more files than can be open. */
async function* contents(file, option) {
  try {
    yield* createReadStream(file);
  } catch (error) {
    throw invalid(`${option}: ${error.message}`);
  }
}

/**
 * What each `--file` names, as `run` takes files. One that can be executed here can be there.
 *
 * @param {string[]} given
 */
async function localFiles(given) {
  const files = Object.create(null);
  for (const entry of given) {
    const option = `--file ${entry}`;
    const { local, target } = splitFile(entry);
    const add = async (file, name) => {
      checkPath(name, `the PATH of ${option}`);
      if (name in files) throw invalid(`${option}: another --file is to be ${name} already`);
      const { mode } = await stat(file);
      files[name] = { data: contents(file, option), mode: mode & 0o111 ? 0o755 : 0o644 };
    };
    await onBehalfOf(option, async () => {
      const there = await stat(local);
      if (!there.isDirectory()) {
        if (!there.isFile()) throw invalid(`${option}: it is neither a file nor a folder`);
        await add(local, target);
        return;
      }
      for await (const name of filesBelow(local)) {
        await add(path.join(local, name), target === HERE ? name : `${target}/${name}`);
      }
    });
  }
  return files;
}

// ---- --out DIR ----

/** What Windows takes for a drive, a stream, a device or another name, and no file of that name. */
const NOT_ON_WINDOWS =
  /[<>:"\\|?*]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)\s*(\.|$)/i;

/** The names in a collected file's path. The script chose them: each must be one file's name here. */
function namesOf(file, option, platform = process.platform) {
  const names = file.split('/');
  const fits = (name) =>
    !['', '.', '..'].includes(name) && !(platform === 'win32' && NOT_ON_WINDOWS.test(name));
  const wrong = names.find((name) => !fits(name));
  if (wrong === undefined) return names;
  throw invalid(`${option}: ${file} can't be written here, for the name '${wrong}' in it`);
}

/** Where collected files go. */
class Out {
  #option;
  #folder;

  /** Makes the folder, so that one that can't be had is known before anything runs. */
  static async open(given) {
    const out = new Out();
    out.#option = `--out ${given}`;
    await onBehalfOf(out.#option, async () => {
      await mkdir(given, { recursive: true });
      out.#folder = await realpath(given);
    });
    return out;
  }

  /**
   * Writes files below it, each complete or not at all, in the place of what has its name. Gives what it
   * wrote (`files`: `{ path, bytes }`), and why not the others (`unwritten`, as in a result's `fileErrors`).
   *
   * @param {Record<string, Buffer>} found
   */
  async write(found) {
    const files = [];
    const unwritten = [];
    for (const file of Object.keys(found).sort()) {
      try {
        const names = namesOf(file, this.#option);
        await onBehalfOf(this.#option, () => this.#put(names, found[file]));
        files.push({ path: file, bytes: found[file].length });
      } catch (error) {
        if (!(error instanceof PoolError)) throw error;
        const { code, message } = error;
        unwritten.push({ path: file, code, errno: null, message });
      }
    }
    return { files, unwritten };
  }

  async #put(names, data) {
    let folder = this.#folder;
    for (const name of names.slice(0, -1)) {
      folder = path.join(folder, name);
      await mkdir(folder, { recursive: true });
      if (!(await lstat(folder)).isDirectory()) {
        throw invalid(`${this.#option}: ${folder} is a link, and is not followed`);
      }
    }
    const temporary = path.join(folder, hiddenName());
    try {
      await writeFile(temporary, data, { flag: 'wx' });
      // Takes a link's place, too, instead of writing to where it leads.
      await rename(temporary, path.join(folder, names.at(-1)));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }
}

module.exports = { Out, localFiles, namesOf };
