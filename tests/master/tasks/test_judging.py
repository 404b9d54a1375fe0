"""What a submit says becomes a submission, as often as it is judged."""

from __future__ import annotations

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import TaskOptions
from tq.common.errors import InvalidArgument
from tq.master.engine.session import Call
from tq.master.tasks.dispatch import Dispatch
from tq.master.tasks.judging import LARGE_BYTES
from tq.master.tasks.plan import SubmitCall
from tq.master.tasks.routes import Routes
from tq.master.tasks.submitted import NewRun

from ..conftest import Bench


def test_a_portion_of_a_submit_is_judged_with_what_its_call_said(bench: Bench) -> None:
    session, routes = bench.client().session, bench.engine.part(Routes)
    bench.engine.store.begin()
    call = Call(session, 1, lambda call: None, [])
    given = SubmitCall(call, "q", "m:f", TaskOptions(priority=3), "s", None, None, None, None)
    judge = bench.engine.part(Dispatch).judge
    small, large = NewRun(new_ids(), [b"x"]), NewRun(new_ids(), [bytes(LARGE_BYTES + 1)])
    first = judge.submission(given, routes.route("q", "m:f"), [small])
    second = judge.submission(given, routes.route("q", "m:f"), [large])
    assert [(one.session, one.options.priority, one.stream) for one in (first, second)] == [
        (session, 3, "s"),
        (session, 3, "s"),
    ]
    assert (first.has_large, second.has_large) == (False, True)
    with pytest.raises(InvalidArgument, match="the arguments have"):
        judge.submission(given, first.route, [NewRun(new_ids(), [bytes(64 * 1024 * 1024)])])
