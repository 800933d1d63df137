// Secrets that have a name: kept, renewed and forgotten on their page, and never shown on it.

import assert from 'node:assert/strict';
import test from 'node:test';

import { screenshot } from './harness.mjs';
import { NARROW, WIDE, look, walk } from './look.mjs';

const TEST_MS_MAX = 180_000;
const [FIRST, SECOND] = ['planted-on-page-1', 'planted-on-page-2'];

test('a secret is kept, renewed and forgotten, and its value is on no page', { timeout: TEST_MS_MAX }, async () => {
  await walk(
    async ({ page, problems, signIn }) => {
      problems.allow(/status of 422/);
      await signIn();
      await page.goto('/security');
      await page.getByRole('link', { name: 'Secrets' }).click();
      await page.getByText('No secret yet.').waitFor();
      await look(page, 'secrets-none');
      await page.getByRole('link', { name: 'New secret' }).click();
      const dialog = page.getByRole('dialog');
      const keep = async (name, days) => {
        await dialog.locator('#name').fill(name);
        await dialog.locator('#about').fill('Opens the nightly copies of the harbour’s database');
        await dialog.locator('#rotate').fill(days);
        await dialog.locator('#value').fill(FIRST);
        await dialog.getByRole('button', { name: 'Keep' }).click();
      };
      await keep('Backup', '90');
      await dialog.locator('.field-error').getByText('with a letter first').waitFor();
      assert.equal(await dialog.locator('#value').inputValue(), '', 'the value is not given back');
      await look(page, 'secrets-new');
      await keep('backup.password', 'x');
      await dialog.locator('.field-error').getByText('whole number of days').waitFor();
      await keep('backup.password', '90');
      await page.getByRole('cell', { name: 'every 90 days' }).waitFor();
      await look(page, 'secrets');
      await page.setViewportSize({ width: NARROW, height: 800 });
      await page.reload();
      const shown = await page.locator('.nav [aria-current]').evaluate((tab) => {
        const { left, right } = tab.getBoundingClientRect();
        return left >= 0 && right <= innerWidth;
      });
      assert.ok(shown, 'where one is shows in the bar of tabs');
      await screenshot(page, 'secrets-bar', { width: NARROW });
      await page.setViewportSize({ width: WIDE, height: 900 });

      await page.getByRole('link', { name: 'Renew backup.password' }).click();
      await look(page, 'secrets-renew');
      await dialog.locator('#value').fill(SECOND);
      await dialog.getByRole('button', { name: 'Renew' }).click();
      await page.locator('td[data-label="Version"]', { hasText: '2' }).waitFor();
      assert.ok(!(await page.content()).includes('planted-'));
      await page.goto('/audit');
      assert.ok(!(await page.content()).includes('planted-'));

      await page.goto('/secrets');
      await page.getByRole('button', { name: 'Forget backup.password' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Forget' }).click();
      await page.getByText('No secret yet.').waitFor();
    },
    { name: 'secrets' },
  );
});
