// The walk through the dashboard, as a person takes it.

import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';

import { checkAxe, screenshot } from './harness.mjs';
import { WIDE, look, walk } from './look.mjs';

const TEST_MS_MAX = 300_000;
const TABS_MAX = 60;

// What the sample allow-list does not have: output that takes its time and is not all text, a command
// that must be cancelled, and one with a parameter of each type.
const COMMANDS = String.raw`
[[command]]
name = "talk"
description = "Prints for a while on both streams"
program = "/usr/bin/bash"
arguments = ["-c", "printf '\\033[31mcolour\\033[0m\\n'; printf 'a\\000b\\377c <b>bold</b>\\n'; for i in 1 2 3 4; do echo line $i; echo problem $i >&2; sleep 1; done"]
idempotent = true

[[command]]
name = "every-kind"
description = "A parameter of each type"
program = "/usr/bin/echo"
arguments = ["{place}", "{count}", "{name}", "{file}", "{server}", "{port}", "{loud}"]
parameters = [
  { name = "place", type = "enum", description = "Where", values = ["north", "south"] },
  { name = "count", type = "integer", description = "How many", min = 1, max = 9, default = 3 },
  { name = "name", type = "string", description = "What it is called", pattern = "[a-z0-9._-]+", bytes_max = 20 },
  { name = "file", type = "path", description = "A file", roots = ["/etc"], entry = "file" },
  { name = "server", type = "host", description = "A host" },
  { name = "port", type = "port", description = "A port", default = 443 },
  { name = "loud", type = "flag", description = "Loudly", arguments = ["--loud"] },
  { name = "key", type = "string", description = "A key", pattern = "[a-z0-9]+", bytes_max = 40, secret = true, environment = "EVERY_KEY" },
]
`;

/** Marks the page, so that a reload would be noticed. */
const mark = (page) => page.evaluate(() => { window.walkMark = true; });
const isMarked = (page) => page.evaluate(() => window.walkMark === true);

const state = (page) => page.locator('#run-state .badge').first();

/** Waits until the run's page says that it is over, without a reload. */
async function ended(page, wanted) {
  await page.locator(`#run-state[data-state="${wanted}"]`).waitFor({ timeout: 30_000 });
  assert.ok(await isMarked(page), 'the page was reloaded');
}

/** Presses Tab until the element has the focus, as a person without a mouse does. */
async function tabTo(page, selector) {
  for (let count = 0; count < TABS_MAX; count += 1) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`${TABS_MAX} times Tab did not lead to ${selector}`);
}

/** The one node of the installation, on its page. */
async function openNode(page) {
  await page.goto('/nodes');
  await page.locator('table.cards td.lead a').first().click();
  await page.locator('#node-commands').waitFor();
}

/** The allow-list gets our commands; the node notices and publishes them, and the page shows them. */
async function addCommands(page, wardroom) {
  await openNode(page);
  await mark(page);
  await appendFile(path.join(wardroom.folder, 'data', 'commands.toml'), COMMANDS);
  await page.getByRole('link', { name: /every-kind/ }).waitFor({ timeout: 30_000 });
  assert.ok(await isMarked(page), 'the new catalogue came without a reload');
}

async function openCommand(page, name) {
  await openNode(page);
  await page.locator(`a.command[href$="/commands/${name}"]`).click();
  await page.locator('#command-form').waitFor();
}

/** Submits the form that is open and answers the run's id. */
async function submit(page) {
  await Promise.all([
    page.waitForURL(/\/runs\/run_/),
    page.locator('#command-form button[type="submit"]').click(),
  ]);
  return new URL(page.url()).pathname.split('/').pop();
}

