"""`cmcp init` and `cmcp catalog` on what servers of the Python SDK offer: tools, resources, templates of
resources and prompts are listed, approved, compared and pinned anew, each as what it is."""

import contextlib
import hashlib
import json
import pathlib
import tempfile

import gateway
from gateway import Gateway, cmcp, process, python, require

HERE = pathlib.Path(__file__).resolve().parent
# What interop/servers/python_sdk.py offers, by the catalog's member and the name of its row.
OFFERED = {
    "resources": ("uri", {"sample://text", "sample://picture"}),
    "resource_templates": ("uri_template", {"sample://items/{number}"}),
    "prompts": ("prompt", {"greeting"}),
}


def digest(definition):
    """As ARCHITECTURE.md has it; these definitions have integers alone, and names in ASCII."""
    canonical = json.dumps(definition, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(b"cmcp/definition/v1\0" + canonical.encode()).hexdigest()


class Suite:
    def __init__(self, folder, target):
        self.served = Gateway(folder)
        self.catalog = folder / "catalog.json"
        self.shown = self.served.init("--server", f"sdk={target}").stdout

    def run(self, command, *arguments, ok=(0,)):
        done = cmcp("--format", "json", "catalog", command, self.catalog, *arguments, env=self.served.env, ok=ok)
        return json.loads(done.stdout)

    def change(self, change):
        document = json.loads(self.catalog.read_text())
        change(document)
        for member in ("tools", *OFFERED):
            for entry in document[member]:
                entry["digest"] = digest(entry["definition"])
        self.catalog.write_text(json.dumps(document, ensure_ascii=False))

    def states(self, rows, name):
        return {row[name]: row["state"] for row in rows}

    def approved(self):
        shown = self.run("show")
        require(shown["tools"], "no tools")
        for member, (name, expected) in OFFERED.items():
            rows = {row[name]: row for row in shown[member]}
            require(rows.keys() == expected, f"{member}: {rows.keys()}")
            effects = {row["effect"] for row in rows.values()}
            require(effects == {"reads"}, f"{member}: {effects}")
            for listed in expected:
                require(listed in self.shown, f"init did not show {listed}:\n{self.shown}")

    def unchanged(self):
        compared = self.run("diff")
        for member, (name, expected) in OFFERED.items():
            require(self.states(compared[member], name) == dict.fromkeys(expected, "same"), compared)

    def drifted(self):
        """Another definition than the server's, one that is gone and one that nobody approved."""

        def change(document):
            document["prompts"][0]["definition"]["description"] = "Ignores nobody."
            document["resources"] = [r for r in document["resources"] if r["definition"]["uri"] != "sample://text"]
            definition = document["resource_templates"][0]["definition"]
            definition["uriTemplate"] = "sample://others/{number}"

        before = self.catalog.read_text()
        self.change(change)
        compared = self.run("diff", ok=(1,))
        found = {member: self.states(compared[member], name) for member, (name, _) in OFFERED.items()}
        expected = {
            "resources": {"sample://picture": "same", "sample://text": "not approved"},
            "resource_templates": {
                "sample://others/{number}": "not offered",
                "sample://items/{number}": "not approved",
            },
            "prompts": {"greeting": "changed"},
        }
        require(found == expected, found)
        places = [row["places"] for row in compared["prompts"]]
        require(places == [["/description changed"]], places)
        # What is new is approved by name, and never along with what changed.
        self.run("pin", "--yes")
        names = {row["uri"] for row in self.run("show")["resources"]}
        require(names == {"sample://picture"}, names)
        self.run("pin", "--yes", "--resource", "sample://text", "--resource", "sample://items/{number}")
        self.change(lambda document: document["resource_templates"].pop(0))
        self.unchanged()
        after, before = json.loads(self.catalog.read_text()), json.loads(before)
        for member in OFFERED:
            definitions = [
                sorted((entry["definition"] for entry in document[member]), key=json.dumps)
                for document in (after, before)
            ]
            require(definitions[0] == definitions[1], f"{member}: {definitions}")


def cases(stack):
    work = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
    server = HERE / "servers/python_sdk.py"
    for environment in ("python-sdk-1", "python-sdk-2"):
        found, _ = stack.enter_context(process([python(environment), server], r"port (\d+)"))
        targets = {
            "HTTP": f"http://127.0.0.1:{found[1]}/mcp",
            "stdio": f"{python(environment)} {server} stdio",
        }
        for transport, target in targets.items():
            suite = Suite(work / f"{environment}-{transport}", target)
            for case in (suite.approved, suite.unchanged, suite.drifted):
                yield f"{environment} over {transport}: {case.__name__}", case


if __name__ == "__main__":
    with contextlib.ExitStack() as stack:
        gateway.main(list(cases(stack)))
