// Passes requests on to Wardroom with a token, for clients that can't be given one. Everything else goes as it came:
// `node bearer.mjs --to https://localhost:4000 --ca FILE --secret FILE [--port N]`. It prints the address that it
// listens on.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { request } from "node:https";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    to: { type: "string" },
    ca: { type: "string" },
    secret: { type: "string" },
    port: { type: "string", default: "0" },
  },
});
const to = new URL(values.to);
const ca = readFileSync(values.ca);
const authorization = `Bearer ${readFileSync(values.secret, "utf8").trim()}`;

const server = createServer((req, res) => {
  const onward = request(
    {
      host: to.hostname,
      port: to.port,
      servername: to.hostname,
      ca,
      method: req.method,
      path: req.url,
      headers: { ...req.headers, authorization },
    },
    (answer) => {
      res.writeHead(answer.statusCode, answer.headers);
      res.flushHeaders();
      answer.pipe(res);
    },
  );
  onward.on("error", () => res.destroy());
  res.on("close", () => onward.destroy());
  req.pipe(onward);
});
server.listen(Number(values.port), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
