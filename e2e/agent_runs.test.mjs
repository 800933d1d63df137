// An agent at work on the dashboard: it is asked something, asks back, answers, and is stopped.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { look, walk } from './look.mjs';

const TEST_MS_MAX = 240_000;
const SCRIPT = `answers:
  - {said: which berth, results: 0, text: "I ask first, since there are several harbours.", calls: [{tool: ask_person, arguments: {question: "North or south? The north has more room, the south is nearer to the town and its market."}}, {tool: nowhere_at_all, arguments: {harbour: north, nights: 4, why: "a rather long reason that goes on and on so that the line is longer than the page is wide"}}]}
  - {said: which berth, text: "Then it is this one:\\n\\n{{result}}\\n\\nIt is free for four nights, has water and power, and the harbour office opens at eight."}
  - {said: slowly, text: "Never", wait_ms: 600000}
  - {text: "You said {{said}}"}
`;
const MODELS = `[[provider]]
name = "script"
kind = "scripted"
script = "script.yaml"
models = ["parrot"]
[[provider.price]]
model = "*"
input = 3.0
output = 15.0
`;
const GUIDE = `name: berth-guide
description: Answers questions about berths and tides in all of the harbours along the coast, and books them
icon: "\\u2693"
model: {provider: script, name: parrot}
instructions: You help {{person}} in {{harbour}} for {{nights}} nights. Today is {{today}}.
variables:
  harbour: {type: string, choices: [north, south], default: north, description: Where they want to stay}
  nights: {type: integer, default: 4}
tools:
  built_in: [{name: ask_person}]
`;

test('an agent is asked, asks back, answers, and is stopped', { timeout: TEST_MS_MAX }, async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'wardroom-agents-'));
  await writeFile(path.join(folder, 'script.yaml'), SCRIPT);
  await writeFile(path.join(folder, 'models.toml'), MODELS);
  try {
    await walk(async ({ page, signIn }) => {
      await signIn();
      await page.goto('/agents?new=1');
      await page.locator('#agent-text').fill(GUIDE);
      await page.getByRole('button', { name: 'Put in force' }).click();
      await page.waitForURL((url) => url.pathname === '/agents/berth-guide');
      await page.locator('#prompt').fill('Which berth can I have from Friday on? I come with a sloop of eleven metres.');
      await page.locator('#variable-harbour').selectOption('south');
      await look(page, 'agent-start');
      await page.getByRole('button', { name: 'Begin' }).click();
      await page.waitForURL((url) => url.pathname.startsWith('/runs/run_'));
      await page.locator('.talk-form').getByText('North or south?').waitFor();
      await page.locator('#run-state[data-state="awaiting_input"]').waitFor();
      await look(page, 'agent-run-asks');
      await page.getByLabel('Your answer').fill('South, please');
      await page.getByRole('button', { name: 'Answer' }).click();
      await page.getByText('It is free for four nights').waitFor();
      await page.locator('#run-state[data-state="succeeded"]').waitFor();
      assert.match(await page.locator('.talk').textContent(), /there is no tool/);
      await look(page, 'agent-run');
      await page.goto('/agents/berth-guide');
      await page.locator('#prompt').fill('Go slowly');
      await page.getByRole('button', { name: 'Begin' }).click();
      await page.getByText('It works').waitFor();
      await page.locator('#cancel').click();
      await page.getByRole('dialog').getByRole('button', { name: 'Stop' }).click();
      await page.locator('#run-state[data-state="cancelled"]').waitFor();
      await look(page, 'agent-run-stopped');
      await page.goto('/runs');
      await page.getByText('berth-guide').first().waitFor();
      await look(page, 'runs-with-agents');
    }, { args: ['--set', `models_file=${path.join(folder, 'models.toml')}`] });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
