"""The logger of a task."""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Iterator

import pytest
from tq.common.domain.context import Context


@pytest.fixture
def log() -> Iterator[logging.LoggerAdapter[logging.Logger]]:
    """That of a context; all logging is afterwards what it was."""
    loggers = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    disabled = [one.disabled for one in loggers]
    yield Context(id="an id", attempt=3, queue="q", name="n", token="t", deadline=None).log
    logging.disable(logging.NOTSET)
    logging.getLogger("tq.task").setLevel(logging.NOTSET)
    for one, was in zip(loggers, disabled, strict=True):
        one.disabled = was


def test_its_records_say_which_attempt_of_which_task_they_are_of(
    log: logging.LoggerAdapter[logging.Logger], caplog: pytest.LogCaptureFixture
) -> None:
    log.warning("words")
    [record] = caplog.records
    assert (record.name, vars(record)["task"], vars(record)["attempt"]) == ("tq.task", "an id", 3)


def test_a_configuration_that_disables_all_loggers_leaves_it(
    log: logging.LoggerAdapter[logging.Logger], caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("tq.task")
    logging.config.dictConfig({"version": 1})
    logging.getLogger("tq.task").error("disabled")
    log.error("seen")
    assert [record.message for record in caplog.records] == ["seen"]


def test_it_has_the_level_of_its_logger_from_the_moment_in_which_that_is_set(
    log: logging.LoggerAdapter[logging.Logger],
) -> None:
    def enabled() -> list[bool]:
        return [log.isEnabledFor(level) for level in (logging.WARNING, logging.ERROR, logging.CRITICAL)]

    assert enabled() == [True, True, True]
    logging.getLogger("tq.task").setLevel(logging.ERROR)
    assert enabled() == [False, True, True]
    logging.disable(logging.ERROR)
    assert enabled() == [False, False, True]
