// Revision 2026-07-28: requests stand alone; what is missing is asked for in an answer.

import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { capabilities, failure, info, send, speaker } from "./http.mjs";
import { Missing, RpcError, answer } from "./offers.mjs";

const MODERN = "2026-07-28";
const CACHED = ["server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"];

const key = randomBytes(32);
const seal = (state) => {
  const body = Buffer.from(JSON.stringify(state)).toString("base64url");
  return `${body}.${createHmac("sha256", key).update(body).digest("base64url")}`;
};
const unseal = (sealed) => {
  const [body, mark] = String(sealed).split(".");
  const own = createHmac("sha256", key).update(body ?? "").digest("base64url");
  if (own !== mark) throw new RpcError(-32602, "requestState is not one of this server's");
  return JSON.parse(Buffer.from(body, "base64url").toString());
};

/** Streams of changes that are open. */
export const listeners = new Set();
export async function modern(req, res, { id, method, params = {} }, changed) {
  const meta = params._meta;
  const version = meta?.["io.modelcontextprotocol/protocolVersion"];
  const can = meta?.["io.modelcontextprotocol/clientCapabilities"];
  if (!version || !can) return send(res, 400, failure(id, new RpcError(-32602, "_meta is not whole")));
  const name = params.name ?? params.uri;
  const decode = (value) => {
    const inner = /^=\?base64\?(.*)\?=$/.exec(value ?? "")?.[1];
    return inner === undefined ? value : Buffer.from(inner, "base64").toString();
  };
  const named = ["tools/call", "prompts/get", "resources/read"].includes(method);
  if (
    req.headers["mcp-protocol-version"] !== version ||
    req.headers["mcp-method"] !== method ||
    (named && decode(req.headers["mcp-name"]) !== name)
  ) {
    return send(res, 400, failure(id, new RpcError(-32020, "headers and body differ")));
  }
  if (version !== MODERN) {
    const data = { supported: [MODERN], requested: version };
    return send(res, 400, failure(id, new RpcError(-32022, "this version is not spoken", data)));
  }
  const out = speaker(res);
  const finish = (result) => ({
    resultType: "complete",
    ...(CACHED.includes(method) ? { ttlMs: 300000, cacheScope: "public" } : {}),
    ...result,
    _meta: { ...result._meta, "io.modelcontextprotocol/serverInfo": info },
  });
  if (method === "subscriptions/listen") {
    const filter = params.notifications ?? {};
    const listener = { id, filter, say: out.say };
    const agreed = Object.fromEntries(
      Object.entries(filter).filter(([, wanted]) => (Array.isArray(wanted) ? wanted.length : wanted)),
    );
    out.say({
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params: { _meta: { "io.modelcontextprotocol/subscriptionId": id }, notifications: agreed },
    });
    listeners.add(listener);
    res.on("close", () => listeners.delete(listener));
    return;
  }
  if (method === "server/discover") {
    const result = finish({ supportedVersions: [MODERN], capabilities });
    return out.end({ jsonrpc: "2.0", id, result });
  }
  const context = {
    era: "modern",
    token: meta.progressToken,
    capabilities: can,
    state: undefined,
    progress: (progress) => {
      if (meta.progressToken === undefined) return;
      const params = { progressToken: meta.progressToken, ...progress };
      out.say({ jsonrpc: "2.0", method: "notifications/progress", params });
    },
    log: (level, data) => {
      if (!meta["io.modelcontextprotocol/logLevel"]) return;
      out.say({ jsonrpc: "2.0", method: "notifications/message", params: { level, data } });
    },
    ask: async (requests, state) => {
      const given = params.inputResponses ?? {};
      const names = Object.keys(requests);
      if (names.every((name) => given[name] && typeof given[name] === "object")) {
        const odd = names.some((name) => requests[name].method === "elicitation/create" && typeof given[name].action !== "string");
        if (!odd) return Object.fromEntries(names.map((name) => [name, given[name]]));
      }
      throw new Missing(requests, state);
    },
    changed,
  };
  try {
    if (params.requestState !== undefined) context.state = unseal(params.requestState);
    const result = await answer(method, params, context);
    out.end({ jsonrpc: "2.0", id, result: finish(result) });
  } catch (error) {
    if (error instanceof Missing) {
      const result = {
        resultType: "input_required",
        inputRequests: error.requests,
        ...(error.state ? { requestState: seal({ ...error.state, nonce: randomUUID() }) } : {}),
        _meta: { "io.modelcontextprotocol/serverInfo": info },
      };
      return out.end({ jsonrpc: "2.0", id, result });
    }
    const status = { [-32601]: 404, [-32021]: 400, [-32022]: 400 }[error.code] ?? 200;
    out.end(failure(id, error), status);
  }
}
