#!/usr/bin/env python3
"""Mutation of the appraisal, check by check: the unit tests of the module that declares a check run as if it
never failed, for every check there is. A check whose blindness no test notices survives, and is printed.

    python3 interop/blind_checks.py [--write] [CODE-PREFIX ...]

With --write the result goes to the table in docs/mutants.md. Exit status: 0 when none survives that the
page does not explain, 1 otherwise.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/mutants.md"
BEGIN, END = "<!-- checks: begin -->", "<!-- checks: end -->"


def main() -> int:
    arguments = [argument for argument in sys.argv[1:] if argument != "--write"]
    binary = build()
    codes = {code: module for code, module in all_codes().items() if not arguments or code.startswith(tuple(arguments))}
    for module in sorted(set(codes.values())):
        if run(binary, module, None) != 0:
            print(f"the tests of {module} fail without any mutation", file=sys.stderr)
            return 1
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        ran = pool.map(lambda code: run(binary, codes[code], code), codes)
        survived = [code for code, status in zip(codes, ran) if status == 0]
    print(f"{len(codes)} checks blinded, {len(survived)} survived")
    explained = reasons()
    for code in survived:
        print(f"  {code}: {explained.get(code, 'NOT EXPLAINED')}")
    if "--write" in sys.argv:
        write(len(codes), survived, explained)
    return 1 if set(survived) - set(explained) else 0


def build() -> str:
    command = ["cargo", "test", "--package", "cmcp-evidence", "--lib", "--no-run", "--message-format", "json"]
    built = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    lines = (json.loads(line) for line in built.stdout.splitlines() if line.startswith("{"))
    found = [line["executable"] for line in lines if line.get("executable") and line["profile"]["test"]]
    return found[-1]


def all_codes():
    """The checks as their declarations say, each with its module; nobody else is asked."""
    codes = {}
    for path in sorted((ROOT / "crates/evidence/src").rglob("*.rs")):
        if "tests" in path.parts or path.name == "tests.rs":
            continue
        module = path.relative_to(ROOT / "crates/evidence/src").parts[0].removesuffix(".rs")
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"^(?:crate::check::)?checks! \{(.*?)^\}", text, re.M | re.S):
            for code in re.findall(r"^\s*[A-Z][A-Z0-9_]* =\s*\"([a-z0-9.-]+)\"", block, re.M):
                codes[code] = module
    if not codes:
        raise SystemExit("the declarations of checks could not be read")
    return codes


def run(binary: str, module: str, code) -> int:
    environment = dict(os.environ, RUST_BACKTRACE="0")
    if code:
        environment["CMCP_BLIND_CHECK"] = code
    command = [binary, f"{module}::", "--quiet", "--test-threads", "1", "--skip", "b01_", "--skip", "swtpm"]
    folder = ROOT / "crates/evidence"
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False).returncode


def reasons():
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return dict(re.findall(r"^\| `([a-z0-9.-]+)` \| (?!not explained)(.+?) \|$", text, re.M))


def write(count, survived, explained):
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    rows = "".join(f"| `{code}` | {explained.get(code, 'not explained')} |\n" for code in survived)
    table = f"\n{count} checks blinded, {len(survived)} survived.\n\n| check | why no test can notice |\n|---|---|\n{rows}"
    PAGE.write_text(f"{head}{BEGIN}{table}{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
