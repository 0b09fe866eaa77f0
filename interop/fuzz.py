#!/usr/bin/env python3
"""Fuzzes every parser of evidence, records and JSON for a while, beginning with the captured vectors.

    python3 interop/fuzz.py [--seconds 3] [TARGET ...]

Each input of up to 64 KiB has a second and each allocation 64 MiB. The pinned compiler instruments the code:
no other toolchain is needed. What a run finds stays in fuzz/artifacts, what it learns in fuzz/corpus. Exit
status: 0 when nothing was found.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FUZZ = ROOT / "fuzz"
VECTORS = ROOT.parent / "shared/vectors"
LONGEST = 64 << 10
TARGET = subprocess.run(["rustc", "--print", "host-tuple"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
# What libFuzzer needs to see: which edges were taken, and what was compared.
INSTRUMENTED = [
    "--cfg", "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-sanitizer-coverage-stack-depth",
    "-Cdebug-assertions",
    "-Ccodegen-units=1",
]
# Vectors are shared among the targets: one that is of no use to a parser costs it one look.
SUFFIXES_OF_JSON = {".json", ".jsonl"}
JSON_TARGETS = {"canonical", "export", "json", "receipt", "record", "reference_values", "release_policy", "vector_interface"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("targets", nargs="*")
    arguments = parser.parse_args()
    targets = arguments.targets or re.findall(r'^name = "([a-z_]+)"$', (FUZZ / "Cargo.toml").read_text(), re.M)
    build = ["cargo", "build", "--manifest-path", FUZZ / "Cargo.toml", "--target", TARGET, "--release", "--bins"]
    subprocess.run(build, cwd=ROOT, env=dict(os.environ, RUSTFLAGS=" ".join(INSTRUMENTED)), check=True)
    found = [target for target in targets if not fuzz(target, arguments.seconds)]
    print(f"{len(targets)} targets, {arguments.seconds} s each; " + (f"found something: {', '.join(found)}" if found else "nothing found"))
    return 1 if found else 0


def fuzz(target: str, seconds: int) -> bool:
    corpus = FUZZ / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        "-timeout=1",
        "-malloc_limit_mb=64",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
    ]
    artifacts = FUZZ / "artifacts" / target
    artifacts.mkdir(parents=True, exist_ok=True)
    command = [FUZZ / "target" / TARGET / "release" / target, *options, f"-artifact_prefix={artifacts}/", corpus]
    ran = subprocess.run(command, cwd=FUZZ, capture_output=True, text=True, errors="replace", check=False)
    runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", ran.stderr)
    print(f"  {target:<18} {runs.group(1) if runs else '?':>9} inputs  {'ok' if ran.returncode == 0 else 'FOUND'}", flush=True)
    if ran.returncode != 0:
        print(ran.stderr[-3000:], file=sys.stderr)
    return ran.returncode == 0


def seeds(target: str):
    if not VECTORS.is_dir():
        return
    for path in sorted(VECTORS.rglob("*")):
        if path.is_file() and path.stat().st_size <= LONGEST:
            if (path.suffix in SUFFIXES_OF_JSON) or target not in JSON_TARGETS:
                yield path.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
