// The conformance suite of the Model Context Protocol judges Wardroom as a client: tool servers of the suite behind the
// gateway, and authorization servers that give tokens for them. The scores stand in docs/conformance.md;
// WARDROOM_BLESS=1 writes them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { administrator } from './mcp/api.mjs';
import { SUITE, modernNode } from './suite.mjs';
import { startWardroom } from './wardroom.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const REPORT = path.join(HERE, '../docs/conformance.md');
const TEST_MS_MAX = 600_000;
const REVISIONS = ['2025-11-25', '2026-07-28'];
const BETWEEN = /(<!-- as a client -->\n)[^]*(<!-- end -->)/;

/** Runs a program to its end; what it said. */
function run(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { said += text; });
    child.once('error', reject);
    child.once('exit', () => resolve(said));
  });
}

/** The scores by scenario; those that are not required are left out. */
function scores(said) {
  const [, summary = ''] = said.split('=== SUITE SUMMARY ===');
  const [required, optional = ''] = summary.split('Not scored for');
  const left = new Set([...optional.matchAll(/^\s*[✓✗] (\S+) \(/gm)].map(([, name]) => name));
  const found = [...required.matchAll(/^\s*[✓✗] (\S+): (\d+) passed, (\d+) failed/gm)];
  assert.ok(found.length > 10, said.slice(-4000));
  const all = found.map(([, name, passed, failed]) => [name, { passed: Number(passed), failed: Number(failed) }]);
  return new Map(all.filter(([name]) => !left.has(name)));
}

function table(found) {
  const names = new Set(REVISIONS.flatMap((revision) => [...found.get(revision).keys()]));
  // How many checks there are depends on how often a server is looked at meanwhile.
  const shown = (score) => (score ? 'passed' : '–');
  const lines = [`| scenario | ${REVISIONS.join(' | ')} |`, '|---|---|---|'];
  for (const name of names) {
    lines.push(`| ${name} | ${REVISIONS.map((revision) => shown(found.get(revision).get(name))).join(' | ')} |`);
  }
  return `${lines.join('\n')}\n`;
}

test('Wardroom conforms as a client of tool servers and authorization servers', { timeout: TEST_MS_MAX }, async () => {
  const node = modernNode();
  const folder = await mkdtemp(path.join(os.tmpdir(), 'wardroom-judged-'));
  let wardroom;
  try {
    wardroom = await startWardroom(folder, {
      args: [
        '--set', 'outbound_allow=127.0.0.0/8',
        '--set', 'second_factor_roles=none',
        '--set', 'rate_limit_address_per_minute=0',
        '--set', 'rate_limit_principal_per_minute=0',
      ],
    });
    const { token } = await administrator(wardroom);
    const { url, caFile } = wardroom;
    const command = `${process.execPath} ${path.join(HERE, 'mcp/judged.mjs')}`;
    const env = { ...process.env, WARDROOM: JSON.stringify({ url, caFile, token }) };
    const found = new Map();
    for (const revision of REVISIONS) {
      const args = [SUITE, 'client', '--command', command, '--requirements', revision];
      const said = await run(node, args, { cwd: folder, env });
      const scored = scores(said);
      for (const [name, { failed }] of scored) assert.equal(failed, 0, `${revision}: ${name}\n${said.slice(-20_000)}`);
      found.set(revision, scored);
    }
    const kept = await readFile(REPORT, 'utf8');
    assert.match(kept, BETWEEN);
    const report = kept.replace(BETWEEN, (_, begin, end) => `${begin}\n${table(found)}\n${end}`);
    if (process.env.WARDROOM_BLESS) await writeFile(REPORT, report);
    assert.equal(await readFile(REPORT, 'utf8'), report, 'docs/conformance.md is not what was found');
  } finally {
    await wardroom?.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
