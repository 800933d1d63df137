// People: the first administrator, passkeys, invitations, and the end of an account.

import assert from 'node:assert/strict';
import test from 'node:test';

import { totp } from './harness.mjs';
import { look, walk } from './look.mjs';

const TEST_MS_MAX = 300_000;
const PASSWORD = 'Brine-harbour 7 lanterns';

/** A security key that the browser plays (Web Authentication's WebDriver extension, over CDP). */
async function playKey(context, page) {
  const cdp = await context.newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
}

async function fillPassword(page, password, again = password) {
  await page.locator('[name="new"]').fill(password);
  await page.locator('[name="again"]').fill(again);
  await page.getByRole('button', { name: 'Set password' }).click();
}

test('the first administrator sets an own password and a second factor before anything else', { timeout: TEST_MS_MAX }, () =>
  walk(
    async ({ page, admin, problems }) => {
      problems.allow(/status of 422/);
      await page.goto('/sign-in');
      await page.locator('[name="name"]').fill(admin.name);
      await page.locator('[name="password"]').fill(admin.password);
      await page.keyboard.press('Enter');
      await page.waitForURL((url) => url.pathname === '/account/password');
      await page.goto('/nodes');
      assert.equal(new URL(page.url()).pathname, '/account/password', 'nothing else is open');
      await look(page, 'first-password');

      // What is wrong stands at its field.
      const current = page.locator('[name="current"]');
      const tries = [
        ['wrong', PASSWORD, PASSWORD, '#current-error'],
        [admin.password, PASSWORD, `${PASSWORD}!`, '#again-error'],
        [admin.password, 'Password1234', 'Password1234', '#new-error'],
        [admin.password, admin.password, admin.password, '#new-error'],
      ];
      for (const [now, next, again, error] of tries) {
        await current.fill(now);
        await fillPassword(page, next, again);
        await page.locator(error).waitFor();
      }
      await look(page, 'first-password-refused');
      await current.fill(admin.password);
      await fillPassword(page, PASSWORD);

      await page.waitForURL((url) => url.pathname === '/account/second-factor');
      await look(page, 'first-factor');
      await page.locator('#factor-name').fill('phone');
      await page.getByRole('button', { name: 'Add authenticator app' }).click();
      const secret = await page.locator('#totp-secret').textContent();
      assert.match(secret, /^[A-Z2-7]{32}$/);
      await page.getByRole('img', { name: 'QR code' }).waitFor();
      await look(page, 'authenticator');
      await page.locator('#code').fill(totp(secret));
      await page.getByRole('button', { name: 'Confirm' }).click();
      const codes = (await page.locator('#codes').textContent()).trim().split('\n');
      assert.equal(new Set(codes).size, 10);
      await look(page, 'recovery-codes');
      await page.getByRole('link', { name: 'I have kept them' }).click();
      await page.waitForURL((url) => url.pathname === '/nodes');

      // The next sign-in asks for it, and takes each code once.
      await page.getByRole('button', { name: 'Sign out' }).click();
      for (const [code, works] of [[codes[0], true], [codes[0], false], [codes[1], true]]) {
        if (new URL(page.url()).pathname === '/sign-in') {
          await page.locator('[name="name"]').fill(admin.name);
          await page.locator('[name="password"]').fill(PASSWORD);
          await page.keyboard.press('Enter');
        }
        await page.waitForURL((url) => url.pathname === '/sign-in/second-factor');
        await page.locator('[name="code"]').fill(code);
        await page.keyboard.press('Enter');
        if (!works) {
          await page.getByText('The code is wrong').waitFor();
          continue;
        }
        await page.waitForURL((url) => url.pathname === '/');
        if (code === codes[0]) await page.getByRole('button', { name: 'Sign out' }).click();
      }
      await page.goto('/account/second-factor');
      await page.getByText('8 recovery codes left').waitFor();
      await look(page, 'second-factors');
    },
    { name: 'first', first: true },
  ));

test('a passkey is added, shown as a second factor, and opens a session without a name', { timeout: TEST_MS_MAX }, () =>
  walk(
    async ({ page, context, signIn }) => {
      await playKey(context, page);
      await signIn();
      await page.goto('/account/second-factor');
      await page.locator('#factor-name').fill('laptop');
      await page.getByRole('button', { name: 'Add passkey' }).click();
      await page.getByText('laptop').waitFor();
      await page.goto('/account');
      await page.getByRole('button', { name: 'Sign out here' }).click();
      await page.waitForURL((url) => url.pathname === '/sign-in');
      await look(page, 'sign-in-passkey');
      await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
      await page.waitForURL((url) => url.pathname === '/');
      await page.goto('/account');
      await page.getByText('second factor shown').first().waitFor();
      await look(page, 'account');
    },
    { name: 'passkey' },
  ));

