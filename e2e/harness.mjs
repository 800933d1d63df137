// Starts a Wardroom of its own, opens a real Chromium on it, and notices everything that a person
// at the browser's console would: errors, policy violations, failed and foreign requests.
//
// The one entry point for tests is `withWardroom(async (session) => { … })`. It fails when the
// function fails, when the browser noticed a problem that was not allowed beforehand, or when a
// process outlives the orchestrator.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';

import { startWardroom } from './wardroom.mjs';
import { watchProblems } from './problems.mjs';

export { startWardroom } from './wardroom.mjs';

const OUT = path.join(path.dirname(fileURLToPath(import.meta.url)), 'out');
const PAGE_TIMEOUT_MS = 15_000;

// Chromium runs quietly: nothing but the pages under test may use the network.
const CHROMIUM_ARGS = [
  '--headless',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What WCAG 2.2 AA and axe's own good practice ask for. */
const AXE_TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Opens Chromium; `CHROMIUM` names another one than Debian's. */
export async function openBrowser() {
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    headless: true,
    // Chromium refuses to build its sandbox as root; everyone else keeps it.
    chromiumSandbox: !isRoot,
    args: CHROMIUM_ARGS,
    timeout: 60_000,
  });
}

/**
 * A browser context, which is one person at one browser: own cookies, own problems.
 *
 * The private authority is not in Chromium's trust store, so certificate errors are ignored here;
 * that the certificate chains to `ca_file` is proven by the Rust tests.
 */
export async function openContext(browser, wardroom, options = {}) {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    baseURL: wardroom.url,
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    timezoneId: 'UTC',
    reducedMotion: 'reduce',
    ...options,
  });
  context.setDefaultTimeout(PAGE_TIMEOUT_MS);
  const problems = await watchProblems(context, new URL(wardroom.url).origin);
  return { context, problems };
}

/** The password that the administrator of a walk sets. */
const OWN_PASSWORD = 'Brine-harbour 7 lanterns';

/** The code of an authenticator with this secret, `ahead` steps from now (RFC 6238). */
export function totp(secret, ahead = 0) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const mac = createHmac('sha1', key).update(counter).digest();
  const at = mac[19] & 0x0f;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** Does over the API what the first administrator has to do first; answers who they are then. */
async function settle(context, admin) {
  const post = async (path, data, token) => {
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const answer = await context.request.post(path, { data, headers });
    assert.ok(answer.ok(), `${path}: ${answer.status()} ${await answer.text()}`);
    return answer.status() === 204 ? {} : answer.json();
  };
  const { access_token: token } = await post('/api/v1/login', { name: admin.name, password: admin.password });
  await post('/api/v1/account/password', { current: admin.password, new: OWN_PASSWORD }, token);
  const made = await post('/api/v1/account/factors/totp', { name: 'walk' }, token);
  const confirm = `/api/v1/account/factors/${made.id}/confirm`;
  const { recovery_codes: codes } = await post(confirm, { code: totp(made.secret) }, token);
  return { name: admin.name, password: OWN_PASSWORD, codes };
}

/** Signs in through the forms, as a person does, and waits for the first page behind them. */
export async function signIn(page, { name, password, codes }) {
  await page.goto('/sign-in');
  await page.locator('[name="name"]').fill(name);
  await page.locator('[name="password"]').fill(password);
  await page.locator('form:has([name="password"]) [type="submit"]').click();
  if (codes) {
    await page.waitForURL((url) => url.pathname === '/sign-in/second-factor');
    await page.locator('[name="code"]').fill(codes.pop());
    await page.getByRole('button', { name: 'Go on' }).click();
  }
  await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'));
}

/** Fails with every accessibility rule that the page breaks, and the elements that break it. */
export async function checkAxe(page, { exclude = [] } = {}) {
  let builder = new AxeBuilder({ page }).withTags(AXE_TAGS);
  for (const selector of exclude) builder = builder.exclude(selector);
  const { violations } = await builder.analyze();
  const lines = violations.flatMap((violation) => [
    `${violation.id} (${violation.impact}): ${violation.help}`,
    ...violation.nodes.map((node) => `    ${node.target.join(' ')}\n      ${node.html}`),
  ]);
  assert.equal(violations.length, 0, `axe at ${page.url()}:\n${lines.join('\n')}`);
}

