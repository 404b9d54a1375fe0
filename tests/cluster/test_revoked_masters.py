"""A master whose certificate is revoked: it ends, and a thief who has the certificate is believed by no program that has learnt it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from tq.common.auth.leaf import Leaf
from tq.common.runtime.config import MasterSettings
from tq.common.wire.address import parse_address
from tq.master import joining
from xprocess import XProcess

from .. import postgres
from .conftest import MasterFactory
from .programs import Master, Program, eventually, free_port, run_program
from .test_several_masters import standing_by
from .test_take_over import STANDS_BY, stand_by

THIEF = "thief.example"


def join(first: Path, second: Path, name: str) -> Leaf:
    asked = joining.request(MasterSettings(data=second), name)
    answer, leaf = joining.admit(MasterSettings(data=first), asked.encode())
    joining.join(MasterSettings(data=second), answer.encode())
    return leaf


def join_after_now(first: Path, second: Path, name: str) -> None:
    """Moments are whole seconds: what is made in that of the revocation is refused."""
    now = time.time()
    eventually(lambda: join(first, second, name).made.timestamp() > now)


def test_a_thief_who_answers_first_is_passed_over_once_a_program_has_learnt_it(
    master_factory: MasterFactory, home: Path, tmp_path: Path
) -> None:
    master = master_factory(own_certificate=False)
    stolen = tmp_path / "stolen"
    join(master.data, stolen, THIEF)
    with standing_by(stolen, free_port(), parse_address(master.address)) as thief:

        def tq(*words: object, address: str) -> tuple[int, str, str]:
            environment = {"TQ_URL": f"tq://{address}", "TQ_AUTHKEY": master.authkey}
            done = run_program("tq", *words, home=home, environment=environment)
            return done.returncode, done.stdout, done.stderr

        # It is recognised, and what it says is followed.
        assert tq("queues", "--json", address=thief)[0] == 0
        status, said, note = tq("masters", "revoke", THIEF, address=master.address)
        assert (status, said) == (
            0,
            f"{THIEF} is revoked: its certificates that were made until now are refused\n",
        )
        assert f"no master that was here in the last hour has a certificate of {THIEF}" in note
        # The connection that revoked had begun before: the next one learns.
        status, listed, _ = tq("masters", "--json", address=f"{master.address},{thief}")
        assert status == 0
        [_, gone] = json.loads(listed)
        assert (gone["host"], gone["address"], "revoked" in gone) == (THIEF, "", True)
        status, _, error = tq("queues", address=thief)
        assert status != 0
        assert f"the master at {thief} shows a certificate of {THIEF} that was revoked on " in error
        assert tq("queues", "--json", address=f"{thief},{master.address}")[0] == 0
        assert f"revoked master {THIEF}" in " ".join(tq("audit", address=master.address)[1].split())
        # Its host may join again, with a new certificate.
        join_after_now(master.data, stolen, THIEF)
    with standing_by(stolen, free_port(), parse_address(master.address)) as honest:
        assert tq("queues", "--json", address=honest)[0] == 0


def test_a_master_that_serves_ends_when_its_certificate_is_revoked_and_does_not_start_again(
    master_factory: MasterFactory, home: Path, tmp_path: Path
) -> None:
    master = master_factory(own_certificate=False)
    first = tmp_path / "first"
    first.mkdir(mode=0o700)
    master.terminate()
    for name in ("master.crt", "master.key"):
        (first / name).write_bytes((master.data / name).read_bytes())
        (master.data / name).unlink()
    join(first, master.data, "b.example")
    master.start()
    environment = {"TQ_URL": master.url, "TQ_AUTHKEY": master.authkey}
    revoked = run_program("tq", "masters", "revoke", "b.example", home=home, environment=environment)
    assert (revoked.returncode, revoked.stderr) == (0, "")
    assert master.wait() == 2
    why = "the certificate of this master, b.example, made on "
    assert f"tq-master: {why}" in master.log
    again = run_program("tq-master", "--bind", master.address, "--data", master.data, home=home)
    assert again.returncode == 2
    assert why in again.stderr
    assert "it asks for a new one, of a new private key: tq-master request |" in again.stderr
    join_after_now(first, master.data, "b.example")
    master.start()
    assert run_program("tq", "queues", home=home, environment=environment).returncode == 0


@pytest.mark.thorough
@pytest.mark.timeout(120)
def test_a_master_that_stands_by_notices_that_it_is_revoked(
    xprocess: XProcess, tmp_path: Path, programs: list[Program], home: Path
) -> None:
    with postgres.serving() as server:
        url = server.create(f"revoked_{time.time_ns()}")
        masters = []
        for name in ("a", "b"):
            folder = tmp_path / name
            folder.mkdir()
            masters.append(Master(xprocess, folder, "--store", url, own_certificate=False))
            programs.append(masters[-1])
        first, second = masters
        first.start()
        join(first.data, second.data, "b.example")
        stand_by(second)
        environment = {"TQ_URL": first.url, "TQ_AUTHKEY": first.authkey}

        def listed() -> bool:
            """Under the name in its certificate."""
            rows = run_program("tq", "masters", "--json", home=home, environment=environment).stdout
            return "b.example" in [row["host"] for row in json.loads(rows)]

        eventually(listed)
        revoked = run_program("tq", "masters", "revoke", "b.example", home=home, environment=environment)
        assert (revoked.returncode, revoked.stderr) == (0, "")
        assert second.wait() == 2
        assert "tq-master: the certificate of this master, b.example, made on " in second.log
        again = run_program(
            "tq-master", "--bind", second.address, "--data", second.data, *second.options, home=home
        )
        assert (again.returncode, "was revoked on" in again.stderr) == (2, True)
        join_after_now(first.data, second.data, "b.example")
        second.launch(["--bind", second.address, "--data", second.data, *second.options], STANDS_BY)
        for one in (second, first):
            assert one.terminate() == 0
