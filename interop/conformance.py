"""The official conformance suite: against our own upstream directly, against the same upstream
through the gateway, and against our client of upstreams. Whatever passes directly has to pass
through the gateway, check by check."""

import argparse
import collections
import contextlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from gateway import BINARY, PERMIT_EVERYTHING, Failed, Gateway, node, package, peer, process, require

CONFORMANCE = f"{package('conformance', 'npm-conformance')}/dist/index.js"
LATEST = f"{package('conformance', 'npm-conformance-latest')}/dist/index.js"
# Name of a run → program, its arguments, and how many checks pass directly at least.
SERVER_RUNS = {
    "2025-11-25": (CONFORMANCE, ["--requirements", "2025-11-25"], 83),
    "2026-07-28": (CONFORMANCE, ["--requirements", "2026-07-28"], 197),
    "2025-11-25, suite 0.1.16": (LATEST, ["--suite", "all", "--spec-version", "2025-11-25"], 47),
}
# What need not be seen through the gateway, and why. It must not fail there either.
NOT_SEEN = {
    ("server-sse-disconnect-resume", "ServerDisconnectResume"): "the gateway speaks the stateless era "
    "with this upstream, so nothing is cut off behind it, and it answers on the stream of the call",
}
CLIENT = BINARY.parent / "examples/conformance_client"
CLIENT_SCENARIOS = {
    "2025-11-25": [
        "initialize",
        "tools_call",
        "elicitation-sep1034-client-defaults",
        "sse-retry",
        "json-schema-2020-12-preservation",
    ],
    "2026-07-28": [
        "tools_call",
        "request-metadata",
        "sep-2322-client-request-state",
        "http-standard-headers",
        "http-custom-headers",
        "http-invalid-tool-headers",
        "json-schema-ref-no-deref",
        "json-schema-2020-12-preservation",
    ],
}
# Of the extensions: our own credentials towards a server.
EXTENSIONS = ["auth/client-credentials-basic", "auth/client-credentials-jwt"]
# Scenarios that are not run, and why. A scenario in neither list fails the check.
LEFT_OUT = {
    r"auth/client-credentials-.*": "extensions, which belong to no revision: run apart, below",
    r"auth/(dpop.*|wif-.*|enterprise-.*)": "a proposal or an extension, never scored",
    r"auth/.*": "the gateway is nobody's browser: it has no authorization code flow",
}