test('somebody is asked in, comes, is changed, turned away and erased', { timeout: TEST_MS_MAX }, () =>
  walk(
    async ({ page, signIn, openPerson, problems }) => {
      problems.allow(/status of (422|409)/);
      await signIn();
      await page.goto('/users');
      await look(page, 'people');
      await page.getByRole('link', { name: 'Ask somebody in' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.locator('#name').fill('admin');
      await dialog.locator('#email').fill('ada@example.org');
      await dialog.getByRole('button', { name: 'Make link' }).click();
      await page.locator('.field-error').getByText('Is taken').waitFor();
      await look(page, 'invite-refused');
      await page.locator('dialog #name').fill('ada');
      await page.locator('dialog #display-name').fill('Ada Lovelace, Countess of a long and noble line');
      await page.getByRole('button', { name: 'Make link' }).click();
      const link = await page.locator('#invite-link').textContent();
      await look(page, 'invited');
      await page.getByRole('link', { name: 'Done' }).click();

      const ada = await openPerson();
      ada.problems.allow(/status of (401|422)/);
      await ada.page.goto(new URL(link).pathname + new URL(link).search);
      await look(ada.page, 'welcome');
      await fillPassword(ada.page, 'ada-lovelace-12A');
      await ada.page.locator('#new-error').waitFor();
      await fillPassword(ada.page, PASSWORD);
      await ada.page.waitForURL((url) => url.pathname === '/sign-in');
      await ada.page.getByText('Your password is set').waitFor();
      await ada.page.locator('[name="name"]').fill('ada@example.org');
      await ada.page.locator('[name="password"]').fill(PASSWORD);
      await ada.page.keyboard.press('Enter');
      await ada.page.waitForURL((url) => url.pathname === '/');
      assert.equal(await ada.page.getByRole('link', { name: 'People' }).count(), 0, 'an operator sees no people');
      // The link was good once.
      await ada.page.goto(new URL(link).pathname + new URL(link).search);
      await fillPassword(ada.page, `${PASSWORD}!`);
      await ada.page.getByText('is not known, was used').waitFor();

      await page.goto('/users');
      await page.getByRole('link', { name: 'ada', exact: true }).click();
      await look(page, 'person');
      await page.locator('#role').selectOption('manager');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('Ada Lovelace, Countess of a long and noble line, manager').waitFor();
      await ada.page.goto('/');
      assert.equal(new URL(ada.page.url()).pathname, '/sign-in', 'the role takes the session with it');
      await page.getByRole('button', { name: 'Disable' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
      await page.locator('h1 .badge').getByText('disabled').waitFor();
      await page.getByText('Erase this person').click();
      await page.locator('#confirm').fill('adam');
      await page.getByRole('button', { name: 'Erase', exact: true }).click();
      await page.locator('#confirm-error').waitFor();
      await page.locator('#confirm').fill('ada');
      await page.getByRole('button', { name: 'Erase', exact: true }).click();
      await page.waitForURL((url) => url.pathname === '/users');
      assert.equal(await page.getByRole('link', { name: 'ada', exact: true }).count(), 0);
      await page.goto('/audit');
      assert.equal(await page.getByText('Lovelace').count(), 0);

      await page.goto('/security');
      await page.locator('#address').fill('nonsense');
      await page.getByRole('button', { name: 'Turn away' }).click();
      await page.locator('.field-error').getByText('Must be an IPv4 or IPv6 address').waitFor();
      assert.equal(new URL(page.url()).pathname, '/security', 'a refused form leaves the page’s own address');
      await page.locator('#address').fill('2001:db8::7');
      await page.locator('#reason').fill('Guessed for hours and would not stop, whatever was said');
      await page.getByRole('button', { name: 'Turn away' }).click();
      await page.getByText('2001:db8::').waitFor();
      await look(page, 'security');
      await page.getByRole('button', { name: 'Lift 2001:db8::' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Lift' }).click();
      await page.getByText('Nobody is turned away.').waitFor();
    },
    { name: 'people' },
  ));

test('policy is tried out, put in force and taken back', { timeout: TEST_MS_MAX }, () =>
  walk(
    async ({ page, signIn, problems }) => {
      problems.allow(/status of 422/);
      await signIn();
      await page.goto('/policy');
      await look(page, 'policy');
      const text = page.locator('#policy-text');
      const before = await text.inputValue();
      await text.fill(`${before}\n@id("x") permit (principal, action == Wardroom::Action::"no.such", resource);`);
      await page.getByRole('button', { name: 'Show what would change' }).click();
      await page.getByRole('alert').getByText('no.such').first().waitFor();
      await look(page, 'policy-mistakes');
      await text.fill(before.replace('@id("admin-everything")', '@id("admin-most")')
        .replace(/permit \(principal in Wardroom::Role::"admin", action, resource\);/,
          '$&\n@id("no-labels")\nforbid (principal, action == Wardroom::Action::"node.label", resource);'));
      await page.locator('#note').fill('Labels stay as they are');
      await page.getByRole('button', { name: 'Show what would change' }).click();
      await page.locator('#trial').getByText('node.label').first().waitFor();
      await look(page, 'policy-trial');
      await page.getByRole('button', { name: 'Put in force' }).click();
      await page.locator('#history').getByText('Labels stay as they are').waitFor();
      await page.getByRole('link', { name: 'Go back to 0' }).click();
      await page.locator('#trial').getByText('node.label').first().waitFor();
      await page.getByRole('button', { name: 'Put in force' }).click();
      await page.locator('#history').getByText('of number 0').waitFor();
      await look(page, 'policy-history');
    },
    { name: 'policy' },
  ));
