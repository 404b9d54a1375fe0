"""What holds under a limit's name: declared by programs, changed by operators, and what becomes of it when they differ."""

from __future__ import annotations

import pytest
from tq.common.domain.limits import Limit
from tq.common.domain.model import Role
from tq.common.errors import InvalidArgument, QuotaExceeded, StoreFull
from tq.master.limits import limits as module
from tq.master.limits.limits import NamedLimits

from ..conftest import Bench
from .conftest import FIVE, THREE, Declaring


def test_a_limit_holds_as_soon_as_a_program_declares_it(declaring: Declaring) -> None:
    assert declaring.holds() is None
    declaring.declare(declaring.bench.client(), THREE)
    assert declaring.holds() == THREE
    assert declaring.notified == ["smtp"]
    row = declaring.only()
    assert (row["max_running"], row["rate"], row["burst"]) == (3, "100/min", 1)
    assert (row["programs"], row["differing"], row["set"]) == (1, 0, {})


def test_a_program_that_declares_otherwise_waits_until_no_other_has_what_holds(declaring: Declaring) -> None:
    old, new = declaring.bench.client(), declaring.bench.client()
    declaring.declare(old, THREE)
    declaring.declare(new, FIVE)
    declaring.declare(new, FIVE)
    assert declaring.holds() == THREE
    assert (declaring.only()["programs"], declaring.only()["differing"]) == (2, 1)
    assert declaring.logged() == ["limit.differs"]
    old.close()
    declaring.declare(new, FIVE)
    assert declaring.holds() == FIVE
    assert (declaring.only()["programs"], declaring.only()["differing"]) == (1, 0)
    assert declaring.logged() == ["limit.differs", "limit.changed"]
    late = declaring.bench.client()
    declaring.declare(late, THREE)  # an old program that comes back does not undo it
    assert declaring.holds() == FIVE


def test_a_program_changes_what_it_alone_declares(declaring: Declaring) -> None:
    program = declaring.bench.client()
    declaring.declare(program, THREE)
    declaring.declare(program, FIVE)
    assert declaring.holds() == FIVE
    assert declaring.notified == ["smtp", "smtp"]


def test_another_key_never_changes_a_limit(declaring: Declaring) -> None:
    owner = declaring.bench.client()
    declaring.declare(owner, THREE)
    owner.close()
    declaring.declare(declaring.bench.client((), Role.WORKER), FIVE)
    assert declaring.holds() == THREE
    assert declaring.only()["differing"] == 1


def test_what_an_operator_sets_lies_over_all_that_is_declared_until_it_is_reset(declaring: Declaring) -> None:
    program = declaring.bench.client()
    declaring.declare(program, THREE)
    row = declaring.call("set", "smtp", {"max_running": 9})
    assert (row["max_running"], row["rate"], row["declared"]["max_running"]) == (9, "100/min", 3)
    declaring.declare(program, FIVE)
    assert declaring.holds() == Limit("smtp", max_running=9)
    declaring.call("set", "smtp", {"rate": "1/s", "burst": 4})
    assert declaring.only()["set"] == {"max_running": 9, "rate": "1/s", "burst": 4}
    declaring.call("reset", "smtp")
    assert declaring.holds() == FIVE


def test_a_limit_that_is_lifted_bounds_nothing_and_is_still_known(declaring: Declaring) -> None:
    declaring.declare(declaring.bench.client(), Limit("smtp", rate="1/s", burst=5))
    declaring.call("set", "smtp", {"rate": None})
    assert declaring.holds() is None
    row = declaring.only()
    assert (row["rate"], row["burst"], row["declared"]["burst"]) == (None, None, 5)


def test_a_master_that_starts_again_has_what_held(declaring: Declaring) -> None:
    bench = declaring.bench
    declaring.declare(bench.client(), THREE)
    declaring.call("set", "smtp", {"max_running": 9})
    after = Bench(bench.engine.store)  # type: ignore[arg-type]
    assert after.engine.part(NamedLimits).in_force("smtp") == Limit("smtp", max_running=9, rate="100/min")


def test_how_many_limits_there_are_is_bounded(declaring: Declaring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMITS_MAX", 3)
    monkeypatch.setattr(module, "LIMITS_OF_KEY_MAX", 2)
    one, other = declaring.bench.client(), declaring.bench.client((), Role.WORKER)
    for name in ("a", "b"):
        declaring.declare(one, Limit(name, max_running=1))
    with pytest.raises(QuotaExceeded, match="is a key of one limit"):
        declaring.declare(one, Limit("c", max_running=1))
    declaring.declare(other, Limit("c", max_running=1))
    with pytest.raises(InvalidArgument, match="tq limits rm NAME"):
        declaring.declare(other, Limit("d", max_running=1))
    assert [row["name"] for row in declaring.call("list")] == ["a", "b", "c"]
    assert [row["name"] for row in declaring.call("list", "a", 1)] == ["b"]


def test_what_a_program_declares_is_on_the_account_of_its_key_while_it_is_connected(
    declaring: Declaring,
) -> None:
    program = declaring.bench.client()
    for _ in range(3):
        declaring.declare(program, THREE)
        declaring.declare(program, FIVE)
    account = program.session.account
    assert account.held[module.Resource.DECLARED_LIMITS] == 1
    program.close()
    declaring.bench.step()
    assert account.held[module.Resource.DECLARED_LIMITS] == 0


def test_of_a_limit_whose_row_cannot_be_written_nothing_is_noted(
    declaring: Declaring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreFull("the disk is full")

    part, program = declaring.part, declaring.bench.client()
    with monkeypatch.context() as plant:
        plant.setattr(type(part._store), "put", full)
        with pytest.raises(StoreFull):
            declaring.declare(program, THREE)
    assert program.session.account.held[module.Resource.DECLARED_LIMITS] == 0
    assert (part._declaring, part._names, sum(part._of_key.values())) == ({}, {}, 0)
    declaring.declare(program, THREE)
    assert declaring.only()["programs"] == 1
