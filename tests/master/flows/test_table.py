"""Which flows a key may see, and which it names."""

from __future__ import annotations

import pytest
from tq.common.errors import Forbidden, InvalidArgument

from .conftest import FLOW, FLOWS, Flowing, run_of


def test_others_see_a_flow_if_they_may_use_the_queues_of_all_its_tasks(flowing: Flowing) -> None:
    flowing.open()
    flowing.submit(queue="gpu")
    flowing.submit(queue="mail")
    some, all_of_it = (flowing.bench.client(queues) for queues in (("mail",), ("mail", "g*")))
    for peer in (some, all_of_it):
        object.__setattr__(peer.session.verifier, "key_id", "another")
    assert all_of_it.call(FLOWS, "show", FLOW)["total"] == 2
    assert [row["total"] for row in all_of_it.call(FLOWS, "list")["rows"]] == [2]
    assert some.call(FLOWS, "list") == {"rows": [], "behind": None}
    for method, *args in (("show",), ("cancel",), ("retry", 1), ("seal",), ("members",), ("wait",)):
        with pytest.raises(InvalidArgument, match="there is no flow"):
            some.call(FLOWS, method, FLOW, *args)
    with pytest.raises(InvalidArgument, match="there is no flow"):
        flowing.submit_ids(run_of(1), peer=some, queue="mail")
    with pytest.raises(Forbidden, match="is another key's"):
        all_of_it.call(FLOWS, "open", FLOW)


def test_a_key_names_the_same_flow_for_its_own_programs_alone(flowing: Flowing) -> None:
    first = flowing.client.call(FLOWS, "open", FLOW, key=b"order 7")
    assert flowing.client.call(FLOWS, "open", b"g" * 16, key=b"order 7")["id"] == first["id"]
    other = flowing.peer()
    object.__setattr__(other.session.verifier, "key_id", "another")
    assert other.call(FLOWS, "open", FLOW, key=b"order 7")["id"] != first["id"]
