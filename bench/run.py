"""The load test, in one go: what a call costs through the gateway beside what it costs without one,
through a bare pass-through proxy, and through the Python cMCP 0.7.1. Ratios travel between
machines; microseconds do not."""

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
import gateway  # noqa: E402
from gateway import ROOT, TOKEN, Gateway, process, python, require  # noqa: E402

import policies  # noqa: E402

BENCH = ROOT / "target/release/cmcp-bench"
CONNECTIONS = (1, 16, 64)
MODERN = {
    "headers": {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "bulk"},
    "params": {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                         "io.modelcontextprotocol/clientCapabilities": {}}},
}
PLAIN = {"headers": {}, "params": {}}
FILLER = [f"filler_{number:03}" for number in range(61)]


class Run:
    """How thorough this run is, and where it works."""

    def __init__(self, smoke, work):
        self.work = pathlib.Path(work)
        self.seconds = 0.3 if smoke else 3
        self.warmup = 0.1 if smoke else 1
        self.rounds = 1 if smoke else 3
        self.calls = 2_000 if smoke else 100_000
        self.starts = 2 if smoke else 10
        self.streamed = 10 if smoke else 50
        self.listeners = 1000
        self.bulk = 10_000_000

    def load(self, to, connections, *more, calls=None):
        """One measurement. An error in any call is an error of the run."""
        command = [BENCH, "load", "--to", to, "--connections", connections, "--warmup", self.warmup]
        amount = ["--calls", calls] if calls else ["--seconds", self.seconds]
        command = [str(part) for part in (*command, *amount, *more)]
        done = subprocess.run(command, capture_output=True, text=True)
        require(done.returncode == 0, done.stderr)
        seen = json.loads(done.stdout)
        require(seen["errors"] == 0 and seen["calls"] > 0, f"{command}: {seen}")
        return seen

    def upstream(self, *more):
        return process([BENCH, "upstream", "--filler", len(FILLER), *more], r"(\S+:\d+)")

    def stream(self, to, *more):
        """Events of a server on their way to a client."""
        command = [BENCH, "stream", "--to", to, "--calls", self.streamed, *more]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        require(done.returncode == 0, done.stderr)
        return json.loads(done.stdout)["latency_us"]

    @contextlib.contextmanager
    def gateway(self, upstream, rules, prefix=(), env=None, folder=None, keys=""):
        """A gateway of ours in a fresh folder; yields its address and what the load needs."""
        with tempfile.TemporaryDirectory(dir=folder or self.work) as own:
            served = Gateway(own)
            served.init("--server", f"up=http://{upstream}/mcp", "--trust-hints", policy=rules)
            with served.config.open("a") as config:
                config.write(keys)
            with served.serving(prefix, env) as child:
                options = ["--bearer", TOKEN, "--process", f"gateway={child.pid}"]
                yield f"127.0.0.1:{served.port}", options, child


def median(rounds, *path):
    def at(seen):
        for name in path:
            seen = seen[name]
        return seen
    return statistics.median(at(seen) for seen in rounds)


def cpu(rounds):
    name = next(iter(rounds[0]["processes"]), None)
    return median(rounds, "processes", name, "cpu_us_per_call") if name else 0


