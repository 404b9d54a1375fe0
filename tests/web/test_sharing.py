"""What several open pages show alike is asked for once, and what is dear seldom, whatever their number."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tq.common.errors import Unreachable
from tq.web.page import ShownPage
from tq.web.sharing import AGE_SECONDS_MAX, FORGOTTEN_SECONDS, SHARE, VIEWS_MAX, SharedViews
from tq.web.watching import LOOK_SECONDS


class Master:
    """Makes views, which take their time."""

    def __init__(self) -> None:
        self.now = self.spent = 0.0
        self.made = 0

    def __call__(self) -> float:
        return self.now

    def view(self, seconds: float) -> Callable[[], ShownPage]:
        def make() -> ShownPage:
            self.now += seconds
            self.spent += seconds
            self.made += 1
            return ShownPage(title=str(self.made), template="x.html", command="tq")

        return make

    def away(self) -> ShownPage:
        self.now += 10.0
        self.made += 1
        raise Unreachable("it does not answer")


@pytest.fixture
def master() -> Master:
    return Master()


@pytest.fixture
def views(master: Master) -> SharedViews:
    return SharedViews(master)


def test_twenty_pages_that_show_the_same_ask_once_a_look(master: Master, views: SharedViews) -> None:
    for _ in range(10):
        titles = {views.again(("k", "/queues"), master.view(0.001)).page.title for _ in range(20)}
        assert len(titles) == 1
        master.now += LOOK_SECONDS
    assert master.made == 10


def test_another_key_and_another_address_are_others(master: Master, views: SharedViews) -> None:
    for place in (("a", "/"), ("b", "/"), ("a", "/?range=3h")):
        views.again(place, master.view(0.001))
    assert master.made == 3


def test_who_opens_a_page_sees_what_is_now(master: Master, views: SharedViews) -> None:
    views.again(("k", "/"), master.view(0.001))
    assert views.fresh(("k", "/"), master.view(0.001)).title == "2"
    assert views.again(("k", "/"), master.view(0.001)).page.title == "2"


def test_what_is_kept_says_when_there_will_be_a_newer_one(master: Master, views: SharedViews) -> None:
    assert views.again(("k", "/"), master.view(0.001)).again == 0
    left = views.again(("k", "/"), master.view(0.001)).again
    assert 0 < left <= LOOK_SECONDS
    master.now += left
    assert views.again(("k", "/"), master.view(0.001)).page.title == "2"


def test_all_dear_views_together_take_their_share_and_no_more(master: Master, views: SharedViews) -> None:
    seconds = 600
    for _ in range(seconds):
        for number in range(10):
            views.again(("k", f"/{number}"), master.view(0.1))
        master.now += 1.0
    assert master.spent < 1.2 * SHARE * seconds


def test_a_view_that_takes_very_long_is_looked_at_once_a_minute_all_the_same(
    master: Master, views: SharedViews
) -> None:
    views.again(("k", "/"), master.view(30.0))
    assert 0 < views.again(("k", "/"), master.view(30.0)).again <= AGE_SECONDS_MAX


def test_those_that_have_waited_for_a_master_that_is_away_do_not_wait_again(
    master: Master, views: SharedViews
) -> None:
    for _ in range(20):
        with pytest.raises(Unreachable):
            views.again(("k", "/"), master.away)
    assert master.made == 1
    master.now += LOOK_SECONDS
    assert views.again(("k", "/"), master.view(0.001)).page.title == "2"


def test_what_no_page_shows_is_forgotten_and_there_is_a_bound(master: Master, views: SharedViews) -> None:
    for number in range(VIEWS_MAX + 10):
        views.again(("k", f"/{number}"), master.view(0.0))
    assert len(views) == VIEWS_MAX
    master.now += FORGOTTEN_SECONDS + 1
    views.again(("k", "/"), master.view(0.0))
    assert len(views) == 1


def test_what_began_before_a_person_opened_the_view_does_not_take_the_place_of_what_they_saw(
    master: Master, views: SharedViews
) -> None:
    place = ("key", "/queues")

    def slow() -> ShownPage:
        master.now += 1.0
        views.fresh(place, master.view(0.1))  # a person has changed something meanwhile, and opens it
        return ShownPage(title="what was before", template="x.html", command="tq")

    views.again(place, slow)
    assert views.again(place, master.view(0.1)).page.title == "1"


def test_what_began_before_is_not_given_to_who_waits_for_it_either_when_there_is_a_newer_one(
    master: Master, views: SharedViews
) -> None:
    place = ("key", "/queues")

    def slow() -> ShownPage:
        master.now += 1.0
        views.fresh(place, master.view(0.1))
        return ShownPage(title="what was before", template="x.html", command="tq")

    assert views.again(place, slow).page.title == "1"


def test_what_was_begun_before_a_change_is_shown_to_no_page_of_that_key_after_it(
    master: Master, views: SharedViews
) -> None:
    for key in ("ann", "ben"):
        views.again((key, "/"), master.view(0.001))
    views.has_changed("ann")
    assert [views.again((key, "/"), master.view(0.001)).page.title for key in ("ann", "ben")] == ["3", "2"]

    def slow() -> ShownPage:
        page = master.view(0.001)()
        views.has_changed("ann")  # meanwhile, in another tab
        return page

    assert views.fresh(("ann", "/"), slow).title == "4"
    assert views.again(("ann", "/"), master.view(0.001)).page.title == "5"
    assert views.again(("ann", "/"), master.view(0.001)).page.title == "5"


def test_a_view_that_took_long_once_while_the_machine_was_busy_is_not_kept_for_long(
    master: Master, views: SharedViews
) -> None:
    for seconds in (3.0, 0.001, 3.0):
        views.fresh(("k", "/"), master.view(seconds))
        assert views.again(("k", "/"), master.view(0.001)).again <= LOOK_SECONDS
    views.fresh(("k", "/"), master.view(3.0))
    assert views.again(("k", "/"), master.view(3.0)).again > LOOK_SECONDS
