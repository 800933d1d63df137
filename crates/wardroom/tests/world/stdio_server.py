"""A tool server on standard input and output, by the revision with sessions (2025-11-25)."""
import json
import os
import sys
import time

names = ["count", "environment", "read", "large", "die", "steps", "ask", "sleep", "grow"]
opened = False
asked = {}
counted = 0
# Process ids are alike in every sandbox.
OWN = os.urandom(8).hex()


def say(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def text(value):
    return {"content": [{"type": "text", "text": value}]}


def tool(name):
    return {"name": name, "description": name, "inputSchema": {"type": "object"}}


def call(name, params, request):
    global counted
    given = params.get("arguments", {})
    if name == "count":
        counted += 1
        return text(f"{OWN} {counted}")
    if name == "environment":
        return text(json.dumps(dict(os.environ)))
    if name == "read":
        try:
            return text(open(given["path"]).read())
        except OSError as error:
            return {**text(str(error)), "isError": True}
    if name == "large":
        return text("x" * given["bytes"])
    if name == "die":
        print("it dies now", file=sys.stderr, flush=True)
        os._exit(3)
    if name == "steps":
        token = params.get("_meta", {}).get("progressToken")
        for step in range(3):
            note = {"progressToken": token, "progress": step}
            say({"method": "notifications/progress", "params": note})
        return text("done")
    if name == "grow":
        names.append(f"more-{len(names)}")
        say({"method": "notifications/tools/list_changed"})
        return text("grown")
    if name == "ask":
        say({"id": "q1", "method": "elicitation/create", "params": {
            "message": "Really?", "requestedSchema": {"type": "object", "properties": {}}}})
        asked["q1"] = request
        return None
    time.sleep(given.get("seconds", 0))
    return text("late")


for line in sys.stdin:
    message = json.loads(line)
    method, request = message.get("method"), message.get("id")
    if method not in ("initialize", "server/discover") and not opened:
        print(f"{method} came before the opening", file=sys.stderr, flush=True)
        os._exit(9)
    if method == "initialize":
        opened = True
        say({"id": request, "result": {
            "protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "stdio", "version": "1"}}})
    elif method == "tools/list":
        say({"id": request, "result": {"tools": [tool(name) for name in names]}})
    elif method == "tools/call":
        params = message["params"]
        result = call(params["name"], params, request)
        if result is not None:
            say({"id": request, "result": result})
    elif method is None and request in asked:
        answer = message.get("result", message.get("error"))
        say({"id": asked.pop(request), "result": text(json.dumps(answer))})
    elif request is not None:
        say({"id": request, "error": {"code": -32601, "message": "not known"}})
