'use strict';

const path = require('node:path');

const { invalid, isRecord, millis, readTable, whole, words, wrong, wrongType } = require('../lib');

const OPTIONS = {
  name: words,
  description: words,
  timeout: millis({ none: true }),
  mostText: whole(100, Number.MAX_SAFE_INTEGER, { unit: 'characters' }),
  collect: { read: (value) => value },
};

const DEFAULTS = {
  name: 'run_python',
  timeout: 30_000,
  mostText: 20_000,
  // What begins with a dot (caches) is no match.
  collect: '**',
};

/** JSON Schema of what a model gives. A list of files, as strict modes take no objects with free names. */
const INPUT_SCHEMA = {
  type: 'object',
  properties: {
    code: {
      type: 'string',
      description:
        'Python 3 source. What it prints comes back, and the value of its last expression, as in a notebook.',
    },
    files: {
      type: 'array',
      description: 'Text files to put into the working directory before the code runs.',
      items: {
        type: 'object',
        properties: {
          path: { type: 'string', description: 'Relative, such as data/in.csv.' },
          content: { type: 'string' },
        },
        required: ['path', 'content'],
        additionalProperties: false,
      },
    },
  },
  required: ['code'],
  additionalProperties: false,
};

/** What models take of what code shows, by their ends as files. */
const SHOWN = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/gif': 'gif',
  'image/webp': 'webp',
};

/** Pictures that models take, by the ends of their names. */
const PICTURES = {
  '.gif': 'image/gif',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.png': 'image/png',
  '.webp': 'image/webp',
};

/** Bytes of one; the interfaces of models take no larger ones. */
const MOST_OF_PICTURE = 3 << 20;

/** How a call ended that did not end by itself, and what its author can do about it. */
const ENDS = {
  signal: ({ signal }) => `The code was ended by ${signal}.`,
  timeout: ({ duration }) => `The code was ended after ${duration} ms: it has to be done sooner.`,
  output_limit: () => 'The code was ended because it printed too much: print less.',
  cpu: () => 'The code was ended because it used up its processor time.',
  oom: () => 'The code was ended because it used up its memory: hold less at once.',
};

/**
 * A pool as a tool that models call with code, neutral of the framework they are reached through. Each call has
 * a fresh container. `index.d.ts` of a framework's folder says what its options are.
 */
class PythonTool {
  #pool;
  #settings;
  inputSchema = INPUT_SCHEMA;

  /** @throws {PoolError} `INVALID_ARGUMENT` */
  constructor(pool, options = {}) {
    if (typeof pool?.run !== 'function') throw wrong('pool', 'a ContainerPoolManager', pool);
    if (!isRecord(options)) throw wrongType('options', 'an object', options);
    this.#pool = pool;
    this.#settings = { ...DEFAULTS, ...readTable(options, OPTIONS, 'options') };
  }

  get name() {
    return this.#settings.name;
  }

  get description() {
    const { description, timeout } = this.#settings;
    if (description !== undefined) return description;
    const time = timeout === 0 ? '' : ` It has ${timeout / 1000} seconds.`;
    return (
      'Runs Python 3 code in a fresh sandbox. Nothing is kept from one call to the next, so each has to ' +
      `bring all it needs. The code sees no network.${time} You get what it prints, the value of its last ` +
      'expression, what it gives to display(), its matplotlib figures, and the files that it leaves in its ' +
      'working directory: pictures such as plot.png are shown to you.'
    );
  }

