// A program of others, made with a real OAuth library: it asks a person on the consent page, acts within what was
// granted, refreshes and gives back; what it was granted is seen and ended on the person's own page.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { look, walk } from './look.mjs';

const TEST_MS_MAX = 300_000;
const PYTHON = process.env.E2E_PYTHON ?? 'python3';
const PROGRAM = path.join(path.dirname(fileURLToPath(import.meta.url)), 'oauth_client.py');

/** Starts the program; `next()` gives its next line, `over()` waits for its end. */
function start(settings) {
  const child = spawn(PYTHON, [PROGRAM], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (text) => { complaint += text; });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stdin.end(JSON.stringify(settings));
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the program ended with ${await ended}: ${complaint}`);
    return JSON.parse(value);
  };
  const over = async () => assert.equal(await ended, 0, complaint);
  return { next, over, stop: () => child.kill() };
}

test('a program of others asks, acts, refreshes and gives back, and a person sees and ends it', { timeout: TEST_MS_MAX }, async () => {
  await walk(
    async ({ page, problems, signIn, wardroom }) => {
      problems.allow(/status of 422/);
      problems.allow(/127\.0\.0\.1/);
      await signIn();
      await page.goto('/security');
      await page.getByRole('link', { name: 'OAuth clients' }).click();
      await page.getByText('No client yet.').waitFor();
      await look(page, 'clients-none');
      const dialog = page.getByRole('dialog');
      const register = async ({ name, redirects = '', scopes, secret = false, actsAs = '' }) => {
        await page.goto('/oauth/clients?new=1');
        await dialog.locator('#name').fill(name);
        await dialog.locator('#redirects').fill(redirects);
        await dialog.locator('#scopes').fill(scopes);
        await dialog.locator('#confidential').setChecked(secret);
        await dialog.locator('#acts-as').fill(actsAs);
        await dialog.getByRole('button', { name: 'Register' }).click();
      };
      const made = async (secret) => {
        const id = (await dialog.locator('#client-id').textContent()).trim();
        const kept = secret ? (await dialog.locator('#client-secret').textContent()).trim() : undefined;
        return { client_id: id, client_secret: kept };
      };
      await register({ name: 'Chart Room', redirects: 'http://chart.example/cb', scopes: 'run.list' });
      await dialog.locator('.field-error').getByText('must be https').waitFor();
      await look(page, 'clients-new');
      await register({ name: 'Chart Room', redirects: 'http://127.0.0.1/cb\nhttps://chart.example/with/a/long/path/for/the/answer', scopes: 'run.list user.read', secret: true });
      const server = await made(true);
      await look(page, 'clients-made');
      await register({ name: 'Pocket Chart', redirects: 'http://127.0.0.1/cb', scopes: 'run.list' });
      const pocket = await made(false);
      await page.goto('/account');
      const me = (await page.locator('dd.mono').filter({ hasText: /^user_/ }).textContent()).trim();
      await register({ name: 'Night Watch', scopes: 'run.list', secret: true, actsAs: me });
      const robot = await made(true);
      await page.goto('/oauth/clients');
      await page.getByText('Night Watch', { exact: true }).waitFor();
      await look(page, 'clients');

      const common = { issuer: wardroom.url, ca: wardroom.caFile, resource: `${wardroom.url}/api` };
      const asked = async (settings, decision) => {
        const program = start({ ...common, ...settings });
        try {
          await page.goto((await program.next()).authorize);
          await page.getByRole('button', { name: decision }).waitFor();
          if (decision === 'Allow' && settings.keeps) await look(page, 'consent');
          await page.getByRole('button', { name: decision }).click();
          await page.getByText('Back in the Chart Room').waitFor();
          const said = await program.next();
          await program.over();
          return said;
        } finally {
          program.stop();
        }
      };
      const granted = { scope: 'run.list user.read', runs: 200, nodes: 403, refreshable: true, rotated: true, runs_after_refresh: 200 };
      const given = await asked({ ...server, scope: 'run.list user.read', method: 'client_secret_basic' }, 'Allow');
      assert.deepEqual(given, { ...granted, revoked: 200, runs_after_revocation: 401 });
      const posted = await asked({ ...server, scope: 'run.list', method: 'client_secret_post' }, 'Allow');
      assert.deepEqual(posted, { ...granted, scope: 'run.list', revoked: 200, runs_after_revocation: 401 });
      assert.deepEqual(await asked({ ...pocket, scope: 'run.list', method: 'none' }, 'Deny'), { error: 'access_denied' });
      const kept = await asked({ ...server, scope: 'run.list user.read', method: 'client_secret_basic', keeps: true }, 'Allow');
      assert.deepEqual(kept, granted);
      await asked({ ...pocket, scope: 'run.list', method: 'none', keeps: true }, 'Allow');

      const alone = start({ ...common, ...robot, scope: 'run.list', method: 'client_secret_basic', acts_alone: true });
      assert.deepEqual(await alone.next(), { scope: 'run.list', runs: 200, nodes: 403, refreshable: false });
      await alone.over();

      await page.goto('/account');
      await page.getByText('granted 2 actions').waitFor();
      await look(page, 'account-grants');
      const row = page.locator('#sessions tr', { hasText: 'Pocket Chart' });
      await row.getByRole('button', { name: 'End' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'End it' }).click();
      await row.waitFor({ state: 'detached' });
      await page.goto('/audit?action=grant.create');
      await page.getByRole('link', { name: 'grant.create' }).first().waitFor();

      await page.goto('/oauth/clients');
      await page.getByRole('button', { name: 'New secret for Chart Room' }).click();
      await dialog.getByRole('button', { name: 'New secret' }).click();
      await dialog.locator('#client-secret').waitFor();
      assert.notEqual((await dialog.locator('#client-secret').textContent()).trim(), server.client_secret);
      await dialog.getByRole('link', { name: 'Done' }).click();
      await page.getByRole('button', { name: 'Forget Chart Room' }).click();
      await dialog.getByRole('button', { name: 'Forget' }).click();
      await page.locator('#clients').getByText('Chart Room').waitFor({ state: 'detached' });
      await page.goto('/account');
      assert.equal(await page.getByText('granted 2 actions').count(), 0);
    },
    { name: 'oauth' },
  );
});
