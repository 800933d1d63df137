// Clients of others, made with the official SDKs, come to the gateway by OAuth: they find out by themselves where to ask,
// a person consents in a browser, and the token is good for that one tool server.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { look, walk } from './look.mjs';
import { PYTHON, SUITE, freePort, modernNode } from './suite.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const TEST_MS_MAX = 300_000;
const SCOPES = 'mcp.connect tool.call resource.read prompt.read';
const TYPESCRIPT = path.join(HERE, 'mcp/oauth_client.mjs');
const PYTHON_CLIENT = path.join(HERE, 'mcp/oauth_client.py');
const CLIENTS = [
  ['TypeScript 1, sessions', process.execPath, [TYPESCRIPT, '1', 'legacy']],
  ['TypeScript 2, sessions', process.execPath, [TYPESCRIPT, '2', 'legacy']],
  ['TypeScript 2, 2026-07-28', process.execPath, [TYPESCRIPT, '2', 'modern']],
  ['Python, sessions', PYTHON, [PYTHON_CLIENT, 'legacy']],
  ['Python, 2026-07-28', PYTHON, [PYTHON_CLIENT, '2026-07-28']],
];

/** Starts a program; `next()` gives its next line. */
function start(program, args, env) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let complaint = '';
  child.stderr.on('data', (text) => { complaint += text; });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${args[0]} ended with ${await ended}: ${complaint}`);
    return value;
  };
  return { next, stop: () => child.kill() };
}

test('clients of the official SDKs come by OAuth', { timeout: TEST_MS_MAX }, async () => {
  const fixture = start(process.execPath, [path.join(HERE, 'mcp/fixture.mjs'), '--era', 'both'], {});
  const folder = await mkdtemp(path.join(os.tmpdir(), 'wardroom-clients-'));
  let site;
  try {
    site = start(PYTHON, [path.join(HERE, 'mcp/document_site.py'), folder], {});
    const document = JSON.parse(await site.next());
    const url = (await fixture.next()).trim();
    await walk(
      async ({ page, signIn, problems, wardroom }) => {
        problems.allow(/127\.0\.0\.1/);
        await signIn();
        await page.goto('/gateway?new=1');
        const dialog = page.getByRole('dialog');
        await dialog.locator('#name').fill('fixture');
        await dialog.locator('#url').fill(url);
        await dialog.getByRole('button', { name: 'Add', exact: true }).click();
        await page.getByRole('button', { name: 'Look at it now' }).click();
        await page.getByRole('link', { name: 'test_simple_text', exact: true }).click();
        await page.locator('#accept').click();
        await page.locator('#try-form').waitFor();
        await page.goto('/oauth/clients?new=1');
        await dialog.locator('#name').fill('Desk client');
        await dialog.locator('#redirects').fill('http://127.0.0.1/cb');
        await dialog.locator('#scopes').fill(SCOPES);
        await dialog.getByRole('button', { name: 'Register' }).click();
        const id = (await dialog.locator('#client-id').textContent()).trim();
        const address = `${wardroom.url}/mcp/fixture`;
        const trusting = { NODE_EXTRA_CA_CERTS: wardroom.caFile, CA_FILE: wardroom.caFile };
        let looked = false;
        for (const named of [id, document.address]) {
          for (const [kind, program, args] of CLIENTS) {
            const name = `${kind} as ${named}`;
            const client = start(program, [...args, address, named], trusting);
            try {
              await page.goto(JSON.parse(await client.next()).authorize);
              const allow = page.getByRole('button', { name: 'Allow' });
              await allow.waitFor();
              if (named === document.address && !looked) {
                looked = true;
                assert.match(await page.locator('#unregistered').textContent(), /client\.json/);
                await look(page, 'consent-unregistered');
              }
              await allow.click();
              await page.getByText('Back in the client').waitFor();
              const said = JSON.parse(await client.next());
              assert.equal(said.tools, 1, name);
              assert.match(said.text, /simple text/, name);
              assert.deepEqual(said.scope.split(' ').sort(), SCOPES.split(' ').sort(), name);
            } finally {
              client.stop();
            }
          }
        }
        await page.goto('/oauth/clients');
        await page.getByText('by its own document').waitFor();
        await look(page, 'oauth-clients');
        await page.goto('/account');
        await look(page, 'account-programs');
        await judge(page, wardroom, trusting, address);
      },
      {
        name: 'clients',
        args: [
          '--set', 'outbound_allow=127.0.0.0/8',
          '--set', `outbound_ca_file=${document.ca}`,
          '--set', `oauth_client_documents=${new URL(document.address).origin}`,
        ],
      },
    );
  } finally {
    fixture.stop();
    site?.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

/** The conformance suite's scenarios for authorization servers, with a client of its own. */
async function judge(page, wardroom, trusting, resource) {
  await page.goto('/oauth/clients?new=1');
  const dialog = page.getByRole('dialog');
  await dialog.locator('#name').fill('Judge');
  await dialog.locator('#redirects').fill('http://127.0.0.1/callback');
  await dialog.locator('#scopes').fill(SCOPES);
  await dialog.getByRole('button', { name: 'Register' }).click();
  const id = (await dialog.locator('#client-id').textContent()).trim();
  const port = String(await freePort());
  const args = [SUITE, 'authorization', '--url', wardroom.url, '--client-id', id, '--resource', resource, '--port', port];
  const suite = start(modernNode(), args, trusting);
  const said = [];
  try {
    for (;;) {
      const line = await suite.next();
      said.push(line);
      if (line.includes('/oauth/authorize?')) {
        await page.goto(line.trim());
        await page.getByRole('button', { name: 'Allow' }).click();
        await page.waitForURL(/\/callback/);
      }
      const total = /Total: (\d+) passed, (\d+) failed/.exec(line);
      if (total) {
        assert.deepEqual([total[1], total[2]], ['3', '0'], said.join('\n'));
        return;
      }
    }
  } finally {
    suite.stop();
  }
}
