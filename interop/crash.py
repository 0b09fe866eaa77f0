"""Kills the gateway with SIGKILL at random moments, under load and while it starts. Every answered
call has to be in a log afterwards, every session sealed at the next start, every export has to
verify, and no process that the gateway started outlives it."""

import argparse
import http.client
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

from gateway import BINARY, Gateway, cmcp, require

CALLERS = 4
LONGEST_LIFE = 0.5
LONGEST_START = 0.1


class Load:
    """Callers that call until the gateway is gone, and remember what was answered."""

    def __init__(self, served):
        self.served = served
        self.acknowledged = []
        self.wrong = []
        self.threads = [threading.Thread(target=self.call, args=(n,)) for n in range(CALLERS)]

    def call(self, number):
        # Two sessions, and one call in three writes.
        note = {"session_id": f"agent-{number % 2}"}
        for turn in range(sys.maxsize):
            tool, arguments = "echo", {"message": f"{number}.{turn}"}
            if turn % 3 == 0:
                tool, arguments = "refund_order", {"order_id": "O-5001", "amount": 1}
            try:
                status, answer = self.served.call(tool, arguments, note)
            except (OSError, ValueError, http.client.HTTPException):
                return  # it is gone, perhaps in the middle of an answer
            if status != 200 or "result" not in answer:
                return self.wrong.append((status, answer))
            told = answer["result"]["_cmcp"]
            self.acknowledged.append((told["call_id"], told["audit_entry_hash"], told["session_id"]))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join()


def kill_under_load(served, chance):
    with served.serving() as child, Load(served) as load:
        time.sleep(chance.uniform(0, LONGEST_LIFE))
        descended = descendants(child.pid)
        child.send_signal(signal.SIGKILL)
    require(not load.wrong, f"answered under load: {load.wrong[:3]}")
    end = time.monotonic() + 10
    while left := [pid for pid in descended if alive(pid)]:
        require(time.monotonic() < end, f"processes {left} outlived the gateway")
        time.sleep(0.02)
    return load.acknowledged, bool(descended)


def kill_while_starting(served, chance):
    command = [BINARY, "start", "--config", served.config]
    with open(served.log, "ab") as log:
        child = subprocess.Popen(command, env=served.env, stdout=subprocess.DEVNULL, stderr=log)
    time.sleep(chance.uniform(0, LONGEST_START))
    child.kill()
    child.wait()


def stat(pid):
    """State and parent, or nothing where there is no such process."""
    try:
        state, parent = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[:2]
    except OSError:
        return None
    return state, int(parent)


def alive(pid):
    return (stat(pid) or "Z")[0] not in "ZX"


def descendants(pid):
    parents = {int(p.name): stat(p.name) for p in pathlib.Path("/proc").iterdir() if p.name.isdigit()}
    found = [child for child, seen in parents.items() if seen and seen[1] == pid]
    return found + [further for child in found for further in descendants(child)]


def sessions(database):
    listed = cmcp("--format", "json", "audit", "export", "--database", database)
    return json.loads(listed.stdout)["sessions"]


def verify(work, database, session):
    """Exports and verifies one session; its call ids and the hashes of its projected entries."""
    folder = work / "exports" / session["session"]
    cmcp("audit", "export", "--database", database, "--session", session["session"], "--dir", folder)
    for record, log in (("record.json", "audit.json"), ("claim.json", "audit-cmcp-0.7.json")):
        done = cmcp("verify", folder / record, "--audit-bundle", folder / log, ok=(0, 3))
        require("FAIL" not in done.stdout.split("RESULT")[0], f"{session}: {done.stdout}")
    entries = json.loads((folder / "audit-cmcp-0.7.json").read_bytes())["entries"]
    own = json.loads((folder / "audit.json").read_bytes())["entries"]
    recovered = any(entry["kind"] == "recovered" for entry in own)
    return {(e["call_id"], e["entry_hash"], session["session"]) for e in entries}, recovered


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    arguments = parser.parse_args()
    print(f"  {arguments.kills} kills, seed {arguments.seed}", flush=True)
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        served = Gateway(work / "gateway")
        served.init("--server", f"shop={BINARY} demo-server", "--trust-hints")
        acknowledged, with_children = [], 0
        for number in range(arguments.kills):
            answered, descended = kill_under_load(served, chance)
            acknowledged += answered
            with_children += descended
            if number % 5 == 0:
                kill_while_starting(served, chance)
        with served.serving():
            pass
        database = served.folder / "audit.db"
        listed = sessions(database)
        left_open = [session for session in listed if session["state"] != "closed"]
        require(not left_open, f"not sealed: {left_open}")
        logged, recovered = set(), 0
        for session in listed:
            entries, sealed_late = verify(work, database, session)
            logged |= entries
            recovered += sealed_late
        lost = set(acknowledged) - logged
        require(not lost, f"{len(lost)} acknowledged calls are in no log: {sorted(lost)[:3]}")
        print(f"  {len(acknowledged)} calls answered, none lost; {len(listed)} sessions verified, "
              f"{recovered} of them sealed after a kill")
        # On a busy machine a kill can come before the first child does.
        require(with_children > arguments.kills // 2, "hardly a kill hit a gateway with children")
        require(recovered > arguments.kills // 2, "hardly a kill hit an open session")


if __name__ == "__main__":
    main()
