// Tool servers and clients that others wrote: the servers started by a node in its sandbox, the clients in front of
// the gateway, each of every era that it speaks, over each door.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { acceptTools, administrator, ask } from './mcp/api.mjs';
import { PYTHON, freePort, modernNode } from './suite.mjs';
import { startWardroom } from './wardroom.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const TEST_MS_MAX = 300_000;

const MODULES = path.join(HERE, 'node_modules');
const script = (name) => path.join(MODULES, '@modelcontextprotocol', name, 'dist/index.js');

/** An entry of the allow-list for a program of Node.js. */
function entry(name, program, args, { read = [], write = [], more = '' } = {}) {
  const list = (texts) => texts.map((text) => JSON.stringify(text)).join(', ');
  return `
[[tool_server]]
name = "${name}"
description = "The tool server ${name}"
program = "${program}"
arguments = [${list(args)}]
${more}
limits = { memory_mib = 16384 }
sandbox = { read = [${list(read)}], write = [${list(write)}] }
`;
}

/** Runs a program to its end; what it printed. */
function run(program, args, env = process.env) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env, timeout: 60_000 });
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  return stdout;
}

/** Calls a tool as a client without sessions. */
async function call(wardroom, secret, server, tool, args) {
  const params = {
    name: tool,
    arguments: args,
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  };
  const answered = await ask(wardroom, 'POST', `/mcp/${server}`, {
    token: secret,
    body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params },
    headers: {
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': tool,
    },
  });
  assert.ok(answered.result, JSON.stringify(answered));
  return answered.result;
}

