// One `wardroom up` with a data folder of its own, from start to the last of its processes.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000;
const POLL_MS = 25;
const LOG_LINES_MAX = 60;

/** The binary that `variable` names, else the debug build, else the release build. */
function binary(variable, name) {
  const given = process.env[variable];
  const target = process.env.CARGO_TARGET_DIR ?? path.join(ROOT, 'target');
  const candidates = given
    ? [given]
    : [path.join(target, 'debug', name), path.join(target, 'release', name)];
  const found = candidates.find((candidate) => existsSync(candidate));
  if (!found) throw new Error(`no ${name} at ${candidates.join(' or ')}; run ./dev e2e`);
  return found;
}

/** The environment without what a developer set for another Wardroom. */
function cleanEnvironment(extra) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('WARDROOM_'));
  return { ...Object.fromEntries(kept), ...extra };
}

/** Whether a process of this id is there; one that ended but was not collected counts as gone. */
async function isAlive(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return false;
  const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  return state !== 'Z' && state !== 'X';
}

/** Asks again until `probe` answers something else than undefined, or the time is over. */
async function until(probe, msMax, what) {
  const deadline = Date.now() + msMax;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`${what} within ${msMax} ms`);
    await delay(POLL_MS);
  }
}

/**
 * Starts `wardroom up` on `folder` and answers when its ready file is there.
 *
 * The answer holds `url`, `caFile`, `admin` ({name, password}), `pids` ({orchestrator, node}),
 * `folder`, `log()` (its output so far) and `stop()`, which may be called more than once.
 */
export async function startWardroom(folder, { args = [], env = {} } = {}) {
  const readyFile = path.join(folder, `ready-${process.hrtime.bigint()}.json`);
  const logFile = path.join(folder, 'up.log');
  const logHandle = await open(logFile, 'a');
  const child = spawn(
    binary('WARDROOM_BIN', 'wardroom'),
    [
      'up',
      '--data', path.join(folder, 'data'),
      '--listen', '127.0.0.1:0',
      '--ready-file', readyFile,
      '--node-binary', binary('WARDROOM_NODE_BIN', 'wardroom-node'),
      ...args,
    ],
    { stdio: ['ignore', logHandle.fd, logHandle.fd], env: cleanEnvironment(env) },
  );
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  // The failure is reported where it is awaited; until then it must not end the test runner.
  ended.catch(() => undefined);
  let endedWith;
  ended.then(
    (how) => { endedWith = how; },
    (error) => { endedWith = String(error); },
  );
  const log = () => readFile(logFile, 'utf8').catch(() => '');

  let ready = null;
  const stop = async () => {
    await logHandle.close().catch(() => undefined);
    await stopAll(child, ended, folder, Object.values(ready?.pids ?? {}));
  };
  try {
    ready = await until(() => readReady(readyFile, () => endedWith), READY_MS_MAX, 'not ready');
    const password = await readFile(ready.admin_password_file, 'utf8');
    return {
      url: ready.url,
      caFile: ready.ca_file,
      admin: { name: ready.admin_name, password: password.trimEnd() },
      pids: ready.pids,
      folder,
      log,
      stop,
    };
  } catch (error) {
    const lines = (await log()).split('\n').slice(-LOG_LINES_MAX).join('\n');
    await stop().catch(() => undefined);
    throw new Error(`wardroom up did not start: ${error.message}\n${lines}`, { cause: error });
  }
}

/** The ready file's content, undefined while it is missing or only half written. */
async function readReady(file, endedWith) {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text !== null) {
    try {
      return JSON.parse(text);
    } catch {
      // Half written: ask again.
    }
  }
  const how = endedWith();
  if (how !== undefined) throw new Error(`it ended with ${how}`);
  return undefined;
}

/** Processes that were started with a path in this folder: also a node that was restarted. */
async function processesOf(folder) {
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name)).map(Number);
  const found = [];
  for (const pid of pids) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (pid !== process.pid && line.includes(folder)) found.push(pid);
  }
  return found;
}

/** Ends the orchestrator as an operator does, and then sees that nothing of it is left. */
async function stopAll(child, ended, folder, knownPids) {
  const isRunning = child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  if (isRunning) child.kill('SIGTERM');
  const slow = delay(STOP_MS_MAX, 'slow', { ref: false });
  const wasSlow = (await Promise.race([ended.catch(() => 'error'), slow])) === 'slow';
  if (wasSlow) {
    child.kill('SIGKILL');
    await ended;
  }
  const pids = new Set([...knownPids, ...(await processesOf(folder))]);
  pids.delete(child.pid);
  const survivors = [];
  for (const pid of pids) {
    const gone = async () => ((await isAlive(pid)) ? undefined : true);
    await until(gone, STOP_MS_MAX, 'alive').catch(() => survivors.push(pid));
  }
  for (const pid of survivors) process.kill(pid, 'SIGKILL');
  if (wasSlow) throw new Error(`wardroom did not end within ${STOP_MS_MAX} ms of SIGTERM`);
  if (survivors.length > 0) {
    throw new Error(`these outlived the orchestrator: process ${survivors.join(', ')}`);
  }
}
