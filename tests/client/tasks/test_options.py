"""Options as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import tq
from tq.client.tasks.options import choose


def test_without_options_nothing_travels() -> None:
    choice = choose({})
    assert (choice.queue, choice.wire) == ("default", {})


def test_options_are_laid_over_those_given_before() -> None:
    first = choose({"queue": "img", "retries": 5, "timeout": 60})
    second = choose({"timeout": None, "priority": 7}, first)
    assert second.queue == "img"
    assert second.wire == {"retries": 5, "priority": 7}


def test_times_may_be_timedelta_and_datetime() -> None:
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    assert choose({"at": moment, "timeout": timedelta(minutes=1)}).wire == {
        "at": moment.timestamp(),
        "timeout": 60.0,
    }


def test_a_time_without_a_zone_is_refused_with_the_remedy() -> None:
    for name in ("at", "deadline"):
        with pytest.raises(tq.InvalidArgument, match=f"write {name}=moment.astimezone"):
            choose({name: datetime(2030, 1, 1)})


def test_a_deadline_is_a_time_after_the_submit_or_a_moment() -> None:
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    assert choose({"deadline": timedelta(minutes=1)}).wire == {"deadline": 60.0}
    assert choose({"deadline": moment}).wire == {"deadline": moment.timestamp()}
    assert choose({"deadline": None}, choose({"deadline": 5})).wire == {}
    with pytest.raises(tq.InvalidArgument, match=r"neither seconds after the submit .* nor a Unix time"):
        choose({"deadline": 5e8})
    with pytest.raises(tq.InvalidArgument, match="deadline=-1 is out of range"):
        choose({"deadline": -1})


def test_the_nearer_of_delay_and_at_counts() -> None:
    assert choose({"at": 5.0}, choose({"delay": 30})).wire == {"at": 5.0}
    assert choose({"delay": 30}, choose({"at": 5.0})).wire == {"delay": 30}
    with pytest.raises(tq.InvalidArgument, match="exclude"):
        choose({"delay": 30, "at": 5.0})


def test_an_unknown_option_is_named_with_the_known_ones() -> None:
    with pytest.raises(tq.InvalidArgument, match=r"unknown option 'prio'; one of: .*priority"):
        choose({"prio": 1})


@pytest.mark.parametrize(
    "given", [{"retries": -1}, {"timeout": 0}, {"queue": "with space"}, {"delivery": "x"}]
)
def test_a_bad_value_is_refused_when_it_is_given(given: dict[str, object]) -> None:
    with pytest.raises(tq.InvalidArgument):
        choose(given)
