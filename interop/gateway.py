"""Starts the gateway and its peers for the suites and the load test, and talks to them."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("CMCP_BINARY", ROOT / "target/release/cmcp"))
TOOLS = pathlib.Path(
    os.environ.get("CMCP_CHECK_TOOLS", pathlib.Path.home() / ".cache/cmcp-check")
)
TOKEN = "interop-agent-token-0123456789abcdef"
OPERATOR = "interop-operator-token-0123456789abcdef"
PEERS = pathlib.Path(os.environ.get("CMCP_PEERS", ROOT / "target/debug"))
PERMIT_ALL = '@id("permit-all")\npermit (principal, action == Action::"call_tool", resource);\n'
# What servers ask of clients is permitted by name only.
PERMIT_EVERYTHING = """@id("permit-everything")
permit (principal, action, resource);
@id("permit-what-servers-ask")
permit (principal, action in [Action::"sample", Action::"elicit", Action::"list_roots"], resource);
"""


def python(name):
    return str(TOOLS / name / "bin/python")


def node():
    return str(TOOLS / "npm/node_modules/node/bin/node")


def package(name, folder="npm"):
    return str(TOOLS / folder / "node_modules/@modelcontextprotocol" / name)


def peer(name):
    return str(PEERS / name)


class Failed(Exception):
    """What was looked at is not as it should be."""


def require(truth, message):
    if not truth:
        raise Failed(message)


def free_port():
    """A port that was free a moment ago, for programs that cannot tell which one they took."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(port, seconds=60):
    """Returns when something listens."""
    end = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            require(time.monotonic() < end, f"nothing listens on port {port}")
            time.sleep(0.05)


def cmcp(*arguments, env=None, ok=(0,)):
    """Runs the binary to its end and returns what it printed."""
    command = [str(BINARY), *map(str, arguments)]
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    output = f"{done.stdout}{done.stderr}"
    require(done.returncode in ok, f"{command} ended with {done.returncode}:\n{output}")
    return done


@contextlib.contextmanager
def process(command, ready, env=None, log=None, cwd=None):
    """A child that prints a line matching `ready`; yields the match and the child."""
    errors = open(log, "ab") if log else subprocess.DEVNULL
    child = subprocess.Popen(
        list(map(str, command)), env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=errors, text=True
    )
    try:
        for line in child.stdout:
            if found := re.search(ready, line):
                # A full pipe would stop it.
                threading.Thread(target=child.stdout.read, daemon=True).start()
                yield found, child
                return
        said = pathlib.Path(log).read_text()[-2000:] if log else ""
        raise Failed(f"{command} ended with {child.wait()}:\n{said}")
    finally:
        stop(child)
        if log:
            errors.close()


def stop(child, how=signal.SIGTERM):
    child.send_signal(how)
    try:
        child.wait(timeout=60)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class Gateway:
    """A folder that `cmcp init` filled, and the gateway that serves it."""

    def __init__(self, folder, token=TOKEN, variables=()):
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "cmcp-config.yaml"
        self.log = self.folder / "gateway.log"
        self.token = token
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "CMCP_DEV_MODE": "1"}
        self.env.update(variables)
        if token:
            self.env.update(CMCP_BEARER_TOKEN=token, CMCP_OPERATOR_TOKEN=OPERATOR)

    def init(self, *arguments, policy=PERMIT_ALL):
        """Takes the servers over, adds a policy and listens on a free port."""
        where = ["--dir", self.folder, "--approver", "interop@example.com"]
        done = cmcp("init", *arguments, *where, env=self.env)
        (self.folder / "policies/interop.cedar").write_text(policy)
        text = self.config.read_text()
        self.config.write_text(re.sub(r'^listen_addr:.*$', 'listen_addr: "127.0.0.1:0"', text, flags=re.M))
        return done

    @contextlib.contextmanager
    def serving(self, prefix=(), env=None):
        command = [*prefix, BINARY, "start", "--config", self.config]
        env = {**self.env, **(env or {})}
        with process(command, r"listen: (\S+):(\d+)", env, self.log) as (found, child):
            self.port = int(found[2])
            yield child

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/mcp"

    def http(self, method, path, body=None, token=None, headers=()):
        """Status, headers and body of one request."""
        headers = dict(headers)
        if token or self.token:
            headers["Authorization"] = f"Bearer {token or self.token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            if body is not None:
                headers |= {"Content-Type": "application/json"}
                headers |= {"Accept": "application/json, text/event-stream"}
                body = json.dumps(body).encode()
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path, token=None):
        status, _, body = self.http("GET", path, token=token)
        require(status == 200, f"GET {path}: {status} {body[:500]!r}")
        return body

    def call(self, tool, arguments, note=None, token=None):
        """One call as clients make it that never negotiate."""
        params = {"name": tool, "arguments": arguments}
        if note:
            params["_cmcp"] = note
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        status, _, body = self.http("POST", "/mcp", message, token)
        return status, json.loads(body)

    def close(self, session, token=None):
        """Closes a session and returns its claim as it came."""
        status, _, body = self.http("POST", f"/sessions/{session}/close", token=token)
        require(status == 200, f"closing {session}: {status} {body[:500]!r}")
        return body


def job(client, target, steps, answer=None, timeout=120):
    """What a program of `clients` receives from a target, step by step."""
    told = json.dumps({"target": target, "steps": steps, "answer": answer or {"action": "decline"}})
    command = [*map(str, client), told]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
    )
    said = done.stdout.strip().split("\n")[-1]
    require(done.returncode == 0 and said, f"it ended with {done.returncode}: {done.stderr[-600:]}")
    return json.loads(said)


def main(cases):
    """Runs every case and ends with the number of failures as text and status."""
    failures = 0
    for name, case in cases:
        try:
            case()
            print(f"  ok      {name}", flush=True)
        except Exception as error:
            failures += 1
            print(f"  FAILED  {name}: {error}", flush=True)
    print(f"  {len(cases) - failures} passed, {failures} failed")
    sys.exit(1 if failures else 0)
