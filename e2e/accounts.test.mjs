// A person's own account at a tool server that the official SDK guards with OAuth: wanted, connected by way of the
// authorization server, used by the person's calls, let go of.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { look, walk } from './look.mjs';

const GUARDED = path.join(path.dirname(fileURLToPath(import.meta.url)), 'mcp/guarded.mjs');
const TEST_MS_MAX = 300_000;

/** Starts the tool server; its address and how it is stopped. */
function guarded() {
  const child = spawn(process.execPath, [GUARDED], { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the tool server ended with ${code}`)));
    child.stdout.once('data', (text) => resolve({ url: String(text).trim(), stop: () => child.kill() }));
  });
}

test('somebody connects their account at a tool server, calls with it and lets go of it', { timeout: TEST_MS_MAX }, async () => {
  const server = await guarded();
  try {
    await walk(
      async ({ page, signIn, problems }) => {
        problems.allow(/status of (422|502)/);
        problems.allow(/localhost/);
        await signIn();
        await page.goto('/tool-accounts');
        await page.getByText('No tool server wants your account.').waitFor();
        await look(page, 'accounts-none');
        await page.goto('/gateway?new=1');
        const dialog = page.getByRole('dialog');
        await dialog.locator('#name').fill('harbour-mail');
        await dialog.locator('#about').fill('Letters of the harbour, as each of its people gets them');
        await dialog.locator('#url').fill(server.url);
        await dialog.getByText('It takes tokens of an authorization server (OAuth)').click();
        await dialog.getByLabel('Whose').selectOption('client');
        await dialog.getByRole('button', { name: 'Add', exact: true }).click();
        await dialog.getByText(/must be told, and so must the client/i).waitFor();
        await look(page, 'accounts-add');
        await dialog.getByLabel('Whose').selectOption('account');
        await dialog.getByRole('button', { name: 'Add', exact: true }).click();
        await page.getByText('each caller’s own account').waitFor();
        await page.getByRole('button', { name: 'Look at it now' }).click();
        await page.getByText(/not connected your account/).first().waitFor();
        await look(page, 'accounts-server');
        await page.getByRole('link', { name: 'Connect yours' }).click();
        await page.getByText('not connected').first().waitFor();
        await look(page, 'accounts-wanted');
        await page.getByRole('button', { name: 'Connect harbour-mail' }).click();
        await page.getByText('Your account at harbour-mail is connected.').waitFor();
        await page.getByText('mail.read').waitFor();
        await look(page, 'accounts-connected');
        await page.goto('/gateway/servers/harbour-mail');
        await page.getByRole('button', { name: 'Look at it now' }).click();
        await page.getByRole('link', { name: 'inbox', exact: true }).click();
        await page.locator('#accept').click();
        await page.locator('#try-form button[type="submit"]').click();
        await page.getByText(/nothing new for .* \(mail\.read\)/).waitFor();
        await page.goto('/tool-accounts');
        await page.getByRole('button', { name: 'Forget harbour-mail' }).click();
        await page.getByRole('button', { name: 'Forget', exact: true }).click();
        await page.getByText('not connected').first().waitFor();
        // Somebody else's answer, or one that was used, is told as what it is.
        await page.goto('/tool-accounts/harbour-mail/finish?code=x&state=y');
        await page.getByText(/was not begun here/).waitFor();
        await look(page, 'accounts-not-begun');
        assert.match(page.url(), /tool-accounts/);
      },
      { name: 'accounts', args: ['--set', 'outbound_allow=127.0.0.0/8'] },
    );
  } finally {
    server.stop();
  }
});
