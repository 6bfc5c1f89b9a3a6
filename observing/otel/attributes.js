'use strict';

// Names from the semantic conventions 1.45 (opentelemetry.io/docs/specs/semconv/registry), and below
// `scientist_pool.` what they have no name for, after those of connection pools
// (`db.client.connection.…`).
const CONTAINER_ID = 'container.id';
const IMAGE_NAME = 'container.image.name';
const IMAGE_TAGS = 'container.image.tags';
const ERROR_TYPE = 'error.type';
const EXIT_CODE = 'process.exit.code';
const POOL_NAME = 'scientist_pool.pool.name';
const STATE = 'scientist_pool.container.state';
const ALLOWED = 'scientist_pool.egress.allowed';
// Of OpenTelemetry's conventions for networks.
const DIRECTION = 'network.io.direction';
const CALL_KIND = 'scientist_pool.execute.kind';
const CALL_REASON = 'scientist_pool.execute.reason';
const CALL_PATH = 'scientist_pool.execute.path';
const FILES_OPERATION = 'scientist_pool.files.operation';
const FILES_COUNT = 'scientist_pool.files.count';
const FILES_SIZE = 'scientist_pool.files.size';

/** An image's name, and its tag if it has one; a digest is in neither. */
function image(reference) {
  const [named] = reference.split('@');
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  if (colon < 0) return { [IMAGE_NAME]: named };
  return { [IMAGE_NAME]: named.slice(0, colon), [IMAGE_TAGS]: [named.slice(colon + 1)] };
}

/** What is known at the beginning. */
function begun(message) {
  return {
    ...image(message.image),
    ...(message.containerId === undefined ? {} : { [CONTAINER_ID]: message.containerId }),
    ...(message.kind === undefined ? {} : { [CALL_KIND]: message.kind }),
    ...(message.operation === undefined ? {} : { [FILES_OPERATION]: message.operation }),
  };
}

/** What is known at the end beside that. */
function ended({ result = {} }) {
  if (result.containerId !== undefined) return { [CONTAINER_ID]: result.containerId };
  if (result.files !== undefined)
    return { [FILES_COUNT]: result.files, [FILES_SIZE]: result.bytes };
  if (result.reason === undefined) return {};
  return {
    [EXIT_CODE]: result.exitCode,
    [CALL_REASON]: result.reason,
    [CALL_PATH]: result.path,
  };
}

/**
 * The class of an error, `undefined` for a success. A result whose exit code isn't 0 is one too, as the
 * conventions for programs have it: its reason, or for a script that ended by itself the exit code.
 */
function failure({ error, result = {} }) {
  if (error !== undefined) return error?.code ?? error?.name ?? '_OTHER';
  if (result.exitCode === undefined || result.exitCode === 0) return undefined;
  return result.reason === 'exit' ? String(result.exitCode) : result.reason;
}

module.exports = { ALLOWED, DIRECTION, ERROR_TYPE, POOL_NAME, STATE, begun, ended, failure, image };
