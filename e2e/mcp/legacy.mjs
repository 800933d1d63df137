// Revisions until 2025-11-25: requests belong to a session, over whose streams the server asks.

import { randomUUID } from "node:crypto";
import { capabilities, failure, info, send, speaker } from "./http.mjs";
import { RpcError, answer } from "./offers.mjs";

export const LEGACY = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/** Sessions that are open. */
export const sessions = new Map();

export async function legacy(req, res, message, changed) {
  const { id, method, params = {} } = message;
  if (method === "initialize") {
    const version = LEGACY.includes(params.protocolVersion) ? params.protocolVersion : LEGACY[0];
    const session = { capabilities: params.capabilities ?? {}, waiting: new Map(), next: 1, events: new Map() };
    const name = randomUUID();
    sessions.set(name, session);
    const result = { protocolVersion: version, capabilities, serverInfo: info };
    return send(res, 200, { jsonrpc: "2.0", id, result }, { "mcp-session-id": name });
  }
  const session = sessions.get(req.headers["mcp-session-id"]);
  if (!session) return send(res, req.headers["mcp-session-id"] ? 404 : 400, failure(id, new RpcError(-32600, "no session")));
  if (method === undefined) {
    session.waiting.get(id)?.(message);
    session.waiting.delete(id);
    return send(res, 202);
  }
  if (id === undefined) return send(res, 202);
  const out = speaker(res);
  let gone = false;
  const context = {
    era: "legacy",
    token: params._meta?.progressToken,
    capabilities: session.capabilities,
    progress: (progress) => {
      if (context.token === undefined) return;
      out.say({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: context.token, ...progress } });
    },
    log: (level, data) => out.say({ jsonrpc: "2.0", method: "notifications/message", params: { level, data } }),
    ask: async (requests) => {
      const asking = Object.entries(requests).map(([name, { method, params }]) => {
        const own = session.next++;
        out.say({ jsonrpc: "2.0", id: own, method, params });
        return new Promise((done, fail) => {
          session.waiting.set(own, (message) =>
            message.error ? fail(new RpcError(message.error.code, message.error.message)) : done([name, message.result]),
          );
        });
      });
      return Object.fromEntries(await Promise.all(asking));
    },
    letGo: () => {
      gone = true;
      const event = `${id}-1`;
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.end(`id: ${event}\nretry: 50\ndata: \n\n`);
      session.events.set(event, []);
    },
    changed,
  };
  const finish = (body) => {
    if (!gone) return out.end(body);
    const waiting = session.events.get(`${id}-1`);
    if (typeof waiting === "function") waiting(body);
    else session.events.set(`${id}-1`, [body]);
  };
  try {
    switch (method) {
      case "ping":
      case "logging/setLevel":
      case "resources/subscribe":
      case "resources/unsubscribe":
        return finish({ jsonrpc: "2.0", id, result: {} });
    }
    finish({ jsonrpc: "2.0", id, result: await answer(method, params, context) });
  } catch (error) {
    finish(failure(id, error));
  }
}

export function listen(req, res) {
  const session = sessions.get(req.headers["mcp-session-id"]);
  if (!session) return send(res, req.headers["mcp-session-id"] ? 404 : 405);
  const out = speaker(res);
  res.writeHead(200, { "content-type": "text/event-stream" });
  res.flushHeaders();
  const last = req.headers["last-event-id"];
  if (last !== undefined && session.events.has(last)) {
    const [body] = session.events.get(last);
    if (body) return out.end(body);
    session.events.set(last, (body) => out.end(body));
    return;
  }
  session.stream = out;
  res.on("close", () => {
    if (session.stream === out) session.stream = undefined;
  });
}
