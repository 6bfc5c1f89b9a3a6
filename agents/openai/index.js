'use strict';

const { PythonTool, dataUrl } = require('../tool');

/** A tool in the shapes of OpenAI's SDK. `index.d.ts` is its documentation. */
function pythonTool(pool, options) {
  const python = new PythonTool(pool, options);
  const { name, description, inputSchema: parameters } = python;
  const call = (text, signal) => python.call(parse(text), { signal });
  return {
    definition: { type: 'function', name, description, parameters, strict: false },
    async answer({ call_id, arguments: text }, { signal } = {}) {
      const { text: said, pictures } = await call(text, signal);
      const images = pictures.map((picture) => ({
        type: 'input_image',
        detail: 'auto',
        image_url: dataUrl(picture),
      }));
      const output = images.length === 0 ? said : [{ type: 'input_text', text: said }, ...images];
      return { type: 'function_call_output', call_id, output };
    },
    chatDefinition: { type: 'function', function: { name, description, parameters } },
    // Messages of this role take no pictures.
    async chatAnswer({ id, function: { arguments: text } }, { signal } = {}) {
      return { role: 'tool', tool_call_id: id, content: (await call(text, signal)).text };
    },
  };
}

/** The arguments as the model wrote them; what is no JSON is an input that the tool refuses. */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

module.exports = { pythonTool };