/** Fails when the page must be scrolled sideways at this width. */
export async function checkFits(page, width = 360) {
  const before = page.viewportSize();
  await page.setViewportSize({ width, height: 800 });
  const { scrollWidth, clientWidth } = await page.evaluate(() => ({
    scrollWidth: document.documentElement.scrollWidth,
    clientWidth: document.documentElement.clientWidth,
  }));
  if (before) await page.setViewportSize(before);
  assert.ok(
    scrollWidth <= clientWidth,
    `${page.url()} is ${scrollWidth} px wide in a window of ${clientWidth} px`,
  );
}

/** Takes a picture of the whole page into `e2e/out` and answers its path. */
export async function screenshot(page, name, { width = 1280, dark = false, fullPage = true } = {}) {
  await mkdir(OUT, { recursive: true });
  const file = path.join(OUT, `${name}-${width}${dark ? '-dark' : ''}.png`);
  const before = page.viewportSize();
  await page.setViewportSize({ width, height: 800 });
  await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
  await page.screenshot({ path: file, fullPage });
  await page.emulateMedia({ colorScheme: null });
  if (before) await page.setViewportSize(before);
  return file;
}

/**
 * Runs `work(session)` against a fresh Wardroom and browser, and stops both whatever happens.
 *
 * The session holds `wardroom`, `browser`, `context`, `page`, `admin` ({name, password}),
 * `problems`, `signIn(page?)` and `openPerson(options?)` (one more browser context, watched too).
 *
 * Unless `options.first` is set, the administrator has an own password and recovery codes already.
 *
 * `options.args` are further arguments for `wardroom up`, `options.env` further variables.
 */
export async function withWardroom(work, options = {}) {
  const data = await mkdtemp(path.join(os.tmpdir(), 'wardroom-e2e-'));
  const name = options.name ?? 'walk';
  const watched = [];
  const failures = [];
  let wardroom;
  let browser;
  let page;
  try {
    wardroom = await startWardroom(data, options);
    browser = await openBrowser();
    const openPerson = async (contextOptions) => {
      const person = await openContext(browser, wardroom, contextOptions);
      watched.push(person.problems);
      return { ...person, page: await person.context.newPage() };
    };
    const first = await openPerson(options.context);
    page = first.page;
    const admin = options.first ? wardroom.admin : await settle(first.context, wardroom.admin);
    await work({
      wardroom,
      browser,
      context: first.context,
      page,
      admin,
      problems: first.problems,
      openPerson,
      signIn: (other = page) => signIn(other, admin),
    });
    for (const problems of watched) problems.assertNone();
  } catch (error) {
    failures.push(error);
    await keepEvidence(name, page, data, error, watched);
  }
  // Each is tried whatever became of the one before; the first failure is the one to tell.
  const endings = [
    () => browser?.close(),
    () => wardroom?.stop(),
    () => rm(data, { recursive: true, force: true }),
  ];
  for (const end of endings) await Promise.resolve().then(end).catch((error) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

/** Keeps what helps to understand a failure: the page as it was, the log, the problems. */
async function keepEvidence(name, page, data, error, watched) {
  await mkdir(OUT, { recursive: true });
  const problems = watched.flatMap((one) => one.all());
  const log = await readFile(path.join(data, 'up.log'), 'utf8').catch(() => '(no log)');
  const text = [`${error?.stack ?? error}`, '', 'problems:', ...problems, '', 'log:', log].join('\n');
  await writeFile(path.join(OUT, `${name}-failed.txt`), text);
  if (page && !page.isClosed()) {
    await page.screenshot({ path: path.join(OUT, `${name}-failed.png`) }).catch(() => undefined);
  }
}
