"""The clients and servers of the matrix, and what is done with each server."""

import contextlib
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import gateway
from gateway import TOOLS, free_port, node, package, peer, process, python, wait_for

HERE = pathlib.Path(__file__).parent
NPM = TOOLS / "npm/node_modules"
CLIENTS_NPM = TOOLS / "npm-clients/node_modules"
FEATURES = ("list", "call", "error", "structured", "image", "progress", "cancel", "elicit", "resource", "prompt")
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\rIDATx\xdac\xfc\xcf\xc0P\x0f\x00\x04\x85\x01\x80\x84\xa9\x8c!\x00\x00\x00\x00IEND\xaeB`\x82"
)
PINNED = (HERE / "versions.sh").read_text() + (HERE / "peers/Cargo.toml").read_text()


def pinned(name):
    """The version of a program as it is pinned."""
    return re.search(rf'(?<![\w/-]){re.escape(name)}(?:==|@| = {{ version = "=)([\w.-]+)', PINNED)[1]


PYTHON_1, PYTHON_2 = re.findall(r'SDK_\d="mcp==([\w.-]+)"', PINNED)
TYPESCRIPT_1, TYPESCRIPT_2 = (pinned(f"@modelcontextprotocol/{name}") for name in ("sdk", "client"))
RMCP = f"rmcp {pinned('rmcp')}"
# Stands for a key that no other run has used.
KEY = "KEY"


def listing(*kinds):
    return [{"do": "list", "of": kind} for kind in kinds]


def call(name, arguments=None, **more):
    return {"do": "call", "name": name, "arguments": arguments or {}, **more}


def read(*uris):
    return [{"do": "read", "uri": uri} for uri in uris]


def get(name, /, **arguments):
    return {"do": "get", "name": name, "arguments": arguments}


EVERY_LIST = listing("tools", "resources", "templates", "prompts")
# A call that is cancelled, and what the server says of it afterwards.
CANCELLED = [
    {"do": "cancel", "name": "wait", "arguments": {"key": KEY, "seconds": 30}},
    call("was_cancelled", {"key": KEY}, until="cancelled"),
]
# What the samples of the Python and TypeScript SDKs have.
SAMPLE = {
    "list": EVERY_LIST,
    "call": [call("add", {"a": 2, "b": -5})],
    "error": [call("fail")],
    "structured": [call("measure", {"place": 'Zürich 🜂 " \\ \u2028'})],
    "image": [call("picture")],
    "progress": [call("count", progress=True)],
    "cancel": CANCELLED,
    "elicit": [call("ask")],
    "resource": read("sample://text", "sample://picture", "sample://items/7"),
    "prompt": [get("greeting", name="Zoë")],
}
PEER = {
    "list": EVERY_LIST,
    "call": [
        call("test_multiple_content_types"),
        call("test_header_parameters", {"region": "Zürich", "count": 7, "note": "n"}),
    ],
    "error": [call("test_error_handling")],
    "structured": [call("test_structured_content")],
    "image": [call("test_image_content")],
    "progress": [call("test_tool_with_progress", progress=True)],
    "cancel": CANCELLED,
    "elicit": [
        call("test_elicitation", {"message": "Who are you?"}),
        call("test_input_required_result_multi_round"),
    ],
    "resource": read("test://static-text", "test://static-binary", "test://template/7/data"),
    "prompt": [get("test_prompt_with_arguments", arg1="a", arg2="ß"), get("test_prompt_with_image")],
}
EVERYTHING = {
    "list": EVERY_LIST,
    "call": [
        call("echo", {"message": 'Grüße 🜂 " \\ \u2028'}),
        call("get-sum", {"a": 0.1, "b": 1e3}),
        call("get-resource-links", {"count": 3}),
    ],
    "error": [call("get-resource-reference", {"resourceType": "Text", "resourceId": -1})],
    "structured": [call("get-structured-content", {"location": "Chicago"})],
    "image": [
        call("get-tiny-image"),
        call("get-annotated-message", {"messageType": "error", "includeImage": True}),
    ],
    "progress": [call("trigger-long-running-operation", {"duration": 0.2, "steps": 4}, progress=True)],
    # This server pays no heed to it; what is seen is that the connection goes on.
    "cancel": [
        {"do": "cancel", "name": "trigger-long-running-operation", "arguments": {"duration": 2, "steps": 20}},
        call("echo", {"message": "cancelled"}),
    ],
    "elicit": [call("trigger-elicitation-request")],
    "resource": read("demo://resource/static/document/features.md"),
    "prompt": [get("simple-prompt"), get("args-prompt", city="Zürich")],
}
PERSON = {"name": "Zoë", "years": 7}
PEER_ANSWER = {"username": "zoë", "email": "zoe@example.com", "name": "Zoë", "color": "blue"}
EVERYTHING_ANSWER = {"name": "Zoë", "check": True}


# The other ways into the gateway, with a server of each era behind it.
FURTHER = {name: (("http", "stdio"), ("http", "sse")) for name in ("python-1", "typescript-2")}


class Client:
    """A client, the transports it speaks and the features it lacks. One that starts a process for
    each step is `slow` with servers over stdio, which start with it."""

    def __init__(self, label, command, transports=("stdio", "http", "sse"), lacks=(), slow=False):
        self.label = label
        self.command = command
        self.transports = transports
        self.entries = transports
        self.lacks = lacks
        self.slow = slow

    def job(self, target, steps, content):
        answer = {"action": "accept", "content": content}
        return gateway.job(self.command, target, steps, answer, timeout=90)


class Remote(Client):
    """mcp-remote as a host starts it; the host is `command`, and reaches by itself what is no URL."""

    def __init__(self, label, command):
        super().__init__(label, command)
        self.entries = ("http", "sse")

    def job(self, target, steps, content):
        if "command" in target:
            return super().job(target, steps, content)
        strategy = "sse-only" if target.get("transport") == "sse" else "http-only"
        pairs = target.get("headers", {}).items()
        headers = itertools.chain.from_iterable(("--header", f"{name}: {value}") for name, value in pairs)
        arguments = [f"{CLIENTS_NPM}/mcp-remote/dist/proxy.js", target["url"], "--transport", strategy]
        with tempfile.TemporaryDirectory() as home:
            env = {"HOME": home, "PATH": os.environ["PATH"]}
            bridge = {"command": node(), "args": [*arguments, "--silent", *headers], "env": env}
            return super().job(bridge, steps, content)


def clients():
    typescript = [node(), HERE / "clients/typescript.mjs", NPM]
    inspector = [sys.executable, HERE / "clients/inspector.py", node(), CLIENTS_NPM / ".bin/mcp-inspector"]
    return {
        "python-1": Client(f"Python {PYTHON_1}", [python("python-sdk-1"), HERE / "clients/python1.py"]),
        "python-2": Client(f"Python {PYTHON_2}", [python("python-sdk-2"), HERE / "clients/python2.py"]),
        "typescript-1": Client(f"TypeScript {TYPESCRIPT_1}", [*typescript, "1"]),
        "typescript-2": Client(f"TypeScript {TYPESCRIPT_2}", [*typescript, "2"]),
        "rmcp": Client(RMCP, [peer("peer-client"), "legacy"], ("stdio", "http")),
        "rmcp-auto": Client(f"{RMCP}, discover", [peer("peer-client"), "auto"], ("stdio", "http")),
        "inspector": Client(f"inspector {pinned('@modelcontextprotocol/inspector')}", inspector, lacks=("progress", "cancel", "elicit"), slow=True),
        "mcp-remote": Remote(f"mcp-remote {pinned('mcp-remote')}", [*typescript, "1"]),
    }


class Server:
    """A server: how it is started over stdio and for other transports, and what is done with it.
    The gateway reaches it over `transport`, and clients reach the gateway over `entry`."""

    def __init__(self, label, transport, features, stdio, network=None, answer=PERSON, entry="http"):
        self.label = label
        self.transport = transport
        self.features = features
        self.stdio = [str(part) for part in stdio]
        self.network = network or {}
        self.answer = answer
        self.entry = entry

    @contextlib.contextmanager
    def started(self, work):
        """Transport → target, for every transport over which clients reach it directly."""
        command, *arguments = self.stdio
        targets = {"stdio": {"command": command, "args": arguments}}
        with contextlib.ExitStack() as stack:
            for transport, start in self.network.items():
                url = stack.enter_context(start(work / f"{transport}.log"))
                targets[transport] = {"url": url} | ({"transport": "sse"} if transport == "sse" else {})
            yield targets

    def told(self, targets, work):
        """How `cmcp init` is told of it, as the one upstream."""
        target = targets[self.transport]
        if "url" in target:
            return ["--server", f"up={target['url']}"]
        configuration = work / "mcp.json"
        configuration.write_text(json.dumps({"mcpServers": {"up": target}}))
        return ["--from", configuration]

    def reached(self, client, targets):
        """Where a client finds it without the gateway: as the gateway does, if the client can."""
        order = ["http", "sse", "stdio"]
        if not client.slow:
            order = [self.transport, *order]
        return next(targets[name] for name in order if name in targets and name in client.transports)


def says_port(*command):
    """A server that prints the port it took."""

    @contextlib.contextmanager
    def start(log):
        with process(command, r"port (\d+)", log=log) as (found, _):
            yield f"http://127.0.0.1:{found[1]}/mcp"

    return start


def takes_port(path, *command):
    """A server that is told its port."""

    @contextlib.contextmanager
    def start(log):
        port = free_port()
        with open(log, "ab") as errors:
            env = {**os.environ, "PORT": str(port)}
            child = subprocess.Popen(list(map(str, command)), env=env, stdout=errors, stderr=errors)
        try:
            wait_for(port)
            yield f"http://127.0.0.1:{port}{path}"
        finally:
            gateway.stop(child)

    return start


def servers(work):
    return reference_servers(work) | sdk_servers()


def reference_servers(work):
    files = work / "files"
    files.mkdir()
    (files / "grüße.txt").write_text("Grüße 🜂\n", encoding="utf-8")
    (files / "point.png").write_bytes(PNG)
    graph = work / "memory.jsonl"
    entity = {"type": "entity", "name": "Zoë 🜂", "entityType": "person", "observations": ["speaks Älplerisch"]}
    graph.write_text(json.dumps(entity, ensure_ascii=False) + "\n", encoding="utf-8")
    filesystem = {
        "list": listing("tools"),
        "call": [
            call("list_directory", {"path": str(files)}),
            call("search_files", {"path": str(files), "pattern": "*.txt"}),
        ],
        "error": [call("read_text_file", {"path": path}) for path in (str(files / "absent"), "/etc/passwd")],
        "structured": [call("read_text_file", {"path": str(files / "grüße.txt")})],
        "image": [call("read_media_file", {"path": str(files / "point.png")})],
    }
    memory = {
        "list": listing("tools"),
        "call": [call("search_nodes", {"query": "Zoë"})],
        "structured": [call("read_graph"), call("open_nodes", {"names": [entity["name"]]})],
    }
    program = lambda name: [node(), f"{package(f'server-{name}')}/dist/index.js"]
    either = {
        "http": takes_port("/mcp", *program("everything"), "streamableHttp"),
        "sse": takes_port("/sse", *program("everything"), "sse"),
    }
    found = {
        f"everything-{transport}": Server(
            f"everything {pinned('@modelcontextprotocol/server-everything')}", transport, EVERYTHING, [*program("everything"), "stdio"], either, EVERYTHING_ANSWER
        )
        for transport in ("stdio", "http", "sse")
    }
    found["filesystem"] = Server(f"filesystem {pinned('@modelcontextprotocol/server-filesystem')}", "stdio", filesystem, [*program("filesystem"), files])
    remembering = ["/usr/bin/env", f"MEMORY_FILE_PATH={graph}", *program("memory")]
    found["memory"] = Server(f"memory {pinned('@modelcontextprotocol/server-memory')}", "stdio", memory, remembering)
    return found


def sdk_servers():
    samples = {
        "python-1": (f"Python SDK {PYTHON_1}", [python("python-sdk-1"), HERE / "servers/python_sdk.py"]),
        "python-2": (f"Python SDK {PYTHON_2}", [python("python-sdk-2"), HERE / "servers/python_sdk.py"]),
        "typescript-1": (f"TypeScript SDK {TYPESCRIPT_1}", [node(), HERE / "servers/typescript_sdk.mjs", NPM, "1"]),
        "typescript-2": (f"TypeScript SDK {TYPESCRIPT_2}", [node(), HERE / "servers/typescript_sdk.mjs", NPM, "2"]),
    }
    found = {}
    for name, (label, command) in samples.items():
        network = {"http": says_port(*command, "http")}
        for transport, entry in (("stdio", "http"), ("http", "http"), *FURTHER.get(name, ())):
            way = "" if entry == "http" else f"-by-{entry}"
            server = Server(label, transport, SAMPLE, [*command, "stdio"], network, entry=entry)
            found[f"{name}-{transport}{way}"] = server
    ours = peer("peer-server")
    for transport in ("stdio", "http"):
        network = {"http": says_port(ours)}
        server = Server(RMCP, transport, PEER, [ours, "--stdio"], network, PEER_ANSWER)
        found[f"rmcp-{transport}"] = server
    return found
