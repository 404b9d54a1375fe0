"""Which of several processes of a master one is: every shard is hosted by exactly one of them, and each knows by which."""

from __future__ import annotations

from pathlib import Path

import pytest
from tq.common.runtime.config import MasterSettings
from tq.common.wire.address import Address
from tq.master.process_bells import BellDescriptors
from tq.master.process_place import VARIABLE, ProcessPlace, take_place

PORTS, ADDRESSES = (5000, 5001, 5002), ("a:5000", "a:5001", "a:5002")
PLACES = [ProcessPlace(number, PORTS, ADDRESSES) for number in range(3)]


@pytest.mark.parametrize("count", [3, 4, 16, 4096])
def test_every_shard_is_hosted_by_one_process_and_the_others_send_there(count: int) -> None:
    hosts = {shard: place for place in PLACES for shard in place.shards(count)}
    assert sorted(hosts) == list(range(count))
    assert sum(len(place.shards(count)) for place in PLACES) == count
    for shard, host in hosts.items():
        assert {place.owner(shard) for place in PLACES} == {ADDRESSES[host.number]}


def test_a_process_has_ports_of_its_own_and_the_first_one_starts_the_page() -> None:
    page = Address("127.0.0.1", 15672)
    given = MasterSettings(bind=Address("0.0.0.0", 5000), http=Address("127.0.0.1", 6000), web=page)  # noqa: S104
    settings = [place.settings(given) for place in PLACES]
    assert [one.bind for one in settings] == [Address("0.0.0.0", port) for port in PORTS]  # noqa: S104
    assert [one.http for one in settings] == [Address("127.0.0.1", port) for port in (6000, 6001, 6002)]
    assert [one.web for one in settings] == [page, None, None]
    assert PLACES[2].settings(MasterSettings(http=Address("127.0.0.1", 0))).http == Address("127.0.0.1", 0)


def test_what_the_guard_says_is_what_the_process_takes_and_passes_to_no_other() -> None:
    place = PLACES[1]._replace(bells=BellDescriptors(7, (8, 9, 10)))
    environment = {VARIABLE: place.variable(), "HOME": str(Path("/"))}
    assert take_place(environment) == place
    assert VARIABLE not in environment
    assert take_place(environment) is None
    assert take_place({VARIABLE: PLACES[2].variable()}) == PLACES[2]
