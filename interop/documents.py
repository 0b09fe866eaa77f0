"""Runs every command that README.md and docs/quickstart.md show in `sh` blocks, in their order, as a
newcomer would."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import tempfile

import gateway
from gateway import ROOT, node, package, process, python, require

HERE = pathlib.Path(__file__).parent
PORT = 8443
NOT_RUN = {"./check": "it runs this"}
AT_ROOT = ("cargo ",)
# What stands for something of the reader's own.
STANDS_FOR = {
    "/usr/local/bin/mcp-server-filesystem": "{bin}/mcp-server-filesystem",
    "/srv/shared": "{files}",
    "https://mcp.example.com/mcp": "{url}",
    "<id>": "{session}",
}
# Exit statuses that are an answer, not a failure.
ANSWERS = {"cmcp verify": (3,), "cmcp policy explain": (0, 1)}


def commands(document):
    """The commands of the `sh` blocks, with their continuation lines joined."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip() and not line.strip().startswith("#"):
                yield " ".join(line.split())


class Reader:
    """Somebody who follows a document in an empty folder of their own."""

    def __init__(self, home, url):
        self.home = pathlib.Path(home)
        self.words = {"bin": self.home / "bin", "files": self.home / "files", "url": url}
        self.words["bin"].mkdir()
        self.words["files"].mkdir()
        (self.words["files"] / "a").write_text("hello\n")
        self.env = {
            "PATH": f"{self.words['bin']}:{pathlib.Path(node()).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "USER": "newcomer",
            "CARGO_HOME": os.environ.get("CARGO_HOME", str(pathlib.Path.home() / ".cargo")),
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(pathlib.Path.home() / ".rustup")),
            "CARGO_INSTALL_ROOT": str(self.home),
        }
        self.own_servers()
        self.stack = contextlib.ExitStack()

    def own_servers(self):
        program = f"{package('server-filesystem')}/dist/index.js"
        (self.words["bin"] / "mcp-server-filesystem").symlink_to(program)
        server = {"command": node(), "args": [program, str(self.words["files"])]}
        configuration = json.dumps({"mcpServers": {"files": server}})
        claude = self.home / ".config/Claude"
        claude.mkdir(parents=True)
        (claude / "claude_desktop_config.json").write_text(configuration)
        (self.home / "mcp.json").write_text(configuration)

    def follow(self, document):
        with self.stack:
            for command in commands(document):
                if command not in NOT_RUN:
                    self.run(command)
                    print(f"  ok      {command}", flush=True)

    def run(self, command):
        for shown, word in STANDS_FOR.items():
            if shown in command:
                command = command.replace(shown, str(word.format_map(Words(self))))
        if " start " in command:
            return self.serve(command)
        shell = ["bash", "-c", command]
        if command.startswith("cmcp init"):
            # It asks which tools only read, on a terminal and nowhere else.
            shell = ["script", "-qec", command, "/dev/null"]
        if command.startswith("cmcp audit export"):
            self.stop()
        cwd = ROOT if command.startswith(AT_ROOT) else self.home
        done = subprocess.run(
            shell, cwd=cwd, env=self.env, input="hints\n", text=True, capture_output=True, timeout=1200,
        )
        wanted = next((codes for start, codes in ANSWERS.items() if command.startswith(start)), (0,))
        require(done.returncode in wanted, f"`{command}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def serve(self, command):
        """Starts the gateway and makes a call, so that there is something to prove."""
        _, child = self.stack.enter_context(
            process(["bash", "-c", f"exec env {command}"], r"listen: ", self.env, self.home / "log", self.home)
        )
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": {"name": "read_text_file", "arguments": {"path": str(self.words["files"] / "a")}}}
        done = subprocess.run(
            ["curl", "-sS", f"http://127.0.0.1:{PORT}/mcp", "-H", "content-type: application/json",
             "-d", json.dumps(body)], capture_output=True, text=True, check=True)
        require("hello" in done.stdout, done.stdout)

    def stop(self):
        """Ends the gateway, which closes its sessions."""
        self.stack.close()

    @property
    def session(self):
        listed = self.run("cmcp --format json audit export --database gateway/audit.db")
        return json.loads(listed)["sessions"][0]["session"]


class Words(dict):
    """The reader's words; the session is looked up when it is asked for."""

    def __init__(self, reader):
        super().__init__(reader.words)
        self.reader = reader

    def __missing__(self, name):
        return getattr(self.reader, name)


def follow(document):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        with process([python("python-sdk-2"), HERE / "servers/python_sdk.py"], r"port (\d+)") as (found, _):
            Reader(home, f"http://127.0.0.1:{found[1]}/mcp").follow(document)


if __name__ == "__main__":
    gateway.main([(name, lambda name=name: follow(name)) for name in ("README.md", "docs/quickstart.md")])
