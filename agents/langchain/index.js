'use strict';

const { tool } = require('@langchain/core/tools');

const { PythonTool, dataUrl } = require('../tool');

/** A tool for LangChain.js. `index.d.ts` is its documentation. */
function pythonTool(pool, options) {
  const python = new PythonTool(pool, options);
  const call = async (input, { signal } = {}) => {
    const outcome = await python.call(input, { signal });
    return [content(outcome), outcome];
  };
  return tool(call, {
    name: python.name,
    description: python.description,
    schema: python.inputSchema,
    responseFormat: 'content_and_artifact',
  });
}

function content({ text, pictures }) {
  if (pictures.length === 0) return text;
  const images = pictures.map((picture) => ({
    type: 'image_url',
    image_url: { url: dataUrl(picture) },
  }));
  return [{ type: 'text', text }, ...images];
}

module.exports = { pythonTool };
