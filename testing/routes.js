'use strict';

const { createHash } = require('node:crypto');

const { FakeContainer } = require('./container');
const { FakeExec } = require('./exec');

const refused = (status, message) => ({ status, body: { message } });

function container(engine, key) {
  const found = engine.containers.find(({ id, name }) => id === key || name === key);
  if (found) return { found };
  return { missing: refused(404, `No such container: ${key}`) };
}

/** An image's name as engines know it: one without a tag or a digest is `latest`. */
function inFull(name) {
  return /[:@][^/]*$/.test(name) ? name : `${name}:latest`;
}

/** The id of an image: the same each time, and no other's. */
function idOf(name) {
  return `sha256:${createHash('sha256').update(inFull(name)).digest('hex')}`;
}

function hasImage(engine, name) {
  return [...engine.images].some((known) => inFull(known) === inFull(name));
}

/** What an engine does on each call, by the call's name: `{ status, body }`, a `stream`, or events to `follow`. */
const ROUTES = {
  'GET /_ping': () => ({ status: 200, body: 'OK' }),

  'GET /info': (engine) => ({
    status: 200,
    body: { ServerVersion: 'fake', MemTotal: engine.memory, NCPU: 2, PidsLimit: true },
  }),

  'GET /events': (engine) => ({ status: 200, follow: (call) => engine.follow(call) }),

  'GET /images/:name/json': (engine, { params: { name } }) =>
    hasImage(engine, name)
      ? { status: 200, body: { Id: idOf(name) } }
      : refused(404, `No such image: ${name}`),

  // Whatever network is asked for is there: containers reach nothing here.
  'GET /networks/:name': (_engine, { params: { name } }) => ({ status: 200, body: { Name: name } }),

  'POST /images/create': (engine, { query: { fromImage, tag = '' } }) => {
    // The digest of an image stands in the place of its tag.
    const name = tag === '' ? fromImage : `${fromImage}${tag.includes(':') ? '@' : ':'}${tag}`;
    engine.images.add(inFull(name));
    return { status: 200, body: { status: `Downloaded newer image for ${name}` } };
  },

  'POST /containers/create': (engine, { query, body }) => {
    // Who gives no name is given one.
    const { name = `unnamed-${engine.made}` } = query;
    const known = [...engine.images].some((image) => idOf(image) === body.Image);
    if (!known && !hasImage(engine, body.Image)) {
      return refused(404, `No such image: ${body.Image}`);
    }
    if (container(engine, name).found) return refused(409, `The name "${name}" is already in use`);
    const made = new FakeContainer(engine, name, body);
    engine.keep(made);
    return { status: 201, body: { Id: made.id, Warnings: [] } };
  },

  'GET /containers/json': (engine, { query: { filters = '{}' } }) => {
    const { label = [] } = JSON.parse(filters);
    const matching = engine.containers.filter(({ labels }) =>
      label.every((wanted) => {
        const [name, value] = wanted.split(/=(.*)/s);
        return name in labels && (value === undefined || labels[name] === value);
      }),
    );
    const body = matching.map(({ id, name, config, created, labels, state }) => ({
      Id: id,
      Names: [`/${name}`],
      Image: config.Image ?? '',
      Created: created,
      Labels: labels,
      State: state,
    }));
    return { status: 200, body };
  },

  'GET /containers/:id/json': (engine, { params }) => {
    const { found, missing } = container(engine, params.id);
    if (missing) return missing;
    return { status: 200, body: { Id: found.id, Name: `/${found.name}`, Config: found.config } };
  },

  'POST /containers/:id/attach': (engine, { params }) => {
    const { found, missing } = container(engine, params.id);
    return missing ?? { stream: found };
  },

  'POST /containers/:id/start': (engine, { params }) => {
    const { found, missing } = container(engine, params.id);
    if (missing) return missing;
    found.start();
    return { status: 204 };
  },

  'PUT /containers/:id/archive': (engine, { params }) =>
    container(engine, params.id).missing ?? { status: 200 },

  'POST /commit': (engine, { query }) => {
    const { missing } = container(engine, query.container);
    if (missing) return missing;
    const name = `${query.repo}:${query.tag}`;
    engine.images.add(name);
    return { status: 201, body: { Id: idOf(name) } };
  },

  'DELETE /containers/:id': (engine, { params }) => {
    const { found, missing } = container(engine, params.id);
    if (missing) return missing;
    found.die();
    return { status: 204 };
  },

  'POST /containers/:id/exec': (engine, { params, body }) => {
    const { found, missing } = container(engine, params.id);
    if (missing) return missing;
    const exec = new FakeExec(engine, found, body);
    engine.execs.set(exec.id, exec);
    return { status: 201, body: { Id: exec.id } };
  },

  'POST /exec/:id/start': (engine, { params }) => {
    const exec = engine.execs.get(params.id);
    return exec ? { stream: exec } : refused(404, `No such exec instance: ${params.id}`);
  },

  'GET /exec/:id/json': (engine, { params }) => {
    const exec = engine.execs.get(params.id);
    if (!exec) return refused(404, `No such exec instance: ${params.id}`);
    return { status: 200, body: { Running: exec.running, ExitCode: exec.exitCode } };
  },
};

/** The routes by what they are for. */
const OPERATIONS = {
  ping: 'GET /_ping',
  info: 'GET /info',
  events: 'GET /events',
  inspectImage: 'GET /images/:name/json',
  inspectNetwork: 'GET /networks/:name',
  pull: 'POST /images/create',
  create: 'POST /containers/create',
  list: 'GET /containers/json',
  inspect: 'GET /containers/:id/json',
  attach: 'POST /containers/:id/attach',
  start: 'POST /containers/:id/start',
  putArchive: 'PUT /containers/:id/archive',
  commit: 'POST /commit',
  remove: 'DELETE /containers/:id',
  exec: 'POST /containers/:id/exec',
  startExec: 'POST /exec/:id/start',
  inspectExec: 'GET /exec/:id/json',
};

/** A route by its own name or by its operation's. */
function routeNamed(name) {
  if (Object.hasOwn(ROUTES, name)) return name;
  if (Object.hasOwn(OPERATIONS, name)) return OPERATIONS[name];
  throw new Error(
    `a fake engine has no route ${name}; its operations are ${Object.keys(OPERATIONS).join(', ')}`,
  );
}

// A name in a route stands for one part of a path; an image's name has slashes of its own.
const PATTERNS = Object.keys(ROUTES).map((route) => {
  const [method, path] = route.split(' ');
  const pattern = path.replace(':name', '(?<name>.+)').replace(/:(\w+)/g, '(?<$1>[^/]+)');
  return { route, method, pattern: new RegExp(`^${pattern}$`) };
});

/** The route of a request and what its path says, or `undefined`. */
function routeOf(method, path) {
  for (const { route, method: wanted, pattern } of PATTERNS) {
    const match = method === wanted ? pattern.exec(path) : null;
    if (match === null) continue;
    const named = Object.entries(match.groups ?? {});
    const params = Object.fromEntries(
      named.map(([name, text]) => [name, decodeURIComponent(text)]),
    );
    return { route, params };
  }
  return undefined;
}

module.exports = { ROUTES, routeNamed, routeOf };
