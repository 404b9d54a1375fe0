"""The dependents in memory, and the accounts that they are on."""

from __future__ import annotations

from tq.common.domain.id_runs import IdRun
from tq.master.dependencies.dependent import Dependent
from tq.master.dependencies.known import KnownDependents
from tq.master.engine.accounts import Accounts, Resource


def dependent(number: int) -> Dependent:
    needs = [IdRun(b"\x02" + bytes(15), 1), IdRun(b"\x03" + bytes(15), 2)]
    id = number.to_bytes(16, "big")
    return Dependent(number, number + 1, id, False, 1, 1, 1, 0, None, 0, None, 1, False, None, needs)


def test_each_is_on_the_account_of_its_key_until_it_is_gone_also_after_a_transaction_that_failed() -> None:
    accounts, known = Accounts(), KnownDependents()
    mine, others = accounts.of("mine"), accounts.of("others")
    one, two, three = map(dependent, (1, 2, 3))
    known.add(one, mine)
    known.add(two, mine)
    known.add(three, others)
    assert (mine.held[Resource.DEPENDENTS], accounts.total.held[Resource.DEPENDENTS]) == (2, 3)
    assert (mine.held[Resource.NEEDS], accounts.total.held[Resource.NEEDS]) == (4, 6)
    known.forget(one)
    assert mine.held[Resource.DEPENDENTS] == 1
    known.load([dependent(3), dependent(4)])  # that of two failed; four was here when the master started
    assert (mine.held[Resource.DEPENDENTS], others.held[Resource.DEPENDENTS]) == (0, 1)
    assert len(known) == 2
    for number in (3, 4):
        known.forget(dependent(number))
    assert accounts.total.held[Resource.DEPENDENTS] == len(known) == accounts.total.held[Resource.NEEDS] == 0
