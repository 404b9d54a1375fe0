"""Named callables: what a function is called so that another process finds it, and finding it there.

A name is ``module:qualname``. ``__main__`` is named as others import it: by its package path when it was
started with ``-m``, by its file's stem otherwise. What has no such name is refused, with the line to
write instead.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from ..errors import Forbidden, InvalidArgument, NotNamed
from .globs import fits_any

# These are served only by workers with a switch of their own: see SWITCHES
SHELL_TASKS: Final = "tq.tasks.shell"
HTTP_TASKS: Final = "tq.tasks.http"

# Among the sources of a worker, which are modules and files:
ALLOW_SHELL: Final = "--allow-shell"  # the tasks that run programs
ALLOW_HTTP: Final = "--allow-http"  # the task that fetches URLs
HTTP_PRIVATE: Final = "--http-private"  # from the worker's own network as well
APPLY: Final = "--apply="  # begins the source that is one function, for the items of queues

SWITCHES: Final = {SHELL_TASKS: ALLOW_SHELL, HTTP_TASKS: ALLOW_HTTP}
_OFFERED: Final = {SHELL_TASKS: ("run",), HTTP_TASKS: ("fetch",)}  # the tasks of these modules
_WILD: Final = re.compile(r"[*?[]")


def switch_of(module: str) -> str | None:
    """The option without which no worker serves what is in this module; None if it needs none."""
    return next(
        (switch for name, switch in SWITCHES.items() if module == name or module.startswith(f"{name}.")), None
    )


def switches_missing(patterns: Sequence[str], given: Sequence[str]) -> list[str]:
    """The modules that these patterns cover and that are not served all the same, for want of the option of each."""
    return [
        module
        for module, switch in SWITCHES.items()
        if switch not in given and any(fits_any(f"{module}.{name}", patterns) for name in _OFFERED[module])
    ]


def needs_switch(pattern: str) -> str | None:
    """The option without which nothing that this pattern covers is served; None: it covers other callables as well."""
    return switch_of(_WILD.split(pattern, maxsplit=1)[0].rstrip("."))


def callable_name(function: Callable[..., Any]) -> str:
    """``module:qualname``; raises NotNamed for what no other process could import."""
    if isinstance(function, partial):
        raise NotNamed(
            "a functools.partial has no name; write a function: def job(x): return "
            f"{getattr(function.func, '__name__', 'function')}(…, x)"
        )
    owner = getattr(function, "__self__", None)
    if isinstance(owner, type):
        call = f"{owner.__name__}.{function.__name__}"
        raise NotNamed(
            f"{call} is a class method, which is not found by name; write a function: def job(…): return {call}(…)"
        )
    if owner is not None and not isinstance(owner, ModuleType):
        raise NotNamed(
            f"the bound method {function.__qualname__} carries an object along; write a function that makes "
            f"the object and calls it: def job(…): return {type(owner).__name__}(…).{function.__name__}(…)"
        )
    qualname = getattr(function, "__qualname__", None)
    if not isinstance(qualname, str):
        raise NotNamed(
            f"a {type(function).__name__} has no name; use a function defined with def in a module"
        )
    if "<lambda>" in qualname:
        raise NotNamed("a lambda has no name that a worker could import; write: def job(x): return …")
    if "<locals>" in qualname:
        outer, _, inner = qualname.rpartition(".<locals>.")
        raise NotNamed(
            f"{inner} is defined inside {outer}, where a worker cannot find it; move `def {inner}(…)` to the top of its module"
        )
    return f"{module_name_of(function)}:{qualname}"


def module_name_of(thing: Any) -> str:
    """The module of a function or class, as another process would import it."""
    name = getattr(thing, "__module__", None) or "builtins"
    if name != "__main__":
        return str(name)
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        package, _, last = spec.name.rpartition(".")
        return package if last == "__main__" and package else str(spec.name)
    file = getattr(main, "__file__", None)
    if file is None or file == "<stdin>":
        raise NotNamed(
            f"{getattr(thing, '__name__', thing)} was typed at a prompt or in a notebook, where a worker cannot find it; "
            "put it into a file, e.g. jobs.py, and `from jobs import …`"
        )
    return Path(file).stem


def find_loaded(name: str) -> Any:
    """What ``module:qualname`` names among the modules already loaded; None if nothing.

    Imports nothing and runs nothing, for the name may come from the wire: namespaces are read as they
    stand, past any ``__getattr__`` and descriptor.
    """
    module_name, _, qualname = name.partition(":")
    found: Any = sys.modules.get(module_name)
    if found is None:
        main = sys.modules.get("__main__")
        file = getattr(main, "__file__", None)
        spec = getattr(main, "__spec__", None)
        if (spec is not None and spec.name == module_name) or (file and Path(file).stem == module_name):
            found = main
    for part in qualname.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    return found


_loading: list[str] = []


def is_loading() -> bool:
    """Whether a module is being imported at this moment because a callable of it was named."""
    return bool(_loading)


def load_callable(name: str) -> Callable[..., Any]:
    """Import what ``module:qualname`` names; raises NotNamed or InvalidArgument with the line to write."""
    module_name, colon, qualname = name.partition(":")
    if not colon or not module_name or not qualname:
        raise InvalidArgument(
            f"{name!r} is not a callable's name; write 'module:function', e.g. 'myapp.queues:make'"
        )
    if "<" in qualname:
        raise NotNamed(
            f"{name!r} is a lambda or a nested function; write a function at the top of {module_name} and name it: "
            f"'{module_name}:make_queue'"
        )
    _loading.append(name)
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise NotNamed(
            f"{name!r}: cannot import {module_name} ({error}); is it installed, or its folder on PYTHONPATH?"
        ) from error
    except (
        Exception
    ) as error:  # the user's module says why; where, its traceback would: hence the line to try
        raise NotNamed(
            f"{name!r}: importing {module_name} raised {type(error).__name__}: {error}; "
            f"`python -c 'import {module_name}'` shows where"
        ) from error
    finally:
        _loading.remove(name)
    for part in qualname.split("."):
        found = getattr(found, "__dict__", {}).get(part)
        if found is None:
            raise NotNamed(f"{name!r}: {module_name} has no {qualname}; check the spelling")
    if not callable(found):
        raise NotNamed(f"{name!r} is a {type(found).__name__}, not a callable; name a function or a class")
    real = getattr(found, "__qualname__", qualname)
    if "<lambda>" in real or "<locals>" in real:
        raise NotNamed(
            f"{name!r} is a lambda or a nested function; write `def {qualname}(…): …` at the top of {module_name}"
        )
    return found  # type: ignore[no-any-return]


def is_allowed(name: str, patterns: Sequence[str]) -> bool:
    """Whether ``module:qualname`` fits one of the patterns, in which it is written ``module.qualname``.

    No pattern allows to run programs or to fetch URLs: these have switches of their own.
    """
    if switch_of(name.partition(":")[0]) is not None:
        return False
    dotted = name.replace(":", ".")
    return fits_any(dotted, patterns)


def load_allowed(name: str, patterns: Sequence[str]) -> Callable[..., Any]:
    """Import a callable that one of the patterns allows; raises Forbidden, and as ``load_callable`` does.

    It has to be what it is called: ``myapp:os.system`` fits ``myapp.*`` when myapp imports os, and is
    ``posix:system`` all the same.
    """
    if not is_allowed(name, patterns):
        option = switch_of(name.partition(":")[0]) or f"--allow '{name.replace(':', '.')}'"
        raise Forbidden(f"this worker does not allow {name}; start it with {option}")
    found = load_callable(name)
    real = callable_name(found)
    if real != name:
        raise Forbidden(f"{name} is {real} by its own name, and only that could be allowed")
    return found
