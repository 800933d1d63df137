// The sample agents of a first start, as somebody meets them who has just begun.

import test from 'node:test';

import { look, walk } from './look.mjs';

const TEST_MS_MAX = 180_000;

test('somebody tries the sample agents', { timeout: TEST_MS_MAX }, async () => {
  await walk(async ({ page, signIn }) => {
    await signIn();
    await page.goto('/agents');
    for (const name of ['guide', 'lookout', 'first-mate']) {
      await page.getByRole('link', { name, exact: true }).first().waitFor();
    }
    await look(page, 'samples');
    await page.goto('/agents/lookout');
    await page.locator('#prompt').fill('How is the machine?');
    await page.getByRole('button', { name: 'Begin' }).click();
    await page.getByText('This is what the machine says').waitFor();
    await look(page, 'samples-lookout');
    await page.goto('/agents/guide');
    await page.locator('#prompt').fill('What is an agent?');
    await page.getByRole('button', { name: 'Begin' }).click();
    await page.getByText('An agent is a YAML file').waitFor();
    await page.locator('#text').fill('Please remember that I like tea');
    await page.locator('#send').click();
    await page.getByText('I have written it down').waitFor();
    await look(page, 'samples-guide');
  }, { args: ['--samples'] });
});
