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
from typing import Any

from ...common.domain.callables import NamedCallable, named, offered
from ...common.domain.naming import ALLOW_SHELL, APPLY, SHELL_TASKS, load_callable
from ...common.errors import ConfigError, TqError


class BrokenCode(ConfigError):
    """The user's code raised when it was imported; the text is its traceback, and there is no section on it to read."""


def import_failure(known: bool, text: str) -> ConfigError:
    """The error of a child that could not start. ``known``: it is a ConfigError of tq, not of the user's code."""
    return ConfigError(text) if known else BrokenCode(f"your code could not be imported:\n{text}")


def load_tasks(sources: Sequence[str]) -> dict[str, NamedCallable]:
    """Import every source and gather its tasks by name; raises ConfigError, or what the user's code raises.

    Tasks that run programs are left out unless ALLOW_SHELL is among the sources, in whatever module they are found.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does
    tasks: dict[str, NamedCallable] = {}
    for source in sources:
        if source.startswith(APPLY):
            one = _applied(source.removeprefix(APPLY))
            tasks[one.name] = one
            continue
        found = list(offered(_namespace(SHELL_TASKS if source == ALLOW_SHELL else source)))
        if not found:
            raise ConfigError(
                f"{source} offers no tasks; mark functions with @app.task (app = tq.App()), or name another module"
            )
        if ALLOW_SHELL not in sources:
            found = [task for task in found if task.function.__module__ != SHELL_TASKS]
            if not found:
                raise ConfigError(
                    f"{source} lets every client run any program here as this user; if you mean that, start the worker "
                    "with --allow-shell instead of naming the module"
                )
        tasks.update((task.name, task) for task in found)
    if not tasks:
        raise ConfigError(
            "no tasks to serve; name a module or a file: tq-worker --connect host:5000 myapp.tasks"
        )
    return tasks


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
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
