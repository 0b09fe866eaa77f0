"""The verifier as WebAssembly modules under Node: they import nothing, are small, and answer every appraised
row of the table of vectors byte for byte as this machine's own build does."""

import base64
import json
import pathlib
import subprocess
import tempfile

import gateway
from gateway import ROOT, TOOLS, node, require

HERE = pathlib.Path(__file__).resolve().parent
BUILT = ROOT / "target/wasm32-unknown-unknown/wasm/examples"
VECTORS = ROOT.parent / "shared/vectors"
LIMIT = 1_200_000
# What compilers for the web may use, and every browser of the last years has.
FEATURES = (
    "bulk-memory",
    "multivalue",
    "mutable-globals",
    "nontrapping-float-to-int",
    "reference-types",
    "sign-ext",
)


def optimised(name):
    """The module as it is shipped: what the linker left is made smaller once more."""
    built, small = BUILT / f"{name}.wasm", BUILT / f"{name}.small.wasm"
    optimiser = TOOLS / "npm-wasm/node_modules/binaryen/bin/wasm-opt"
    flags = [f"--enable-{feature}" for feature in FEATURES]
    run([node(), optimiser, "-Oz", *flags, built, "-o", small])
    size = small.stat().st_size
    print(f"{name}: {built.stat().st_size} bytes as linked, {size} as shipped")
    require(size <= LIMIT, f"{name} has {size} bytes, more than {LIMIT}")
    return small


def run(command, **options):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=600, check=False, **options
    )
    require(done.returncode == 0, f"{command[0]} {command[1]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def answers(module, questions):
    lines = "".join(json.dumps(question, ensure_ascii=False) + "\n" for question in questions)
    first, *rest = run([node(), HERE / "wasm.mjs", module], input=lines).splitlines()
    shape = json.loads(first)
    require(shape["imports"] == [], f"{module.name} imports {shape['imports']}")
    require({"memory", "alloc", "answer"} <= set(shape["exports"]), f"{module.name} exports {shape['exports']}")
    require(len(rest) == len(questions), f"{len(rest)} answers to {len(questions)} questions")
    return [json.loads(line) for line in rest]


def evidence(folder):
    module = optimised("verify_evidence")
    cases = folder / "questions"
    # Built by the tests.
    run([ROOT / "target/debug/examples/vectors", VECTORS, "--questions", cases])
    cases = [json.loads(line) for line in cases.read_text(encoding="utf-8").splitlines()]
    slowest = 0
    statuses = {}
    for case, answered in zip(cases, answers(module, [case["question"] for case in cases]), strict=True):
        expected = json.dumps(case["answer"], ensure_ascii=False, separators=(",", ":"))
        require(answered["text"] == expected, f"{case['name']}: {answered['text'][:400]}")
        slowest = max(slowest, answered["milliseconds"])
        platform, status = case["answer"]["platform"], case["answer"]["status"]
        statuses.setdefault(platform, set()).add(status)
    for platform in ("snp", "tdx"):
        require("warning" in statuses[platform], f"no evidence of {platform} was accepted")
    print(f"{len(cases)} appraisals of {len(statuses)} platforms as native, {slowest} ms at most")
    broken = answers(module, [{}, {"evidence": {}}])
    require(all("error" in json.loads(one["text"]) for one in broken), "what is no question is an error")


def record_questions():
    """The public vectors of records that carry evidence: name, question, grade."""
    for path in sorted((TOOLS / "public-vectors/").glob("**/runtime-evidence/vectors/*.json")):
        vector = json.loads(path.read_text(encoding="utf-8"))
        record = vector["record"]
        text = json.dumps(record, ensure_ascii=False)
        question = {
            "record": base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
            "trusted_key": record["cnf"]["jwk"],
            "challenge": "not-pinned",
            "measurements": "not-pinned",
            "max_age_seconds": "not-pinned",
            "profiles": "with-draft",
            "at": "2026-06-05T00:00:00Z",
        }
        yield path.stem, question, vector["expected"]["grade"]


def records():
    module = optimised("verify_record")
    cases = list(record_questions())
    require(cases, "no public vectors of records with evidence")
    for (name, _, grade), answered in zip(cases, answers(module, [case for _, case, _ in cases]), strict=True):
        found = json.loads(answered["text"]).get("grade")
        require(found == grade, f"{name}: graded {found}, not {grade}")
    print(f"{len(cases)} records graded as the public vectors say")


def main():
    cases = [("records are judged", records)]
    with tempfile.TemporaryDirectory() as folder:
        if VECTORS.is_dir():
            cases.insert(0, ("evidence is judged as natively", lambda: evidence(pathlib.Path(folder))))
        else:
            print("skipped: ../shared is not here")
        gateway.main(cases)


if __name__ == "__main__":
    main()
