"""Limits that all connections of the gateway share."""

from __future__ import annotations

from tq.master.gateway.context import UNREAD_BYTES_MAX as UNREAD_ANSWERS_MAX

from .peers import LARGE, Door, is_back, put


def test_of_many_who_do_not_read_the_first_give_way(door: Door) -> None:
    many = UNREAD_ANSWERS_MAX // LARGE + 3
    clients = []
    for number in range(many):
        put(door, b"x" * LARGE, f"q{number}")
        clients.append(door.come_in(f"q{number}"))
        clients[-1].say(clients[-1].request("get"))
        door.until(lambda: not is_back(door, f"q{number}"))  # noqa: B023 - asked at once
    door.until(lambda: is_back(door, "q0"))
    assert sum(one.unsent_bytes() for one in door.gateway.context.unread) <= UNREAD_ANSWERS_MAX
    assert clients[-1].answer() == ("#RETURN", b"x" * LARGE)
    assert "it does not read its answers, and too many do not" in door.complaints()
