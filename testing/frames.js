'use strict';

const STREAMS = { stdout: 1, stderr: 2 };

/**
 * One frame of the engine's multiplexed stream: the stream's number, three zero bytes, the length
 * (big-endian), the payload (Engine API, `ContainerAttach`, "Stream format").
 */
function frame(stream, payload) {
  const bytes = Buffer.from(payload);
  const header = Buffer.alloc(8);
  header[0] = STREAMS[stream];
  header.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
}

/** What a process wrote, in frames; a stream without output has none. */
function output({ stdout = '', stderr = '' }) {
  return Buffer.concat([
    ...(stdout.length > 0 ? [frame('stdout', stdout)] : []),
    ...(stderr.length > 0 ? [frame('stderr', stderr)] : []),
  ]);
}

module.exports = { frame, output };
