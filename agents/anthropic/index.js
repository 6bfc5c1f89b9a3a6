'use strict';

const { PythonTool } = require('../tool');

/** A tool in the shape of Anthropic's SDK. `index.d.ts` is its documentation. */
function pythonTool(pool, options) {
  const python = new PythonTool(pool, options);
  const call = async (input, signal) => {
    const { text, pictures, isError } = await python.call(input, { signal: signal ?? undefined });
    const images = pictures.map(({ mediaType, data }) => ({
      type: 'image',
      source: { type: 'base64', media_type: mediaType, data: data.toString('base64') },
    }));
    return { content: [{ type: 'text', text }, ...images], isError };
  };
  const definition = {
    name: python.name,
    description: python.description,
    input_schema: python.inputSchema,
  };
  return {
    definition,
    async answer({ id, input }, { signal } = {}) {
      const { content, isError } = await call(input, signal);
      return { type: 'tool_result', tool_use_id: id, content, is_error: isError };
    },
    runnable: {
      ...definition,
      parse: (input) => input,
      run: async (input, context) => (await call(input, context?.signal)).content,
    },
  };
}

module.exports = { pythonTool };
