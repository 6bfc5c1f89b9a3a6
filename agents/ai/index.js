'use strict';

const { jsonSchema, tool } = require('ai');

const { PythonTool } = require('../tool');

/** A tool for the Vercel AI SDK. `index.d.ts` is its documentation. */
function pythonTool(pool, options) {
  const python = new PythonTool(pool, options);
  return tool({
    description: python.description,
    inputSchema: jsonSchema(python.inputSchema),
    execute: (input, { abortSignal }) => python.call(input, { signal: abortSignal }),
    toModelOutput: ({ output: { text, pictures } }) => ({
      type: 'content',
      value: [
        { type: 'text', text },
        ...pictures.map(({ mediaType, data }) => {
          return { type: 'image-data', mediaType, data: base64(data) };
        }),
      ],
    }),
  });
}

/** Of a Buffer, or of what is left of one where messages are kept as JSON. */
function base64(data) {
  return Buffer.from(data).toString('base64');
}

module.exports = { pythonTool };
