"""Official SDK clients and reference servers, directly and through the gateway: what a client
receives is the same both ways, but for what formats allow a gateway to rewrite."""

import contextlib
import itertools
import json
import pathlib
import tempfile

import gateway
from gateway import BINARY, TOKEN, Gateway, node, package, process, python, require

HERE = pathlib.Path(__file__).parent
TYPESCRIPT = [node(), HERE / "clients/typescript.mjs", gateway.TOOLS / "npm/node_modules"]
CLIENTS = {
    "python-1.30": [python("python-sdk-1"), HERE / "clients/python1.py"],
    "python-2.3": [python("python-sdk-2"), HERE / "clients/python2.py"],
    "typescript-1.32": [*TYPESCRIPT, "1"],
    "typescript-2.4": [*TYPESCRIPT, "2"],
}
# What each client speaks with the gateway; 1.32 of TypeScript does not tell over stdio.
SPOKEN = {
    "python-1.30": ("2025-11-25",),
    "python-2.3": ("2026-07-28",),
    "typescript-1.32": ("2025-11-25", None),
    "typescript-2.4": ("2026-07-28",),
}
# Kinds of answers that the calls of each server are there for.
SHOWN = {
    "everything": {"text", "image", "resource_link", "structured"},
    "filesystem": {"text", "image", "structured", "error"},
    "memory": {"text", "structured"},
    "sdk1": {"text", "image", "structured", "error"},
    "sdk2": {"text", "image", "structured", "error"},
}
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\rIDATx\xdac\xfc\xcf\xc0P\x0f\x00\x04\x85\x01\x80\x84\xa9\x8c!\x00\x00\x00\x00IEND\xaeB`\x82"
)
ENTITY = {"name": "Zoë 🜂", "entityType": "person", "observations": ["speaks Älplerisch"]}


def stdio_servers(work):
    """Name → how it is started, and the calls made of it."""
    files = work / "files"
    files.mkdir()
    (files / "grüße.txt").write_text("Grüße 🜂\n", encoding="utf-8")
    (files / "new.txt").touch()
    (files / "point.png").write_bytes(PNG)
    started = lambda name, *args: {
        "command": node(),
        "args": [f"{package(f'server-{name}')}/dist/index.js", *map(str, args)],
    }
    everything = [
        ["echo", {"message": "Grüße 🜂 \" \\ \u2028"}],
        ["get-sum", {"a": 0.1, "b": 1e3}],
        ["get-tiny-image", {}],
        ["get-structured-content", {"location": "Chicago"}],
        ["get-annotated-message", {"messageType": "error", "includeImage": True}],
        ["get-resource-links", {"count": 3}],
    ]
    filesystem = [
        ["list_directory", {"path": str(files)}],
        ["read_text_file", {"path": str(files / "grüße.txt")}],
        ["read_text_file", {"path": str(files / "absent")}],
        ["read_text_file", {"path": "/etc/passwd"}],
        ["read_media_file", {"path": str(files / "point.png")}],
        ["write_file", {"path": str(files / "new.txt"), "content": "Ω\n"}],
        ["search_files", {"path": str(files), "pattern": "*.txt"}],
    ]
    memory = [
        ["delete_entities", {"entityNames": [ENTITY["name"]]}],
        ["create_entities", {"entities": [ENTITY]}],
        ["read_graph", {}],
        ["search_nodes", {"query": "Zoë"}],
        ["delete_entities", {"entityNames": [ENTITY["name"]]}],
        ["read_graph", {}],
    ]
    remembering = started("memory") | {"env": {"MEMORY_FILE_PATH": str(work / "memory.jsonl")}}
    return {
        "everything": (started("everything", "stdio"), everything),
        "filesystem": (started("filesystem", files), filesystem),
        "memory": (remembering, memory),
    }


HTTP_CALLS = [
    ["add", {"a": 2, "b": -5}],
    ["measure", {"place": "Zürich 🜂"}],
    ["fail", {}],
    ["picture", {}],
]


def received(client, target, calls):
    """What one client receives from one target."""
    steps = [{"do": "list", "of": "tools"}]
    steps += [{"do": "call", "name": name, "arguments": arguments} for name, arguments in calls]
    seen = gateway.job(CLIENTS[client], target, steps)
    tools, *results = seen["results"]
    results = [result.get("result", result) for result in results]
    return {"version": seen.get("version"), "tools": tools["items"], "results": results}


# Members by which the eras differ, and that a bridge between them adds or leaves out.
ERA = {"resultType", "ttlMs", "cacheScope", "execution"}


def comparable(value):
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    members = {name: comparable(item) for name, item in value.items() if name not in ERA}
    meta = members.get("_meta")
    if isinstance(meta, dict):
        members["_meta"] = {n: v for n, v in meta.items() if n != "io.modelcontextprotocol/serverInfo"}
    return {n: v for n, v in members.items() if n != "_meta" or v}


def compare(direct, through, prefix):
    """Equal tools, but for names and those that were not approved, and equal results."""
    offered = {tool["name"]: comparable(tool) for tool in direct["tools"]}
    listed = [tool for tool in through["tools"] if tool["name"].startswith(prefix)]
    require(listed, f"no tool of `{prefix}` is listed")
    for tool in listed:
        bare = comparable(tool) | {"name": tool["name"].removeprefix(prefix)}
        # Some servers offer a tool only to clients that declare what it needs.
        there = offered.get(bare["name"], bare)
        require(bare == there, f"listed: {bare}\noffered: {there}")
    for one, other in zip(direct["results"], through["results"], strict=True):
        one, other = comparable(one), comparable(other)
        require(one == other, f"directly: {one}\nthrough:  {other}")
    return {tool["name"] for tool in listed}


def case(client, name, target, through, calls):
    prefix = f"{name}__"
    directly = received(client, target, calls)
    renamed = [[prefix + tool, arguments] for tool, arguments in calls]
    governed = received(client, through, [*renamed, [f"{prefix}no_such_tool", {}]])
    unknown = governed["results"].pop()
    require("error" in unknown or unknown.get("isError"), f"an unknown tool gave {unknown}")
    listed = compare(directly, governed, prefix)
    missing = {tool for tool, _ in renamed} - listed
    require(not missing, f"not listed: {missing}")
    require(governed.get("version") in SPOKEN[client], f"spoken: {governed.get('version')}")
    absent = SHOWN[name] - kinds(governed["results"])
    require(not absent, f"no result had {absent}")


def kinds(results):
    blocks = {block["type"] for result in results for block in result.get("content", ())}
    structured = {"structured" for result in results if "structuredContent" in result}
    return blocks | structured | {"error" for result in results if result.get("isError")}


@contextlib.contextmanager
def http_servers():
    with contextlib.ExitStack() as stack:
        targets = {}
        for name, environment in (("sdk1", "python-sdk-1"), ("sdk2", "python-sdk-2")):
            command = [python(environment), HERE / "servers/python_sdk.py"]
            found, _ = stack.enter_context(process(command, r"port (\d+)"))
            targets[name] = {"url": f"http://127.0.0.1:{found[1]}/mcp"}
        yield targets


def main():
    with tempfile.TemporaryDirectory() as work, http_servers() as http:
        work = pathlib.Path(work)
        stdio = stdio_servers(work)
        configuration = work / "mcp.json"
        configuration.write_text(json.dumps({"mcpServers": {n: t for n, (t, _) in stdio.items()}}))
        served = Gateway(work / "gateway", variables=stdio["memory"][0]["env"])
        urls = itertools.chain.from_iterable(("--server", f"{n}={t['url']}") for n, t in http.items())
        served.init("--from", configuration, *urls, "--trust-hints")
        with served.serving():
            gateway.main(list(cases(served, stdio, http)))


def cases(served, stdio, http):
    over_http = {"url": served.url, "headers": {"Authorization": f"Bearer {TOKEN}"}}
    bridge = {
        "command": str(BINARY),
        "args": ["client-bridge", "--gateway-url", served.url],
        "env": {"CMCP_BEARER_TOKEN": TOKEN},
    }
    targets = {**stdio, **{name: (target, HTTP_CALLS) for name, target in http.items()}}
    for client in CLIENTS:
        for name, (target, calls) in targets.items():
            yield f"{client}, {name}", bind(client, name, target, over_http, calls)
    for client in CLIENTS:
        target, calls = targets["everything"]
        yield f"{client} over client-bridge, everything", bind(client, "everything", target, bridge, calls)


def bind(*arguments):
    return lambda: case(*arguments)


if __name__ == "__main__":
    main()
