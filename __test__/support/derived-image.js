'use strict';

const { execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const { archiveOf } = require('../../harness/archives');

const digestOf = (file) => createHash('sha256').update(fs.readFileSync(file)).digest('hex');

/**
 * Makes an image of another one, as `docker save` writes it: with a layer of files on top, and with what `says` has
 * in its configuration's `config`. Gives the archive's file, in `folder`.
 */
function derive(folder, { name, base, files, says }) {
  const parts = path.join(folder, 'parts');
  const top = path.join(folder, 'top');
  fs.mkdirSync(parts);
  execFileSync('tar', ['-C', parts, '-xf', archiveOf(base)]);
  for (const [file, text] of Object.entries(files)) {
    fs.mkdirSync(path.join(top, path.dirname(file)), { recursive: true });
    fs.writeFileSync(path.join(top, file), text);
  }
  const layer = path.join(parts, 'top.tar');
  const owner = ['--owner=0', '--group=0', '--mode=a+rX'];
  execFileSync('tar', [...owner, '-C', top, '-cf', layer, ...fs.readdirSync(top)]);
  const read = (file) => JSON.parse(fs.readFileSync(path.join(parts, file), 'utf8'));
  const [saved] = read('manifest.json');
  const config = read(saved.Config);
  const changed = {
    ...config,
    config: { ...config.config, ...says },
    history: undefined,
    rootfs: {
      ...config.rootfs,
      diff_ids: [...config.rootfs.diff_ids, `sha256:${digestOf(layer)}`],
    },
  };
  const write = (file, value) => fs.writeFileSync(path.join(parts, file), JSON.stringify(value));
  write('config.json', changed);
  const manifest = {
    Config: 'config.json',
    RepoTags: [name],
    Layers: [...saved.Layers, 'top.tar'],
  };
  write('manifest.json', [manifest]);
  const archive = path.join(folder, 'image.tar');
  const names = ['manifest.json', 'config.json', ...manifest.Layers];
  execFileSync('tar', ['-C', parts, '-cf', archive, ...names]);
  return archive;
}

module.exports = { derive };
