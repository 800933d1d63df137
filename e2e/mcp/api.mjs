// The API of a Wardroom for tests without a browser: what an administrator does first, and requests by token.

import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import path from 'node:path';

const PASSWORD = 'Nine candid otters sail 9';

/** Asks once; the parsed answer, or an error with what was said. */
export function ask({ url, caFile }, method, at, { token, body, headers = {} } = {}) {
  const to = new URL(at, url);
  return new Promise((resolve, reject) => {
    const asking = request(
      {
        host: to.hostname,
        port: to.port,
        path: to.pathname + to.search,
        method,
        ca: readFileSync(caFile),
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...headers,
        },
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (piece) => { text += piece; });
        answer.on('end', () => {
          if (answer.statusCode >= 300) {
            reject(new Error(`${method} ${at}: ${answer.statusCode} ${text}`));
          } else {
            resolve(text ? JSON.parse(text) : {});
          }
        });
      },
    );
    asking.on('error', reject);
    asking.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** An API token of the administrator, who sets an own password first; also as a file. */
export async function administrator(wardroom) {
  const login = async (password) => {
    const body = { name: wardroom.admin.name, password };
    return (await ask(wardroom, 'POST', '/api/v1/login', { body })).access_token;
  };
  const own = { current: wardroom.admin.password, new: PASSWORD };
  const first = await login(wardroom.admin.password);
  await ask(wardroom, 'POST', '/api/v1/account/password', { token: first, body: own });
  const token = await login(PASSWORD);
  const body = { name: 'test', scopes: [] };
  const { secret } = await ask(wardroom, 'POST', '/api/v1/tokens', { token, body });
  const file = path.join(wardroom.folder, 'api-token');
  writeFileSync(file, secret, { mode: 0o600 });
  return { token, secret, file };
}

/** Registers a tool server and accepts what it offers. */
export async function addTools(wardroom, token, name, url) {
  const body = { name, way: { kind: 'http', url }, limits: { calls_per_minute: 100_000 } };
  await ask(wardroom, 'POST', '/api/v1/tool-servers', { token, body });
  await acceptTools(wardroom, token, name);
}

/** Accepts what a tool server offers now. */
export async function acceptTools(wardroom, token, name) {
  const at = `/api/v1/tool-servers/${name}`;
  const looked = await ask(wardroom, 'POST', `${at}/test`, { token });
  if (looked.health.state !== 'ready') throw new Error(JSON.stringify(looked));
  const { items } = await ask(wardroom, 'GET', `${at}/tools`, { token });
  for (const { name: tool, digest } of items) {
    await ask(wardroom, 'POST', `${at}/tools/accept`, { token, body: { tool, digest } });
  }
}