def table(heading, rows):
    rows = [heading, *rows]
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(heading))]
    for row in rows:
        cells = [str(row[0]).ljust(widths[0])]
        cells += [str(cell).rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  " + "  ".join(cells))
    print(flush=True)


def compare(run):
    """Direct, pass-through and gateway, taken in turn so that a slow minute hits all of them."""
    with contextlib.ExitStack() as stack:
        found, _ = stack.enter_context(run.upstream())
        upstream = found[1]
        found, proxy = stack.enter_context(process([BENCH, "proxy", "--to", upstream], r"(\S+:\d+)"))
        ours, options, child = stack.enter_context(run.gateway(upstream, policies.rules(12)))
        targets = {
            "direct": (upstream, []),
            "pass-through": (found[1], ["--process", f"proxy={proxy.pid}"]),
            "cmcp, reads": (ours, options),
            "cmcp, writes": (ours, [*options, "--tool", "note"]),
        }
        idle = resident(child)
        results = {}
        for connections in CONNECTIONS:
            for _ in range(run.rounds):
                for name, (to, more) in targets.items():
                    seen = run.load(to, connections, *more)
                    results.setdefault((name, connections), []).append(seen)
        loaded = resident(child)
    return results, idle, loaded


def resident(child, what="VmRSS"):
    status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
    return int(status.split(f"{what}:")[1].split()[0]) / 1024


def forget_peak(child):
    pathlib.Path(f"/proc/{child.pid}/clear_refs").write_text("5")


def show_comparison(results):
    rows = []
    for (name, connections), rounds in results.items():
        rate = median(rounds, "calls_per_second")
        against = lambda other: rate / median(results[other, connections], "calls_per_second")
        latency = [round(median(rounds, "latency_us", at)) for at in ("p50", "p95", "p99")]
        rows.append([
            f"{name}, {connections}", round(rate), *latency, round(cpu(rounds)) or "–",
            f"{against('direct'):.2f}", f"{against('pass-through'):.2f}",
        ])
    heading = ["target, connections", "calls/s", "p50 µs", "p95", "p99", "CPU µs", "÷ direct", "÷ pass-through"]
    print("Throughput and latency: 12 rules, enforcing, audit on, medians of the rounds")
    table(heading, rows)
    one = lambda name, at: median(results[name, 1], "latency_us", at)
    added = {at: one("cmcp, reads", at) - one("direct", at) for at in ("p50", "p99")}
    busiest = max(cpu(results["cmcp, reads", n]) for n in CONNECTIONS)
    return [
        ["read-only call, 1 connection: added at p50", f"{added['p50']:.0f} µs", "≤ 150 µs"],
        ["read-only call, 1 connection: added at p99", f"{added['p99']:.0f} µs", "≤ 2000 µs"],
        ["CPU per read-only call, at most", f"{busiest:.0f} µs", "≤ 120 µs"],
    ]


def eras(run):
    """The same call by clients and of servers of either era, one connection, each beside the direct
    call of the same client."""
    rows, worst = [], 0
    with contextlib.ExitStack() as stack:
        for server, more in (("modern", []), ("legacy", ["--legacy"])):
            found, _ = stack.enter_context(run.upstream(*more))
            ours, options, _ = stack.enter_context(run.gateway(found[1], policies.rules(12)))
            for client in ("modern", "legacy"):
                spoken, direct, through = ["--dialect", client], [], []
                for _ in range(run.rounds):
                    direct.append(run.load(found[1], 1, *spoken))
                    through.append(run.load(ours, 1, *options, *spoken))
                at = [round(median(rounds, "latency_us", "p50")) for rounds in (direct, through)]
                worst = max(worst, at[1] - at[0])
                rows.append([f"{client} client, {server} server", *at, f"{at[1] / max(at[0], 1):.1f}",
                             round(cpu(through))])
    print("Both eras: a read-only call, 1 connection, medians of the rounds")
    table(["eras", "direct p50 µs", "cmcp p50", "÷ direct", "CPU µs"], rows)
    return [["any pair of eras, 1 connection: added at p50, at most", f"{worst} µs", "≤ 150 µs"]]


def streaming(run):
    """From the moment when the server made an event of progress until the client has all of it."""
    with run.upstream() as (found, _), run.gateway(found[1], policies.rules(12)) as (to, options, _):
        bearer = options[:2]
        rows = []
        for client in ("modern", "legacy"):
            direct = run.stream(found[1], "--dialect", client)
            through = run.stream(to, *bearer, "--dialect", client)
            rows.append([f"{client} client", direct["p50"], through["p50"], through["p95"],
                         f"{through['p50'] / max(direct['p50'], 1):.1f}"])
    print("Progress on its way: server to client")
    table(["client", "direct p50 µs", "cmcp p50", "p95", "÷ direct"], rows)
    late = max(row[2] - row[1] for row in rows)
    return [["an event of progress: added at p50", f"{late} µs", "≤ 1000 µs"]]


def listeners(run):
    """Sessions whose streams are open and silent."""
    with run.upstream() as (found, _), run.gateway(found[1], policies.rules(12)) as (to, options, child):
        run.load(to, 16, *options)
        before = resident(child)
        command = [BENCH, "idle", "--to", to, *options[:2], "--dialect", "legacy", "--clients", run.listeners]
        idle = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            require(f"{run.listeners} listen" in idle.stdout.readline(), "the streams were not opened")
            time.sleep(0.5)
            grown = resident(child) - before
        finally:
            idle.communicate()
    return [[f"{run.listeners} silent streams: memory", f"{grown:.1f} MiB", "≤ 60 MiB"]]


def bulky(run):
    """One result that is as long as may be: what the gateway grows by while it has it, at most."""
    keys = f"\nmax_response_size_bytes: {2 * run.bulk}\n"
    rules = policies.rules(12).replace("> 1000000", f"> {2 * run.bulk}")

    def call(to, message, own):
        params = {"name": "bulk", "arguments": {"message": message}} | own["params"]
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        connection = http.client.HTTPConnection(to, timeout=60)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json",
                   "Accept": "application/json, text/event-stream"} | own["headers"]
        connection.request("POST", "/mcp", json.dumps(body), headers)
        answer = connection.getresponse()
        size = len(answer.read())
        connection.close()
        require(answer.status == 200, f"{answer.status}, {size} bytes")
        return size

    times = {}
    for name, own in (("negotiated", MODERN), ("0.7.1's dialect", PLAIN)):
        # A new gateway each: what an allocator keeps of the one before would not be counted.
        with run.upstream() as (found, _), run.gateway(found[1], rules, keys=keys) as (to, _, child):
            call(to, "1", own)
            before = resident(child)
            forget_peak(child)
            require(call(to, str(run.bulk), own) >= run.bulk, "the result was cut")
            times[name] = (resident(child, "VmHWM") - before) * 1024 * 1024 / run.bulk
    rows = [["negotiated", "≤ 2"], ["0.7.1's dialect", ""]]
    return [[f"a result of 10 MB, {name}: memory ÷ its size", f"{times[name]:.1f}", aim] for name, aim in rows]


