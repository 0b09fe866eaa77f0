"""What every client receives from every server, directly and through the gateway: the same, or the
cell is red. Writes docs/interop.md, or compares it with what it would write."""

import argparse
import concurrent.futures
import contextlib
import functools
import itertools
import json
import pathlib
import shutil
import sys
import tempfile
import time

from gateway import BINARY, PERMIT_EVERYTHING, ROOT, TOKEN, Gateway
from matrix_cases import FEATURES, KEY, clients, servers

DOCUMENT = ROOT / "docs/interop.md"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
# Enough to see that the suite works: both eras, both transports.
SMOKE = ("python-2-http", "typescript-1-stdio")
# The machine has two cores.
AT_ONCE = 2


def shown(feature, results):
    """Whether what came directly is what the cell is there for."""
    results_of = [seen.get("result", {}) for seen in results]
    blocks = [block for result in results_of for block in result.get("content", ())]
    failed = [result.get("isError", False) for result in results_of]
    match feature:
        case "list":
            return any(seen["items"] for seen in results)
        case "call":
            return blocks and not any(failed)
        case "error":
            return blocks and all(failed)
        case "structured":
            return all("structuredContent" in result for result in results_of)
        case "image":
            return "image" in [block["type"] for block in blocks]
        case "progress":
            return all(len(seen["progress"]) >= 2 for seen in results)
        case "cancel":
            return results[0]["cancelled"] and blocks[0]["text"].removeprefix("Echo: ") == "cancelled"
        case "elicit":
            return all(seen["asked"] for seen in results) and not any(failed)
        case "resource":
            return all(result["contents"] for result in results_of)
        case "prompt":
            return all(result["messages"] for result in results_of)


# Members by which the eras differ, and that a bridge between them adds or leaves out.
ERA = {"resultType", "ttlMs", "cacheScope", "execution"}
# The gateway says in a question which server asks it.
REWRITTEN_META = {"io.modelcontextprotocol/serverInfo", "progressToken", "cmcp.dev/server"}


