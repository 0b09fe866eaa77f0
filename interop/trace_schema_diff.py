#!/usr/bin/env python3
"""Holds our hand-written schema check against the JSON schema of PyPI `agentrust-trace`.

    venv/bin/python interop/trace_schema_diff.py [--cases N] [--seed S] -- target/debug/examples/conformance --lines

The command answers one vector a line; the family `repro` accepts exactly the records our check
accepts. We are stricter than the package in four named ways: no empty strings, `transparency` is
`https`, `signature` is required, integers are spelled as integers. Beside those the two must agree
on every mutated record, and nothing that the package refuses is ever accepted.
"""

import argparse
import copy
import json
import random
import subprocess
import sys

from agentrust_trace import iter_errors

D256, D384 = "sha256:" + "a0" * 32, "sha384:" + "0f" * 48

FULL = {
    "eat_profile": "tag:agentrust-io.com,2026:trace-v0.2",
    "iat": 1785000000,
    "subject": "spiffe://trust.example.org/gateway/g1",
    "model": {"provider": "p", "model_id": "m", "version": "v", "weights_digest": D256, "aibom_uri": "https://a/b"},
    "runtime": {"platform": "software-only", "measurement": D384, "rim_uri": "urn:x:y", "nonce": "n", "firmware_version": "f"},
    "policy": {"bundle_hash": D256, "enforcement_mode": "enforce", "version": "机密🔒", "policy_uri": "https://p/1"},
    "data_class": "public",
    "tool_transcript": {"hash": D256, "call_count": 0, "transcript_uri": "https://t/"},
    "delegation": {"parent_record_hash": D256, "credential_id": "c"},
    "origin": {"kind": "log-import", "producer": "siem", "source_event_id": "e", "ingested_at": 1785000000},
    "references": [{"rel": "r", "id": "i", "resolver": "s", "retention": "P1Y2M3DT4H5M6S", "digest": D256}],
    "reproducibility": {"function": "f", "code_identity": D256, "code_resolver": "r", "transcript_digest": D256,
                        "input_closure": [{"id": "i", "digest": D256, "resolver": "r"}]},
    "build_provenance": {"slsa_level": 3, "builder": "b", "digest": D256, "provenance_uri": "https://b/", "provenance_depth": "builder"},
    "appraisal": {"status": "affirming", "verifier": "https://v/", "policy_ref": "https://v/p", "timestamp": -1,
                  "provenance_depth_verified": "surface", "method": "re-execution",
                  "re_execution": {"outcome": "diverged", "observed_digest": D256, "reason": "r", "verifier_code_identity": D256}},
    "transparency": "https://log.example/1",
    "cnf": {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "k", "extra": {"n": [1, None, True, "s"]}}},
    "signature": "AAAA_-",
}

SMALL = {name: FULL[name] for name in (
    "eat_profile", "iat", "subject", "model", "runtime", "policy", "data_class", "build_provenance", "cnf", "signature")}
SMALL["appraisal"] = {"status": "none", "verifier": "https://v/"}

POOL = [
    None, True, False, 0, 1, 3, 4, -1, 1.0, 1.5, 1699999999, 1700000000, 2**53 - 1, 2**53, -(2**53), 10**30,
    "", "x", "self", "enforce", "declared", "none", "OKP", "EC", "RSA", "intel-tdx", "software-only", "self",
    "third-party-control-plane", "diverged", "not-attempted", "reproduced", "re-execution", "transitive",
    D256, D384, D256 + "\n", D256.upper(), "sha256:" + "g" * 64, "https://x/", "http://x", "https:", "urn:a:b",
    "https://x/ y", "https://[::1]/", "did:web:x", "did:X:y", "spiffe://x", "spiffe://x/y", "P1W", "P1D2M", "PT1S",
    "PT", "AA==", "A+", "A_-", [], {}, [None], [1.5], {"a": 1}, {"a": 2**53}, [D256],
]
NAMES = ["x", "d", "p", "q", "dp", "dq", "qi", "k", "y", "n", "e", "kid", "kty", "entries", "reason", "method",
         "re_execution", "observed_digest", "nonce", "outcome", "origin", "évidence"]


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], path + (name,))
    if isinstance(value, list):
        for index in range(len(value)):
            yield from places(value[index], path + (index,))


