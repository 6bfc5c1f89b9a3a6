'use strict';

const fs = require('node:fs');
const path = require('node:path');

const SRC = path.join(__dirname, '../../src');

/** The Rust and Python sources below a folder or file of `src`, by path. */
function sources(place) {
  const full = path.join(SRC, place);
  if (fs.statSync(full).isFile()) return [place];
  return fs.readdirSync(full).flatMap((name) => sources(path.join(place, name)));
}

/** The lines in which one of those words stands, as `file:line: text`. */
function mentions(places, words) {
  return places.flatMap(sources).flatMap((file) => {
    const lines = fs.readFileSync(path.join(SRC, file), 'utf8').split('\n');
    return lines.flatMap((text, at) => (words.test(text) ? [`${file}:${at + 1}: ${text}`] : []));
  });
}

const all = fs.readdirSync(SRC);

test('what only one engine has stays in its folder and where the engine is chosen', () => {
  const words = /docker|podman|bollard|StdinOnce|AutoRemove/i;
  // Registries and archives of images bear one engine's name whichever engine takes them.
  const named = ['choice.rs', 'docker', 'kubernetes', 'local', 'registry'];
  const others = fs.readdirSync(path.join(SRC, 'engine')).filter((name) => !named.includes(name));
  const places = [
    ...all.filter((name) => name !== 'engine'),
    ...others.map((name) => `engine/${name}`),
  ];
  const declaration = /^engine\/mod.rs:\d+: pub mod docker;$/;
  expect(mentions(places, words).filter((line) => !declaration.test(line))).toEqual([]);
});

test('no engine takes from another, and what they share from none', () => {
  const shared = ['engine/registry', 'engine/seccomp', 'engine/auto.rs'];
  const others = (name) => [
    ...shared,
    ...['docker', 'kubernetes', 'local']
      .filter((one) => one !== name)
      .map((one) => `engine/${one}`),
  ];
  expect(mentions(others('docker'), /\bdocker::|bollard|podman/i)).toEqual([]);
  expect(mentions(others('local'), /\blocal::/)).toEqual([]);
  expect(mentions(others('kubernetes'), /\bkubernetes::|\bkube\b/)).toEqual([]);
});

test('the pool knows neither Node nor an engine nor how code runs in a container', () => {
  expect(mentions(['pool', 'budget.rs'], /\bnapi\b|crate::(engine|runner|sandbox|js)/)).toEqual([]);
});

test('only the bindings know Node', () => {
  const places = all.filter((name) => name !== 'js' && name !== 'lib.rs');
  expect(mentions(places, /\bnapi\b/)).toEqual([]);
});

test('no engine names a type of the pool', () => {
  expect(mentions(['engine'], /\bpool::/)).toEqual([]);
});