def comparable(value):
    """What a gateway may not change."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    members = {name: comparable(item) for name, item in value.items() if name not in ERA}
    meta = members.get("_meta")
    if isinstance(meta, dict):
        members["_meta"] = {name: item for name, item in meta.items() if name not in REWRITTEN_META}
    return {name: item for name, item in members.items() if name != "_meta" or item}


def text(seen):
    seen = comparable(seen)
    if "asked" in seen:
        seen |= {"asked": [question(asked) for asked in seen["asked"]]}
    # SDKs order members as they like, and otherwise in each era; `lossless.py` looks at the order.
    return json.dumps(seen, ensure_ascii=False, sort_keys=True)


def question(asked):
    """A question without a mode is a form, and the Python SDK 2.x gives its form a title in one era only."""
    form = {name: item for name, item in asked.get("requestedSchema", {}).items() if name != "title"}
    return {name: item for name, item in asked.items() if (name, item) != ("mode", "form")} | {"requestedSchema": form}


def difference(feature, direct, through):
    """How the two differ, if they do."""
    for one, other in zip(direct, through, strict=True):
        if feature == "list":
            # Some servers offer an item only to clients that declare what it needs.
            names = {identity(item) for item in one["items"]}
            other = other | {"items": [item for item in other.get("items", ()) if identity(item) in names]}
        if feature == "progress":
            # What comes together with the result, some clients drop.
            least = min(len(one["progress"]), len(other["progress"]))
            one, other = ({**seen, "progress": seen["progress"][:least]} for seen in (one, other))
        one, other = text(one), text(other)
        if one != other:
            at = next((n for n, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
            begin = max(0, at - 100)
            return f"directly: …{one[begin:at + 200]}\n      through:  …{other[begin:at + 200]}"
    return None


def identity(item):
    return item.get("uri") or item.get("uriTemplate") or item.get("name")


class Cell:
    """One client with one server."""

    def __init__(self, client, server):
        self.client = client
        self.server = server
        known = [name for name in FEATURES if name in server.features and name not in client.lacks]
        self.features = known if server.entry in client.entries else []
        self.red = {}
        self.seconds = 0

    def run(self, targets, through, key):
        """Both ways; a client that fails altogether leaves no feature green."""
        begin = time.monotonic()
        try:
            direct = self.received(self.server.reached(self.client, targets), f"{key}-direct")
            there = self.received(through, f"{key}-through") if through else direct
            self.judge(direct, there)
        except Exception as error:
            self.red = dict.fromkeys(self.features, f"{type(error).__name__}: {error}")
        self.seconds = time.monotonic() - begin

    def received(self, target, key):
        steps = [step for feature in self.features for step in self.server.features[feature]]
        steps = json.loads(json.dumps(steps).replace(json.dumps(KEY), json.dumps(key)))
        return self.client.job(target, steps, self.server.answer)["results"]

    def judge(self, direct, through):
        pairs = zip(direct, through, strict=True)
        for feature in self.features:
            mine = list(itertools.islice(pairs, len(self.server.features[feature])))
            one, other = [list(side) for side in zip(*mine)]
            try:
                if not shown(feature, one):
                    self.red[feature] = f"directly there is nothing to see: {json.dumps(one)[:600]}"
                elif differs := difference(feature, one, other):
                    self.red[feature] = differs
            except (KeyError, IndexError, TypeError) as error:
                self.red[feature] = f"{error!r} in {json.dumps([one, other])[:900]}"

    @property
    def green(self):
        return [feature for feature in self.features if feature not in self.red]


def run_server(name, server, chosen, work, direct_only):
    work = work / name
    work.mkdir()
    cells = {known: Cell(client, server) for known, client in chosen.items()}
    # The longest first.
    order = sorted((item for item in cells.items() if item[1].features), key=lambda item: not item[1].client.slow)
    with contextlib.ExitStack() as stack:
        targets = stack.enter_context(server.started(work))
        entry = None
        if not direct_only:
            served = Gateway(work / "gateway")
            served.init(*server.told(targets, work), "--trust-hints", policy=PERMIT_EVERYTHING)
            entry = stack.enter_context(entered(served, server.entry))
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            running = [
                pool.submit(cell.run, targets, entry and entry(known), f"{known}-{name}") for known, cell in order
            ]
            for done in running:
                done.result()
        # What others do meanwhile may change a server's lists, which some clients take for good: whatever
        # differed has its turn alone.
        for known, cell in order:
            if cell.red:
                cell.red = {}
                cell.run(targets, entry and entry(known), f"{known}-{name}-alone")
    return cells


@contextlib.contextmanager
def entered(served, entry):
    """A function that says where a client reaches the gateway."""
    if entry == "stdio":
        yield functools.partial(spawned, served)
        return
    with served.serving():
        url, more = (served.url, {}) if entry == "http" else (served.url.replace("/mcp", "/sse"), {"transport": "sse"})
        yield lambda _: {"url": url, "headers": BEARER} | more


def spawned(served, known):
    """A gateway that the client starts, in a folder of its own."""
    folder = served.folder.with_name(f"gateway-{known}")
    shutil.copytree(served.folder, folder)
    arguments = ["start", "--stdio", "--config", str(folder / served.config.name)]
    return {"command": str(BINARY), "args": arguments, "env": served.env | {"HOME": str(folder)}}


def tell(name, cells):
    for known, cell in cells.items():
        if not cell.features:
            continue
        print(f"  {name:25} {known:13} {len(cell.green):2} of {len(cell.features):2}  {cell.seconds:5.1f} s", flush=True)
        reasons = {}
        for feature, why in cell.red.items():
            reasons.setdefault(why, []).append(feature)
        for why, features in reasons.items():
            print(f"    FAILED  {', '.join(features)}: {why}")


def rendered(known_clients, known_servers, table):
    """The document, from what was found."""
    heading = [client.label for client in known_clients.values()]
    lines = [*HEAD, row("server", "over", "cMCP over", *heading), row(*["---"] * (3 + len(heading)))]
    for name, server in known_servers.items():
        ways = (OVER[server.transport], OVER[server.entry])
        lines.append(row(server.label, *ways, *(mark(table[name][known]) for known in known_clients)))
    lines += ["", "What is tried with each server:", "", row("server", *FEATURES), row(*["---"] * (1 + len(FEATURES)))]
    for label, features in {server.label: server.features for server in known_servers.values()}.items():
        lines.append(row(label, *("✓" if feature in features else "–" for feature in FEATURES)))
    lacking = [f"{client.label} has no {', '.join(client.lacks)}" for client in known_clients.values() if client.lacks]
    lines += ["", f"{'; '.join(lacking)} on its command line.", *TAIL]
    return "\n".join(lines) + "\n"


def mark(cell):
    if not cell.features:
        return "–"
    if cell.red:
        return f"✗ {len(cell.green)} of {len(cell.features)}: not {', '.join(cell.red)}"
    return f"✓ {len(cell.green)}"


def row(*cells):
    return f"| {' | '.join(cells)} |"


OVER = {"stdio": "stdio", "http": "streamable HTTP", "sse": "HTTP+SSE"}
HEAD = [
    "<!-- Generated by `python3 interop/matrix.py --write`. Do not edit. -->",
    "# Clients and servers that work through cMCP",
    "",
    "Each client does the same things with each server twice: connected to it directly, and through a",
    "gateway that enforces a bundle which permits everything. A feature counts when the client",
    "receives the same bytes both ways, but for the members that a gateway may rewrite: those by which",
    "the two eras of the protocol differ (`resultType`, `ttlMs`, `cacheScope`, `execution`), the name of",
    "the server in `_meta`, and the token of a progress report. ✓ stands where that holds for every feature",
    "that both the client and the server have, with their number; – where a client cannot reach the gateway",
    "that way. “over” is how the gateway reaches the server, “cMCP over” how the client reaches the gateway.",
    "",
]
TAIL = [
    "",
    "Clients speak the newest revision that they and their peer know: TypeScript 2.x, Python 2.x and",
    "rmcp with discover speak 2026-07-28 with the gateway whatever the server speaks, the others",
    "2025-11-25. So a row of a server shows both eras on the client's side, and the rows together show",
    "both on the server's.",
    "",
    "* **cancel**: a call that reports progress is cancelled, and the server is asked afterwards whether it",
    "  heard of that. The server `everything` pays no heed to it; there the cell shows that the connection",
    "  goes on.",
    "* **elicit**: the server asks the user during a call, as a request or as a result that needs input,",
    "  whichever its era has, and the client is asked the way of its own.",
    "* **resource** reads text, binary and a template; **prompt** passes arguments.",
    "* A client that has no transport of a server is compared with itself over another one of the same",
    "  server: rmcp knows no HTTP+SSE, and mcp-remote no stdio, where its host stands for it.",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/interop.md")
    parser.add_argument("--check", action="store_true", help="compare docs/interop.md with what was found")
    parser.add_argument("--smoke", action="store_true", help="two servers only; cannot be written or checked")
    parser.add_argument("--direct", action="store_true", help="without the gateway")
    parser.add_argument("--server", action="append", help="only this server")
    parser.add_argument("--client", action="append", help="only this client")
    parser.add_argument("--json", type=pathlib.Path, help="where to write what was found")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        only = SMOKE if arguments.smoke else arguments.server
        known_servers = {n: s for n, s in servers(work).items() if not only or n in only}
        known_clients = {n: c for n, c in clients().items() if not arguments.client or n in arguments.client}
        table = {}
        for name, server in known_servers.items():
            table[name] = run_server(name, server, known_clients, work, arguments.direct)
            tell(name, table[name])
    end(arguments, rendered(known_clients, known_servers, table), table)


def end(arguments, document, table):
    cells = [cell for row_of in table.values() for cell in row_of.values()]
    red = sum(len(cell.red) for cell in cells)
    print(f"  {sum(len(cell.green) for cell in cells)} features equal, {red} not, in {len(cells)} cells")
    if arguments.json:
        found = {n: {c: {"green": cell.green, "red": cell.red} for c, cell in r.items()} for n, r in table.items()}
        arguments.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    if arguments.write:
        DOCUMENT.write_text(document, encoding="utf-8")
    stale = arguments.check and (not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != document)
    if stale:
        print("  FAILED  docs/interop.md is not what was found: run `python3 interop/matrix.py --write`")
    sys.exit(1 if red or stale else 0)


if __name__ == "__main__":
    main()