def many_policies(run):
    """Gateway CPU for a call with 12 rules, with 500 of which most belong to other tools, and with
    500 that all have to be considered."""
    bundles = {
        "12": policies.rules(12),
        "500": policies.rules(500, FILLER),
        "500 general": policies.rules(500),
    }
    with contextlib.ExitStack() as stack:
        found, _ = stack.enter_context(run.upstream())
        running = {n: stack.enter_context(run.gateway(found[1], r)) for n, r in bundles.items()}
        seen = {name: [] for name in running}
        for _ in range(run.rounds):
            for name, (to, options, _) in running.items():
                seen[name].append(run.load(to, 16, *options))
    base = max(cpu(seen["12"]), 1)
    return [
        ["500 policies ÷ 12, CPU per call", f"{cpu(seen['500']) / base:.2f}", "≤ 3"],
        ["500 policies that all concern the call ÷ 12", f"{cpu(seen['500 general']) / base:.2f}", ""],
    ]


def long_session(run):
    with run.upstream() as (found, _), run.gateway(found[1], policies.rules(12)) as (to, options, child):
        before = resident(child)
        seen = run.load(to, 16, *options, calls=run.calls)
        after = resident(child)
    windows = [window["cpu_us_per_call"][0] for window in seen["windows"]]
    early, late = statistics.mean(windows[1:4]), statistics.mean(windows[-3:])
    print(f"CPU per call in each tenth of {run.calls} calls of one session: {windows}\n")
    return [
        [f"{run.calls} calls in one session, late ÷ early", f"{late / max(early, 1):.2f}", "≈ 1"],
        ["memory that they added", f"{after - before:.1f} MiB", ""],
    ]


def durable(run):
    """Writes by 64 callers where fsync takes 4 ms. The log lies in memory, so that it takes no more."""
    shim = run.work / "slow_fsync.so"
    source = ROOT / "bench/slow_fsync.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", shim, source], check=True)
    slow = {"LD_PRELOAD": str(shim), "CMCP_FSYNC_MICROS": "4000"}
    place = "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None
    with run.upstream() as (found, _):
        with run.gateway(found[1], policies.rules(12), env=slow, folder=place) as (to, options, _):
            seen = run.load(to, 64, *options, "--tool", "note")
    # Each call writes an intent and an outcome, and waits for both.
    entries = 2 * seen["calls_per_second"]
    return [["durable entries/s, 64 callers, fsync 4 ms", f"{entries}", "≥ 12000"]]


def starting(run):
    with run.upstream() as (found, _), tempfile.TemporaryDirectory(dir=run.work) as folder:
        served = Gateway(folder)
        served.init("--server", f"up=http://{found[1]}/mcp", "--trust-hints", policy=policies.rules(12))
        took = []
        for _ in range(run.starts):
            begin = time.perf_counter()
            with served.serving():
                require(served.http("GET", "/health")[0] == 200, "not healthy")
                took.append((time.perf_counter() - begin) * 1000)
    return [["start until /health answers, median", f"{statistics.median(took):.0f} ms", "≤ 150 ms"]]


