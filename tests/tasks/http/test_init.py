"""Serving the task: only with its switch, with the library, and by the rules of the worker."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
import tq
from tq.common.domain.naming import ALLOW_HTTP, ALLOW_SHELL, HTTP_PRIVATE
from tq.common.errors import ConfigError
from tq.tasks.http import fetch, session
from tq.tasks.http.ends import Refused
from tq.tasks.http.names import Policy
from tq.worker.child.loading import load_tasks

TASKS = """
import tq
app = tq.App()

@app.task
def thumb(path): return path
"""


def test_what_fetches_urls_is_served_only_with_its_switch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_policy", None)
    (tmp_path / "loading_http.py").write_text(TASKS + "from tq.tasks.http import app as http\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert set(load_tasks(["loading_http", ALLOW_SHELL])) == {
        "loading_http:thumb",
        "tq.tasks.shell:run",
    }
    for source in ("tq.tasks.http", "tq.tasks.http:app", "--apply=tq.tasks.http:fetch"):
        with pytest.raises(
            ConfigError,
            match=r"lets every client fetch URLs from here; .* start the worker with --allow-http",
        ):
            load_tasks([source, ALLOW_SHELL])
    assert session._policy is None
    assert set(load_tasks([ALLOW_HTTP])) == {"tq.tasks.http:fetch"}
    assert session._policy == Policy()
    assert "tq.tasks.http:fetch" in load_tasks(["loading_http", ALLOW_HTTP, HTTP_PRIVATE])
    assert session._policy == Policy(is_private=True)


def test_a_worker_that_lacks_the_library_or_has_a_bad_limit_says_so_at_its_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TQ_HTTP_PER_HOST", "many")
    with pytest.raises(ConfigError, match="TQ_HTTP_PER_HOST must be a number"):
        load_tasks([ALLOW_HTTP])
    http = sys.modules["tq.tasks.http"]
    http._library.cache_clear()  # type: ignore[attr-defined]
    monkeypatch.delattr(http, "session", raising=False)
    monkeypatch.setitem(sys.modules, "tq.tasks.http.session", None)
    with pytest.raises(ConfigError, match=r"pip install 'tq\[http\]'"):
        load_tasks([ALLOW_HTTP])


def test_a_plain_call_in_any_program_fetches_from_public_addresses_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "_policy", None)
    with pytest.raises(Refused, match="loopback"):
        asyncio.run(fetch("http://127.0.0.1:8080/"))
    assert issubclass(Refused, tq.Discard)
