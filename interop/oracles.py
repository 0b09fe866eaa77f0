"""The reference verifier of the trust-record packages judges the captured TDX quotes and SNP reports, whole and
with bits flipped; `cmcp evidence verify` must say the same of signatures and chain."""

import json
import pathlib
import subprocess
import sys
import tempfile

from gateway import BINARY, ROOT, TOOLS, require

VECTORS = ROOT.parent / "shared/vectors"
AT = "2026-06-09T00:00:00Z"
# What both judge: everything from the signed bytes to the vendor's root.
TDX = ("dcap.qe-vendor", "dcap.quote-signature", "dcap.qe-binding", "dcap.qe-signature", "dcap.pck-chain")
REFERENCE = """
import datetime, sys
kind, file, at = sys.argv[1:4]
at = datetime.datetime.fromisoformat(at.replace("Z", "+00:00"))
data = open(file, "rb").read()
try:
    if kind == "tdx":
        from agent_manifest._tdx_verify import verify_tdx_quote
        print(bool(verify_tdx_quote(data, verification_time=at)))
    else:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding
        from agent_manifest._snp_verify import parse_snp_report, verify_snp_signature
        cert = open(sys.argv[4], "rb").read()
        if cert.startswith(b"-----"):
            cert = x509.load_pem_x509_certificate(cert).public_bytes(Encoding.DER)
        print(verify_snp_signature(parse_snp_report(data), cert))
except Exception as error:
    print(False)
"""


def reference(kind, *arguments):
    python = TOOLS / "python-oracle/bin/python"
    command = [python, "-c", REFERENCE, kind, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip() == "True"


def ours(file, checks, endorsement=None):
    command = [BINARY, "--format", "json", "evidence", "verify", file, "--at", AT]
    if endorsement:
        command += ["--endorsements", endorsement]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        return False
    outcomes = {}
    for check in json.loads(done.stdout)["checks"]:
        outcomes.setdefault(check["code"], set()).add(check["outcome"])
    return all(outcomes.get(code) == {"met"} for code in checks)


def compare(name, kind, data, checks, work, endorsement=None):
    file = pathlib.Path(work) / "evidence"
    file.write_bytes(data)
    theirs = reference(kind, file, AT, *([endorsement] if endorsement else []))
    require(theirs == ours(file, checks, endorsement), f"{name}: the reference verifier says {theirs}, and cmcp another thing")
    return theirs


def main():
    genuine = compared = 0
    with tempfile.TemporaryDirectory() as work:
        for path in sorted(path for path in (VECTORS / "tdx").iterdir() if path.is_file()):
            data = path.read_bytes()
            # A TDX quote of version 4: the reference reads no other.
            if data[:8] != bytes.fromhex("0400020081000000"):
                continue
            for at in (None, 60, 200, 600, 650, 800):
                altered = data if at is None else data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
                genuine += compare(f"{path.name}, byte {at}", "tdx", altered, TDX, work)
                compared += 1
        for row in json.loads((VECTORS / "expectations-snp.json").read_bytes()):
            path, vek = VECTORS / row["report"], VECTORS / row["vek"]
            data = bytes.fromhex(path.read_text()) if path.suffix == ".hex" else path.read_bytes()
            if len(data) < 1184:
                continue
            for at in (None, 0x50, 0x90, 0x2A0):
                altered = data if at is None else data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
                genuine += compare(f"{path.name}, byte {at}", "snp", altered[:1184], ("snp.signature",), work, vek)
                compared += 1
    require(genuine > 10, "hardly anything was genuine")
    print(f"  {compared} quotes and reports judged alike, {genuine} of them genuine")


if __name__ == "__main__":
    if not VECTORS.is_dir():
        sys.exit("../shared is not here")
    main()
