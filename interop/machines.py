#!/usr/bin/env python3
"""The verifier answers alike on every machine: this one, 64-bit ARM, and a big-endian one (s390x), both under
QEMU. Evidence of two platforms, with a flipped bit too, and trust records are judged; the answers must be
equal byte for byte.

    python3 interop/machines.py

Exit status: 0 when all answers are equal, 1 when not, 2 when the vectors are not there.
"""

import base64
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
VECTORS = ROOT.parent / "shared/vectors"
MACHINES = {
    "aarch64-unknown-linux-gnu": ("aarch64-linux-gnu-gcc", ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"]),
    "s390x-unknown-linux-gnu": ("s390x-linux-gnu-gcc", ["qemu-s390x-static", "-L", "/usr/s390x-linux-gnu"]),
}


def main() -> int:
    if not VECTORS.is_dir():
        print("../shared is not here", file=sys.stderr)
        return 2
    native = [build(None)]
    others = {name: [*emulator, build(name)] for name, (_, emulator) in MACHINES.items()}
    wrong = 0
    for name, kind, question in questions():
        expected = ask(native, kind, question)
        answer = json.loads(expected)
        if "error" in answer:
            print(f"{name}: not judged: {answer['error']}")
            wrong += 1
        for machine, command in others.items():
            equal = ask(command, kind, question) == expected
            wrong += not equal
            print(f"  {name:<28} {machine:<28} {'equal' if equal else 'DIFFERENT'}", flush=True)
    print(f"{wrong} wrong")
    return 1 if wrong else 0


def build(target):
    command = ["cargo", "build", "--quiet", "--release", "--package", "cmcp-web", "--example", "answer"]
    environment = dict(os.environ)
    if target:
        command += ["--target", target]
        environment[f"CARGO_TARGET_{target.upper().replace('-', '_')}_LINKER"] = MACHINES[target][0]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return ROOT / "target" / (target or "") / "release/examples/answer"


def ask(command, kind, question):
    return subprocess.run([*command, kind], input=question, capture_output=True, check=True, timeout=120).stdout


def questions():
    values = ROOT / "fuzz/seeds/reference-values.json"
    values = json.loads(values.read_bytes())
    report = (VECTORS / "snp/attestation-rs-live-report-v5-genoa.bin").read_bytes()
    chain = [(VECTORS / "snp/attestation-rs-live-vcek-genoa.der").read_bytes(), der(VECTORS / "snp/amd-genoa-ask.pem")]
    quote = (VECTORS / "tdx/dcap-qvl-tdx_quote").read_bytes()
    collateral = (VECTORS / "tdx/dcap-qvl-tdx_quote_collateral.json").read_bytes()
    for name, platform, part, evidence, endorsements, at in (
        ("SNP", "snp", "report", report, {"certificates": chain}, "2026-11-20T00:00:00Z"),
        ("SNP, a bit flipped", "snp", "report", flipped(report, 0x90), {"certificates": chain}, "2026-11-20T00:00:00Z"),
        ("TDX", "tdx", "quote", quote, {"intel": [collateral]}, "2025-06-20T00:00:00Z"),
        ("TDX, a bit flipped", "tdx", "quote", flipped(quote, 200), {"intel": [collateral]}, "2025-06-20T00:00:00Z"),
    ):
        container = {
            "format": "cmcp-evidence/v1",
            "platform": platform,
            "evidence": [{"part": part, "bytes": text(evidence)}],
            "endorsements": {kind: [text(each) for each in all_] for kind, all_ in endorsements.items()},
        }
        question = {"evidence": container, "reference_values": values, "binding": "none", "at": at}
        yield name, "evidence", json.dumps(question).encode()
    record = (ROOT / "fuzz/seeds/record.json").read_bytes()
    for name, document in (("record", record), ("record, a byte changed", record.replace(b"sample", b"simple", 1))):
        question = {
            "record": text(document),
            "trusted_key": "not-pinned",
            "challenge": "not-pinned",
            "profiles": "with-draft",
            "measurements": "not-pinned",
            "max_age_seconds": 86400,
            "at": "2026-07-25T18:00:00Z",
        }
        yield name, "record", json.dumps(question).encode()


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def der(path):
    lines = [line for line in path.read_text().splitlines() if line and "-----" not in line]
    return base64.b64decode("".join(lines))


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


if __name__ == "__main__":
    sys.exit(main())
