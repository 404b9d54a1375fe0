"""How often a refused login is tried, by all processes together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tq.tasks.login_breaker import PAUSE_SECONDS_MAX, PAUSE_SECONDS_MIN, LoginBreaker, LoginPaused


class RefusedError(Exception):
    pass


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def refuse(breaker: LoginBreaker) -> None:
    with breaker.guarded(RefusedError):
        raise RefusedError


def tries_of(clock: Clock, seconds: int) -> int:
    """How often a server sees a wrong password while a message comes every second, each in a process of its own."""
    tries, pauses = 0, [PAUSE_SECONDS_MIN]
    for _ in range(seconds):
        try:
            refuse(LoginBreaker("smtp://host:25", "news", "wrong", clock))
        except RefusedError:
            tries += 1
        except LoginPaused as paused:
            pauses.append(paused.seconds)
        clock.now += 1
    assert 0 < min(pauses) <= max(pauses) <= PAUSE_SECONDS_MAX
    return tries


@pytest.mark.parametrize(("seconds", "tries"), [(int(PAUSE_SECONDS_MIN), 1), (500, 4)])
def test_a_wrong_password_is_tried_after_pauses_that_double(
    seconds: int, tries: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr("tq.tasks.login_breaker.SCRYPT_N", 2)
    assert tries_of(Clock(), seconds) == tries


def test_a_corrected_password_and_another_user_do_not_wait() -> None:
    clock = Clock()
    with pytest.raises(RefusedError):
        refuse(LoginBreaker("smtp://host:25", "news", "wrong", clock))
    for user, password in (("news", "right"), ("shop", "wrong")):
        with LoginBreaker("smtp://host:25", user, password, clock).guarded(RefusedError):
            pass


def test_a_login_that_is_accepted_ends_the_pauses() -> None:
    clock = Clock()
    breaker = LoginBreaker("smtp://host:25", "news", "slow", clock)
    for _ in range(5):
        with pytest.raises(RefusedError):
            refuse(breaker)
        clock.now += PAUSE_SECONDS_MAX
    with breaker.guarded(RefusedError):
        pass
    with pytest.raises(RefusedError):
        refuse(breaker)
    assert breaker.pause_left() == PAUSE_SECONDS_MIN


def test_a_clock_that_is_set_back_makes_no_pause_longer() -> None:
    clock = Clock()
    breaker = LoginBreaker("smtp://host:25", "news", "wrong", clock)
    with pytest.raises(RefusedError):
        refuse(breaker)
    clock.now -= 86_400
    assert breaker.pause_left() == PAUSE_SECONDS_MIN


def test_without_a_directory_a_process_remembers_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    breaker = LoginBreaker("smtp://host:25", "news", "wrong", Clock())
    with pytest.raises(RefusedError):
        refuse(breaker)
    with pytest.raises(LoginPaused):
        refuse(breaker)


def test_the_file_has_neither_the_password_nor_a_name_that_gives_it_away(state: Path) -> None:
    with pytest.raises(RefusedError):
        refuse(LoginBreaker("smtp://host:25", "news", "hunter2", Clock()))
    [file] = (state / "tq" / "smtp-logins").iterdir()
    assert "hunter2" not in file.name + file.read_text()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


TRY = """
import os, sys
from tq.tasks.login_breaker import LoginBreaker, LoginPaused
class RefusedError(Exception): pass
sys.stdin.readline()
try:
    with LoginBreaker("smtp://host:25", "news", "wrong").guarded(RefusedError):
        print("a try")
        raise RefusedError
except (RefusedError, LoginPaused):
    pass
"""


def test_processes_that_begin_at_once_try_once_together() -> None:
    pipe = subprocess.PIPE
    programs = [
        subprocess.Popen([sys.executable, "-c", TRY], stdin=pipe, stdout=pipe, text=True) for _ in range(4)
    ]
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
    said = [program.communicate(timeout=60)[0] for program in programs]
    assert [program.returncode for program in programs] == [0] * 4
    assert "".join(said) == "a try\n"
