from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest
from tq.common.domain.naming import callable_name, is_allowed, load_allowed, load_callable
from tq.common.errors import Forbidden, InvalidArgument, NotNamed


class Box:
    def method(self) -> None:
        """Bound to an object."""

    @staticmethod
    def static() -> None:
        """A function in a class: it has a name."""

    @classmethod
    def made(cls) -> Box:
        return cls()


def outer() -> object:
    def inner() -> None:
        """No other module can import this."""

    return inner


def test_a_function_is_named_by_its_module_and_place() -> None:
    assert callable_name(Box.static) == f"{__name__}:Box.static"
    assert callable_name(vars(Box)["made"].__func__) == f"{__name__}:Box.made"


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (lambda: 1, r"write: def job\(x\): return"),
        (outer(), r"move `def inner\(…\)` to the top of its module"),
        (functools.partial(print, 1), "functools.partial has no name; write a function"),
        (
            Box().method,
            r"write a function that makes the object and calls it: def job\(…\): return Box\(…\)\.method",
        ),
    ],
)
def test_what_has_no_name_is_refused_with_the_line_to_write(thing: object, message: str) -> None:
    with pytest.raises(NotNamed, match=message):
        callable_name(thing)  # type: ignore[arg-type]


PROGRAM = "from tq.common.domain.naming import callable_name\ndef job(): pass\nprint(callable_name(job))\n"


def run(*arguments: str, directory: Path, text: str | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.stdout + done.stderr


def test_main_is_named_by_its_file_or_its_package(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(PROGRAM)
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__main__.py").write_text(PROGRAM)
    (tmp_path / "pack" / "mod.py").write_text(PROGRAM)
    assert run("jobs.py", directory=tmp_path) == "jobs:job\n"
    assert run("-m", "pack.mod", directory=tmp_path) == "pack.mod:job\n"


def test_a_function_typed_at_a_prompt_is_refused_with_what_to_do(tmp_path: Path) -> None:
    assert "put it into a file, e.g. jobs.py" in run("-", directory=tmp_path, text=PROGRAM)


def test_a_named_callable_is_found_again() -> None:
    assert load_callable("json:dumps").__name__ == "dumps"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("nonsense", InvalidArgument, "write 'module:function'"),
        ("no_such_module:f", NotNamed, "is it installed, or its folder on PYTHONPATH"),
        ("json:nothing", NotNamed, "json has no nothing; check the spelling"),
        ("json:<lambda>", NotNamed, "write a function at the top of json"),
        ("sys:path", NotNamed, "is a list, not a callable"),
    ],
)
def test_a_name_that_leads_nowhere_says_what_is_wrong(
    name: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        load_callable(name)


@pytest.mark.parametrize(
    ("name", "pattern", "fits"),
    [
        ("math:sqrt", "math.*", True),
        ("math:sqrt", "math.sqrt", True),
        ("myapp.jobs:Box.static", "myapp.*", True),
        ("math:sqrt", "math", False),
        ("mathematics:sqrt", "math.*", False),
        ("math:sqrt", "MATH.*", False),
    ],
)
def test_a_pattern_allows_what_it_fits(name: str, pattern: str, fits: bool) -> None:
    assert is_allowed(name, ["nothing.*", pattern]) is fits


def test_an_allowed_callable_is_imported() -> None:
    assert load_allowed("math:sqrt", ["math.*"])(9.0) == 3.0


def test_another_callable_is_refused_with_the_flag_that_would_allow_it() -> None:
    with pytest.raises(Forbidden, match=r"start it with --allow 'os.system'"):
        load_allowed("os:system", ["math.*"])


def test_what_a_module_only_imports_is_not_allowed_as_its_own() -> None:
    with pytest.raises(Forbidden, match=r"is posix:system by its own name"):
        load_allowed("shutil:os.system", ["shutil.*"])


@pytest.mark.parametrize("pattern", ["*", "tq.*", "tq.tasks.shell.run"])
def test_no_pattern_allows_to_run_programs(pattern: str) -> None:
    """That has a switch of its own: --allow-shell."""
    assert not is_allowed("tq.tasks.shell:run", [pattern])
    with pytest.raises(Forbidden):
        load_allowed("tq.tasks.shell:run", [pattern])


@pytest.mark.parametrize(
    "name", ["tq.tasks.http:fetch", "tq.tasks.http.session:HttpSession", "tq.tasks.http:serve"]
)
def test_no_pattern_allows_to_fetch_urls_nor_reaches_the_parts_that_do(name: str) -> None:
    for pattern in ("*", "tq.*", name.replace(":", ".")):
        assert not is_allowed(name, [pattern])
        with pytest.raises(Forbidden, match="start it with --allow-http"):
            load_allowed(name, [pattern])
    assert is_allowed("tq.tasks.httpx:get", ["tq.*"])
