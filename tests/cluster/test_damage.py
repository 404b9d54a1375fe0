"""A master that meets a damaged part of its store: callers, its log, its pages and doctor say so, and the rest goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tq

from ..master.store.sqlite.test_remedies import PAGE_BYTES
from .conftest import MasterFactory
from .programs import run_program
from .test_doctor import doctor, of
from .test_health import page


def what_show_says(app: tq.App, handle: tq.Handle[Any]) -> str:
    try:
        app.call(("get_tasks",), "show", handle._id, timeout=10)
    except tq.StoreError as error:
        return str(error)
    return ""


def test_a_damaged_part_is_reported_with_its_remedy_and_the_rest_goes_on(
    master_factory: MasterFactory, home: Path
) -> None:
    master = master_factory("--http", "127.0.0.1:0")
    with tq.App(master.url, master.authkey) as app:
        nowhere = app.named("nowhere:task", queue="q")
        handles = [nowhere.submit(f"the task with the number {number} " * 20) for number in range(200)]
    assert master.terminate() == 0
    file = master.data / "tq.db"
    content = bytearray(file.read_bytes())
    start = content.index(b"the task with the number 100 ") // PAGE_BYTES * PAGE_BYTES
    content[start : start + PAGE_BYTES] = b"\xdb" * PAGE_BYTES
    file.write_bytes(content)

    done = run_program("tq-master", "check", "--data", master.data, "--bind", master.address, home=home)
    assert done.returncode == 2
    assert ".recover" in done.stdout

    master.start()
    assert doctor(home, **of(master)).levels.get("store") is None, "it has met nothing so far"
    with tq.App(master.url, master.authkey) as app:
        texts = [text for handle in handles if (text := what_show_says(app, handle))]
        assert 0 < len(texts) < len(handles) / 4, "only what is on that page"
        assert all("malformed; the file is damaged: stop the master" in text for text in texts)
        assert app.named("nowhere:task", queue="q").submit(1).state == tq.State.READY
    assert "error store.damaged" in master.log
    seen = doctor(home, **of(master))
    assert seen.levels["store"] == "error"
    assert ".recover" in seen.texts["store"]
    assert ".recover" in page(master, "/readyz")[1]["damage"]
