// Starts a Wardroom of its own, opens a real Chromium on it, and notices everything that a person
// at the browser's console would: errors, policy violations, failed and foreign requests.
//
// The one entry point for tests is `withWardroom(async (session) => { … })`. It fails when the
// function fails, when the browser noticed a problem that was not allowed beforehand, or when a
// process outlives the orchestrator.

import assert from 'node:assert/strict';
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

/** Signs in through the form, as a person does, and waits for the overview. */
export async function signIn(page, { name, password }) {
  await page.goto('/sign-in');
  await page.locator('[name="name"]').fill(name);
  await page.locator('[name="password"]').fill(password);
  await Promise.all([
    page.waitForURL((url) => url.pathname === '/'),
    page.locator('form:has([name="password"]) [type="submit"]').click(),
  ]);
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
    await work({
      wardroom,
      browser,
      context: first.context,
      page,
      admin: wardroom.admin,
      problems: first.problems,
      openPerson,
      signIn: (other = page) => signIn(other, wardroom.admin),
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
