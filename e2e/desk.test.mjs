// The desk: somebody makes a customer and a service, its people order and see what came of it, and nothing else.

import assert from 'node:assert/strict';
import test from 'node:test';

import { look, walk } from './look.mjs';

const TEST_MS_MAX = 300_000;
const PASSWORD = 'Brine-harbour 7 lanterns';
const FORM = {
  type: 'object',
  required: ['text'],
  'x-order': ['text', 'size', 'count', 'sure'],
  properties: {
    text: { type: 'string', title: 'What to say', description: 'It is said back', maxLength: 40 },
    size: { type: 'string', enum: ['small', 'large'], default: 'small' },
    count: { type: 'integer', minimum: 1, maximum: 9 },
    sure: { type: 'boolean', title: 'I mean it' },
  },
};

test('a customer orders what was published for it and follows it to its end', { timeout: TEST_MS_MAX }, () =>
  walk(
    async ({ page, signIn, openPerson, problems }) => {
      problems.allow(/status of (422|409)/);
      await signIn();
      await page.goto('/customers');
      await look(page, 'customers-empty');
      await page.getByRole('link', { name: 'New customer' }).click();
      await page.locator('#name').fill('Harbour Works and Daughters, Lighters and Tugs');
      await page.locator('#email').fill('desk@harbour.example');
      await page.locator('#fields').fill('plan=gold\nno equals sign');
      await page.getByRole('button', { name: 'Make customer' }).click();
      await page.getByText('line that is not name=value').waitFor();
      await look(page, 'customer-refused');
      await page.locator('#fields').fill('plan=gold');
      await page.getByRole('button', { name: 'Make customer' }).click();
      await page.getByRole('heading', { name: 'Harbour Works and Daughters' }).waitFor();
      const customer = new URL(page.url()).pathname;
      await look(page, 'customer');

      await page.goto('/customers/import');
      await page.locator('#table').fill('name,email\nQuay,quay@example.org\n,x\n');
      await page.getByRole('button', { name: 'Check only' }).click();
      await page.getByText('Needs a value.').waitFor();
      await look(page, 'import-refused');
      await page.locator('#table').fill('name,email\nQuay,quay@example.org\n');
      await page.getByRole('button', { name: 'Import', exact: true }).click();
      await page.waitForURL((url) => url.pathname === '/customers');
      await page.locator('#text').fill('harbour');
      await page.getByRole('button', { name: 'Search' }).click();
      assert.equal(await page.getByText('quay@example.org').count(), 0);
      await page.locator('#view-name').fill('The harbour');
      await page.getByRole('button', { name: 'Keep' }).click();
      await page.getByRole('link', { name: 'The harbour' }).waitFor();
      await look(page, 'customers');

      await page.goto('/services/new');
      await page.locator('#title').fill('Say something');
      await page.locator('#name').fill('say');
      await page.locator('#description').fill('says a line and gives it back');
      await page.locator('#form').fill('{"type": "array"}');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('Must have the type object.').waitFor();
      await look(page, 'service-refused');
      const quiet = { ...FORM, properties: { text: FORM.properties.text }, 'x-order': ['text'] };
      await page.locator('#form').fill(JSON.stringify(quiet));
      await page.getByLabel('A command').check();
      await page.locator('#command').fill('echo');
      await page.locator('#at').fill('local');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.waitForURL((url) => url.pathname === '/services/say');
      await page.getByRole('button', { name: 'Publish' }).click();
      await page.getByText('Order it').waitFor();
      await look(page, 'service');
      await page.goto('/services/new');
      await page.locator('#title').fill('A berth for the night');
      await page.locator('#name').fill('berth');
      await page.locator('#form').fill(JSON.stringify(FORM));
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByRole('button', { name: 'Publish' }).click();
      await page.getByRole('button', { name: 'Order', exact: true }).waitFor();

      await page.goto(customer);
      await page.getByRole('link', { name: 'Ask somebody in' }).click();
      await page.locator('dialog #name').fill('ada');
      await page.getByRole('button', { name: 'Make link' }).click();
      const link = new URL(await page.locator('#invite-link').textContent());
      const ada = await openPerson();
      ada.problems.allow(/status of (404|403|422)/);
      await ada.page.goto(link.pathname + link.search);
      await ada.page.locator('[name="new"]').fill(PASSWORD);
      await ada.page.locator('[name="again"]').fill(PASSWORD);
      await ada.page.getByRole('button', { name: 'Set password' }).click();
      await ada.page.waitForURL((url) => url.pathname === '/sign-in');
      await ada.page.locator('[name="name"]').fill('ada');
      await ada.page.locator('[name="password"]').fill(PASSWORD);
      await ada.page.keyboard.press('Enter');
      await ada.page.waitForURL((url) => url.pathname === '/services');
      await look(ada.page, 'catalogue');
      for (const hidden of ['Customers', 'Nodes', 'People', 'Audit', 'Security', 'Policy']) {
        assert.equal(await ada.page.getByRole('link', { name: hidden, exact: true }).count(), 0, hidden);
      }
      await ada.page.getByRole('link', { name: 'Say something' }).click();
      await ada.page.getByLabel('What to say').fill('ahoy');
      await ada.page.getByRole('button', { name: 'Order', exact: true }).click();
      await ada.page.locator('h1 .badge').getByText(/in progress|completed/).waitFor();
      await ada.page.locator('#request-runs .badge').getByText('succeeded').waitFor();
      await ada.page.goto('/services/berth');
      await ada.page.getByLabel('What to say').fill('for two');
      await ada.page.getByLabel('Count').fill('2');
      await look(ada.page, 'order');
      await ada.page.getByRole('button', { name: 'Order', exact: true }).click();
      await ada.page.locator('h1 .badge').getByText('pending').waitFor();
      await ada.page.locator('#upload').setInputFiles({ name: 'plan.txt', mimeType: 'text/plain', buffer: Buffer.from('a plan') });
      await ada.page.getByRole('button', { name: 'Add', exact: true }).click();
      await ada.page.getByRole('link', { name: 'plan.txt' }).waitFor();
      await ada.page.locator('#upload').setInputFiles({ name: 'page.html', mimeType: 'text/html', buffer: Buffer.from('<script>1</script>') });
      await ada.page.getByRole('button', { name: 'Add', exact: true }).click();
      await ada.page.getByText('page.html: is of a type that is not taken').waitFor();
      await ada.page.locator('#text').fill('Is there water?');
      await ada.page.getByRole('button', { name: 'Send' }).click();
      await ada.page.locator('#notes').getByText('Is there water?').waitFor();
      await look(ada.page, 'request-customer');

      await page.goto('/requests?state=open');
      await look(page, 'requests');
      await page.getByRole('link', { name: 'A berth for the night' }).click();
      await page.getByRole('button', { name: 'Take it up' }).click();
      await page.locator('h1 .badge').getByText('in progress').waitFor();
      await page.locator('#text').fill('There is. The old pump again.');
      await page.getByLabel('Internal').check();
      await page.getByRole('button', { name: 'Send' }).click();
      await page.locator('#notes').getByText('old pump').waitFor();
      await page.locator('#text').fill('There is, at the pier.');
      await page.getByRole('button', { name: 'Send' }).click();
      await page.locator('#notes').getByText('at the pier').waitFor();
      await look(page, 'request');
      await ada.page.locator('#notes').getByText('at the pier').waitFor();
      assert.equal(await ada.page.getByText('old pump').count(), 0);
      await page.getByRole('button', { name: 'Complete' }).click();
      await page.locator('h1 .badge').getByText('completed').waitFor();

      const other = await page.goto(customer);
      assert.equal(other.status(), 200);
      const hers = await ada.page.goto(customer);
      assert.equal(hers.status(), 404, 'not even her own customer’s record');
      await ada.page.goto('/requests');
      await look(ada.page, 'requests-customer');
    },
    { name: 'desk' },
  ));
