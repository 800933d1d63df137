// AI agents on the dashboard: one is defined, its mistakes are told, what a change would do is shown, a version comes
// back, and it is forgotten.

import assert from 'node:assert/strict';
import test from 'node:test';

import { look, walk } from './look.mjs';

const TEST_MS_MAX = 180_000;
const GUIDE = `name: berth-guide
description: Answers questions about berths and tides in all of the harbours along the coast, and books them
icon: "\u2693"
tags: [desk, berths]
mode: continuous
model: {provider: local, name: a-rather-long-name-of-a-model-as-providers-like-to-have-them-2026-11-20-preview}
instructions: |
  You help {{person}} to find a berth. Today is {{today}}.
tools:
  servers:
    - tool: berths/search_for_something_with_a_rather_long_name
  built_in:
    - name: ask_person
`;

test('an agent is defined, changed, taken back and forgotten', { timeout: TEST_MS_MAX }, async () => {
  await walk(async ({ page, signIn, problems }) => {
    problems.allow(/status of 422/);
    await signIn();
    await page.goto('/agents');
    await page.getByText('No agent yet.').waitFor();
    await look(page, 'agents-empty');
    await page.getByRole('link', { name: 'Define an agent' }).click();
    await page.locator('#agent-text').fill(GUIDE.replace('model:', 'modle:').replace('ask_person', 'ask_persn'));
    await page.getByRole('button', { name: 'Put in force' }).click();
    await page.getByText('did you mean "model"?').waitFor();
    await look(page, 'agent-mistakes');
    await page.locator('#agent-text').fill(GUIDE);
    await page.locator('#note').fill('The first one');
    await page.getByRole('button', { name: 'Put in force' }).click();
    await page.waitForURL((url) => url.pathname === '/agents/berth-guide');
    await look(page, 'agent');
    await page.locator('#agent-text').fill(GUIDE.replace('Today is {{today}}.', 'Speak kindly.'));
    await page.getByRole('button', { name: 'Check and compare' }).click();
    assert.match(await page.locator('.difference .new').textContent(), /Speak kindly/);
    await look(page, 'agent-difference');
    await page.getByRole('button', { name: 'Put in force' }).click();
    await page.getByRole('link', { name: 'Go back to 1' }).click();
    assert.match(await page.locator('.difference .gone').textContent(), /Speak kindly/);
    await page.getByRole('button', { name: 'Put in force' }).click();
    await page.getByText('Back to number 1').waitFor();
    await page.getByRole('button', { name: 'Check and compare' }).click();
    await page.getByText('That is what is in force already.').waitFor();
    // Somebody else is faster: that is told, and what they did is not lost unseen.
    const other = await page.context().newPage();
    await other.goto('/agents/berth-guide');
    await other.locator('#agent-text').fill(GUIDE.replace('find a berth', 'find a quiet berth'));
    await other.getByRole('button', { name: 'Put in force' }).click();
    await other.getByText('number 4').waitFor();
    await other.close();
    await page.locator('#agent-text').fill(GUIDE.replace('tags: [desk, berths]', 'tags: [desk]'));
    await page.getByRole('button', { name: 'Put in force' }).click();
    await page.getByText('Somebody put another version in force meanwhile').waitFor();
    assert.match(await page.locator('.difference .gone').first().textContent(), /berths\]|quiet/);
    await look(page, 'agent-overtaken');
    await page.goto('/agents');
    await page.getByRole('link', { name: 'berth-guide' }).waitFor();
    await look(page, 'agents');
    await page.getByRole('link', { name: 'berth-guide' }).click();
    await page.getByRole('button', { name: 'Forget berth-guide' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Forget it' }).click();
    await page.getByText('No agent yet.').waitFor();
  }, { name: 'agents' });
});