def mutate(rng, record):
    record = copy.deepcopy(record)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        path = rng.choice(list(places(record)))
        if not path:
            record[rng.choice(NAMES)] = copy.deepcopy(rng.choice(POOL))
            continue
        parent = record
        for step in path[:-1]:
            parent = parent[step]
        what = rng.randrange(6)
        here = parent[path[-1]]
        if what == 0:
            del parent[path[-1]]
        elif what == 1 and isinstance(here, dict):
            here[rng.choice(NAMES)] = copy.deepcopy(rng.choice(POOL))
        elif what == 2 and isinstance(here, str) and here:
            place = rng.randrange(len(here) + 1)
            parent[path[-1]] = here[:place] + rng.choice("aZ09:/.-_ \n\u2028é🔒%[]#?@") + here[place + rng.randrange(2):]
        elif what == 3 and isinstance(here, list):
            here.append(copy.deepcopy(rng.choice(POOL)))
        else:
            parent[path[-1]] = copy.deepcopy(rng.choice(POOL))
    return record


def texts(rng, alphabet, seeds):
    if rng.random() < 0.5:
        text = rng.choice(seeds)
        place = rng.randrange(len(text) + 1)
        return text[:place] + rng.choice(alphabet) + text[place + rng.randrange(3):]
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(14)))


def grammars(rng):
    """Records that differ in one string with a grammar of its own."""
    record = copy.deepcopy(FULL)
    which = rng.randrange(3)
    if which == 0:
        uris = ["https://a@b:1/c?d#e", "a:b", "x://[::1]:8/", "x://[v1.a:b]/", "https://1.2.3.4/%41", "x:/a//b", "x:?q"]
        record["appraisal"]["verifier"] = texts(rng, ":/?#[]@!$&'()*+,;=aZ09-._~%v \\^|\"<>{}`é\n", uris)
    elif which == 1:
        subjects = ["spiffe://a/b", "did:web:x", "did:a1:B"]
        record["subject"] = texts(rng, "spiffe:/did09Ax\n\r\u2028\u2029 é", subjects)
    else:
        record["references"][0]["retention"] = texts(rng, "PYMDWTHS0123\n", ["P1Y2M3DT4H5M6S", "P1W", "PT1S", "P1DT1M"])
    return record


def walk(value):
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(child)


def stricter(record):
    """Whether the record breaks one of our four additional rules."""
    def strings(value, path=()):
        if isinstance(value, str) and value == "" and not foreign(path):
            yield path
        for step, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
            yield from strings(child, path + (step,))

    def foreign(path):
        return path[:2] == ("cnf", "jwk") and path[2:3] not in [(n,) for n in ("kty", "crv", "x", "y", "n", "e", "kid")]

    uri = record.get("transparency", "https://x")
    return (
        "signature" not in record
        or any(True for _ in strings(record))
        or not (isinstance(uri, str) and uri.startswith("https://"))
        or any(isinstance(value, float) for value in walk(record))
    )


def main():
    split = sys.argv.index("--")
    options = argparse.ArgumentParser()
    options.add_argument("--cases", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    options = options.parse_args(sys.argv[1:split])
    rng = random.Random(options.seed)
    command = subprocess.Popen(sys.argv[split + 1 :], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    counts, wrong = {}, 0
    for number in range(options.cases):
        record = grammars(rng) if number % 2 else mutate(rng, rng.choice((FULL, SMALL)))
        if number < 2:
            record = (FULL, SMALL)[number]
        line = json.dumps({"family": "repro", "input": {"record": record}}).encode() + b"\n"
        command.stdin.write(line)
        command.stdin.flush()
        answer = json.loads(command.stdout.readline())
        ours, theirs = answer.get("outcome") == "accept", not iter_errors(record)
        agree = ours == (theirs and not stricter(record))
        counts[ours, theirs] = counts.get((ours, theirs), 0) + 1
        if not agree:
            wrong += 1
            if wrong <= 20:
                print("DISAGREE ours", ours, "theirs", theirs, "stricter", stricter(record), json.dumps(record), answer)
    command.stdin.close()
    for (ours, theirs), count in sorted(counts.items()):
        print(f"ours {'accepts' if ours else 'refuses'}, theirs {'accepts' if theirs else 'refuses'}: {count}")
    print(f"{wrong} of {options.cases} disagree beyond the four rules")
    return 1 if wrong or command.wait() else 0


if __name__ == "__main__":
    sys.exit(main())
