// Language models: the official clients of OpenAI and Anthropic, in Python and in JavaScript, ask a Wardroom as if it
// were their own server; and what they took, with its bounds, is on a page.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { look, walk } from './look.mjs';
import { PYTHON } from './suite.mjs';

const TEST_MS_MAX = 300_000;
const PROGRAM = path.join(path.dirname(fileURLToPath(import.meta.url)), 'model_clients.py');
const JAVASCRIPT = path.join(path.dirname(fileURLToPath(import.meta.url)), 'model_clients.mjs');

const SCRIPT = `answers:
  - {said: a tool, results: 0, text: I look, calls: [{tool: tides, arguments: {place: here}}]}
  - {said: a tool, results: 1, text: "It says {{result}}"}
  - {said: a berth, text: '{"name": "North", "metres": 12}'}
  - {said: no answer, model: none, fail: invalid}
  - {said: too long, fail: context_too_long}
  - {said: too much, fail: rate_limited}
  - {said: is down, fail: unavailable}
  - {said: slowly, text: "One word comes after the other and nobody knows when the last one will be there at all", pace_ms: 400}
  - {text: "You said: {{said}}, and I have nothing else to say about it"}
`;
const MODELS = `prices = "2026-11"
[[provider]]
name = "script"
kind = "scripted"
script = "script.yaml"
models = ["parrot"]
[[provider.price]]
model = "*"
input = 3.0
output = 15.0
[[provider]]
name = "harbour-office-with-a-rather-long-name"
kind = "compatible"
url = "http://127.0.0.1:9/v1"
models = ["a-rather-long-name-of-a-model-as-providers-like-to-have-them-2026-11-20-preview"]
[[provider.price]]
model = "*"
input = 0.0
output = 0.0
[[route]]
name = "fast"
models = ["harbour-office-with-a-rather-long-name/small", "script/parrot"]
`;

/** Runs a client to its end; gives what it told. */
function ask(command, args, settings, caFile) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, SSL_CERT_FILE: caFile, NODE_EXTRA_CA_CERTS: caFile };
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    let complaint = '';
    child.stdout.on('data', (text) => { said += text; });
    child.stderr.on('data', (text) => { complaint += text; });
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code !== 0) return reject(new Error(`${args[0]} ended with ${code}: ${complaint}\n${said}`));
      return resolve(said.trim().split('\n').map((line) => JSON.parse(line)));
    });
    child.stdin.end(JSON.stringify(settings));
  });
}

test('the official clients ask, and what they took and may take is on a page', { timeout: TEST_MS_MAX }, async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'wardroom-models-'));
  await writeFile(path.join(folder, 'script.yaml'), SCRIPT);
  await writeFile(path.join(folder, 'models.toml'), MODELS);
  try {
    await walk(async ({ page, context, admin, signIn, wardroom, problems }) => {
      problems.allow(/status of 422/);
      await signIn();
      await page.goto('/models');
      await page.getByText('Nothing was asked in that time.').waitFor();
      await look(page, 'models-none');

      const post = async (at, data, token) => {
        const headers = token ? { authorization: `Bearer ${token}` } : {};
        const answer = await context.request.post(at, { data, headers });
        assert.ok(answer.ok(), `${at}: ${answer.status()} ${await answer.text()}`);
        return answer.json();
      };
      const { name, password, codes } = admin;
      const { access_token: token } = await post('/api/v1/login', { name, password, code: codes.pop() });
      const { secret: key } = await post('/api/v1/tokens', { name: 'clients', scopes: ['model.use', 'model.list'] }, token);

      for (const [command, args, client] of [
        [PYTHON, [PROGRAM], 'openai'], [PYTHON, [PROGRAM], 'anthropic'],
        [process.execPath, [JAVASCRIPT], 'openai'], [process.execPath, [JAVASCRIPT], 'anthropic'],
      ]) {
        const told = await ask(command, args, { client, url: wardroom.url, key }, wardroom.caFile);
        const part = (name) => told.find((one) => one.part === name);
        const words = 'You said: Ahoy, and I have nothing else to say about it';
        assert.deepEqual(part('whole'), { part: 'whole', text: words, tokens: true });
        assert.deepEqual(part('streamed'), { part: 'streamed', text: words, pieces: true, tokens: true });
        assert.deepEqual(part('tools'), { part: 'tools', arguments: { place: 'here' }, text: 'It says High at noon' });
        assert.deepEqual(part('structured').berth, { name: 'North', metres: 12 });
        const failed = told.filter((one) => one.part === 'failed');
        assert.equal(failed.length, 5, JSON.stringify(told));
        for (const one of failed) assert.ok(one.right, JSON.stringify(one));
        assert.match(part('stranger').code, /invalid_api_key|authentication_error/);
        assert.deepEqual(part('models').names, ['fast', 'harbour-office-with-a-rather-long-name/a-rather-long-name-of-a-model-as-providers-like-to-have-them-2026-11-20-preview', 'script/parrot']);
        assert.ok(part('closed'));
      }

      await page.goto('/models');
      await page.getByRole('cell', { name: 'script/parrot', exact: true }).waitFor();
      await look(page, 'models');
      await page.getByRole('link', { name: 'New budget' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.locator('#scope').selectOption('user');
      await dialog.locator('#cost').fill('-3');
      await look(page, 'models-budget');
      await dialog.getByRole('button', { name: 'Make it' }).click();
      await dialog.locator('.field-error').getByText('must be 0 or more').waitFor();
      await dialog.locator('#cost').fill('2.50');
      await dialog.locator('#alert').fill('80');
      await dialog.locator('#about').fill('What everybody may ask for to try things out before there is an order');
      await dialog.getByRole('button', { name: 'Make it' }).click();
      await page.getByText('US$ 2.50 a day').waitFor();
      await ask(PYTHON, [PROGRAM], { client: 'openai', url: wardroom.url, key }, wardroom.caFile);
      await page.goto('/models?by=user&days=7');
      await page.locator('#budgets').getByText('tokens').waitFor();
      await look(page, 'models-bounded');
      await page.locator('#budgets').getByRole('button', { name: 'Remove' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
      await page.getByText('Nothing is bounded yet.').waitFor();
      await page.goto('/models?days=0');
      await page.getByRole('alert').waitFor();
    }, { args: ['--set', `models_file=${path.join(folder, 'models.toml')}`, '--set', 'outbound_allow=127.0.0.0/8'] });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
