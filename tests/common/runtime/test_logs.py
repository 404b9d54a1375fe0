from __future__ import annotations

import io
import json
from typing import Any

import pytest
from tq.common.runtime.logs import LEVELS, SENTENCES, VALUE_CHARS_MAX, EventLog, as_text

MOMENT = 1_767_323_045.0  # 2026-01-02T03:04:05Z


class ClosedPipe(io.StringIO):
    def write(self, text: str, /) -> int:
        raise BrokenPipeError("no reader is left")


def written(format: str, action: str, level: str = "info", **fields: Any) -> str:
    stream = io.StringIO()
    EventLog(format, stream, "debug", clock=lambda: MOMENT).event(action, level=level, **fields)
    return stream.getvalue()


def test_a_text_line_has_time_level_action_sentence_and_fields() -> None:
    line = written("text", "child.died", "warning", pid=4711, how="killed")
    assert line == ("2026-01-02T03:04:05Z warning child.died  a child process died  pid=4711 how=killed\n")


def test_a_log_that_has_times_and_levels_of_its_own_gets_the_rest() -> None:
    fields = {"pid": 4711, "how": "killed"}
    assert as_text("child.died", fields) == "child.died  a child process died  pid=4711 how=killed"


def test_a_json_line_is_the_same_record() -> None:
    record = json.loads(written("json", "child.died", "warning", pid=4711, how="killed"))
    assert record == {
        "time": "2026-01-02T03:04:05Z",
        "level": "warning",
        "action": "child.died",
        "pid": 4711,
        "how": "killed",
    }


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("name", ["authkey", "secret", "token", "password", "smtp_password", "AUTHKEY"])
def test_a_field_that_names_a_secret_is_never_printed(format: str, name: str) -> None:
    line = written(format, "master.started", settings={name: "tr0ub4dor"}, **{name: "tr0ub4dor"})
    assert "tr0ub4dor" not in line
    assert line.count("[hidden]") == 2


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("value", ["a\nforged line", "\x1b[2Jcleared", "\r", "a\u2028b", "\ud800", 'say "x"'])
def test_one_record_stays_one_plain_line_whatever_a_stranger_sends(format: str, value: str) -> None:
    line = written(format, "connection.refused", reason=value)
    assert line.endswith("\n")
    assert line[:-1].isprintable()


def test_values_are_written_as_people_read_them() -> None:
    line = written("text", "x", number=0.123456, raw=b"\x01\xff", empty="", spaced="a b")
    assert line.endswith('number=0.123 raw=01ff empty="" spaced="a b"\n')


def test_a_very_long_value_is_cut() -> None:
    assert len(written("text", "x", reason="y" * 1_000_000)) < VALUE_CHARS_MAX + 100


def test_what_lies_below_the_threshold_is_not_written() -> None:
    for number, threshold in enumerate(LEVELS):
        stream = io.StringIO()
        log = EventLog("text", stream, threshold, clock=lambda: MOMENT)
        for level in LEVELS:
            log.event("x", level=level)
        assert len(stream.getvalue().splitlines()) == len(LEVELS) - number


def test_a_log_that_cannot_be_written_costs_no_work() -> None:
    EventLog("text", ClosedPipe()).event("child.died")
    closed = io.StringIO()
    closed.close()
    EventLog("text", closed).event("child.died")


def test_without_a_stream_it_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog().event("master.stopped")
    assert "master.stopped" in capsys.readouterr().err


def test_every_known_action_is_a_noun_and_what_befell_it() -> None:
    for action, sentence in SENTENCES.items():
        noun, dot, verb = action.partition(".")
        assert dot, action
        assert noun.isidentifier(), action
        assert verb.isidentifier(), action
        assert sentence == sentence.strip().rstrip("."), action