test('signing in: a stranger, a wrong password, the right one, and out again', { timeout: TEST_MS_MAX }, () =>
  walk(
    async ({ page, admin, context, problems }) => {
      problems.allow(/status of 422/);
      await page.goto('/runs?state=failed');
      assert.equal(new URL(page.url()).pathname, '/sign-in');
      assert.equal(await page.locator('[name="password"]').getAttribute('type'), 'password');
      await look(page, 'sign-in');

      for (const [name, password] of [[admin.name, 'wrong'], ['nobody', 'wrong']]) {
        await page.locator('[name="name"]').fill(name);
        await page.locator('[name="password"]').fill(password);
        await page.getByRole('button', { name: 'Sign in', exact: true }).click();
        await page.getByRole('alert').waitFor();
        assert.match(await page.getByRole('alert').textContent(), /The name or the password is wrong\./);
        assert.equal(await page.locator('[name="name"]').inputValue(), '', 'the answer does not depend on the name');
      }
      await look(page, 'sign-in-failed');

      // The way on is kept over the failed tries.
      await page.locator('[name="name"]').fill(admin.name);
      await page.locator('[name="password"]').fill(admin.password);
      await page.keyboard.press('Enter');
      await page.waitForURL((url) => url.pathname === '/sign-in/second-factor');
      await page.locator('[name="code"]').fill('000000');
      await page.keyboard.press('Enter');
      assert.match(await page.getByRole('alert').first().textContent(), /The code is wrong/);
      await look(page, 'second-factor');
      await page.locator('[name="code"]').fill(admin.codes.pop());
      await page.keyboard.press('Enter');
      await page.waitForURL((url) => url.pathname === '/runs' && url.search === '?state=failed');

      await page.goto('/account');
      await page.getByRole('button', { name: 'Sign out everywhere' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Keep as it is' }).click();
      assert.equal(new URL(page.url()).pathname, '/account');
      await page.getByRole('button', { name: 'Sign out everywhere' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Sign out everywhere' }).click();
      await page.waitForURL((url) => url.pathname === '/sign-in');
      assert.deepEqual(await context.cookies(), [], 'the cookie is gone');
      await page.goto('/');
      assert.equal(new URL(page.url()).pathname, '/sign-in');
    },
    { name: 'sign-in' },
  ));

test('a command by form: errors at their fields, live output, cancelling, records', { timeout: TEST_MS_MAX }, () =>
  walk(
    async ({ page, wardroom, signIn, problems }) => {
      await signIn();
      await addCommands(page, wardroom);
      await look(page, 'node');

      // A value that the browser lets through and the orchestrator refuses is named at its field.
      await openCommand(page, 'every-kind');
      assert.deepEqual(await page.locator('#p-place option').allTextContents(), ['Choose…', 'north', 'south']);
      assert.equal(await page.locator('#p-count').getAttribute('max'), '9');
      assert.equal(await page.locator('#p-name').getAttribute('pattern'), String.raw`[a-z0-9._\-]+`);
      assert.equal(await page.locator('#p-key').getAttribute('type'), 'password');
      assert.equal(await page.locator('#p-loud').getAttribute('type'), 'checkbox');
      await look(page, 'command');
      await page.locator('#p-place').selectOption('south');
      await page.locator('#p-name').fill('lantern');
      await page.locator('#p-file').fill('/etc/hostname');
      await page.locator('#p-server').fill('not a host!');
      await page.locator('#p-key').fill('verysecret1');
      problems.allow(/status of 422/);
      await page.locator('#command-form button[type="submit"]').click();
      await page.getByRole('alert').waitFor();
      assert.equal(await page.locator('[aria-invalid="true"]').getAttribute('id'), 'p-server');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'p-server', 'the wrong field has the focus');
      assert.equal(await page.locator('#p-name').inputValue(), 'lantern', 'what was typed is kept');
      assert.equal(await page.locator('#p-place').inputValue(), 'south');
      assert.equal(await page.locator('#p-key').inputValue(), '', 'a secret is not given back');
      assert.ok(!(await page.content()).includes('verysecret1'));
      await look(page, 'command-refused');
      await page.locator('#p-server').fill('quay.example');
      await page.locator('#p-key').fill('verysecret1');
      await submit(page);
      await mark(page);
      await ended(page, 'succeeded');
      await page.getByText('[secret]').waitFor();

      // Output comes while the program runs, each stream by itself, and nothing of it is markup.
      await openCommand(page, 'talk');
      const talk = await submit(page);
      await mark(page);
      const out = page.locator('[data-output-lines]');
      await out.getByText('line 1', { exact: true }).waitFor();
      assert.notEqual(await page.locator('#run-state').getAttribute('data-state'), 'succeeded');
      await out.getByText('problem 2', { exact: true }).waitFor();
      await screenshot(page, 'run-live', { width: WIDE });
      await page.locator('[data-output-status]', { hasText: 'Complete.' }).waitFor({ timeout: 30_000 });
      await ended(page, 'succeeded');
      const lines = await out.locator('.l').evaluateAll((all) => all.map((line) => [line.className, line.textContent]));
      const of = (kind) => lines.filter(([name]) => name === `l ${kind}`).map(([, text]) => text);
      assert.deepEqual(of('out'), ['colour', String.raw`a\x00b\xffc <b>bold</b>`, 'line 1', 'line 2', 'line 3', 'line 4']);
      assert.deepEqual(of('err'), ['problem 1', 'problem 2', 'problem 3', 'problem 4']);
      // The same after a reload, when the server writes it.
      await page.reload();
      assert.deepEqual(await out.locator('.l.out').allTextContents(), of('out'));
      assert.deepEqual(await out.locator('.l.err').allTextContents(), of('err'));
      await page.locator('#run-records td.lead a').first().waitFor();
      await look(page, 'run');

      // A run is cancelled from its page, which asks first.
      await openCommand(page, 'sleep');
      await page.locator('#p-seconds').fill('50');
      const sleep = await submit(page);
      await mark(page);
      await page.locator('#run-state[data-state="running"]').waitFor();
      await look(page, 'run-running');
      assert.ok(await isMarked(page));
      await page.locator('#cancel').click();
      await page.getByRole('dialog').waitFor();
      await checkAxe(page);
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel run' }).click();
      await page.waitForURL(new RegExp(`/runs/${sleep}$`));
      await page.locator('#run-state[data-state="cancelled"]').waitFor({ timeout: 30_000 });
      assert.equal(await page.locator('#cancel').count(), 0, 'what is over can’t be cancelled');
      await look(page, 'run-cancelled');

      // Filters.
      await page.goto('/runs');
      await page.locator('#runs td.lead').nth(2).waitFor();
      await look(page, 'runs');
      await page.locator('#state').selectOption('cancelled');
      await page.getByRole('button', { name: 'Filter' }).click();
      await page.waitForURL((url) => url.search === '?state=cancelled');
      assert.deepEqual(await page.locator('#runs td.lead a').allTextContents(), ['sleep']);
      await page.locator('#state').selectOption('');
      await page.locator('#command').fill('talk');
      await page.locator('#mine').check();
      await page.getByRole('button', { name: 'Filter' }).click();
      await page.waitForURL((url) => url.search === '?command=talk&mine=true');
      assert.equal(await page.locator('#runs td.lead a').getAttribute('href'), `/runs/${talk}`);
      await page.goto('/runs?node=nobody');
      assert.match(await page.getByRole('alert').textContent(), /No node has the name or id nobody/);

      await page.goto('/');
      await page.locator('#overview-hours').waitFor();
      await look(page, 'overview');
      await page.goto('/nodes');
      await look(page, 'nodes');
    },
    { name: 'command' },
  ));

test('a command by keyboard alone', { timeout: TEST_MS_MAX }, () =>
  walk(
    async ({ page, signIn }) => {
      await signIn();
      await page.reload();
      // The first Tab offers the way past the navigation.
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
      await page.keyboard.press('Enter');
      assert.equal(await page.evaluate(() => location.hash), '#main');
      await page.goto('/');
      await tabTo(page, 'nav a[href="/nodes"]');
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      assert.notEqual(outline, 'none', 'the focus is visible');
      await page.keyboard.press('Enter');
      await page.waitForURL((url) => url.pathname === '/nodes');
      await tabTo(page, 'td.lead a');
      await page.keyboard.press('Enter');
      await page.waitForURL(/\/nodes\/node_/);
      await tabTo(page, 'a.command[href$="/commands/echo"]');
      await page.keyboard.press('Enter');
      await page.waitForURL(/\/commands\/echo$/);
      await tabTo(page, '#p-text');
      await page.keyboard.type('by hand');
      await tabTo(page, '#command-form button[type="submit"]');
      await page.keyboard.press('Space');
      await page.waitForURL(/\/runs\/run_/);
      await mark(page);
      await page.locator('[data-output-lines]').getByText('by hand', { exact: true }).waitFor();
      await ended(page, 'succeeded');
      assert.equal((await state(page).textContent()).trim(), 'succeeded');
    },
    { name: 'keyboard' },
  ));

test('audit, join tokens, account, errors', { timeout: TEST_MS_MAX }, () =>
  walk(
    async ({ page, signIn, problems, openPerson, context }) => {
      await signIn();

      // Verification and search.
      await page.goto('/audit');
      await page.getByText('not verified').waitFor();
      await page.getByRole('button', { name: 'Verify now' }).click();
      await page.locator('#verification .badge', { hasText: /^sound$/ }).waitFor();
      await look(page, 'audit');
      await page.locator('#text').fill('auth.sign_in');
      await page.getByRole('button', { name: 'Search' }).click();
      await page.waitForURL((url) => url.search === '?text=auth.sign_in');
      const found = await page.locator('#records td.lead a').allTextContents();
      assert.ok(found.length > 0 && found.every((action) => action === 'auth.sign_in'), String(found));
      await page.getByText('More filters').click();
      await page.locator('#action').fill('audit.');
      await page.locator('#text').fill('');
      await page.getByRole('button', { name: 'Search' }).click();
      await page.waitForURL((url) => url.search === '?action=audit.');
      await page.locator('#records td.lead a', { hasText: 'audit.verify' }).first().click();
      await page.waitForURL(/\/audit\/[0-9]+$/);
      await look(page, 'record');
      const [receipt] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('link', { name: 'Receipt' }).click(),
      ]);
      assert.match(receipt.suggestedFilename(), /^wardroom-receipt-[0-9]+\.json$/);
      await page.goto('/audit?outcome=refused&text=nothing-has-this');
      await page.getByText('No record matches.').waitFor();

      // A join token, whose command is shown once.
      await page.goto('/join-tokens');
      await page.getByRole('link', { name: 'New join token' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.waitFor();
      assert.equal(new URL(page.url()).search, '', 'the dialog opens in place');
      await look(page, 'join-token-dialog');
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'hidden' });
      await page.getByRole('link', { name: 'New join token' }).click();
      await dialog.locator('#labels').fill('site');
      problems.allow(/status of 422/);
      await dialog.getByRole('button', { name: 'Create token' }).click();
      await dialog.getByRole('alert').waitFor();
      await dialog.locator('#labels').fill('site=north, tier=web');
      await dialog.getByRole('button', { name: 'Create token' }).click();
      const command = page.locator('#join-command');
      await command.waitFor();
      const text = await command.textContent();
      assert.match(text, /^printf %s \S+ \| wardroom-node join --server https:\/\/\S+ --token-stdin /);
      await look(page, 'join-token-made');
      await context.grantPermissions(['clipboard-read', 'clipboard-write']);
      await dialog.getByRole('button', { name: 'Copy' }).click();
      await dialog.getByText('Copied').waitFor();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
      await page.reload();
      assert.equal(await command.count(), 0, 'the command is shown once');
      assert.ok(!(await page.content()).includes(text.split(' ')[2]));
      const open = page.locator('#join-tokens tr', { hasText: 'north' });
      await open.getByRole('button', { name: 'Revoke' }).click();
      await dialog.getByRole('button', { name: 'Revoke' }).click();
      await open.getByText('revoked').waitFor();
      await look(page, 'join-tokens');

      // An API token of one's own.
      await page.goto('/account');
      await page.locator('#token-name').fill('laptop');
      await page.locator('#token-scopes').fill('run.read run.list');
      await page.getByRole('button', { name: 'Create token' }).click();
      const secret = await page.locator('#token-secret').textContent();
      assert.ok(secret.length > 30);
      await page.locator('#api-tokens').getByText('run.list run.read').waitFor();
      await look(page, 'account');
      await page.reload();
      assert.ok(!(await page.content()).includes(secret), 'the token is shown once');
      await page.getByRole('button', { name: 'Revoke laptop' }).click();
      await dialog.getByRole('button', { name: 'Revoke' }).click();
      await page.getByText('No API token.').waitFor();

      // Another person's view is brought up to date by this one's doing.
      const other = await openPerson();
      await signIn(other.page);
      await other.page.goto('/nodes');
      await mark(other.page);
      await openNode(page);
      await page.getByRole('button', { name: 'Disable node' }).click();
      await dialog.getByRole('button', { name: 'Disable node' }).click();
      await page.getByRole('button', { name: 'Enable node' }).waitFor();
      await other.page.locator('#nodes .badge', { hasText: 'disabled' }).waitFor();
      assert.ok(await isMarked(other.page));
      await page.getByRole('button', { name: 'Enable node' }).click();
      await other.page.locator('#nodes .badge', { hasText: 'online' }).waitFor({ timeout: 60_000 });

      // Removing asks for the name.
      await page.getByText('Remove this node…').click();
      await page.locator('#confirm').fill('another');
      await page.getByRole('button', { name: 'Remove node' }).click();
      assert.match(await page.getByRole('alert').textContent(), /Nothing was removed/);

      // Errors are pages with a way out.
      problems.allow(/status of 404/);
      await page.goto('/runs/run_00000000000000000000000000000000');
      await page.getByRole('heading', { name: 'Not found' }).waitFor();
      assert.match(await page.locator('main').textContent(), /req_[0-9a-f]{32}/);
      await look(page, 'error');
    },
    { name: 'oversight' },
  ));

test('a lost event stream and an ended session are told of', { timeout: TEST_MS_MAX }, () =>
  walk(
    async ({ page, context, signIn, problems }) => {
      await signIn();
      problems.allow(/api\/v1\/events/);
      await page.route('**/api/v1/events', (route) => route.abort());
      await page.goto('/nodes');
      const notice = page.locator('#live-notice');
      await notice.getByText('Live updates are paused').waitFor();
      await checkAxe(page);
      await page.unroute('**/api/v1/events');
      await notice.waitFor({ state: 'hidden', timeout: 30_000 });

      await page.goto('/audit');
      await mark(page);
      const other = await context.newPage();
      await other.goto('/account');
      await other.getByRole('button', { name: 'Sign out here' }).click();
      await other.waitForURL((url) => url.pathname === '/sign-in');
      // The page in the background learns of it when it comes to the front.
      await page.bringToFront();
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
      await notice.getByText('Your session has ended.').waitFor();
      assert.ok(await isMarked(page));
      await notice.getByRole('link', { name: 'Sign in again' }).click();
      await page.waitForURL((url) => url.pathname === '/sign-in' && url.searchParams.get('next') === '/audit');
    },
    { name: 'lost' },
  ));

test('every page works without scripts', { timeout: TEST_MS_MAX }, () =>
  walk(
    async ({ page, signIn }) => {
      await signIn();
      await page.goto('/nodes');
      await page.locator('td.lead a').first().click();
      await page.locator('a.command[href$="/commands/echo"]').click();
      await page.locator('#p-text').fill('without scripts');
      const id = await submit(page);
      await page.locator('#run-state').waitFor();
      // Without scripts a person reloads.
      await assert.doesNotReject(async () => {
        for (;;) {
          await page.goto(`/runs/${id}`);
          if ((await page.locator('#run-state').getAttribute('data-state')) === 'succeeded') return;
        }
      });
      await page.locator('.l.out', { hasText: 'without scripts' }).waitFor();
      await page.goto('/join-tokens?new=1');
      await page.getByRole('button', { name: 'Create token' }).click();
      assert.match(await page.locator('#join-command').textContent(), / \| wardroom-node join /);
      await page.goto('/account');
      await page.getByRole('button', { name: 'Sign out here' }).click();
      await page.waitForURL((url) => url.pathname === '/sign-in');
    },
    { name: 'without-scripts', context: { javaScriptEnabled: false } },
  ));
