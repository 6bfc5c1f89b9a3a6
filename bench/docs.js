'use strict';

// `npm run bench:docs [-- FILE]`: draws the plots of `docs/benchmarks/` and writes the figures in the pages
// between their markers, from the JSON of a run. Nothing else writes there, and a test holds them to it.

const fs = require('node:fs');
const path = require('node:path');

const { SetupError, runMain } = require('../harness/cleanup');
const { say } = require('../harness/console');
const { root } = require('../harness/paths');
const { SCHEMA_VERSION } = require('./report');

const FOLDER = path.join(root, 'docs', 'benchmarks');
const RUN = path.join(FOLDER, 'run.json');
/** The pages that have figures, each with what leads from it to the plots. */
const PAGES = [
  { file: path.join(root, 'docs', 'benchmarks.md'), plots: 'benchmarks' },
  { file: path.join(root, 'README.md'), plots: 'docs/benchmarks' },
];

const MARKED = /(<!-- figures: ([\w-]+) -->\n)[\s\S]*?(<!-- end of figures -->)/g;

/** Reads the JSON of a run; rejects what another version of the bench wrote. */
function readRun(file = RUN) {
  const report = JSON.parse(fs.readFileSync(file, 'utf8'));
  if (report.schemaVersion !== SCHEMA_VERSION) {
    throw new SetupError(
      `${file} has schemaVersion ${report.schemaVersion}; this bench reads ${SCHEMA_VERSION}.`,
      'Measure anew: npm run bench -- --json FILE',
    );
  }
  return report;
}

/** The page with what stands between its markers made anew. */
function filled(page, figures) {
  return page.replace(MARKED, (_all, open, name, close) => {
    if (!(name in figures)) {
      throw new Error(`No figures are called ${name}; there are ${Object.keys(figures)}`);
    }
    return `${open}\n${figures[name]()}\n\n${close}`;
  });
}

/** What the files are to hold for a run: path → text. */
function filesOf(report) {
  // They come from node_modules.
  const { figuresOf } = require('./markdown');
  const { plotsOf } = require('./plots');
  const plots = plotsOf(report);
  const files = new Map();
  for (const [name, svg] of plots) {
    files.set(path.join(FOLDER, `${name}.svg`), svg);
  }
  for (const { file, plots: folder } of PAGES) {
    const links = new Map([...plots.keys()].map((name) => [name, `${folder}/${name}.svg`]));
    files.set(file, filled(fs.readFileSync(file, 'utf8'), figuresOf(report, links)));
  }
  return files;
}

if (require.main === module) {
  runMain(() => {
    for (const [file, text] of filesOf(readRun(process.argv[2]))) {
      fs.writeFileSync(file, text);
      say(path.relative(root, file));
    }
    return 0;
  });
}

module.exports = { readRun, filled, filesOf };