def suite(program, *arguments, timeout=300):
    command = [node(), program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


def collected(folder, side):
    """Scenario → its checks, from the files that the suite wrote."""
    found = {}
    for file in sorted(folder.glob("**/checks.json")):
        name = re.sub(r"-\d{4}-\d\d-\d\dT[\d-]+Z$", "", str(file.parent.relative_to(folder)))
        found[name.removeprefix(f"{side}-")] = json.loads(file.read_bytes())
    return found


def server_run(program, arguments, url, folder):
    done = suite(program, "server", "--url", url, *arguments, "-o", folder)
    found = collected(folder, "server")
    require(found, f"the suite wrote nothing:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return found


def counted(checks, *statuses):
    return collections.Counter(
        (check["id"], check.get("name")) for check in checks if check["status"] in statuses
    )


def figures(scenarios):
    """Passed and failed, as the suite counts."""
    checks = [check for checks in scenarios.values() for check in checks]
    return counted(checks, "SUCCESS").total(), counted(checks, "FAILURE").total()


def lost(direct, through):
    """What passed directly and does not through the gateway, and what fails only there."""
    for scenario, checks in direct.items():
        there = through.get(scenario, [])
        missing = counted(checks, "SUCCESS") - counted(there, "SUCCESS")
        for check in NOT_SEEN.keys() & counted(there, "INFO").keys():
            del missing[check]
        failing = counted(there, "FAILURE") - counted(checks, "FAILURE")
        for check in missing | failing:
            yield scenario, check, next(saying(there, check), "the check was not made")


def saying(checks, wanted):
    for check in checks:
        if (check["id"], check.get("name")) == wanted and check["status"] not in ("SUCCESS", "INFO"):
            details = json.dumps(check.get("details"), ensure_ascii=False)[:600]
            yield f"{check['status']}: {check.get('errorMessage')}\n        {details}"


class Report:
    """What was counted, as a table on the screen and as JSON."""

    def __init__(self):
        self.runs = []
        self.problems = []

    def compare(self, run, direct, through, least):
        print(f"\n{run:44}  direct     cmcp")
        for scenario in direct:
            one, other = (figures({scenario: side.get(scenario, [])}) for side in (direct, through))
            print(f"  {scenario:42} {one[0]:4}/{one[1]:<3} {other[0]:4}/{other[1]:<3}", flush=True)
        one, other = figures(direct), figures(through)
        print(f"  {'':42} {one[0]:4}/{one[1]:<3} {other[0]:4}/{other[1]:<3}")
        if one[0] < least or one[1]:
            self.problems.append(f"{run}: directly {one[0]} passed and {one[1]} failed, wanted {least}/0")
        for scenario, check, why in lost(direct, through):
            self.problems.append(f"{run}: {scenario}: {' '.join(filter(None, check))}\n      {why}")
        self.runs.append({"run": run, "direct": one, "cmcp": other})

    def client(self, revision, scenario, checks, done):
        passed, failed = figures({scenario: checks})
        print(f"  {scenario:42} {passed:4}/{failed:<3}", flush=True)
        if failed or not passed or done.returncode:
            said = "\n".join(
                f"      {check['id']}: {check.get('errorMessage')}"
                for check in checks
                if check["status"] not in ("SUCCESS", "INFO", "SKIPPED")
            )
            self.problems.append(f"client, {revision}: {scenario}\n{said or done.stderr[-1500:]}")
        self.runs.append({"run": f"client {revision}", "scenario": scenario, "passed": passed, "failed": failed})

    def end(self, file):
        if file:
            file.write_text(json.dumps({"runs": self.runs, "problems": self.problems}, indent=1) + "\n")
        for problem in self.problems:
            print(f"\n  FAILED  {problem}")
        print(f"\n  {len(self.problems)} failed")
        sys.exit(1 if self.problems else 0)


@contextlib.contextmanager
def through_gateway(url, work):
    """The upstream behind a gateway that enforces and permits everything; no token, on loopback."""
    served = Gateway(work / "gateway", token=None)
    served.init("--server", f"up={url}", "--trust-hints", policy=PERMIT_EVERYTHING)
    with served.serving():
        yield served.url


def server_side(report, work, only, direct_only):
    with contextlib.ExitStack() as stack:
        found, _ = stack.enter_context(process([peer("peer-server")], r"port (\d+)"))
        url = f"http://127.0.0.1:{found[1]}/mcp"
        via = url if direct_only else stack.enter_context(through_gateway(url, work))
        for number, (run, (program, arguments, least)) in enumerate(SERVER_RUNS.items()):
            if only and only not in run:
                continue
            direct = server_run(program, arguments, url, work / f"direct-{number}")
            through = direct if direct_only else server_run(program, arguments, via, work / f"cmcp-{number}")
            report.compare(run, direct, through, least)


def required_of_clients(revision):
    """Every client scenario of a requirement set, scored or not."""
    listed = suite(CONFORMANCE, "list", "--requirements", revision).stdout
    section = listed.split("Client scenarios", 1)[1]
    scored, unscored = section.split("Run and reported", 1)
    return re.findall(r"^ +- (\S+)$", scored, re.M) + re.findall(r"- (\S+) \[client\]", unscored)


def client_side(report, work, only):
    require(CLIENT.exists(), f"{CLIENT} is not built")
    if not only or only in "extensions":
        print("\nclient, extensions")
        for scenario in EXTENSIONS:
            folder = work / "client" / "extensions" / scenario
            done = suite(CONFORMANCE, "client", "--command", CLIENT, "--scenario", scenario, "-o", folder)
            checks = [check for checks in collected(folder, "client").values() for check in checks]
            report.client("extensions", scenario, checks, done)
    for revision, scenarios in CLIENT_SCENARIOS.items():
        if only and only not in revision:
            continue
        print(f"\nclient, {revision}")
        known = required_of_clients(revision)
        unknown = [name for name in known if name not in scenarios and not left_out(name)]
        require(not unknown, f"neither run nor left out for a reason: {unknown}")
        absent = set(scenarios) - set(known)
        require(not absent, f"the suite has no such scenario: {absent}")
        for scenario in scenarios:
            folder = work / "client" / revision / scenario
            where = ["--spec-version", revision, "-o", folder]
            done = suite(CONFORMANCE, "client", "--command", CLIENT, "--scenario", scenario, *where)
            checks = [check for checks in collected(folder, "client").values() for check in checks]
            report.client(revision, scenario, checks, done)
        for why in dict.fromkeys(left_out(name) for name in known if name not in scenarios):
            names = [name for name in known if name not in scenarios and left_out(name) == why]
            print(f"  not run: {', '.join(names)}\n    {why}")


def left_out(name):
    return next((why for pattern, why in LEFT_OUT.items() if re.fullmatch(pattern, name)), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=("server", "client"), help="only this side")
    parser.add_argument("--only", help="only runs with this in their name")
    parser.add_argument("--direct", action="store_true", help="without the gateway")
    parser.add_argument("--json", type=pathlib.Path, help="where to write the figures")
    parser.add_argument("--keep", type=pathlib.Path, help="a new folder for everything that is written")
    arguments = parser.parse_args()
    report = Report()
    with contextlib.ExitStack() as stack:
        work = arguments.keep or stack.enter_context(tempfile.TemporaryDirectory())
        work = pathlib.Path(work)
        work.mkdir(exist_ok=True)
        try:
            if arguments.side != "client":
                server_side(report, work, arguments.only, arguments.direct)
            if arguments.side != "server":
                client_side(report, work, arguments.only)
        except (Failed, OSError, subprocess.SubprocessError) as error:
            report.problems.append(str(error))
        report.end(arguments.json)


if __name__ == "__main__":
    main()
