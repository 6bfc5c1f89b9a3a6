'use strict';

/** The longest path of a unix socket that the kernel takes (`sun_path` less its closing NUL). */
const MAX_SOCKET_PATH = 107;

const FORMS = 'unix:///path, npipe:////./pipe/name, tcp://host:port, http://… or https://…';

/** What is wrong with an engine's address, as the end of a sentence; `undefined` if nothing is. */
function addressFault(text) {
  const scheme = /^([a-z]+):\/\//.exec(text)?.[1];
  switch (scheme) {
    case 'unix': {
      const path = text.slice('unix://'.length);
      if (!path.startsWith('/')) return 'the path of a socket is absolute: unix:///path';
      if (path === '/') return 'it names no socket: unix:///path';
      if (path.includes('\0')) return 'a path has no NUL in it';
      if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
        return `the path of a socket has at most ${MAX_SOCKET_PATH} bytes`;
      }
      return undefined;
    }
    case 'npipe':
      return /^npipe:\/\/\/\/[^/\0]+\/pipe\/[^\0]+$/.test(text)
        ? undefined
        : 'a named pipe is written npipe:////./pipe/name';
    case 'tcp':
    case 'http':
    case 'https':
      return urlFault(text);
    case 'ssh':
      return 'ssh is not supported; forward the socket (ssh -L /tmp/engine.sock:/var/run/docker.sock host) and use unix:///tmp/engine.sock';
    default:
      return text.startsWith('/') ? `did you mean unix://${text}?` : `the forms are ${FORMS}`;
  }
}

function urlFault(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return 'it is no valid URL: tcp://host:port';
  }
  if (url.hostname === '') return 'it names no host: tcp://host:port';
  if (url.port === '0') return 'port 0 is no port to connect to';
  if (url.username !== '' || url.password !== '')
    return 'an engine takes no user name in its address';
  if ((url.pathname !== '' && url.pathname !== '/') || url.search !== '' || url.hash !== '') {
    return 'nothing may follow the port';
  }
  return undefined;
}

module.exports = { addressFault };
