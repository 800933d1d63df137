// A tool server that a node starts, on the dashboard: offered on the node's page, added with a secret, looked at.

import { readFileSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { look, walk } from './look.mjs';

const SERVER = fileURLToPath(new URL('../crates/wardroom/tests/world/stdio_server.py', import.meta.url));
const TEST_MS_MAX = 300_000;

test('what a node offers to start is added to the gateway from its page', { timeout: TEST_MS_MAX }, () =>
  walk(async ({ page, wardroom, signIn, problems }) => {
    problems.allow(/status of 422/);
    const { folder } = wardroom;
    const list = path.join(folder, 'data/commands.toml');
    const script = path.join(folder, 'server.py');
    // Programs of the sandbox are another user's where the tests are root's.
    await chmod(folder, 0o755);
    writeFileSync(script, readFileSync(SERVER), { mode: 0o644 });
    writeFileSync(list, `${readFileSync(list, 'utf8')}
[[tool_server]]
name = "harbour-files"
description = "Files of the harbour, as the harbour master keeps them"
program = "/usr/bin/python3"
arguments = ["${script}"]
secrets = ["API_KEY", "A_VARIABLE_WITH_A_RATHER_LONG_NAME_AS_SOME_LIKE_THEM"]
instances = "per_session"
sandbox = { read = ["${script}"] }
`);
    await signIn();
    await page.goto('/nodes');
    await page.getByRole('link', { name: 'local', exact: true }).click();
    const offer = page.getByRole('link', { name: /harbour-files/ });
    await offer.waitFor();
    await look(page, 'node-tool-servers');
    await offer.click();
    await page.getByRole('heading', { name: 'Add a tool server' }).waitFor();
    await look(page, 'node-tool-server-add');
    await page.getByLabel('Secrets in its environment').fill('API_KEY harbour.key');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText(/Each line must be VARIABLE=secret/i).waitFor();
    await page.getByLabel('Secrets in its environment').fill('API_KEY=harbour.key');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText(/There is no secret/).waitFor();
    await look(page, 'node-tool-server-wrong');
    await page.getByLabel('Secrets in its environment').fill('API_KEY=');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByRole('heading', { name: /harbour-files/ }).waitFor();
    await page.getByRole('button', { name: 'Look at it now' }).click();
    await page.getByRole('link', { name: 'count', exact: true }).waitFor();
    await look(page, 'node-tool-server');
  }, { name: 'instances' }));
