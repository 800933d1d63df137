// A tool server that takes OAuth tokens, and the authorization server that gives them, both made with the official
// TypeScript SDK. It prints the address that it listens on; whoever comes to sign in is let in at once.

import { randomUUID } from 'node:crypto';

import { DemoInMemoryAuthProvider } from '@modelcontextprotocol/sdk/examples/server/demoInMemoryOAuthProvider.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { getOAuthProtectedResourceMetadataUrl, mcpAuthRouter } from '@modelcontextprotocol/sdk/server/auth/router.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';

const app = express();
const sessions = new Map();

/** A session of its own for whoever opens one. */
async function open() {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, transport),
  });
  const server = new McpServer({ name: 'Harbour mail', version: '1.0.0' });
  server.registerTool('inbox', { description: 'Lists what came in' }, ({ authInfo }) => ({
    content: [{ type: 'text', text: `nothing new for ${authInfo.clientId.slice(0, 8)} (${authInfo.scopes.join(' ')})` }],
  }));
  await server.connect(transport);
  return transport;
}

const listening = app.listen(0, '127.0.0.1', () => {
  const origin = new URL(`http://localhost:${listening.address().port}`);
  const resource = new URL('/mcp', origin);
  const provider = new DemoInMemoryAuthProvider((asked) => asked?.href === resource.href);
  const scopesSupported = ['mail.read'];
  app.use(mcpAuthRouter({ provider, issuerUrl: origin, resourceServerUrl: resource, scopesSupported }));
  const guard = requireBearerAuth({
    verifier: provider,
    requiredScopes: scopesSupported,
    resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(resource),
  });
  app.all('/mcp', guard, express.json(), async (req, res) => {
    const known = sessions.get(req.headers['mcp-session-id']);
    await (known ?? (await open())).handleRequest(req, res, req.body);
  });
  console.log(resource.href);
});
