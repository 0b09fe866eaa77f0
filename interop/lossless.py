"""What a typed round trip would lose passes the gateway as it was sent: unknown members, their order,
the spelling of numbers, escapes that matter. A raw client of each era calls a raw server of each era,
directly and through the gateway, and compares JSON token by token."""

import contextlib
import http.client
import http.server
import json
import tempfile
import threading
import urllib.parse

import gateway
from gateway import PERMIT_EVERYTHING, Gateway, require

LEGACY, MODERN = "2025-11-25", "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
# White space of every kind, numbers that no float keeps, members that no revision knows.
ODD = """{"huge": 12345678901234567890123, "one": 1.0, "hundred": 1e2, "E": 1E+02, "zero": -0, "tenth": 0.10,
 "z": 1, "a": {"b": [[], {}, [null, true, false]]}, "": "empty name", "emoji": "\\ud83d\\udf02 🜂",
 "controls": "\\u0000\\u001f\\u007f \\u2028 \\\\ \\" \\/", "x-vendor": {"deep": {"er": 1.50}}}"""
META = '{"example.com/trace": "1.0", "vendor": {"n": 1.0}}'
ICONS = '[{"src": "data:image/png;base64,AA==", "sizes": ["any"], "x-theme": 1.0}]'
TOOL = """{"name": "odd", "title": "Odd 🜂", "description": "Answers with what is easily lost.", "x-vendor": 1.0,
 "inputSchema": {"type": "object", "properties": {"value": {"x-order": 2.0, "default": 1e2}, "a": {"type": "number"}},
 "x-keep": true}, "annotations": {"readOnlyHint": true, "x-hint": 1.0}, "icons": %s, "_meta": %s}""" % (ICONS, META)
RESULT = """{"x-first": 1.0, "content": [
 {"type": "text", "text": "one\\nevent: message\\ndata: {}\\n\\n", "annotations": {"priority": 0.10, "x-a": 1.0}, "x-b": [1e2]},
 {"type": "image", "mimeType": "image/png", "data": "AA==", "_meta": %s},
 {"type": "audio", "data": "AA==", "mimeType": "audio/wav"},
 {"type": "resource_link", "uri": "odd://Text", "name": "n", "icons": %s, "size": 10},
 {"type": "resource", "resource": {"uri": "odd://Text?a=%%2F#x", "text": "t", "mimeType": "text/plain", "x-c": 0.0}}],
 "structuredContent": %s, "isError": false, "_meta": %s, "x-last": null}""" % (META, ICONS, ODD, META)
RESOURCE = '{"uri": "odd://Text?a=%%2F#x", "name": "n", "title": "T", "size": 10, "x-d": 1.0, "icons": %s, "_meta": %s}' % (ICONS, META)
PROMPT = '{"name": "odd", "title": "P", "arguments": [{"name": "a", "title": "A", "x-e": 1.0}], "icons": %s, "_meta": %s}' % (ICONS, META)
ANSWERS = {
    "tools/list": '{"tools": [%s]}' % TOOL,
    "resources/list": '{"resources": [%s]}' % RESOURCE,
    "resources/templates/list": '{"resourceTemplates": [{"uriTemplate": "odd://items/{id}", "name": "t", "x-f": 1.0}]}',
    "prompts/list": '{"prompts": [%s]}' % PROMPT,
    "tools/call": RESULT,
    "resources/read": '{"contents": [{"uri": "odd://Text?a=%%2F#x", "text": "t", "x-g": 1.0, "_meta": %s}], "x-h": 1e2}' % META,
    "prompts/get": '{"messages": [{"role": "user", "content": {"type": "text", "text": "t", "x-i": 1.0}, "x-j": 2.0}], "x-k": 1.0}',
}
PROGRESS = '"progress": 1, "total": 2.0, "message": "half\\nway", "x-p": 1.50'
FAILURE = '{"code": 4711, "message": "it is odd", "data": %s}' % ODD
CAPABILITIES = '{"tools": {}, "resources": {}, "prompts": {}}'


class Number(str):
    """A number as it was spelled."""


def tokens(text):
    """JSON with numbers as spelled and members in their order."""
    return json.loads(text, parse_int=Number, parse_float=Number, object_pairs_hook=lambda pairs: ("object", pairs))


