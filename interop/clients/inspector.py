"""Does what a job says with the command line of the MCP inspector, one process for each step.
Arguments: node, the inspector, and {"target", "steps", "answer"}; prints what it received."""

import json
import os
import subprocess
import sys
import tempfile

LISTS = {
    "tools": ("tools/list", "tools"),
    "prompts": ("prompts/list", "prompts"),
    "resources": ("resources/list", "resources"),
    "templates": ("resources/templates/list", "resourceTemplates"),
}
# Its exit status for a result that is an error of the tool.
TOOL_ERROR = 5


class Inspector:
    def __init__(self, node, program, target, home):
        # Its own options end at `--`, behind which the command of a server stands.
        if "command" in target:
            options, self.target = ["--transport", "stdio"], ["--", target["command"], *target["args"]]
            for name, value in target.get("env", {}).items():
                options += ["-e", f"{name}={value}"]
        else:
            options = ["--transport", target.get("transport", "http"), "--server-url", target["url"]]
            for name, value in target.get("headers", {}).items():
                options += ["--header", f"{name}: {value}"]
            self.target = []
        self.command = [node, program, "--cli", "--format", "json", "--quiet", *options]
        self.env = {**os.environ, "HOME": home}

    def say(self, method, *arguments):
        command = [*self.command, "--method", method, *arguments, *self.target]
        done = subprocess.run(command, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if done.returncode not in (0, TOOL_ERROR):
            sys.exit(f"{method} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)["result"]

    def list(self, of):
        method, member = LISTS[of]
        return {"items": self.say(method)[member]}

    def call(self, name, arguments):
        given = ["--tool-args-json", json.dumps(arguments)]
        return {"result": self.say("tools/call", "--tool-name", name, *given)}

    def read(self, uri):
        return {"result": self.say("resources/read", "--uri", uri)}

    def get(self, name, arguments):
        pairs = [f"{key}={value}" for key, value in arguments.items()]
        given = ["--prompt-args", *pairs] if pairs else []
        return {"result": self.say("prompts/get", "--prompt-name", name, *given)}


def main(node, program, job):
    job = json.loads(job)
    with tempfile.TemporaryDirectory() as home:
        inspector = Inspector(node, program, job["target"], home)
        results = [getattr(inspector, step.pop("do"))(**step) for step in job["steps"]]
        print(json.dumps({"version": None, "results": results}))


main(*sys.argv[1:])
