"""Finding the tasks that a worker serves: in modules, by name or by file. Runs in the children.

``package.module``, ``package.module:app`` or ``path/to/file.py``. A file becomes a module named by its
stem, just as its functions are named when the file is run as a script.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from ...common.domain.callables import NamedCallable, named, offered
from ...common.domain.naming import (
    ALLOW_HTTP,
    APPLY,
    HTTP_PRIVATE,
    HTTP_TASKS,
    SHELL_TASKS,
    SWITCHES,
    load_callable,
    switch_of,
)
from ...common.errors import ConfigError, TqError

_OF_SWITCH: Final = {switch: module for module, switch in SWITCHES.items()}
_WHAT: Final = {
    SWITCHES[SHELL_TASKS]: "run any program here as this user",
    SWITCHES[HTTP_TASKS]: "fetch URLs from here",
}


class BrokenCode(ConfigError):
    """The user's code raised when it was imported; the text is its traceback, and there is no section on it to read."""


def import_failure(known: bool, text: str) -> ConfigError:
    """The error of a child that could not start. ``known``: it is a ConfigError of tq, not of the user's code."""
    return ConfigError(text) if known else BrokenCode(f"your code could not be imported:\n{text}")


def load_tasks(sources: Sequence[str]) -> dict[str, NamedCallable]:
    """Import every source and gather its tasks by name; raises ConfigError, or what the user's code raises.

    Tasks that need a switch (they run programs, they fetch URLs) are left out unless it is among the sources, in whatever module
    they are found.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does
    if ALLOW_HTTP in sources:
        # Before its tasks are gathered: what they may fetch is said to the module itself.
        _import(HTTP_TASKS).serve(is_private=HTTP_PRIVATE in sources)
    tasks: dict[str, NamedCallable] = {}
    for source in sources:
        if source == HTTP_PRIVATE:
            continue
        if source.startswith(APPLY):
            one = _applied(source.removeprefix(APPLY))
            _allowed(f"--apply {one.name}", [one], sources)
            tasks[one.name] = one
            continue
        found = list(offered(_namespace(_OF_SWITCH.get(source, source))))
        if not found:
            raise ConfigError(
                f"{source} offers no tasks; mark functions with @app.task (app = tq.App()), or name another module"
            )
        # By the module of each function: a module that re-exports the tasks of another does not get round the switch.
        found = _allowed(source, found, sources)
        tasks.update((task.name, task) for task in found)
    if not tasks:
        raise ConfigError(
            "no tasks to serve; name a module or a file: tq-worker --connect host:5000 myapp.tasks"
        )
    return tasks


def _allowed(source: str, found: Sequence[NamedCallable], sources: Sequence[str]) -> list[NamedCallable]:
    """Those that may be served; raises ConfigError if that is none."""
    switches = [switch_of(getattr(task.function, "__module__", None) or "") for task in found]
    may = [task for task, switch in zip(found, switches, strict=True) if switch is None or switch in sources]
    if not may:
        raise ConfigError(
            f"{source} lets every client {_WHAT[switches[0] or '']}; if you mean that, start the worker "
            f"with {switches[0]} instead of naming the module"
        )
    return may


def _applied(name: str) -> NamedCallable:
    """One function, a task or not, under the name that it was given."""
    try:
        function = load_callable(name)
    except TqError as error:
        raise ConfigError(f"--apply {error}") from error
    return named(name, function)


def _namespace(source: str) -> dict[str, Any]:
    if source.endswith(".py"):
        return vars(_load_file(Path(source)))
    name, _, attribute = source.partition(":")
    module = _import(name)
    if not attribute:
        return vars(module)
    thing = getattr(module, attribute, None)
    if thing is None:
        raise ConfigError(f"{source}: module {name} has no {attribute}")
    return {attribute: thing}


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # The module itself is missing; one that it imports is its own error, with its own traceback.
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise ConfigError(
                f"there is no module {name!r} (looked in {os.getcwd()} and sys.path); "
                f"a file is named with its ending: {name.replace('.', '/')}.py"
            ) from None
        raise


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"there is no file {path}")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as `python file.py` does
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} cannot be loaded as a Python module")
    module = importlib.util.module_from_spec(spec)
    # Before it runs, as Python does: dataclasses and pickle look their module up there.
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
