// Checked by `npm run types`; never run. What a program says that gives its pool to a framework.

import Anthropic from '@anthropic-ai/sdk';
import { generateText, type LanguageModel, stepCountIs } from 'ai';
import { OpenAI } from 'openai';
import Pool from 'scientist-pool';
import { pythonTool as forAi } from 'scientist-pool/ai';
import { pythonTool as forAnthropic } from 'scientist-pool/anthropic';
import { pythonTool as forLangChain } from 'scientist-pool/langchain';
import { pythonTool as forOpenAi } from 'scientist-pool/openai';

const pool = new Pool();
declare const model: LanguageModel;

await generateText({
  model,
  prompt: 'x',
  tools: { python: forAi(pool, { timeout: 5_000, collect: ['*.png'] }) },
  stopWhen: stepCountIs(3),
});

const message = await forLangChain(pool, { name: 'python' }).invoke({ code: 'print(1)' });
void message;

const anthropic = new Anthropic();
const ours = forAnthropic(pool);
const reply = await anthropic.messages.create({
  ...{ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'x' }] },
  tools: [ours.definition],
});
for (const block of reply.content) {
  if (block.type !== 'tool_use') continue;
  const answer: Anthropic.ToolResultBlockParam = await ours.answer(block);
  void answer;
}
anthropic.beta.messages.toolRunner({
  ...{ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'x' }] },
  tools: [ours.runnable],
});

const openai = new OpenAI();
const theirs = forOpenAi(pool);
const { output } = await openai.responses.create({
  ...{ model: 'm', input: 'x', tools: [theirs.definition] },
});
for (const item of output) {
  if (item.type !== 'function_call') continue;
  const answer: OpenAI.Responses.ResponseInputItem = await theirs.answer(item);
  void answer;
}
const chat = await openai.chat.completions.create({
  ...{ model: 'm', messages: [], tools: [theirs.chatDefinition] },
});
for (const call of chat.choices[0]?.message.tool_calls ?? []) {
  if (call.type !== 'function') continue;
  const answer: OpenAI.ChatCompletionMessageParam = await theirs.chatAnswer(call);
  void answer;
}
