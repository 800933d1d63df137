// A client made with the official TypeScript SDK: lists tools, greets somebody, tells what came of it.
// Arguments: the SDK's major version, the era, the way (http, sse, ws, tcp), the address. TOKEN proves who asks.

import tls from 'node:tls';

const [version, era, way, address] = process.argv.slice(2);
const { TOKEN } = process.env;
const authorization = `Bearer ${TOKEN}`;

/** Messages over a WebSocket, a text frame each. */
class WebSocketTransport {
  start() {
    this.socket = new WebSocket(address, { protocols: ['mcp'], headers: { authorization } });
    this.socket.onmessage = ({ data }) => this.onmessage?.(JSON.parse(data));
    this.socket.onclose = () => this.onclose?.();
    return new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onerror = (event) => reject(event.error ?? new Error('no WebSocket'));
    });
  }

  async send(message) {
    this.socket.send(JSON.stringify(message));
  }

  async close() {
    this.socket.close();
  }
}

/** Messages over TCP, a line each; the first says who speaks. */
class TcpTransport {
  async start() {
    const [host, port] = address.split(':');
    this.socket = tls.connect({ host, port: Number(port), servername: host });
    let text = '';
    const first = new Promise((resolve) => { this.welcome = resolve; });
    this.socket.setEncoding('utf8').on('data', (piece) => {
      const lines = (text + piece).split('\n');
      text = lines.pop();
      for (const line of lines) this.take(JSON.parse(line));
    });
    this.socket.on('close', () => this.onclose?.());
    await new Promise((resolve, reject) => {
      this.socket.once('secureConnect', resolve).once('error', reject);
    });
    await this.send({ jsonrpc: '2.0', id: 'who', method: 'authenticate', params: { token: TOKEN } });
    const { error } = await first;
    if (error) throw new Error(error.message);
  }

  take(message) {
    if (message.id === 'who') this.welcome(message);
    else this.onmessage?.(message);
  }

  async send(message) {
    this.socket.write(`${JSON.stringify(message)}\n`);
  }

  async close() {
    this.socket.end();
  }
}

async function parts() {
  if (version === '2') {
    const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
    const mode = era === 'modern' ? { pin: '2026-07-28' } : 'legacy';
    return { Client, StreamableHTTPClientTransport, options: { versionNegotiation: { mode } } };
  }
  const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
  const http = await import('@modelcontextprotocol/sdk/client/streamableHttp.js');
  const sse = await import('@modelcontextprotocol/sdk/client/sse.js');
  return { Client, ...http, ...sse, options: {} };
}

const { Client, StreamableHTTPClientTransport, SSEClientTransport, options } = await parts();
const client = new Client({ name: `typescript-${version}`, version: '1' }, options);
const transport = {
  http: () => new StreamableHTTPClientTransport(new URL(address), { requestInit: { headers: { authorization } } }),
  sse: () => new SSEClientTransport(new URL(address), { requestInit: { headers: { authorization } }, eventSourceInit: { fetch: (url, init) => fetch(url, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), authorization } }) } }),
  ws: () => new WebSocketTransport(),
  tcp: () => new TcpTransport(),
}[way]();
await client.connect(transport);
const { tools } = await client.listTools();
const name = tools.map((tool) => tool.name).find((known) => known.endsWith('greet'));
const { content } = await client.callTool({ name, arguments: { name: 'Ada' } });
console.log(JSON.stringify({ tools: tools.length, text: content[0].text }));
await client.close();
process.exit(0);
