"""Two kinds of tests: the function itself, and the task on a real cluster that lives as long as the test."""

from __future__ import annotations

from collections.abc import Iterator

import jobs
import pytest
import tq


@pytest.fixture(scope="module")
def cluster() -> Iterator[tq.App]:
    """A master and a worker with our tasks; what is submitted inside goes to them and nowhere else."""
    with tq.throwaway_cluster(jobs.app) as app:
        yield app


def test_words_are_counted() -> None:
    assert jobs.count_words("to be or not to be") == 6


def test_a_worker_counts_them_too(cluster: tq.App) -> None:
    assert jobs.count_words.submit("to be or not to be").result(timeout=30) == 6


def test_an_address_that_is_none_is_given_up_at_once(cluster: tq.App) -> None:
    with pytest.raises(tq.TaskError, match="not the address of a page"):
        jobs.fetch.submit("nothing").result(timeout=30)
