// What both eras of the fixture have in common: what it says of itself, and how answers leave.

export const capabilities = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  completions: {},
  logging: {},
};
export const info = { name: "conformance-fixture", version: "1.0.0" };

export const failure = (id, error) => ({
  jsonrpc: "2.0",
  ...(id === undefined ? {} : { id }),
  error: {
    code: error.code ?? -32603,
    message: error.message,
    ...(error.data === undefined ? {} : { data: error.data }),
  },
});
export const send = (res, status, body, headers = {}) => {
  res.writeHead(status, { "content-type": "application/json", ...headers });
  res.end(body === undefined ? undefined : JSON.stringify(body));
};

/** A response that is a stream as soon as something is said before the answer. */
export function speaker(res) {
  const open = () => {
    if (!res.headersSent) {
      res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    }
  };
  return {
    say: (message) => {
      open();
      res.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
    },
    end: (message, status = 200) => {
      if (res.headersSent) {
        res.end(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
      } else {
        send(res, status, message);
      }
    },
  };
}
