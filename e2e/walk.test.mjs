// The walk through the dashboard, as a person takes it.

import assert from 'node:assert/strict';
import test from 'node:test';

import { checkAxe, checkFits, withWardroom } from './harness.mjs';

const TEST_MS_MAX = 180_000;

test('a stranger is sent to the sign-in page, the administrator sees the overview', { timeout: TEST_MS_MAX }, () =>
  withWardroom(
    async ({ page, signIn }) => {
      await page.goto('/');
      assert.equal(new URL(page.url()).pathname, '/sign-in');
      assert.equal(await page.locator('[name="password"]').getAttribute('type'), 'password');
      await checkAxe(page);
      await checkFits(page);

      await signIn();
      assert.equal(new URL(page.url()).pathname, '/');
      await page.getByRole('heading', { level: 1 }).waitFor();
      assert.equal(await page.locator('[name="password"]').count(), 0);
      await checkAxe(page);
      await checkFits(page);
    },
    { name: 'smoke' },
  ));
