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

/** The name by which an engine has an image that is asked for by a name or its id. */
function imageNamed(engine, key) {
  return [...engine.images].find((known) => inFull(known) === inFull(key) || idOf(known) === key);
}

/** Whether labels are what a filter wants: names, or `name=value`. */
function matches(labels, wanted) {
  return wanted.every((label) => {
    const [name, value] = label.split(/=(.*)/s);
    return name in labels && (value === undefined || labels[name] === value);
  });
}

/** The id of the image that a container is made of. */
function imageOf(engine, { config }) {
  const name = config.Image && imageNamed(engine, config.Image);
  return name ? idOf(name) : '';
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
    imageNamed(engine, name)
      ? { status: 200, body: { Id: idOf(name) } }
      : refused(404, `No such image: ${name}`),

  'GET /images/json': (engine, { query: { filters = '{}' } }) => {
    const { label = [] } = JSON.parse(filters);
    const images = [...engine.images].map((name) => {
      const { labels = {}, created = 0 } = engine.commits.get(name) ?? {};
      return { Id: idOf(name), RepoTags: [name], Created: created, Size: 0, Labels: labels };
    });
    return { status: 200, body: images.filter(({ Labels }) => matches(Labels, label)) };
  },

  'DELETE /images/:name': (engine, { params }) => {
    const name = imageNamed(engine, params.name);
    if (!name) return refused(404, `No such image: ${params.name}`);
    const id = idOf(name);
    if (engine.containers.some((found) => imageOf(engine, found) === id)) {
      return refused(409, `unable to delete ${name}: image is being used`);
    }
    engine.images.delete(name);
    engine.commits.delete(name);
    return { status: 200, body: [{ Untagged: name }, { Deleted: id }] };
  },

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
    if (!imageNamed(engine, body.Image)) return refused(404, `No such image: ${body.Image}`);
    if (container(engine, name).found) return refused(409, `The name "${name}" is already in use`);
    const made = new FakeContainer(engine, name, body);
    engine.keep(made);
    return { status: 201, body: { Id: made.id, Warnings: [] } };
  },

  'GET /containers/json': (engine, { query: { filters = '{}' } }) => {
    const { label = [], ancestor } = JSON.parse(filters);
    const matching = engine.containers.filter(
      (found) =>
        matches(found.labels, label) && (ancestor?.includes(imageOf(engine, found)) ?? true),
    );
    const body = matching.map((found) => {
      const { id, name, config, created, labels, state } = found;
      return {
        Id: id,
        Names: [`/${name}`],
        Image: config.Image ?? '',
        ImageID: imageOf(engine, found),
        Created: created,
        Labels: labels,
        State: state,
      };
    });
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
    const { found, missing } = container(engine, query.container);
    if (missing) return missing;
    const name = `${query.repo}:${query.tag}`;
    const changed = [...(query.changes ?? '').matchAll(/^LABEL (.*?)=(.*)$/gm)];
    const labels = { ...found.labels };
    for (const [, label, value] of changed) labels[label] = value;
    engine.images.add(name);
    engine.commits.set(name, { labels, created: Math.floor(Date.now() / 1000) });
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
  listImages: 'GET /images/json',
  removeImage: 'DELETE /images/:name',
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