test('tool servers of others run in a sandbox of a node', { timeout: TEST_MS_MAX }, async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'wardroom-hosted-'));
  const files = path.join(folder, 'files');
  const tcpPort = await freePort();
  const wardroom = await startWardroom(folder, {
    args: ['--set', 'second_factor_roles=none', '--set', `listen_mcp_tcp=127.0.0.1:${tcpPort}`],
  });
  t.after(async () => {
    if (!t.passed) console.error((await wardroom.log()).slice(-6000));
    await wardroom.stop();
    await rm(folder, { recursive: true, force: true });
  });
  // Programs of the sandbox are another user's where the tests are root's.
  await mkdir(files);
  await chmod(folder, 0o755);
  await chmod(files, 0o777);
  writeFileSync(path.join(files, 'note.txt'), 'seven lanterns', { mode: 0o644 });
  const { token, secret } = await administrator(wardroom);

  const python = path.dirname(path.dirname(PYTHON));
  const list = path.join(folder, 'data/commands.toml');
  const greeter = path.join(HERE, 'mcp/greeter.py');
  writeFileSync(list, [
    readFileSync(list, 'utf8'),
    entry('everything', process.execPath, [script('server-everything'), 'stdio'], {
      read: [MODULES], more: 'instances = "per_session"',
    }),
    entry('files', process.execPath, [script('server-filesystem'), files], {
      read: [MODULES], write: [files],
    }),
    entry('memory', process.execPath, [script('server-memory')], {
      read: [MODULES],
      write: [files],
      more: `instances_max = 1\nenvironment = { MEMORY_FILE_PATH = "${files}/memory.jsonl" }`,
    }),
    entry('greeter', PYTHON, [greeter], { read: [python, greeter] }),
  ].join('\n'));
  const names = ['everything', 'files', 'memory', 'greeter'];
  for (;;) {
    const node = await ask(wardroom, 'GET', '/api/v1/nodes/local', { token });
    if (node.catalogue.tool_servers?.length === names.length) break;
    const alerts = node.report?.alerts ?? [];
    assert.deepEqual(alerts, [], 'the allow-list is sound');
    await delay(100);
  }

  const cli = (...args) => {
    const binary = process.env.WARDROOM_BIN ?? path.join(HERE, '../target/debug/wardroom');
    return spawnSync(binary, [...args, '--server', wardroom.url, '--ca', wardroom.caFile], {
      encoding: 'utf8',
      env: { ...process.env, WARDROOM_TOKEN: token },
    });
  };
  for (const name of names) {
    const added = cli('mcp', 'add', name, '--node', 'local');
    assert.equal(added.status, 0, added.stderr);
    await acceptTools(wardroom, token, name);
  }

  await t.test('server-everything', async () => {
    const echoed = await call(wardroom, secret, 'everything', 'echo', { message: 'brine' });
    assert.match(echoed.content[0].text, /brine/);
    const summed = await call(wardroom, secret, 'everything', 'get-sum', { a: 19, b: 23 });
    assert.match(summed.content[0].text, /42/);
    const environment = await call(wardroom, secret, 'everything', 'get-env', {});
    assert.doesNotMatch(environment.content[0].text, /WARDROOM/);
  });
  await t.test('server-filesystem', async () => {
    const read = await call(wardroom, secret, 'files', 'read_text_file', { path: `${files}/note.txt` });
    assert.match(read.content[0].text, /seven lanterns/);
    await call(wardroom, secret, 'files', 'write_file', { path: `${files}/new.txt`, content: 'written' });
    assert.equal(readFileSync(`${files}/new.txt`, 'utf8'), 'written');
    const outside = await call(wardroom, secret, 'files', 'read_text_file', { path: '/etc/shadow' });
    assert.ok(outside.isError);
  });
  await t.test('server-memory', async () => {
    const entities = [{ name: 'Ada', entityType: 'person', observations: ['keeps bees'] }];
    await call(wardroom, secret, 'memory', 'create_entities', { entities });
    const graph = await call(wardroom, secret, 'memory', 'read_graph', {});
    assert.match(graph.content[0].text, /keeps bees/);
    assert.match(readFileSync(`${files}/memory.jsonl`, 'utf8'), /Ada/);
  });
  await t.test('a server made with FastMCP', async () => {
    const greeted = await call(wardroom, secret, 'greeter', 'greet', { name: 'Ada' });
    assert.equal(greeted.content[0].text, 'Good morning, Ada.');
  });

  const newest = modernNode();
  const { hostname, port } = new URL(wardroom.url);
  const addresses = (server) => ({
    http: `${wardroom.url}/mcp/${server}`,
    sse: `${wardroom.url}/mcp/${server}`,
    ws: `wss://${hostname}:${port}/mcp/${server}`,
    tcp: `localhost:${tcpPort}`,
  });
  const env = { ...process.env, TOKEN: secret, NODE_EXTRA_CA_CERTS: wardroom.caFile, CA_FILE: wardroom.caFile };
  const clients = ['http', 'ws', 'tcp'].flatMap((way) => [
    [newest, 'client.mjs', '1', 'legacy', way],
    [newest, 'client.mjs', '2', 'legacy', way],
    [newest, 'client.mjs', '2', 'modern', way],
    [PYTHON, 'client.py', 'legacy', way],
    [PYTHON, 'client.py', '2026-07-28', way],
  ]);
  clients.push([newest, 'client.mjs', '1', 'legacy', 'sse']);
  for (const [program, script, ...args] of clients) {
    await t.test(`${script} ${args.join(' ')}`, () => {
      const address = addresses('greeter')[args.at(-1)];
      const said = run(program, [path.join(HERE, 'mcp', script), ...args, address], env);
      const { tools, text } = JSON.parse(said);
      assert.equal(text, 'Good morning, Ada.');
      assert.ok(tools >= 1);
    });
  }
  await t.test('MCP Inspector', () => {
    const inspect = (...args) => run(newest, [
      path.join(MODULES, '.bin/mcp-inspector'), '--cli', addresses('greeter').http, '--transport', 'http',
      '--header', `Authorization: Bearer ${secret}`, ...args,
    ], { ...env, HOME: folder });
    assert.match(inspect('--method', 'tools/list'), /"greet"/);
    const called = inspect('--method', 'tools/call', '--tool-name', 'greet', '--tool-arg', 'name=Ada');
    assert.match(called, /Good morning, Ada\./);
  });
  const health = cli('mcp', 'health');
  assert.equal(health.status, 0, health.stdout);
});
