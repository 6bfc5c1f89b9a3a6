'use strict';

const CSV = 'month,sales\n1,30\n2,45\n3,40\n4,60\n';

/** What a model would write, step by step; the second builds on the names of the first. */
const STEPS = [
  'import csv\nrows = [(int(r["month"]), int(r["sales"])) for r in csv.DictReader(open("sales.csv"))]\nrows',
  'import matplotlib.pyplot as plt\nplt.plot(*zip(*rows), marker="o")\nplt.title("Sales");',
];

/** Stands in for a model. */
async function model(messages) {
  const step = messages.filter(({ role }) => role === 'tool').length;
  if (step < STEPS.length) return { code: STEPS[step] };
  return { answer: `Plotted ${messages.find(({ role }) => role === 'tool').content}` };
}

module.exports = { CSV, STEPS, model };
