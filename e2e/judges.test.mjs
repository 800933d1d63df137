// Judges from outside: schemathesis over the whole API as each role, sqlmap on what searches and lists, sslscan and
// nikto on the listener. They run against a Wardroom of their own and against loopback alone.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { withWardroom } from './harness.mjs';

const TEST_MS_MAX = 600_000;
const OUTPUT_BYTES_KEPT = 20_000;
const TOOLS = path.dirname(process.env.E2E_PYTHON ?? 'python3');
const RULES = path.join(path.dirname(fileURLToPath(import.meta.url)), 'schemathesis.toml');
const PASSWORD = 'Nine candid otters sail 9';
// The administrator last: what a judge does as one may end the others' sessions.
const ROLES = ['customer', 'operator', 'manager', 'admin'];

// A judge asks more often than any person, and its wrong tokens must not count against the next one.
const ARGS = ['--set', 'rate_limit_address_per_minute=0', '--set', 'rate_limit_principal_per_minute=0'];

/** Runs a program to its end; gives its exit code and what it said. */
function run(program, args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { said += text; });
    child.once('error', reject);
    child.once('exit', (code) => resolve({ code, said }));
  });
}

const tool = (name) => path.join(TOOLS, name);

/** Accounts of each role with tokens of theirs. */
async function tokensOf({ context, admin }) {
  const post = async (at, data, token) => {
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const answer = await context.request.post(at, { data, headers });
    assert.ok(answer.ok(), `${at}: ${answer.status()} ${await answer.text()}`);
    return answer.status() === 204 ? {} : answer.json();
  };
  const login = async (name, password, code) => (await post('/api/v1/login', { name, password, code })).access_token;
  const tokens = { admin: await login(admin.name, admin.password, admin.codes.pop()) };
  for (const role of ROLES.filter((one) => one !== 'admin')) {
    const { link } = await post('/api/v1/users', { name: role, role }, tokens.admin);
    await post('/api/v1/links/redeem', { secret: link.secret, password: PASSWORD });
    tokens[role] = await login(role, PASSWORD);
  }
  return tokens;
}

test('outside judges find nothing', { timeout: TEST_MS_MAX }, async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'wardroom-judges-'));
  try {
    await withWardroom(async (session) => {
      const { wardroom, context } = session;
      const tokens = await tokensOf(session);

      for (const role of ROLES) {
        await t.test(`schemathesis as ${role}`, async () => {
          const { code, said } = await run(tool('schemathesis'), [
            '--config-file', RULES, 'run', `${wardroom.url}/api/openapi.json`,
            '--tls-verify', wardroom.caFile,
            '-H', `Authorization: Bearer ${tokens[role]}`,
            '--phases', 'examples,coverage,fuzzing', '--max-examples', '8', '--no-shrink', '--continue-on-failure',
            // What a person means by a value, a schema can't say: such a one is refused although it has the form.
            '--checks', 'all', '--exclude-checks', 'positive_data_acceptance',
            // A stream without end, and what would end the judge's own session.
            '--exclude-path', '/api/v1/events', '--exclude-path', '/api/v1/logout', '--exclude-path', '/api/v1/sessions/{id}',
            '--exclude-path', '/api/v1/users/{id}/reset-factors',
            '--request-timeout', '20', '--request-retries', '2', '--warnings', 'off', '--no-color', '--seed', '1',
          ], folder);
          assert.equal(code, 0, said.slice(-OUTPUT_BYTES_KEPT));
          const me = await context.request.get('/api/v1/whoami', { headers: { authorization: `Bearer ${tokens[role]}` } });
          assert.equal(me.status(), 200, 'the judge was not signed in to the end');
        });
      }

      await t.test('sqlmap', async () => {
        const lists = [
          '/api/v1/customers?q=a&limit=5',
          '/api/v1/requests?q=a&state=pending',
          '/api/v1/users?role=operator',
          '/api/v1/runs?state=failed&limit=5',
          '/api/v1/audit/records?text=a&outcome=done',
        ];
        for (const list of lists) {
          const { code, said } = await run(tool('sqlmap'), [
            '-u', `${wardroom.url}${list}`, '-H', `Authorization: Bearer ${tokens.admin}`,
            '--batch', '--level', '1', '--risk', '1', '--technique', 'BEU', '--threads', '2', '--flush-session',
            '--disable-coloring', '--output-dir', folder, '--ignore-code', '*',
          ], folder);
          assert.equal(code, 0, said.slice(-OUTPUT_BYTES_KEPT));
          assert.match(said, /all tested parameters do not appear to be injectable/, `${list}\n${said.slice(-OUTPUT_BYTES_KEPT)}`);
        }
      });

      await t.test('sslscan', async () => {
        const { code, said } = await run('sslscan', ['--no-colour', '--show-certificate', new URL(wardroom.url).host], folder);
        assert.equal(code, 0, said);
        assert.match(said, /TLSv1\.3\s+enabled/);
        for (const old of ['SSLv2', 'SSLv3', 'TLSv1.0', 'TLSv1.1']) {
          assert.match(said, new RegExp(`${old.replace('.', '\\.')}\\s+disabled`), said);
        }
        assert.doesNotMatch(said, /Compression enabled|Insecure session renegotiation|(?<!not )vulnerable to heartbleed/, said);
        for (const line of said.split('\n').filter((text) => /^(Preferred|Accepted)/.test(text))) {
          assert.match(line, /GCM|POLY1305/, 'only authenticated ciphers');
        }
      });

      await t.test('nikto', async () => {
        const { port } = new URL(wardroom.url);
        const { said } = await run('nikto', ['-host', '127.0.0.1', '-port', port, '-ssl', '-nointeractive'], folder);
        const checked = /(\d+) items checked: (\d+) error/.exec(said);
        assert.ok(checked && Number(checked[1]) > 5000 && Number(checked[2]) === 0, said.slice(-OUTPUT_BYTES_KEPT));
        // Headers that it does not know, and what is as it should be: a name stands in the certificate's alternatives.
        const known = [
          /^Target |^Start Time|^End Time|^SSL Info|^Server: No banner|^Uncommon header|^No CGI Directories|^\d+ (items|host)/,
          /^Root page \/ redirects to: \/sign-in/, /^Hostname .* does not match certificate's CN/, /^Allowed HTTP Methods: GET, HEAD\s*$/,
        ];
        const found = said.split('\n').filter((line) => line.startsWith('+ ')).map((line) => line.slice(2));
        assert.deepEqual(found.filter((line) => !known.some((one) => one.test(line))), []);
      });
    }, { name: 'judges', args: ARGS });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
