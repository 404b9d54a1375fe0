"""The parts of a child's process that are put back between tasks, but for its streams and logging: see process_state.py.

What a task may replace in the modules ``os``, ``signal`` and others was bound here before.
"""

from __future__ import annotations

import decimal
import faulthandler
import gc
import locale
import os
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from operator import is_
from typing import Any, Final

from .process_state import ProcessPart

SIGNALS: Final = (
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM),
    *(signal.SIGPIPE, signal.SIGALRM, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2),
)
DIRECTORY: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY
STRICT_UMASK: Final = 0o077  # while it is read: files that a thread makes meanwhile are not open to others
_getcwd, _chdir, _open, _close, _umask = os.getcwd, os.fchdir, os.open, os.close, os.umask
# Below the functions of the module, which make enums of what they find: that takes twenty times as long.
_signal = vars(signal)["_signal"]
_handler, _handle, _mask = _signal.getsignal, _signal.signal, _signal.pthread_sigmask
_timer, _set_timer = signal.getitimer, signal.setitimer
# What os.environ and os.environb stand on: to compare it takes less than a microsecond, to read either takes twenty.
_encoded: dict[bytes, bytes] = vars(os.environ)["_data"]
_locale, _decimal = locale.setlocale, decimal.getcontext


def process_parts(restore_dumps: Callable[[], None]) -> Iterator[ProcessPart]:
    """``restore_dumps``: makes the process write its stacks again when it is asked to by a signal."""
    yield SignalHandlers(restore_dumps)
    yield WorkingDirectory()
    yield Setting(_read_umask, _umask)
    yield Environment()
    yield ListOf(sys, "path")
    yield ListOf(sys, "argv")
    yield ListOf(warnings, "filters", warnings.resetwarnings)  # which has them looked through again
    yield Setting(lambda: _locale(locale.LC_ALL), lambda noted: _locale(locale.LC_ALL, noted))
    yield Setting(_read_decimal, _write_decimal)
    yield Setting(sys.getrecursionlimit, sys.setrecursionlimit)
    yield Setting(socket.getdefaulttimeout, socket.setdefaulttimeout)
    yield Setting(gc.isenabled, lambda noted: gc.enable() if noted else gc.disable())


def same(found: Sequence[Any], noted: Sequence[Any]) -> bool:
    """Whether they are the same objects. An object's own idea of equality is not asked."""
    return len(found) == len(noted) and all(map(is_, found, noted))


class Setting:
    """What is read and written by a pair of functions, and is compared by value."""

    made_by_imports = True

    def __init__(self, read: Callable[[], Any], write: Callable[[Any], object]) -> None:
        self._read, self._write = read, write
        self._noted: Any = None

    def note(self) -> None:
        self._noted = self._read()

    def differs(self) -> bool:
        return bool(self._read() != self._noted)

    def put_back(self) -> None:
        self._write(self._noted)


class ListOf:
    """A list of a module. ``before``: called before it is put back."""

    made_by_imports = True

    def __init__(self, module: Any, name: str, before: Callable[[], object] | None = None) -> None:
        self._module, self._name, self._before = module, name, before

    def note(self) -> None:
        self._list: list[Any] = getattr(self._module, self._name)
        self._noted = tuple(self._list)

    def differs(self) -> bool:
        # A task may replace the list, or change it in place.
        return getattr(self._module, self._name, None) is not self._list or not same(self._list, self._noted)

    def put_back(self) -> None:
        setattr(self._module, self._name, self._list)
        if self._before is not None:
            self._before()
        # The same object: others hold references to it.
        self._list[:] = self._noted


class WorkingDirectory:
    """By a descriptor: the directory may have another name meanwhile, or none."""

    made_by_imports = False

    def __init__(self) -> None:
        self._descriptor = -1

    def note(self) -> None:
        if self._descriptor >= 0:
            _close(self._descriptor)
        try:
            self._descriptor = _open(".", DIRECTORY)
        except OSError:  # it was removed before
            self._descriptor = -1
        self._noted = self._path()

    def differs(self) -> bool:
        return self._path() != self._noted

    def put_back(self) -> None:
        if self._descriptor >= 0:
            _chdir(self._descriptor)
        self._noted = self._path()

    @staticmethod
    def _path() -> str | None:
        try:
            return _getcwd()
        except OSError:
            return None  # it was removed


class Environment:
    """``os.environ``: the object, and what is in it."""

    made_by_imports = True

    def note(self) -> None:
        self._object, self._noted = os.environ, dict(_encoded)

    def differs(self) -> bool:
        return os.environ is not self._object or _encoded != self._noted

    def put_back(self) -> None:
        os.environ = self._object  # noqa: B003 - it is the object that was there
        changed = {name for name, _ in self._noted.items() ^ _encoded.items()}
        for name in changed:
            if name in self._noted:
                os.environb[name] = self._noted[name]
            else:
                del os.environb[name]
        if b"TZ" in changed:
            time.tzset()


class SignalHandlers:
    """The handlers of signals that ask for something, the mask, and the timer of ``signal.alarm``: one that is left running
    would end another task's process."""

    made_by_imports = False

    def __init__(self, restore_dumps: Callable[[], None]) -> None:
        self._restore_dumps = restore_dumps

    def note(self) -> None:
        self._handlers, self._rest = self._read()

    def differs(self) -> bool:
        handlers, rest = self._read()
        return rest != self._rest or not same(handlers, self._handlers)

    def put_back(self) -> None:
        mask, is_timed, _ = self._rest
        if not is_timed:
            _set_timer(signal.ITIMER_REAL, 0)
        for number, noted in zip(SIGNALS, self._handlers, strict=True):
            if noted is not None and _handler(number) is not noted:  # None: code in C has set it
                _handle(number, noted)
        _mask(signal.SIG_SETMASK, mask)
        self._restore_dumps()

    @staticmethod
    def _read() -> tuple[list[Any], tuple[set[Any], bool, bool]]:
        rest = _mask(signal.SIG_BLOCK, ()), any(_timer(signal.ITIMER_REAL)), faulthandler.is_enabled()
        return list(map(_handler, SIGNALS)), rest


def _read_umask() -> int:
    found = _umask(STRICT_UMASK)
    _umask(found)
    return found


def _read_decimal() -> tuple[Any, ...]:
    here = _decimal()
    return here.prec, here.rounding, here.Emin, here.Emax, here.capitals, here.clamp, dict(here.traps)


def _write_decimal(noted: tuple[Any, ...]) -> None:
    here = _decimal()
    here.prec, here.rounding, here.Emin, here.Emax, here.capitals, here.clamp, traps = noted
    here.traps.update(traps)
