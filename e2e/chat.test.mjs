// A conversation with an agent on the dashboard: what is said is shown as it comes, stopped, tried again, said otherwise, forgotten.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { look, walk } from './look.mjs';

const TEST_MS_MAX = 240_000;
const SCRIPT = `answers:
  - {said: which berth, results: 0, text: "I look.", calls: [{tool: ask_person, arguments: {question: "North or south?"}}]}
  - {said: which berth, text: "Take **berth 7**:\\n\\n| what | how much |\\n|---|---|\\n| nights | 4 |\\n| power | 16 A |\\n\\n1. Moor at the *north* quay.\\n2. Report to the [harbour office](https://harbour.example/office).\\n\\n\`\`\`sh\\nmoor --berth 7 --nights 4\\n\`\`\`\\n\\n<img src=x onerror=alert(1)> ![a chart](https://harbour.example/chart.png)"}
  - {said: slowly, text: "One after the other the ships come in. This is what is said before it is stopped. What follows is only there so that nobody comes too late to stop it, however slowly a machine draws its pictures: the boats lie at the quay, the crews go ashore, the nets are hung up, the cats come down to the water, the lamps are lit, the doors are shut, and in the end it is night over the harbour and nothing is left to say.", pace_ms: 1500}
  - {said: remember, results: 0, calls: [{tool: memory_write, arguments: {key: their boat, text: "A sloop of eleven metres, called Alba, with two children aboard who like to swim and a dog that does not."}}]}
  - {text: "You said: {{said}}"}
`;
const MODELS = `[[provider]]
name = "script"
kind = "scripted"
script = "script.yaml"
models = ["parrot"]
`;
const GUIDE = `name: berth-guide
description: Answers questions about berths and tides in all of the harbours along the coast, and books them
icon: "\\u2693"
mode: continuous
model: {provider: script, name: parrot}
instructions: You help {{person}}. Today is {{today}}.
tools:
  built_in: [{name: ask_person}, {name: memory_write}, {name: memory_search}]
memory: {}
`;

test('somebody talks with an agent', { timeout: TEST_MS_MAX }, async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'wardroom-chat-'));
  await writeFile(path.join(folder, 'script.yaml'), SCRIPT);
  await writeFile(path.join(folder, 'models.toml'), MODELS);
  try {
    await walk(async ({ page, signIn }) => {
      await signIn();
      await page.goto('/threads');
      await page.getByText('No conversation yet').waitFor();
      await look(page, 'chat-none');
      await page.goto('/agents?new=1');
      await page.locator('#agent-text').fill(GUIDE);
      await page.getByRole('button', { name: 'Put in force' }).click();
      await page.waitForURL((url) => url.pathname === '/agents/berth-guide');
      await page.goto('/threads');
      await page.getByRole('link', { name: 'berth-guide' }).click();
      await page.locator('#prompt').fill('Which berth can I have from Friday on? I come with a sloop of eleven metres and two children who like to swim.');
      await page.getByRole('button', { name: 'Begin' }).click();
      await page.waitForURL((url) => url.pathname.startsWith('/threads/thread_'));
      const place = page.url();
      await page.getByLabel('Your answer').fill('North');
      await look(page, 'chat-asks');
      await page.getByRole('button', { name: 'Answer' }).click();
      await page.getByRole('cell', { name: '16 A' }).waitFor();
      assert.equal(await page.locator('.prose img').count(), 0, 'no picture is loaded');
      assert.equal(await page.locator('.prose strong').first().textContent(), 'berth 7');
      await page.locator('#send').waitFor();
      await look(page, 'chat');

      // What is being said is shown as it comes, and stopped.
      await page.locator('#text').fill('And now say it slowly');
      await page.locator('#text').press('Enter');
      await page.locator('[data-working]').getByText('One after').waitFor();
      await page.locator('[data-working]').getByText('One after the other').waitFor();
      await look(page, 'chat-says');
      await page.locator('#stop').click();
      await page.getByText('It stopped without an answer').waitFor();
      await page.locator('#send').waitFor();
      await page.locator('#text').fill('Tell me of the tide');
      await page.locator('#send').click();
      await page.getByText('You said: Tell me of the tide').waitFor();

      // Another way, in a conversation of its own.
      await page.locator('#turn-2 summary.quiet-button').click();
      await page.getByLabel('What you say instead').last().fill('Tell me of the wind');
      await look(page, 'chat-otherwise');
      await page.getByRole('button', { name: 'Say it in a new conversation' }).click();
      await page.getByText('You said: Tell me of the wind').waitFor();
      assert.notEqual(page.url().split('#')[0], place.split('#')[0]);
      await page.locator('#turn-2').getByRole('button', { name: 'Try again' }).click();
      await page.getByText('You said: Tell me of the wind').waitFor();
      await page.getByLabel('Title').fill('The wind on Friday');
      await page.getByRole('button', { name: 'Rename' }).click();
      await page.getByRole('heading', { name: 'The wind on Friday' }).waitFor();
      await page.locator('#text').fill('Please remember my boat');
      await page.locator('#send').click();
      await page.locator('#turn-3').getByText('You said: Please remember my boat').waitFor();
      await page.goto('/threads');
      await page.getByRole('link', { name: 'What they remember' }).click();
      await page.getByText('called Alba').waitFor();
      await look(page, 'chat-memories');
      await page.getByRole('button', { name: 'Forget their boat' }).click();
      await page.getByText('Nothing.').waitFor();
      await page.goto('/threads');
      await look(page, 'chat-list');
      assert.equal(await page.locator('.thread-row').count(), 3);
      await page.getByRole('link', { name: 'The wind on Friday' }).click();
      await page.getByRole('button', { name: 'Forget this conversation' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Forget it' }).click();
      await page.waitForURL((url) => url.pathname === '/threads');
      assert.equal(await page.locator('.thread-row').count(), 2);
    }, { args: ['--set', `models_file=${path.join(folder, 'models.toml')}`] });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
