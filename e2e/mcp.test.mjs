// The conformance suite of the Model Context Protocol judges the gateway: a fixture server directly and through
// Wardroom, by each revision's frozen requirements, in each combination of eras. The scores stand in
// docs/conformance.md; WARDROOM_BLESS=1 writes them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { addTools, administrator } from './mcp/api.mjs';
import { SUITE, modernNode } from './suite.mjs';
import { startWardroom } from './wardroom.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const REPORT = path.join(HERE, '../docs/conformance.md');
const TEST_MS_MAX = 600_000;
const REVISIONS = ['2025-11-25', '2026-07-28'];

/** What a gateway can't give by itself when client and server are of different eras. */
const REASONS = {
  'input-required-result-basic-elicitation':
    'a server with sessions gives its questions no names, so they have those of the gateway',
};

/** Runs a program to its end; what it said. */
function run(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { said += text; });
    child.once('error', reject);
    child.once('exit', () => resolve(said));
  });
}

/** Starts a program that prints its address; the address and how it is stopped. */
function serve(script, args) {
  const child = spawn(process.execPath, [path.join(HERE, 'mcp', script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${script} ended with ${code}`)));
    child.stdout.once('data', (text) => resolve({ url: String(text).trim(), stop: () => child.kill() }));
  });
}

/** The scores of a server by scenario, `passed/all`, and whether each is required. */
async function judge(node, url, revision) {
  const said = await run(node, [SUITE, 'server', '--url', url, '--requirements', revision]);
  const scores = new Map();
  const [, summary = ''] = said.split('=== SUMMARY ===');
  for (const [, name, passed, failed] of summary.matchAll(/^\s*[✓✗] (\S+): (\d+) passed, (\d+) failed/gm)) {
    scores.set(name, { passed: Number(passed), failed: Number(failed), required: true });
  }
  assert.ok(scores.size > 20, said.slice(-4000));
  const [, optional = ''] = summary.split('Not scored for');
  for (const [, name] of optional.matchAll(/^\s*[✓✗] (\S+) \(/gm)) scores.get(name).required = false;
  return scores;
}

const shown = ({ passed, failed }) => `${passed}/${passed + failed}`;

function table(revision, direct, through, crossed) {
  const lines = [
    `## Revision ${revision}`,
    '',
    '| scenario | directly | through Wardroom | through Wardroom, server of the other era |',
    '|---|---|---|---|',
  ];
  for (const [name, score] of direct) {
    if (!score.required) continue;
    lines.push(`| ${name} | ${shown(score)} | ${shown(through.get(name))} | ${shown(crossed.get(name))} |`);
  }
  const sum = (scores) => {
    const all = [...scores.values()].filter(({ required }) => required);
    const passed = all.reduce((count, one) => count + one.passed, 0);
    return `${passed}/${all.reduce((count, one) => count + one.passed + one.failed, 0)}`;
  };
  lines.push(`| **all** | **${sum(direct)}** | **${sum(through)}** | **${sum(crossed)}** |`, '');
  return lines.join('\n');
}

test('the gateway conforms to both eras in every combination', { timeout: TEST_MS_MAX }, async (t) => {
  const node = modernNode();
  const folder = await mkdtemp(path.join(os.tmpdir(), 'wardroom-mcp-'));
  const open = [];
  try {
    const fixtures = {};
    for (const era of ['legacy', 'modern']) {
      fixtures[era] = await serve('fixture.mjs', ['--era', era]);
      open.push(fixtures[era]);
    }
    const wardroom = await startWardroom(folder, {
      args: [
        '--set', 'outbound_allow=127.0.0.0/8',
        '--set', 'second_factor_roles=none',
        '--set', 'rate_limit_address_per_minute=0',
        '--set', 'rate_limit_principal_per_minute=0',
      ],
    });
    open.push(wardroom);
    const { token, file } = await administrator(wardroom);
    for (const era of ['legacy', 'modern']) await addTools(wardroom, token, era, fixtures[era].url);
    const bearer = await serve('bearer.mjs', ['--to', wardroom.url, '--ca', wardroom.caFile, '--secret', file]);
    open.push(bearer);
    const tables = [];
    for (const revision of REVISIONS) {
      const [own, other] = revision === REVISIONS[0] ? ['legacy', 'modern'] : ['modern', 'legacy'];
      await t.test(`revision ${revision}`, async () => {
        const direct = await judge(node, fixtures[own].url, revision);
        const through = await judge(node, `${bearer.url}/mcp/${own}`, revision);
        const crossed = await judge(node, `${bearer.url}/mcp/${other}`, revision);
        for (const [name, score] of direct) {
          if (!score.required) continue;
          assert.equal(score.failed, 0, `${name}: the fixture itself`);
          assert.deepEqual(through.get(name), score, `${name}: through Wardroom`);
          if (!REASONS[name]) assert.equal(crossed.get(name).failed, 0, `${name}: eras crossed`);
        }
        tables.push(table(revision, direct, through, crossed));
      });
    }
    const kept = await readFile(REPORT, 'utf8');
    const report = `${kept.split('## Revision')[0]}${tables.join('\n')}`;
    if (process.env.WARDROOM_BLESS) await writeFile(REPORT, report);
    assert.equal(await readFile(REPORT, 'utf8'), report, 'docs/conformance.md is not what was found');
  } finally {
    for (const one of open.reverse()) await one.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