  /**
   * What came of code, for the model. What the code, or the model's input, did wrong is told to the model.
   *
   * @param {unknown} input what the model gave
   * @param {{ signal?: AbortSignal, onStdout?: (text: string) => unknown }} [call]
   * @returns {Promise<{ text: string, isError: boolean, pictures: object[], files: Record<string, Buffer>, result: object | null }>}
   * @throws {PoolError} what is neither's fault: an engine that does not answer, a pool that is closed. With
   *   `signal`: the signal's reason.
   */
  async call(input, { signal, onStdout } = {}) {
    const { timeout, collect } = this.#settings;
    let given;
    try {
      given = read(input);
      const files = Object.fromEntries(given.files.map((file) => [file.path, file.content]));
      const { files: left, ...result } = await this.#pool.run(given.code, {
        ...{ files, collect, timeout, signal, onStdout, display: true },
      });
      return this.#tell(given, left, result);
    } catch (error) {
      if (!['INVALID_ARGUMENT', 'FILE_ERROR'].includes(error?.code)) throw error;
      const text = `The code did not run: ${error.message}`;
      return { text, isError: true, pictures: [], files: {}, result: null };
    }
  }

  #tell({ files: given }, left, { fileErrors, ...result }) {
    const shown = picturesOf(result.display);
    const { mostText } = this.#settings;
    const files = Object.fromEntries(
      // What it was given and has left as it was is nothing new.
      Object.entries(left).filter(([name, bytes]) => {
        return !given.some(
          ({ path: own, content }) => own === name && bytes.equals(Buffer.from(content)),
        );
      }),
    );
    const names = Object.keys(files);
    const parts = [
      part('stdout', result.stdout, mostText),
      part('stderr', result.stderr, mostText),
      part('shown', textOf(result), mostText),
      ENDS[result.reason]?.(result) ??
        (result.exitCode === 0 ? '' : `The code ended with exit code ${result.exitCode}.`),
      names.length === 0
        ? ''
        : `Files: ${cut(names.map((name) => `${name} (${files[name].length} bytes)`).join(', '), mostText)}`,
      fileErrors.length === 0
        ? ''
        : `Files that are missing: ${cut(fileErrors.map(({ message }) => message).join('; '), mostText)}`,
    ].filter((text) => text !== '');
    return {
      text: parts.length === 0 ? 'The code ended well and printed nothing.' : parts.join('\n\n'),
      isError: result.exitCode !== 0 || result.reason !== 'exit',
      pictures: names
        .map((name) => ({ path: name, mediaType: pictureType(name), data: files[name] }))
        .concat(shown)
        .filter(({ mediaType, data }) => mediaType && data.length <= MOST_OF_PICTURE),
      files,
      result,
    };
  }
}

/** The input of a model, which may be anything. */
function read(input) {
  if (!isRecord(input)) throw invalid('the input must be an object with "code"');
  const { code, files } = input;
  if (typeof code !== 'string') throw invalid('"code" must be a string with Python source');
  const isFile = (file) =>
    isRecord(file) && typeof file.path === 'string' && typeof file.content === 'string';
  // Some models give null for what they leave out.
  const list = files ?? [];
  if (!Array.isArray(list) || !list.every(isFile)) {
    throw invalid('"files" must be a list of { "path": string, "content": string }');
  }
  return { code, files: list };
}

/** The pictures of what was shown: of each thing one. */
function picturesOf(display) {
  return display.flatMap((bundle, at) => {
    const mediaType = Object.keys(SHOWN).find((type) => bundle[type] !== undefined);
    if (mediaType === undefined) return [];
    return [{ path: `shown-${at + 1}.${SHOWN[mediaType]}`, mediaType, data: bundle[mediaType] }];
  });
}

/** What was shown, in words. */
function textOf({ display, displayCut }) {
  const texts = display.map((bundle) => bundle['text/plain'] ?? Object.keys(bundle).join(', '));
  const cut = displayCut.map(({ type, bytes }) =>
    type === null ? 'more' : `${type} (${bytes} bytes)`,
  );
  return [...texts, ...(cut.length > 0 ? [`[too large: ${cut.join(', ')}]`] : [])].join('\n');
}

/** A picture as a URL. */
function dataUrl({ mediaType, data }) {
  return `data:${mediaType};base64,${data.toString('base64')}`;
}

function pictureType(name) {
  return PICTURES[path.posix.extname(name).toLowerCase()];
}

function part(name, text, most) {
  return text === '' ? '' : `${name}:\n${cut(text, most)}`;
}

/** The beginning and the end of a text: a traceback says at its end what went wrong. */
function cut(text, most) {
  if (text.length <= most) return text;
  const half = Math.floor(most / 2);
  const out = text.length - 2 * half;
  return `${text.slice(0, half)}\n[… ${out} characters left out …]\n${text.slice(-half)}`;
}

module.exports = { PythonTool, dataUrl };