class Handler(http.server.BaseHTTPRequestHandler):
    """A server of one era. What it was sent is kept for the comparison."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "id" not in request:
            return self.answer(202, "")
        method = request["method"]
        modern = self.headers.get("MCP-Protocol-Version") == MODERN
        if modern and self.server.era == LEGACY:
            return self.error(400, request, '{"code": -32600, "message": "no session"}')
        if method == "initialize":
            if self.server.era == MODERN:
                return self.error(404, request, '{"code": -32601, "message": "no handshake"}')
            result = '{"protocolVersion": "%s", "capabilities": %s, "serverInfo": {"name": "odd", "version": "1"}}'
            return self.result(request, result % (LEGACY, CAPABILITIES))
        if method == "server/discover":
            result = '{"resultType": "complete", "supportedVersions": ["%s"], "capabilities": %s, "ttlMs": 0, "cacheScope": "private"}'
            return self.result(request, result % (MODERN, CAPABILITIES))
        if method == "tools/call" and request["params"]["arguments"].get("a") == 0:
            return self.error(200, request, FAILURE)
        if method not in ANSWERS:
            return self.error(404, request, '{"code": -32601, "message": "unknown"}')
        self.result(request, ANSWERS[method], complete=modern)

    def do_GET(self):
        self.answer(405, "")

    do_DELETE = do_GET

    def result(self, request, result, complete=False):
        if complete:
            hints = '"resultType": "complete", "ttlMs": 0, "cacheScope": "private", '
            result = "{" + hints + result.lstrip()[1:]
        message = '{"jsonrpc": "2.0", "id": %s, "result": %s}' % (json.dumps(request["id"]), result)
        token = request.get("params", {}).get("_meta", {}).get("progressToken")
        if token is None:
            return self.answer(200, message, "application/json")
        progress = '{"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": %s, %s}}'
        events = [progress % (json.dumps(token), PROGRESS), message.replace("\n", " ")]
        body = "".join(f"event: message\ndata: {event}\n\n" for event in events)
        self.answer(200, body, "text/event-stream")

    def error(self, status, request, error):
        message = '{"jsonrpc": "2.0", "id": %s, "error": %s}' % (json.dumps(request["id"]), error)
        self.answer(status, message, "application/json")

    def answer(self, status, body, kind=None):
        body = body.encode()
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def server(era):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.era = era
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/mcp"
        listening.shutdown()


class Raw:
    """A client that keeps what it receives as text."""

    def __init__(self, url, era):
        self.url = urllib.parse.urlsplit(url)
        self.era = era
        self.session = None
        self.id = 0
        if era == LEGACY:
            client = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
            self.post("initialize", client)
            self.post("notifications/initialized", None)

    def post(self, method, params, name=None):
        """The messages of the answer, as text."""
        self.id += 1
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        message = {"jsonrpc": "2.0", "method": method}
        if not method.startswith("notifications/"):
            message["id"] = self.id
        if self.era == MODERN:
            own = {f"{PREFIX}protocolVersion": MODERN, f"{PREFIX}clientCapabilities": {}}
            params = {**params, "_meta": {**own, **params.get("_meta", {})}}
            headers |= {"MCP-Protocol-Version": MODERN, "Mcp-Method": method} | ({"Mcp-Name": name} if name else {})
        elif self.session:
            headers |= {"MCP-Protocol-Version": LEGACY, "Mcp-Session-Id": self.session}
        if params is not None:
            message["params"] = params
        connection = http.client.HTTPConnection(self.url.netloc, timeout=60)
        try:
            connection.request("POST", self.url.path, json.dumps(message), headers)
            answer = connection.getresponse()
            self.session = self.session or answer.getheader("Mcp-Session-Id")
            body = answer.read().decode()
        finally:
            connection.close()
        if answer.getheader("Content-Type", "").startswith("text/event-stream"):
            return [data for event in body.split("\n\n") if (data := data_of(event))]
        return [body]


def data_of(event):
    return "\n".join(line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:"))


def requests():
    for method in ANSWERS:
        if method.endswith("/list"):
            yield method, method, {}, None
    yield "a call", "tools/call", {"name": "odd", "arguments": {"value": 1, "a": 1.5}}, "odd"
    progress = {"name": "odd", "arguments": {"value": 1}, "_meta": {"progressToken": "mine"}}
    yield "a call with progress", "tools/call", progress, "odd"
    yield "an error", "tools/call", {"name": "odd", "arguments": {"a": 0}}, "odd"
    yield "a resource", "resources/read", {"uri": "odd://Text?a=%2F#x"}, "odd://Text?a=%2F#x"
    yield "a template", "resources/read", {"uri": "odd://items/7"}, "odd://items/7"
    yield "a prompt", "prompts/get", {"name": "odd", "arguments": {"a": "1"}}, "odd"


# At the top of a result: members by which the eras differ.
ERA = {"resultType", "ttlMs", "cacheScope"}


def kept(text):
    """What of a message a gateway must not change."""
    message = dict(tokens(text)[1])
    if "method" in message:
        return message["method"], message["params"]
    if "error" in message:
        return "error", message["error"]
    members = [pair for pair in message["result"][1] if pair[0] not in ERA]
    return "result", [pair if pair[0] != "_meta" else ("_meta", unnamed(pair[1])) for pair in members]


def unnamed(meta):
    return [pair for pair in meta[1] if pair[0] != f"{PREFIX}serverInfo"]


def compare(direct, through, what, method, params, name):
    one = [kept(text) for text in direct.post(method, params, name)]
    other = [kept(text) for text in through.post(method, params, name)]
    require(one == other, f"{what}\n      directly: {one}\n      through:  {other}")


def cases(url, served, server_era, client_era):
    # A client that no server of its era is there for is compared with one of the other.
    clients = {}

    def run(what, method, params, name):
        direct = clients.get("direct") or clients.setdefault("direct", Raw(url, server_era))
        through = clients.get("through") or clients.setdefault("through", Raw(served.url, client_era))
        compare(direct, through, what, method, params, name)

    for what, method, params, name in requests():
        label = f"{what}: client {client_era}, server {server_era}"
        yield label, lambda what=what, method=method, params=params, name=name: run(what, method, params, name)


def main():
    with contextlib.ExitStack() as stack:
        found = []
        for server_era in (LEGACY, MODERN):
            url = stack.enter_context(server(server_era))
            work = stack.enter_context(tempfile.TemporaryDirectory())
            served = Gateway(work, token=None)
            served.init("--server", f"up={url}", "--trust-hints", policy=PERMIT_EVERYTHING)
            stack.enter_context(served.serving())
            for client_era in (LEGACY, MODERN):
                found += cases(url, served, server_era, client_era)
        gateway.main(found)


if __name__ == "__main__":
    main()
