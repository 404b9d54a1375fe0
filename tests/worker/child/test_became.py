"""What a task returns may be the handle of another one."""

from __future__ import annotations

from typing import Any

import pytest
from tq.client.core.session import ClientSession
from tq.client.core.settings import Settings
from tq.client.tasks.handle import Handle
from tq.client.tasks.handles import Handles
from tq.common.domain.ids import new_ids
from tq.common.errors import InvalidArgument
from tq.worker.child.became import became

ID = new_ids()


class Look:
    """Its attributes are calls, as those of a proxy."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_tq"):
            raise AssertionError(name)
        raise AttributeError(name)


@pytest.fixture
def session() -> ClientSession:
    return ClientSession(Settings.of("tq://127.0.0.1:1", "k"))


def test_a_handle_is_reported_by_its_id_and_cluster(session: ClientSession) -> None:
    handle: Handle[int] = Handle(session, ID)
    assert became(handle) == ID, "no call has been made yet"
    session._cluster = "0a0b"
    assert became(handle) == ID + b"\x0a\x0b"


def test_the_handles_of_a_map_are_refused_with_what_to_write(session: ClientSession) -> None:
    with pytest.raises(InvalidArgument, match=r"return collect\.submit\(handles\)"):
        became(Handles(session))


@pytest.mark.parametrize("value", [[1], {"a": 1}, Look(), object])
def test_anything_else_is_a_value(value: Any) -> None:
    assert became(value) is None
