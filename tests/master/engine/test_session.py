"""The calls of a session without an answer: the first are in its weight, each further one is on its key's account."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.model import Role
from tq.common.errors import QuotaExceeded
from tq.master.engine.accounts import Accounts, Resource
from tq.master.engine.session import CALLS_INCLUDED, CALLS_OUTSTANDING_MAX, Call, Session


def make_session() -> Session:
    nothing: Any = None
    account = Accounts().of("a key")
    return Session(
        nothing, verifier=nothing, role=Role.CLIENT, node=b"n" * 16, address="here", account=account
    )


def expect(session: Session, call_id: int) -> None:
    session.expect(Call(session, call_id, lambda call: None, []))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8))))
def test_what_a_key_has_is_what_its_sessions_have_beyond_the_first_calls(
    steps: list[tuple[bool, int]],
) -> None:
    session = make_session()
    for arrives, call_id in steps:
        if not arrives:
            session.settle(call_id)
        elif call_id not in session.calls:
            expect(session, call_id)
        assert session.account.held[Resource.CALLS] == max(0, len(session.calls) - CALLS_INCLUDED)
    session.settle_all()
    assert session.account.held[Resource.CALLS] == session.account.bytes == 0


def test_a_session_has_a_limit_of_its_own() -> None:
    session = make_session()
    for call_id in range(CALLS_OUTSTANDING_MAX):
        expect(session, call_id)
    with pytest.raises(QuotaExceeded, match="this connection has 20,000 calls"):
        expect(session, CALLS_OUTSTANDING_MAX)
