// The official JavaScript clients of OpenAI and Anthropic, asking a Wardroom as if it were their own servers; what they
// tell is what model_clients.py tells.

import { text as read } from 'node:stream/consumers';

import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

const SCHEMA = {
  type: 'object',
  properties: { name: { type: 'string' }, metres: { type: 'integer' } },
  required: ['name', 'metres'],
  additionalProperties: false,
};
const TOOL = { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] };
const FAILURES = [
  ['script/none', 'no answer', 'BadRequestError'],
  ['nowhere', 'Ahoy', 'NotFoundError'],
  ['parrot', 'too long', 'BadRequestError'],
  ['parrot', 'too much', 'RateLimitError'],
  ['parrot', 'is down', 'InternalServerError'],
];

const tell = (part, what = {}) => process.stdout.write(`${JSON.stringify({ part, ...what })}\n`);
const said = (text) => [{ role: 'user', content: text }];

/** What a promise that must fail fails with. */
async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

async function withOpenai({ url, key }) {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
  const create = (body) => client.chat.completions.create({ model: 'parrot', ...body });
  const whole = await create({ messages: said('Ahoy') });
  tell('whole', { text: whole.choices[0].message.content, tokens: whole.usage.total_tokens > 0 });

  const chunks = [];
  for await (const chunk of await create({ messages: said('Ahoy'), stream: true, stream_options: { include_usage: true } })) chunks.push(chunk);
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
  tell('streamed', { text, pieces: chunks.length > 3, tokens: chunks.at(-1).usage.total_tokens > 0 });

  const tools = [{ type: 'function', function: { name: 'tides', parameters: TOOL } }];
  const stream = client.chat.completions.stream({ model: 'parrot', messages: said('a tool'), tools });
  const asked = (await stream.finalChatCompletion()).choices[0].message;
  const [call] = asked.tool_calls;
  const result = { role: 'tool', tool_call_id: call.id, content: 'High at noon' };
  const { role, tool_calls } = asked;
  const answered = await create({ messages: [...said('a tool'), { role, tool_calls }, result], tools });
  tell('tools', { arguments: JSON.parse(call.function.arguments), text: answered.choices[0].message.content });

  const format = { type: 'json_schema', json_schema: { name: 'berth', schema: SCHEMA, strict: true } };
  const parsed = await client.chat.completions.parse({ model: 'parrot', messages: said('a berth'), response_format: format });
  tell('structured', { berth: JSON.parse(parsed.choices[0].message.content) });

  for (const [model, words, expected] of FAILURES) {
    const error = await failure(create({ model, messages: said(words) }));
    tell('failed', { words, right: error instanceof OpenAI[expected], code: error.code, status: error.status });
  }
  const stranger = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'nonsense', maxRetries: 0 });
  tell('stranger', { code: (await failure(stranger.models.list())).code });
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  tell('models', { names });

  const slow = await create({ messages: said('slowly'), stream: true });
  for await (const _ of slow) break;
  tell('closed');
}

async function withAnthropic({ url, key }) {
  const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
  const create = (body) => client.messages.create({ model: 'parrot', max_tokens: 200, ...body });
  const streaming = (body) => client.messages.stream({ model: 'parrot', max_tokens: 200, ...body });
  const whole = await create({ messages: said('Ahoy') });
  tell('whole', { text: whole.content[0].text, tokens: whole.usage.output_tokens > 0 });

  let pieces = '';
  const stream = streaming({ messages: said('Ahoy') }).on('text', (text) => { pieces += text; });
  const final = await stream.finalMessage();
  tell('streamed', { text: pieces, pieces: true, tokens: final.usage.input_tokens > 0 });

  const tools = [{ name: 'tides', input_schema: TOOL }];
  const asked = await streaming({ messages: said('a tool'), tools }).finalMessage();
  const call = asked.content.at(-1);
  const result = { type: 'tool_result', tool_use_id: call.id, content: 'High at noon' };
  const messages = [...said('a tool'), { role: 'assistant', content: asked.content }, { role: 'user', content: [result] }];
  const answered = await create({ messages, tools });
  tell('tools', { arguments: call.input, text: answered.content[0].text });

  const parsed = await create({ messages: said('a berth'), output_config: { format: { type: 'json_schema', schema: SCHEMA } } });
  tell('structured', { berth: JSON.parse(parsed.content[0].text) });

  for (const [model, words, expected] of FAILURES) {
    const error = await failure(create({ model, max_tokens: 9, messages: said(words) }));
    tell('failed', { words, right: error instanceof Anthropic[expected], code: error.error?.error?.type, status: error.status });
  }
  const stranger = new Anthropic({ baseURL: url, apiKey: 'nonsense', maxRetries: 0 });
  tell('stranger', { code: (await failure(stranger.models.list())).error?.error?.type });
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  tell('models', { names });

  const slow = streaming({ messages: said('slowly') });
  for await (const event of slow) if (event.type === 'content_block_delta') break;
  slow.abort();
  tell('closed');
}

const settings = JSON.parse(await read(process.stdin));
await { openai: withOpenai, anthropic: withAnthropic }[settings.client](settings);
