'use strict';

const kinds = require('./value-kinds');
const { encodeNetwork, network } = require('./network');
const { invalid, show, wrong, wrongType } = require('../errors');

/** Hosts that serve the files of an index beside its own. */
const FILES = {
  'pypi.org': 'files.pythonhosted.org',
  'test.pypi.org': 'test-files.pythonhosted.org',
};

const PORTS = { 'http:': '80', 'https:': '443' };

const NAME = '[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?';
const VERSION = String.raw`(?:===|==|~=|!=|<=|>=|<|>)\s*[\w.*+!-]+`;

/** A requirement (packaging.python.org, "Dependency specifiers") of an index, with pip's hashes behind it. */
const REQUIREMENT = new RegExp(
  String.raw`^(?<name>${NAME})\s*(?<extras>\[[\w\s,.-]*\])?\s*(?<versions>\(?\s*${VERSION}(?:\s*,\s*${VERSION})*\s*\)?)?\s*` +
    String.raw`(?<marker>;[^#\r\n]*?)?(?<hashes>(?:\s+--hash[=\s]sha(?:256|384|512):[0-9a-fA-F]+)*)$`,
);

/** Options of a file of requirements that count here: they say nothing of where packages come from. */
const KNOWN = ['--require-hashes', '--pre', '--prefer-binary'];

/** A requirement in its one form, or `undefined` where a text is none. */
function normal(text) {
  const groups = REQUIREMENT.exec(text.trim())?.groups;
  if (groups === undefined) return undefined;
  const { name, extras = '', versions = '', marker = '', hashes = '' } = groups;
  const plain = (part) => part.replace(/[\s()]/g, '');
  const sums = hashes
    .trim()
    .split(/\s+(?=--hash)/)
    .filter(Boolean)
    .sort();
  return [
    name.replace(/[-_.]+/g, '-').toLowerCase() + plain(extras).toLowerCase() + plain(versions),
    ...[marker.trim(), ...sums.map((sum) => sum.replace(/\s/, '='))].filter(Boolean),
  ].join(' ');
}

/** What one is, for those who gave something else. */
const ONE =
  "a requirement such as 'pandas', 'numpy==2.*' or 'requests[socks]>=2; python_version > \"3.8\"'";

const requirement = {
  read(value, path) {
    const found = typeof value === 'string' ? normal(value) : undefined;
    if (found === undefined) throw wrong(path, `${ONE}, of the index`, value);
    return found;
  },
};

const sorted = (lines) => [...new Set(lines)].sort();

const list = kinds.listOf(requirement, "an array of requirements such as ['numpy==2.*', 'pandas']");

/** Requirements, sorted, as their order says nothing. */
const packages = { read: (value, path) => sorted(list.read(value, path)) };

/** The lines of a file of requirements, with the number of each. */
function linesOf(text) {
  const lines = [];
  let open = '';
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const plain = open === '' && line.trimStart().startsWith('#') ? '' : line;
    if (plain.endsWith('\\')) {
      open += plain.slice(0, -1);
      continue;
    }
    lines.push([index + 1, `${open}${plain}`.replace(/(^|\s)#.*$/, '').trim()]);
    open = '';
  }
  if (open !== '') lines.push([lines.length + 1, open.trim()]);
  return lines.filter(([, line]) => line !== '');
}

/** A file of requirements, as its lines. */
const requirements = {
  read(value, path) {
    const file = kinds.words.read(value, path);
    // Not above: who installs nothing pays nothing.
    const fs = require('node:fs');
    let text;
    try {
      text = fs.readFileSync(file, 'utf8');
    } catch (error) {
      throw invalid(`${path} can't be read; got ${show(file)}: ${error.code}`);
    }
    const lines = linesOf(text).map(([number, line]) => {
      const found = KNOWN.includes(line) ? line : normal(line);
      if (found !== undefined) return found;
      const expected = `${ONE}, with hashes, or ${KNOWN.join(' or ')}`;
      throw wrong(`${path}, ${file} line ${number},`, expected, line);
    });
    if (!lines.some((line) => !line.startsWith('-'))) {
      throw invalid(`${path} must name a file with requirements in it; got ${show(file)}`);
    }
    return sorted(lines);
  },
};

/** Where packages come from. It may have a password in it: what is wrong with it is said without showing it. */
const indexUrl = {
  read(value, path) {
    const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
    if (url === undefined || !(url.protocol in PORTS) || url.search !== '' || url.hash !== '') {
      throw wrongType(path, "the URL of an index such as 'https://pypi.org/simple'", value);
    }
    return kinds.checkText(value, path);
  },
};
indexUrl.parse = indexUrl.read;

/** What the options say together of packages. */
function checkPackages(settings) {
  const { image, requirements: lines } = settings;
  const option = settings.packages.length > 0 ? 'packages' : 'requirements';
  if (settings.packages.length === 0 && lines === null) return;
  if (settings['engine.kind'] === 'kubernetes') {
    throw invalid(
      `${option} can't be installed on the engine 'kubernetes', whose images are a registry's: build them into the image`,
    );
  }
  if (image !== 'host' && !image.startsWith('dir:')) return;
  throw invalid(
    `${option} must go with an image of a registry or an archive, which is kept; got image ${show(image)}`,
  );
}

/** As `src/config.rs` has them; `null`: there are none. */
function encodePackages(settings) {
  const own = settings.packages;
  const lines = settings.requirements;
  const options = [own.length > 0 && 'packages', lines !== null && 'requirements'].filter(Boolean);
  if (options.length === 0) return null;
  const url = new URL(settings.indexUrl);
  const port = url.port || PORTS[url.protocol];
  const files = FILES[url.hostname];
  const index = new URL(url);
  index.username = '';
  index.password = '';
  // How names are resolved and whom TLS trusts, as for the pool's containers; what may be reached is another matter.
  const given =
    typeof settings.network === 'string' ? network.read({ allow: [] }, '') : settings.network;
  const way = {
    ...given,
    allow: [],
    deny: [],
    opaque: false,
    maxReceivedBytes: Infinity,
    maxSentBytes: Infinity,
  };
  return {
    option: options.join(' and '),
    requirements: sorted([...own, ...(lines ?? [])]),
    indexUrl: url.href,
    index: index.href,
    hosts: [`${url.hostname}:${port}`, ...(files ? [`${files}:443`] : [])],
    onlyBinary: settings.onlyBinary,
    way: encodeNetwork(way),
  };
}

module.exports = { checkPackages, encodePackages, indexUrl, packages, requirements };