def python_catalog(upstream):
    """A 0.7.1 catalog with the one tool."""
    schema = {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}
    definition = {"description": "Takes a message and gives it back.", "input_schema": schema, "output_schema": None}
    canonical = json.dumps(definition, sort_keys=True, separators=(",", ":")).encode()
    return [{
        "tool_name": "echo",
        "server": {
            "display_name": "up", "url": f"http://{upstream}/mcp", "transport": "streamable-http",
            "tls_fingerprint": f"SHA256:{'A' * 43}=",
        },
        "approved_definition": definition,
        "definition_hash": f"sha256:{hashlib.sha256(canonical).hexdigest()}",
        "compliance_domain": "internal", "requires_baa": False, "sensitivity_level": "public",
        "added_at": "2026-01-01T00:00:00Z", "approved_by": "bench@example.com",
    }]


def python_files(folder, upstream, port):
    (folder / "policies").mkdir()
    manifest = {"version": "1", "authored_at": "2026-01-01T00:00:00Z",
                "author_identity": "bench@example.com", "commit_sha": "0000000"}
    (folder / "policies/manifest.json").write_text(json.dumps(manifest))
    (folder / "policies/schema.cedarschema").write_text("{}")
    (folder / "policies/rules.cedar").write_text(policies.python_rules(12))
    (folder / "catalog.json").write_text(json.dumps(python_catalog(upstream)))
    (folder / "cmcp-config.yaml").write_text(
        "attestation: {provider: auto, enforcement_mode: enforcing}\n"
        "policy_bundle_path: ./policies/\ncatalog_path: ./catalog.json\naudit_db_path: ./audit.db\n"
        f'listen_addr: "127.0.0.1:{port}"\n'
    )


def against_python(run):
    """The same bare calls through both; the Python gateway's limit of ten calls is lifted."""
    with contextlib.ExitStack() as stack:
        found, _ = stack.enter_context(run.upstream())
        upstream = found[1]
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(dir=run.work)))
        port = gateway.free_port()
        python_files(folder, upstream, port)
        command = [python("python-reference"), ROOT / "bench/python_cmcp.py", "start", "--config", "cmcp-config.yaml"]
        env = {"PATH": os.environ["PATH"], "CMCP_DEV_MODE": "1", "CMCP_BEARER_TOKEN": TOKEN}
        env["CMCP_OPERATOR_TOKEN"] = gateway.OPERATOR
        _, other = stack.enter_context(process(command, r"listen", env, folder / "log", folder))
        gateway.wait_for(port)
        ours, options, _ = stack.enter_context(run.gateway(upstream, policies.rules(12)))
        theirs = ["--bearer", TOKEN, "--process", f"python={other.pid}"]
        rows, ratios = [], []
        for connections in CONNECTIONS:
            old = run.load(f"127.0.0.1:{port}", connections, *theirs, "--dialect", "plain")
            new = run.load(ours, connections, *options, "--dialect", "plain")
            ratios.append(new["calls_per_second"] / max(old["calls_per_second"], 1))
            for name, seen in (("Python cMCP 0.7.1", old), ("cmcp", new)):
                rows.append([f"{name}, {connections}", seen["calls_per_second"],
                             seen["latency_us"]["p50"], seen["latency_us"]["p99"], round(cpu([seen]))])
    print("The Python cMCP 0.7.1 and ours: its dialect, 12 rules each, a read-only tool")
    table(["gateway, connections", "calls/s", "p50 µs", "p99", "CPU µs"], rows)
    return [["throughput ÷ Python cMCP 0.7.1, best and worst",
             f"{max(ratios):.0f}×, {min(ratios):.0f}×", "about 60×"]]


def fsync_micros(folder):
    with tempfile.TemporaryFile(dir=folder) as file:
        took = []
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            begin = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - begin) * 1e6)
    return statistics.median(took)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="short runs: shows that all of it works")
    smoke = parser.parse_args().smoke
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        run = Run(smoke, work)
        print(f"{os.cpu_count()} cores, fsync {fsync_micros(work):.0f} µs\n")
        results, idle, loaded = compare(run)
        goals = show_comparison(results)
        goals += eras(run)
        goals += streaming(run)
        goals += listeners(run)
        goals += bulky(run)
        goals += against_python(run)
        goals += many_policies(run)
        goals += long_session(run)
        goals += durable(run)
        goals += starting(run)
        goals += [["resident when idle", f"{idle:.0f} MiB", "≤ 40 MiB"],
                  ["resident after the load above", f"{loaded:.0f} MiB", ""]]
        table(["measured", "here", "aim"], goals)


if __name__ == "__main__":
    main()
