// A tool server with what the protocol's conformance suite asks for by name, in both eras:
// `node fixture.mjs --era legacy|modern|both [--port N]`. It prints the address that it listens on.

import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { failure, send } from "./http.mjs";
import { LEGACY, legacy, listen, sessions } from "./legacy.mjs";
import { listeners, modern } from "./modern.mjs";
import { RpcError } from "./offers.mjs";

/** Tells whoever listens that something changed. */
const changed = (method) => {
  const name = { "notifications/tools/list_changed": "toolsListChanged", "notifications/prompts/list_changed": "promptsListChanged" }[method];
  for (const listener of listeners) {
    if (!listener.filter[name]) continue;
    const _meta = { "io.modelcontextprotocol/subscriptionId": listener.id };
    listener.say({ jsonrpc: "2.0", method, params: { _meta } });
  }
  for (const session of sessions.values()) session.stream?.say({ jsonrpc: "2.0", method });
};

const { values } = parseArgs({ options: { era: { type: "string", default: "both" }, port: { type: "string", default: "0" } } });
const era = values.era;

const server = createServer((req, res) => {
  const host = (req.headers.host ?? "").replace(/:\d+$/, "");
  const origin = req.headers.origin ? new URL(req.headers.origin).hostname : host;
  if (![host, origin].every((name) => ["localhost", "127.0.0.1", "[::1]"].includes(name))) {
    return send(res, 403, failure(undefined, new RpcError(-32600, "not this host")));
  }
  if (req.method === "GET" && era !== "modern") return listen(req, res);
  if (req.method === "DELETE" && era !== "modern") {
    sessions.delete(req.headers["mcp-session-id"]);
    return send(res, 200);
  }
  if (req.method !== "POST") return send(res, 405);
  const pieces = [];
  req.on("data", (piece) => pieces.push(piece));
  req.on("end", () => {
    let message;
    try {
      message = JSON.parse(Buffer.concat(pieces).toString());
    } catch {
      return send(res, 400, failure(undefined, new RpcError(-32700, "this is no JSON")));
    }
    const version = req.headers["mcp-protocol-version"];
    const own = message.params?._meta?.["io.modelcontextprotocol/protocolVersion"];
    const later = own !== undefined || (version !== undefined && !LEGACY.includes(version) && !req.headers["mcp-session-id"]);
    if (era === "legacy" ? false : era === "modern" || later) return modern(req, res, message, changed);
    return legacy(req, res, message, changed);
  });
});
server.listen(Number(values.port), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/mcp`);
});
