// A client made with the official TypeScript SDK that comes by OAuth: it tells where a person is to be sent, hears what
// their browser brings, and calls a tool. Arguments: the SDK's major version, the era, the address, the client's id or
// the address of its document.

import { createServer } from 'node:http';

const [version, era, address, clientId] = process.argv.slice(2);

async function parts() {
  if (version === '2') {
    const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
    const mode = era === 'modern' ? { pin: '2026-07-28' } : 'legacy';
    return { Client, StreamableHTTPClientTransport, options: { versionNegotiation: { mode } } };
  }
  const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
  const http = await import('@modelcontextprotocol/sdk/client/streamableHttp.js');
  return { Client, ...http, options: {} };
}

const { Client, StreamableHTTPClientTransport, options } = await parts();
let hear;
const heard = new Promise((resolve) => { hear = resolve; });
const server = createServer((req, res) => {
  res.writeHead(200, { 'content-type': 'text/html' });
  res.end('<!doctype html><html lang=en><title>Client</title><h1>Back in the client</h1>');
  const { pathname, searchParams } = new URL(req.url, 'http://127.0.0.1');
  if (pathname === '/cb') hear(searchParams);
});
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const redirectUrl = `http://127.0.0.1:${server.address().port}/cb`;
const documented = clientId.startsWith('https://');
const kept = documented ? {} : { client: { client_id: clientId } };
const authProvider = {
  redirectUrl,
  clientMetadata: { client_name: 'Client', redirect_uris: [redirectUrl], token_endpoint_auth_method: 'none' },
  ...(documented && { clientMetadataUrl: clientId }),
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client; },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; },
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  redirectToAuthorization: (url) => { console.log(JSON.stringify({ authorize: url.href })); },
};
const connect = async () => {
  const transport = new StreamableHTTPClientTransport(new URL(address), { authProvider });
  const client = new Client({ name: `typescript-${version}`, version: '1' }, options);
  try {
    await client.connect(transport);
  } catch (error) {
    if (kept.tokens) throw error;
    const brought = await heard;
    await transport.finishAuth(brought.get('code'), brought.get('iss') ?? undefined);
    return connect();
  }
  return client;
};
const client = await connect();
const { tools } = await client.listTools();
const { content } = await client.callTool({ name: 'test_simple_text', arguments: {} });
console.log(JSON.stringify({ tools: tools.length, text: content[0].text, scope: kept.tokens.scope }));
await client.close();
process.exit(0);
