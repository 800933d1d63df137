// Wardroom as the client that a conformance suite judges: whoever asks registers the suite's server, connects their
// account where it wants one, accepts what it offers and calls it. WARDROOM says where, and as whom; the suite says which
// scenario, and appends its server's address.

import { setTimeout as delay } from 'node:timers/promises';

import { acceptTools, ask } from './api.mjs';

const url = process.argv.at(-1);
const wardroom = JSON.parse(process.env.WARDROOM);
const { token } = wardroom;
const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const name = `s${process.pid}`;
const path = `/api/v1/tool-servers/${name}`;
/** How often somebody connects their account anew before they give up. */
const CONNECTIONS_MAX = 3;

/** The issuer that a server names, as its registrar finds it out. */
async function issuer() {
  const { origin, pathname } = new URL(url);
  const found = await fetch(`${origin}/.well-known/oauth-protected-resource${pathname}`);
  return (await found.json()).authorization_servers[0];
}

async function shown() {
  if (!scenario.startsWith('auth/')) return { kind: 'nothing' };
  if (!context.client_id) return { kind: 'account' };
  const client = { issuer: await issuer(), id: context.client_id };
  if (context.client_secret) {
    client.secret = `${name}.key`;
    const body = { name: client.secret, value: context.client_secret };
    await ask(wardroom, 'POST', '/api/v1/secrets', { token, body });
  }
  return { kind: scenario.includes('client-credentials') ? 'client' : 'account', client };
}

/** Does it as soon as nobody else is just connecting: the suite has many scenarios going. */
async function inTurn(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!/just connecting/.test(String(error))) throw error;
      await delay(50);
    }
  }
}

async function connect() {
  const at = `/api/v1/account/tool-servers/${name}/connect`;
  const begun = await inTurn(() => ask(wardroom, 'POST', at, { token }));
  const sent = await fetch(begun.url, { redirect: 'manual' });
  const back = new URL(sent.headers.get('location'));
  // What a browser does that is signed in.
  const finish = () => ask(wardroom, 'GET', `/tool-accounts/${name}/finish${back.search}`, { token });
  await inTurn(finish).catch((error) => {
    if (!String(error).includes(': 303')) throw error;
  });
}

const SAMPLING = { role: 'assistant', model: 'none', content: { type: 'text', text: 'sampled' } };
/** Values that a schema would take. */
function fill(schema) {
  const given = {};
  for (const [member, { type, default: own }] of Object.entries(schema.properties ?? {})) {
    given[member] = own ?? { string: 'text', number: 1, integer: 1, boolean: true }[type] ?? null;
  }
  return given;
}

/** What somebody says who leaves a form as it is. */
function asOffered({ requestedSchema: { properties = {} } = {} } = {}) {
  const offered = Object.entries(properties).filter(([, schema]) => 'default' in schema);
  return Object.fromEntries(offered.map(([member, schema]) => [member, schema.default]));
}

const ANSWERS = {
  'elicitation/create': (params) => ({ action: 'accept', content: asOffered(params) }),
  'sampling/createMessage': () => SAMPLING,
  'roots/list': () => ({ roots: [] }),
};

/** What arguments say in headers too, where a tool's schema wants that. */
function mirrored({ properties = {} }, args) {
  const wanted = Object.entries(properties).filter(([member, schema]) => schema['x-mcp-header'] && args[member] != null);
  return Object.fromEntries(wanted.map(([member, schema]) => {
    const text = String(args[member]);
    const plain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !/^=\?base64\?.*\?=$/.test(text);
    const value = plain ? text : `=?base64?${Buffer.from(text).toString('base64')}?=`;
    return [`mcp-param-${schema['x-mcp-header']}`, value];
  }));
}

async function call(tool, args, schema, more = {}) {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} }, sampling: {}, roots: {} },
  };
  const params = { name: tool, arguments: args, ...more, _meta: meta };
  const headers = {
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': tool,
    ...mirrored(schema, args),
  };
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params };
  const answer = await ask(wardroom, 'POST', `/mcp/${name}`, { token, headers, body });
  const { result } = answer;
  if (result?.resultType !== 'input_required') return answer;
  const { requestState, inputRequests = {} } = result;
  const responses = Object.entries(inputRequests).map(([key, asked]) => [key, ANSWERS[asked.method](asked.params)]);
  return call(tool, args, schema, { requestState, inputResponses: Object.fromEntries(responses) });
}

const body = { name, way: { kind: 'http', url }, shown: await shown() };
await ask(wardroom, 'POST', '/api/v1/tool-servers', { token, body });
const connects = body.shown.kind === 'account';
if (connects) await connect();
await acceptTools(wardroom, token, name).catch(async (error) => {
  if (!connects || !/connect it at/.test(String(error))) throw error;
  await connect();
  await acceptTools(wardroom, token, name);
});
const { items } = await ask(wardroom, 'GET', `${path}/tools`, { token });
const wanted = context.toolCalls ?? items.map(({ name: tool }) => ({ name: tool }));
for (const { name: tool, arguments: given } of wanted) {
  const { inputSchema = {} } = items.find((item) => item.name === tool).definition;
  // A member that is nothing is refused where its schema wants something: it is left out.
  const args = Object.fromEntries(Object.entries(given ?? fill(inputSchema)).filter(([, value]) => value !== null));
  // Definitions that can't be used are refused, and told apart from a refusal to call.
  let answer = await call(tool, args, inputSchema).catch((error) => ({ refused: String(error) }));
  for (let again = 1; again < CONNECTIONS_MAX && /connect it at/.test(answer.error?.message); again += 1) {
    await connect();
    answer = await call(tool, args, inputSchema);
  }
  console.log(tool, JSON.stringify(answer).slice(0, 500));
}
await ask(wardroom, 'DELETE', path, { token });
