// What somebody should look at: on the page, at a signed webhook, in a mailbox; and a password that was forgotten.

import assert from 'node:assert/strict';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { SMTPServer } from 'smtp-server';

import { look, walk } from './look.mjs';

const TEST_MS_MAX = 300_000;
const WAIT_MS_MAX = 20_000;
const PASSWORD = 'Brine-harbour 7 lanterns';
const KEY = Buffer.alloc(32, 7);

/** Listens on a free port of loopback; answers the port. */
const listening = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));

/** A mail server that keeps what it is given, quoted-printable undone. */
async function mailbox() {
  const mails = [];
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    onData(stream, session, done) {
      const parts = [];
      stream.on('data', (part) => parts.push(part));
      stream.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8').replaceAll(/=\r\n/g, '').replaceAll('=3D', '=');
        mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), text });
        done();
      });
    },
  });
  const port = await listening(smtp.server);
  return { mails, port, close: () => new Promise((resolve) => smtp.close(resolve)) };
}

/** A webhook's receiver that takes only what is signed; it fails the first time. */
async function receiver() {
  const messages = [];
  let tries = 0;
  const server = http.createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts).toString('utf8');
    const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = request.headers;
    const wanted = `v1,${createHmac('sha256', KEY).update(`${id}.${at}.${body}`).digest('base64')}`;
    assert.ok(timingSafeEqual(Buffer.from(signature), Buffer.from(wanted)), 'it is signed');
    assert.ok(Math.abs(Date.now() / 1000 - Number(at)) < 60);
    tries += 1;
    if (tries > 1) messages.push({ id, ...JSON.parse(body) });
    response.writeHead(tries > 1 ? 204 : 503).end();
  });
  const port = await listening(server);
  return { messages, port, close: () => new Promise((resolve) => server.close(resolve)) };
}

async function until(probe, what) {
  const deadline = Date.now() + WAIT_MS_MAX;
  for (;;) {
    const answer = probe();
    if (answer) return answer;
    assert.ok(Date.now() < deadline, `waited in vain for ${what}`);
    await delay(50);
  }
}

test('alerts reach the page, a signed webhook and a mailbox, and a forgotten password comes back by mail', { timeout: TEST_MS_MAX }, async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'wardroom-watch-'));
  const [mail, hook] = [await mailbox(), await receiver()];
  const secret = path.join(folder, 'webhook-secret');
  await writeFile(secret, `whsec_${KEY.toString('base64')}\n`, { mode: 0o600 });
  const settings = {
    smtp_url: `smtp://127.0.0.1:${mail.port}?tls=none`,
    mail_from: 'Wardroom <wardroom@example.org>',
    alert_mail_to: 'watch@example.org',
    webhook_url: `http://127.0.0.1:${hook.port}/hook`,
    webhook_secret_file: secret,
    outbound_allow: '127.0.0.1',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  try {
    await walk(
      async ({ page, signIn, openPerson }) => {
        await signIn();
        await page.goto('/security');
        await page.getByText('There is nothing to look at.').waitFor();
        await page.getByRole('button', { name: 'Test webhook and mail' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Send' }).click();
        await until(() => hook.messages.find(({ type }) => type === 'test'), 'the webhook, at its second try');
        await until(() => mail.mails.find(({ text }) => text.includes('Subject: [Wardroom] A test')), 'mail');

        await page.goto('/users?new=1');
        await page.locator('dialog #name').fill('ann');
        await page.locator('dialog #email').fill('ann@example.org');
        await page.locator('dialog #role').selectOption('admin');
        await page.getByRole('button', { name: 'Make link' }).click();
        const invitation = new URL(await page.locator('#invite-link').textContent());
        const told = await until(() => hook.messages.find(({ rule }) => rule === 'privilege_change'), 'an alert');
        assert.match(told.subject, /^user_/);
        await until(() => mail.mails.find(({ to, text }) => to.includes('watch@example.org') && text.includes(told.subject)), 'the same by mail');
        assert.ok(!JSON.stringify(hook.messages).includes('example.org'), 'nothing personal leaves');

        const ann = await openPerson();
        await ann.page.goto(invitation.pathname + invitation.search);
        for (const name of ['new', 'again']) await ann.page.locator(`[name="${name}"]`).fill(PASSWORD);
        await ann.page.getByRole('button', { name: 'Set password' }).click();
        await ann.page.getByRole('link', { name: 'Forgot your password?' }).click();
        await look(ann.page, 'forgotten');
        for (const name of ['nobody', 'ann']) {
          await ann.page.goto('/forgotten');
          await ann.page.locator('#name').fill(name);
          await ann.page.getByRole('button', { name: 'Send link' }).click();
          await ann.page.getByText('If there is such an account').waitFor();
        }
        await look(ann.page, 'forgotten-asked');
        const letter = await until(() => mail.mails.find(({ to }) => to.includes('ann@example.org')), 'the link');
        const link = new URL(letter.text.match(/https:\/\/\S+\/welcome\?link=\S+/)[0]);
        await ann.page.goto(link.pathname + link.search);
        for (const name of ['new', 'again']) await ann.page.locator(`[name="${name}"]`).fill(`${PASSWORD}, and one more`);
        await ann.page.getByRole('button', { name: 'Set password' }).click();
        await ann.page.getByText('Your password is set').waitFor();
        assert.equal(mail.mails.filter(({ to }) => to.includes('ann@example.org')).length, 1);

        await page.goto('/security');
        await page.getByText('An account’s rights changed').or(page.getByText("An account's rights changed")).waitFor();
        await look(page, 'alerts');
        await page.getByRole('button', { name: /^Seen: An account/ }).click();
        await page.getByText('There is nothing to look at.').waitFor();
        await page.getByRole('link', { name: 'Posture' }).click();
        await page.getByText('The first password does not lie about').waitFor();
        await look(page, 'posture');
        await page.goto('/faults');
        await page.getByText('Nothing went wrong.').waitFor();
        await look(page, 'faults');
      },
      { name: 'watch', args },
    );
  } finally {
    await Promise.all([mail.close(), hook.close()]);
    await rm(folder, { recursive: true, force: true });
  }
});
