'use strict';

// The grammar of image references, after the EBNF and the regular expressions of
// github.com/distribution/reference (reference.go, regexp.go).
const DOMAIN_COMPONENT = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const IPV6 = '\\[[a-fA-F0-9:]+\\]';
const DOMAIN = `(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|${IPV6})(?::[0-9]+)?`;
const PATH_COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const NAME = `(?:${DOMAIN}/)?${PATH_COMPONENT}(?:/${PATH_COMPONENT})*`;
const TAG = '[\\w][\\w.-]{0,127}';
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';

const REFERENCE = new RegExp(`^(${NAME})(?::(${TAG}))?(?:@(${DIGEST}))?$`);

/** The longest name the distribution specification allows, without tag and digest. */
const MAX_NAME = 255;
const MAX_REFERENCE = MAX_NAME + 1 + 128 + 1 + 256;

/** Hex digits of each digest that engines know (github.com/opencontainers/go-digest). */
const DIGEST_LENGTHS = { sha256: 64, sha384: 96, sha512: 128 };

/** A place on this machine, which is the image of the engine 'local' alone. No reference looks like it. */
const PLACE = /^(?:dir|oci-archive|docker-archive):\//;

/** What is wrong with an image's name, as the end of a sentence; `undefined` if nothing is. */
function imageFault(text) {
  if (!PLACE.test(text)) return referenceFault(text);
  return text.includes('\0') ? 'a path has no NUL in it' : undefined;
}

/** What is wrong with an image reference, as the end of a sentence; `undefined` if nothing is. */
function referenceFault(text) {
  if (text.length > MAX_REFERENCE) return 'it is too long';
  const match = REFERENCE.exec(text);
  if (match === null) {
    if (text !== text.trim()) return 'it begins or ends with white space';
    if (REFERENCE.test(text.toLowerCase())) return 'the name must be in lower case';
    return 'it does not follow [host[:port]/]name[:tag][@digest]';
  }
  const [, name, , digest] = match;
  if (name.length > MAX_NAME) return `its name is longer than ${MAX_NAME} characters`;
  if (digest !== undefined) {
    const [algorithm, hex] = digest.split(':');
    const length = DIGEST_LENGTHS[algorithm];
    if (length === undefined) return `its digest algorithm ${algorithm} is not known`;
    if (hex.length !== length) return `a ${algorithm} digest has ${length} hex digits`;
  }
  return undefined;
}

module.exports = { imageFault };
