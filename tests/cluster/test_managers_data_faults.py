"""Named values while programs, their connections and the master die: what was acknowledged is there once, and nothing twice.

Each program appends its name and numbers to one list; those that live on also count in a dict, under a lock. Each writes
to a file of its own what it tries, before the call, and what was acknowledged, after it: the file outlives a kill.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tq.managers import SyncManager

from .conftest import MasterFactory, ProxyFactory
from .programs import AUTHKEY, Master, clean_environment, eventually, let_pass
from .proxy import Proxy

ROUNDS = 6
LIVING, MORTAL = 3, 2

PROGRAM = f"""
import itertools, os, sys
from tq.managers import SyncManager

name, port, counts_too = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "living"
manager = SyncManager(("127.0.0.1", port), "{AUTHKEY}")
manager.connect()
log, counts, lock = manager.list(name="log"), manager.dict(name="counts"), manager.Lock(name="guard")
said = open(name, "w", buffering=1)
for number in itertools.count(1):
    said.write(f"tried {{number}}\\n")
    log.append((name, number))
    said.write(f"acknowledged {{number}}\\n")
    if counts_too and number % 3 == 0:
        with lock:
            counts["n"] = counts.get("n", 0) + 1
        said.write("counted 1\\n")
    if number % 5 == 0:
        counts[name] = number
        assert counts.pop(name) == number, "done twice, or not at all"
    if os.path.exists("stop"):
        break
said.write("ended 1\\n")
"""


class Crowd:
    """The programs, and what they have said."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.home, self._stack, self.names = home, stack, list[str]()
        (home / "program.py").write_text(PROGRAM, "utf-8")

    def start(self, port: int, kind: str) -> subprocess.Popen[bytes]:
        name = f"{kind}-{len(self.names)}"
        self.names.append(name)
        command = [sys.executable, "program.py", name, str(port), kind]
        process = subprocess.Popen(command, cwd=self.home, env=clean_environment(self.home))
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def said(self, name: str, word: str) -> list[int]:
        path = self.home / name
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith(f"{word} ")]


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    with ExitStack() as stack:
        yield Crowd(tmp_path, stack)


@pytest.fixture
def patient(master_factory: MasterFactory) -> Master:
    """A master that releases locks of absent holders late: in these tests no holder is gone."""
    return master_factory("--grace-seconds", 30, "--lease-seconds", 30, authkey=AUTHKEY)


def strike(chance: random.Random, master: Master, proxy: Proxy) -> None:
    fault = chance.choice(["cut", "cut", "kill", "away", "hold up"])
    if fault == "kill":
        master.restart()
    elif fault == "hold up":
        proxy.hold_up()
        let_pass(chance.uniform(0.1, 0.4))
        proxy.cut()
        proxy.let_flow()
    elif fault == "away":
        proxy.turn_away()
        let_pass(chance.uniform(0, 0.3))
        proxy.let_in()
    else:
        proxy.cut()


@pytest.mark.parametrize("seed", [1])
def test_what_was_acknowledged_is_there_once_under_all_kills_and_cuts(
    patient: Master, proxy_factory: ProxyFactory, crowd: Crowd, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - faults are to come again the same
    proxy = proxy_factory(patient.port)
    living = [crowd.start(proxy.port, "living") for _ in range(LIVING)]
    mortal = [crowd.start(proxy.port, "mortal") for _ in range(MORTAL)]
    eventually(lambda: all(crowd.said(name, "acknowledged") for name in crowd.names))
    for _ in range(ROUNDS):
        let_pass(chance.uniform(0.05, 0.5))
        strike(chance, patient, proxy)
        victim = chance.randrange(MORTAL)
        mortal[victim].kill()
        mortal[victim] = crowd.start(proxy.port, "mortal")
    (crowd.home / "stop").touch()
    assert [one.wait(30) for one in living + mortal] == [0] * (LIVING + MORTAL)

    manager = SyncManager(("127.0.0.1", patient.port), AUTHKEY)
    manager.connect()
    with manager.app:
        log, counted = manager.list(name="log")[:], manager.dict(name="counts").get("n", 0)
    for name in crowd.names:
        tried, acknowledged = crowd.said(name, "tried"), crowd.said(name, "acknowledged")
        there = [number for whose, number in log if whose == name]
        assert there == sorted(set(there)), f"{name}: out of order, or twice"
        assert set(acknowledged) <= set(there) <= set(tried), (
            f"{name}: acknowledged and not there, or never tried"
        )
        assert len(there) - len(acknowledged) <= 1, f"{name}: more than its last is unacknowledged"
    assert counted == sum(len(crowd.said(name, "counted")) for name in crowd.names)
    assert len(log) >= 50
