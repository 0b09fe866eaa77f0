"""The public verifiers on what the gateway signs: the Python cMCP on envelope and export, the TRACE
suite and SDK on the plain record. Names and versions are far from ASCII throughout."""

import hashlib
import json
import pathlib
import re
import subprocess
import tempfile

import gateway
from gateway import BINARY, OPERATOR, Gateway, cmcp, python, require

AGENT = "agent-token-0123456789abcdef0123"
NAME = "Zoë 🜂 測試"
POLICY = """
@id("größe 🜂")
permit (principal == Agent::"Zoë 🜂 測試", action == Action::"call_tool", resource);

@id("kein-Rückgeld 🜂")
@approver("zoë@example.com")
forbid (principal, action == Action::"call_tool", resource == Resource::"refund_order");
"""
CALLS = [
    ("echo", {"message": "Grüße 🜂 \u2028 \x7f"}),
    ("lookup_customer", {"customer_id": "C-1001"}),
    ("list_orders", {"customer_id": "C-1001"}),
    ("refund_order", {"order_id": "O-5001", "amount": 5}),
    ("gibt_es_nicht_🜂", {}),
    ("echo", {"message": 5}),
]
SDK = """
import json, sys
from agentrust_trace import iter_errors, verify_record
record, key = (json.load(open(path)) for path in sys.argv[1:3])
errors = list(iter_errors(record))
assert not errors, errors
verify_record(record, key)
"""


class Suite:
    def __init__(self, work):
        self.work = work
        self.gateway = Gateway(work / "gateway")

    def path(self, name, content=None):
        path = self.work / name
        if content is not None:
            path.write_bytes(content)
        return path

    def run_session(self):
        """One session with every kind of outcome, closed over HTTP and fetched."""
        served = self.gateway
        served.init("--server", f"shop={BINARY} demo-server", "--trust-hints", policy=POLICY)
        (served.folder / "policies/starter.cedar").unlink()
        manifest = served.folder / "policies/manifest.json"
        version = json.loads(manifest.read_text()) | {"version": "1.0-größe-🜂", "author_identity": NAME}
        manifest.write_text(json.dumps(version, ensure_ascii=False), encoding="utf-8")
        hashed = hashlib.sha256(AGENT.encode()).hexdigest()
        with served.config.open("a", encoding="utf-8") as config:
            config.write(f'principals:\n  - name: "{NAME}"\n    token_sha256: "{hashed}"\n')
        with served.serving():
            answers = [self.call(*call) for call in CALLS]
            self.session = next(a["result"]["_cmcp"]["session_id"] for a in answers if "result" in a)
            self.path("claim.json", served.close(self.session, AGENT))
            self.path("bundle.json", served.get(f"/audit/export?session_id={self.session}", AGENT))
            own = f"/audit/export?session_id={self.session}&format=cmcp"
            self.path("audit.json", served.get(own, AGENT))
            self.path("record.json", served.get(f"/sessions/{self.session}/trust-record", OPERATOR))
        outcomes = ["result" in answer for answer in answers]
        require(outcomes == [True, True, True, False, False, False], f"{answers}")

    def call(self, tool, arguments):
        note = {"workflow_id": NAME, "session_id": "Etikett 🜂"}
        return self.gateway.call(tool, arguments, note, AGENT)[1]

    def digest(self, path):
        shown = cmcp("validate-bundle", "--bundle-path", self.gateway.folder / path).stdout
        return re.search(r"sha256:[0-9a-f]{64}", shown)[0]

    def pins(self):
        key = json.loads(self.path("claim.json").read_bytes())["trace"]["cnf"]["jwk"]["x"]
        public = subprocess.run(
            ["basenc", "--base64url", "-d"], input=f"{key}=".encode(), capture_output=True, check=True
        ).stdout
        policy, catalog = self.digest("policies"), self.digest("catalog.json")
        return ["--policy-hash", policy, "--catalog-hash", catalog, "--trusted-key", public.hex()]

    def python_cmcp(self, *pins):
        reference = pathlib.Path(python("python-reference")).parent / "cmcp"
        files = [self.path("claim.json"), "--audit-bundle", self.path("bundle.json")]
        done = subprocess.run([reference, "verify", *files, *pins], capture_output=True, text=True)
        failing = re.findall(r"^\[cmcp verify\] (\w+) +FAIL", done.stdout, re.M)
        require(failing == ["hardware_attestation"], f"{failing}:\n{done.stdout}{done.stderr}")
        require("RESULT: FAIL (partially_verified)" in done.stdout, done.stdout)

    def ours(self, record, bundle):
        files = [self.path(record), "--audit-bundle", self.path(bundle)]
        done = cmcp("verify", *files, *self.pins(), ok=(3,))
        require("partially_verified" in done.stdout, done.stdout)
        require(not re.search(r"\bFAIL\b", done.stdout.split("RESULT")[0]), done.stdout)

    def trace_suite(self):
        suite = pathlib.Path(python("python-reference")).parent / "trace-tests"
        policies = self.work / "policies"
        policies.mkdir()
        (policies / "resolutions.json").write_text("{}")
        record = ["--record", self.path("record.json"), "--level", "0", "--policy-dir", policies]
        done = subprocess.run([suite, "verify", *record], capture_output=True, text=True)
        require(done.returncode == 0, done.stdout + done.stderr)
        require("UNVERIFIED" not in done.stdout, done.stdout)

    def trace_sdk(self):
        jwk = json.loads(self.path("record.json").read_bytes())["cnf"]["jwk"]
        key = self.path("key.json", json.dumps(jwk).encode())
        command = [python("python-reference"), "-c", SDK, self.path("record.json"), key]
        done = subprocess.run(command, capture_output=True, text=True)
        require(done.returncode == 0, done.stdout + done.stderr)

    def tampered(self):
        """The other verifiers do look: one changed character is noticed."""
        record = self.path("record.json").read_bytes()
        self.path("tampered.json", record.replace("größe".encode(), "Größe".encode()))
        require(self.path("tampered.json").read_bytes() != record, "the version is not in the record")
        cmcp("verify", self.path("tampered.json"), ok=(1,))


def main():
    with tempfile.TemporaryDirectory() as work:
        suite = Suite(pathlib.Path(work))
        suite.run_session()
        gateway.main([
            ("cmcp verify of the Python cMCP 0.7.1", suite.python_cmcp),
            ("the same, with pins", lambda: suite.python_cmcp(*suite.pins())),
            ("TRACE conformance suite, level 0", suite.trace_suite),
            ("TRACE SDK: schema and signature", suite.trace_sdk),
            ("our verifier on the plain record", lambda: suite.ours("record.json", "audit.json")),
            ("our verifier on the envelope", lambda: suite.ours("claim.json", "bundle.json")),
            ("a changed record is refused", suite.tampered),
        ])


if __name__ == "__main__":
    main()
