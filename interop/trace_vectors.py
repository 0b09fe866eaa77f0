#!/usr/bin/env python3
"""Runs the public TRACE conformance vectors through a command that speaks the vector interface:
one JSON object `{"family", "input"}` on standard input, one JSON object on standard output.

    pip download --no-deps --no-binary :all: -d sdists agentrust-trace==0.11.0 agentrust-trace-tests==0.6.2
    (cd sdists && for f in *.tar.gz; do tar xzf "$f"; done)
    interop/trace_vectors.py sdists -- target/debug/examples/conformance

Exit status: 0 when every vector is answered as expected, 1 otherwise, 2 when there are no vectors.
"""

import base64
import json
import pathlib
import subprocess
import sys

DAY = 86_400
SKEW = 300


def main() -> int:
    try:
        split = sys.argv.index("--")
    except ValueError:
        print(__doc__, file=sys.stderr)
        return 2
    roots, command = [pathlib.Path(a) for a in sys.argv[1:split]], sys.argv[split + 1 :]
    total, wrong = {}, 0
    for family, name, given, judge in vectors(roots):
        answer = ask(command, family, given)
        fault = judge(answer)
        total[family] = total.get(family, 0) + 1
        if fault:
            wrong += 1
            print(f"{family} {name}: {fault}; answered {json.dumps(answer)}")
    print(", ".join(f"{family} {count}" for family, count in total.items()), f"— {wrong} wrong")
    families = "bytes canon vercompat revocation citation repro policy evidence anchor depth"
    missing = set(families.split()) - set(total)
    if missing:
        print("no vectors for:", ", ".join(sorted(missing)), file=sys.stderr)
        return 2
    return 1 if wrong else 0


def ask(command, family, given):
    request = json.dumps({"family": family, "input": given}).encode()
    done = subprocess.run(command, input=request, capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        return {"exit": done.returncode, "stderr": done.stderr.decode(errors="replace")}
    return json.loads(done.stdout)


def vectors(roots):
    for directory, family in (
        ("canonicalization-boundary", canon),
        ("canonicalization", canon_copied),
        ("verifier-compatibility", vercompat),
        ("revocation-bundle", revocation),
        ("citation-resolution", citation),
        ("reproducibility-claim", repro),
        ("policy-resolution", policy),
        ("runtime-evidence/vectors", evidence),
        ("anchor-inclusion", anchor),
        ("build-provenance-depth", depth),
    ):
        for root in roots:
            for folder in sorted(root.glob(f"**/{directory}")):
                named = "*.json" if family is evidence else "[0-9]*.json"
                for path in sorted(folder.glob(named)):
                    yield from family(path, json.loads(path.read_text(encoding="utf-8")))


def same(expected, *names):
    """The answer has the expected members; evidence and statements may say more, never other."""

    def judge(answer):
        for name in names:
            if not within(expected.get(name), answer.get(name)):
                return f"expected {name} = {json.dumps(expected.get(name))}"
        return None

    return judge


def within(expected, found):
    if isinstance(expected, dict) and isinstance(found, dict):
        return all(within(value, found.get(name)) for name, value in expected.items())
    return expected == found


def canon(path, vector):
    record = vector["record"]
    given = {"record": record, "trusted_key": vector["trusted_key"], "now": record["iat"]}
    yield "canon", path.stem, given, same(vector["expected"], "outcome", "failure")
    as_bytes = json.dumps(record, ensure_ascii=False, indent=1).encode()
    yield "bytes", path.stem, {
        "record_base64": base64.b64encode(as_bytes).decode(),
        "trusted_key": vector["trusted_key"],
        "now": record["iat"],
        "max_age_seconds": DAY,
        "max_future_skew_seconds": SKEW,
        "accepted_profiles": [record["eat_profile"]],
    }, same(vector["expected"], "outcome", "failure")


def canon_copied(path, vector):
    record = vector["record"]
    given = {"record": record, "trusted_key": record["cnf"]["jwk"], "now": record["iat"]}
    yield "canon", path.stem, given, same({"outcome": "verified"}, "outcome")


def vercompat(path, vector):
    given = {name: vector[name] for name in ("verifier", "trusted_key", "record")}
    yield "vercompat", path.stem, given, same(vector["expected"], "outcome", "failure", "statement")
    verifier = vector["verifier"]
    outcome = vector["expected"]["outcome"].replace("refused", "rejected")
    expected = {"outcome": outcome, "failure": vector["expected"]["failure"]}
    yield "bytes", path.stem, {
        "record_base64": base64.b64encode(json.dumps(vector["record"]).encode()).decode(),
        "trusted_key": vector["trusted_key"],
        "now": verifier["verification_time"],
        "max_age_seconds": DAY,
        "max_future_skew_seconds": SKEW,
        "accepted_profiles": verifier["accepted_profiles"],
    }, same(expected, "outcome", "failure")


def revocation(path, vector):
    expected = vector["expected"]
    given = {"context": vector["context"], "record": vector["records"][0]}
    names = ["rejected", "codes"]
    if not expected["rejected"]:
        names += ["outcome", "cause", "evidence"]
    yield "revocation", path.stem, given, same(expected, *names)


def citation(path, vector):
    expected = vector["expected"]
    rows = {surface: [row["outcome"], row["cause"]] for surface, row in expected["citations"].items()}
    evidence = {
        surface: {
            # The class of a Python exception and the reason for a deferral are prose.
            name: value
            for name, value in row["evidence"].items()
            if name not in ("exception", "reason")
        }
        for surface, row in expected["citations"].items()
    }
    expected = {"rejected": expected["rejected"], "citations": rows, "evidence": evidence}
    given = {"context": vector["context"], "record": vector["records"][0]}

    def judge(answer):
        fault = same(expected, "rejected", "citations", "evidence")(answer)
        if fault is None and list(answer["citations"]) != list(rows):
            fault = f"expected the surfaces {list(rows)} in order"
        return fault

    yield "citation", path.stem, given, judge


def repro(path, vector):
    given = {"record": vector["record"]}
    yield "repro", path.stem, given, same(vector["expected"], "outcome", "codes")


def policy(path, vector):
    mapping = json.loads((path.parent / "resolutions.json").read_text(encoding="utf-8"))
    resolutions = {}
    for uri, place in mapping.items():
        file = path.parent / place
        if file.exists():
            resolutions[uri] = {"bytes_base64": base64.b64encode(file.read_bytes()).decode()}
    given = {"record": vector["record"], "resolutions": resolutions}
    yield "policy", path.stem, given, same(vector["expected"], "tr_pol_003")
    # A reference the record got wrong is seen without resolving anything; nothing else is.
    offline = {"tr_pol_003": "fail" if vector["boundary"] == "malformed" else "skip"}
    yield "policy", path.stem + " offline", {"record": vector["record"]}, same(offline, "tr_pol_003")


def evidence(path, vector):
    given = {"record": vector["record"], "context": vector.get("context", {})}
    yield "evidence", path.stem, given, same(vector["expected"], *vector["expected"])


def anchor(path, vector):
    given = {"claim": vector["claim"], "receipt": vector["receipt"]}
    yield "anchor", path.stem, given, same(vector["expected"], "tr_anc_002")


def depth(path, vector):
    given = {"context": vector["context"], "build_provenance": vector["build_provenance"]}
    yield "depth", path.stem, given, same(vector["expected"], *vector["expected"])


if __name__ == "__main__":
    sys.exit(main())
