"""Finding what a worker serves: by module, by app, by file; and what is said when there is nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tq.common.domain.naming import ALLOW_SHELL
from tq.common.errors import ConfigError
from tq.worker.child.loading import load_tasks

TASKS = """
import tq
app = tq.App()
other = tq.App()
plain = 7

@app.task(queue="img", timeout=5)
def thumb(path): return path

@other.task
def mail(to): return to
"""

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a file below a fresh current directory; what is imported is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    known = set(sys.modules)

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    yield write
    for name in set(sys.modules) - known:
        del sys.modules[name]


def test_a_module_of_the_current_directory_offers_all_its_tasks(write: Write) -> None:
    write("loading_a.py", TASKS)
    tasks = load_tasks(["loading_a"])
    assert set(tasks) == {"loading_a:thumb", "loading_a:mail"}
    thumb = tasks["loading_a:thumb"]
    assert (thumb.queue, thumb.options.timeout, thumb.function("p")) == ("img", 5, "p")


def test_an_app_is_picked_by_its_name(write: Write) -> None:
    write("loading_b.py", TASKS)
    assert set(load_tasks(["loading_b:other"])) == {"loading_b:mail"}


def test_a_module_of_a_package_is_named_with_dots(write: Write) -> None:
    write("loading_pack/__init__.py", "")
    write("loading_pack/jobs.py", TASKS)
    assert "loading_pack.jobs:thumb" in load_tasks(["loading_pack.jobs"])


def test_a_file_is_a_module_named_by_its_stem(write: Write) -> None:
    path = write("elsewhere/loading_c.py", TASKS)
    assert set(load_tasks([str(path)])) == {"loading_c:thumb", "loading_c:mail"}


def test_a_file_finds_its_neighbours(write: Write) -> None:
    write("elsewhere/loading_neighbour.py", "NUMBER = 42")
    path = write(
        "elsewhere/loading_d.py",
        "import loading_neighbour\nimport tq\napp = tq.App()\n@app.task\ndef f(): return loading_neighbour.NUMBER",
    )
    assert load_tasks([str(path)])["loading_d:f"].function() == 42


def test_several_sources_are_served_together(write: Write) -> None:
    write("loading_e.py", TASKS)
    path = write("loading_f.py", TASKS)
    assert len(load_tasks(["loading_e", str(path)])) == 4


# what is wrong


@pytest.mark.parametrize("name", ["loading_none", "loading_none.jobs"])
def test_a_missing_module_is_reported_with_the_file_that_was_looked_for(write: Write, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"there is no module '{name}' .* {name.replace('.', '/')}\.py"):
        load_tasks([name])


def test_a_missing_file_is_reported(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"there is no file nowhere\.py"):
        load_tasks(["nowhere.py"])


def test_a_missing_app_is_reported(write: Write) -> None:
    write("loading_g.py", TASKS)
    with pytest.raises(ConfigError, match="loading_g:application: module loading_g has no application"):
        load_tasks(["loading_g:application"])


@pytest.mark.parametrize("text", ["", "import tq\napp = tq.App()", "from decimal import Decimal"])
def test_a_module_without_tasks_says_how_to_mark_them(write: Write, text: str) -> None:
    path = write("loading_h.py", text)
    with pytest.raises(ConfigError, match=r"loading_h\.py offers no tasks; mark functions with @app\.task"):
        load_tasks([str(path)])


def test_an_attribute_that_is_no_app_offers_no_tasks(write: Write) -> None:
    write("loading_i.py", TASKS)
    with pytest.raises(ConfigError, match="loading_i:plain offers no tasks"):
        load_tasks(["loading_i:plain"])


def test_no_source_at_all_is_reported() -> None:
    with pytest.raises(ConfigError, match="no tasks to serve; name a module or a file"):
        load_tasks([])


def test_an_import_that_fails_inside_the_module_is_its_own_error(write: Write) -> None:
    """Not "there is no module": the module is there, what it imports is not."""
    write("loading_j.py", "import loading_that_is_missing")
    with pytest.raises(ModuleNotFoundError, match="loading_that_is_missing"):
        load_tasks(["loading_j"])


@pytest.mark.parametrize("text", ["1 / 0", "def f(:", "raise SystemExit(3)"])
def test_what_the_code_of_the_user_raises_is_not_dressed_up(write: Write, text: str) -> None:
    write("loading_k.py", text)
    with pytest.raises((ZeroDivisionError, SyntaxError, SystemExit)):
        load_tasks(["loading_k"])


def test_what_runs_programs_is_served_only_with_its_switch(write: Write) -> None:
    write("loading_shell.py", TASKS + "from tq.tasks.shell import run, app as shell\n")
    assert set(load_tasks(["loading_shell"])) == {"loading_shell:thumb", "loading_shell:mail"}
    with pytest.raises(ConfigError, match="start the worker with --allow-shell"):
        load_tasks(["tq.tasks.shell"])
    assert set(load_tasks([ALLOW_SHELL])) == {"tq.tasks.shell:run"}
    assert "tq.tasks.shell:run" in load_tasks(["loading_shell", ALLOW_SHELL])


def test_no_function_that_needs_a_switch_is_applied_to_items_without_it() -> None:
    with pytest.raises(ConfigError, match="start the worker with --allow-shell"):
        load_tasks(["--apply=tq.tasks.shell:run"])
