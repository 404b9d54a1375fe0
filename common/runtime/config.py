"""Settings: one validated object from a TOML file, ``TQ_*`` variables and options, in rising precedence.

All faults are reported at once, before anything starts: an unknown key with the nearest known one, a wrong value with what
would be right. The records below are the whole list; ``configs/*.toml`` show the same settings with their defaults, and a
test compares the two.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

from ..domain.naming import ALLOW_HTTP, ALLOW_SHELL, APPLY, HTTP_PRIVATE
from ..errors import ConfigError, InvalidArgument, TqError
from ..values.brief import brief
from ..wire.address import DEFAULT_PORT, HTTP_PORT, Address, parse_address
from ..wire.frames import FRAME_BYTES_MAX
from .guessing import nearest
from .pool_spec import PROCESS, PoolSpec, parse_pools

HERE: Final = Address("127.0.0.1", DEFAULT_PORT)

Problem = tuple[tuple[str, ...], str]

_S = TypeVar("_S", "MasterSettings", "WorkerSettings")


def default_data_directory() -> Path:
    """Where a master keeps its state by default: the user's data directory."""
    import platformdirs

    return platformdirs.user_data_path("tq", appauthor=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class MasterSettings:
    bind: Address = HERE
    data: Path = field(default_factory=default_data_directory)
    durability: str = "fsync"
    heartbeat_seconds: float = 5.0
    lease_seconds: float = 20.0
    grace_seconds: float = 3.0
    result_ttl_seconds: float = 7 * 24 * 3600.0
    results_max: int = 1_000_000
    results_bytes_max: int = 10 * 1024**3
    frame_bytes_max: int = FRAME_BYTES_MAX
    http: Address | None = None
    log_format: str = "text"
    log_level: str = "info"
    authkey_file: Path | None = None
    client_ca_file: Path | None = None
    expose: dict[str, str] = field(default_factory=dict)

    def problems(self) -> list[Problem]:
        """What cannot work together: the settings concerned and the remedy."""
        found: list[Problem] = []
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            remedy = "must be at least twice heartbeat_seconds, or one lost beat loses the leases"
            found.append((("lease_seconds", "heartbeat_seconds"), remedy))
        if self.grace_seconds > self.lease_seconds:
            found.append((("grace_seconds", "lease_seconds"), "must not be longer than lease_seconds"))
        return found


class Application(NamedTuple):
    """A function for the items of queues, and the queue that its results go to."""

    function: str
    results: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerSettings:
    connect: tuple[Address, ...] = (HERE,)
    modules: tuple[str, ...] = ()
    slots: int = field(default_factory=lambda: os.cpu_count() or 1)
    pools: tuple[PoolSpec, ...] = ()
    queues: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    allow_shell: bool = False
    allow_http: bool = False
    http_private: bool = False
    apply: Application | None = None
    labels: dict[str, str] = field(default_factory=dict)
    resources: dict[str, int] = field(default_factory=dict)  # in thousandths, see domain/amounts.py
    kill_grace_seconds: float = 5.0
    max_tasks_per_child: int = 0
    max_seconds_per_child: float = 0.0
    max_memory_per_child: int = 0
    lent_children: int = 4
    nice: int = 0
    task_log_dir: Path | None = None
    http: Address | None = None
    log_format: str = "text"
    log_level: str = "info"
    authkey_file: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """What is served, in the form in which children receive it."""
        given = {ALLOW_SHELL: self.allow_shell, ALLOW_HTTP: self.allow_http, HTTP_PRIVATE: self.http_private}
        switches = [switch for switch, is_on in given.items() if is_on]
        applied = () if self.apply is None else (f"{APPLY}{self.apply.function}",)
        return (*self.modules, *switches, *applied)

    @property
    def all_pools(self) -> tuple[PoolSpec, ...]:
        """Of processes, if nothing else is said."""
        return self.pools or (PoolSpec(PROCESS, 1, self.slots),)

    def problems(self) -> list[Problem]:
        found: list[Problem] = []
        if self.nice < 0 and hasattr(os, "geteuid") and os.geteuid() != 0:
            found.append(
                (("nice",), "must be 0 or more: only root may give its children more of the processor")
            )
        if self.http_private and not self.allow_http:
            remedy = "says from where URLs are fetched, and needs allow_http: --allow-http --http-private"
            found.append((("http_private",), remedy))
        return found


def _application(value: Any) -> Application:
    """``module:function`` or ``module:function > queue``."""
    function, arrow, results = (part.strip() for part in str(value).partition(">"))
    module, colon, name = function.partition(":")
    if not (module and colon and name) or (arrow and not results):
        raise ValueError("'module:function' or 'module:function > queue'")
    return Application(function, results or None)


def _switch(value: Any) -> bool:
    word = str(value).lower()
    if word not in ("true", "false"):
        raise ValueError("true or false")
    return word == "true"


def _seconds(low: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= 1e9:
            raise ValueError(f"a number of seconds from {low:g}")
        return float(value)

    return read


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"a whole number from {low:,} to {high:,}")
        return value

    return read


_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) *([KMGT]?)(i?)B?", re.IGNORECASE)


def _bytes(value: Any) -> int:
    """A size: a number of bytes, or text with a unit (512MiB, 2 GB)."""
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        base = 1024 if match[3] else 1000
        value = int(float(match[1]) * base ** " KMGT".index(match[2].upper() or " "))
    if isinstance(value, bool) or not isinstance(value, int) or not (value == 0 or 2**20 <= value <= 2**50):
        raise ValueError("a size from 1MiB such as 512MiB or 2GiB, or 0 for none")
    return value


def _choice(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError("one of " + ", ".join(words))
        return str(value)

    return read


def _path(value: Any) -> Path:
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError("a path")
    return Path(value).expanduser()


def _texts(value: Any) -> tuple[str, ...]:
    values = value.split(",") if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not all(isinstance(one, str) for one in values):
        raise ValueError("a list of texts")
    return tuple(one.strip() for one in values if one.strip())


def _pools(value: Any) -> tuple[PoolSpec, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(one, str) for one in texts):
        raise ValueError("a list of texts such as 'async:500'")
    try:
        return parse_pools(list(texts))
    except ValueError as error:
        raise InvalidArgument(str(error)) from None


def _callables(value: Any) -> tuple[str, ...]:
    patterns = _texts(value)
    for pattern in patterns:
        if ":" in pattern:  # it would never match: a name is compared as module.function
            raise InvalidArgument(
                f"{brief(pattern, 80)} matches nothing; write {brief(pattern.replace(':', '.'), 80)}"
            )
    return patterns


def _table(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        value = dict(part.partition("=")[::2] for part in _texts(value))
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value.values()):
        raise ValueError("a table of texts, name = 'value'")
    return dict(value)


def _labels(value: Any) -> dict[str, str]:
    from ..domain.where import check_label_name  # few programs have labels

    labels = _table(_pairs(value))
    for name in labels:
        check_label_name("a label", name)
    return labels


def _resources(value: Any) -> dict[str, int]:
    """``gpu=2,mem=16G``, or a table of amounts."""
    from ..domain.amounts import read_amount
    from ..domain.placing import RESOURCES_MAX
    from ..domain.where import check_label_name

    if isinstance(value, str):
        value = _table(_pairs(value))
    if not isinstance(value, Mapping) or len(value) > RESOURCES_MAX:
        raise ValueError(f"a table of at most {RESOURCES_MAX} amounts, name = 2 or name = '16G'")
    return {check_label_name("a resource", name): read_amount(name, amount) for name, amount in value.items()}


def _pairs(value: Any) -> Any:
    """What stands in an option or a variable, with an equals sign in each part and no name twice."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in _texts(value)]
    names = [name.strip() for name, _, _ in pairs]
    if not all(equals for _, equals, _ in pairs) or len(set(names)) < len(names):
        raise ValueError("NAME=VALUE, each name once")
    return {name: text.strip() for name, (_, _, text) in zip(names, pairs, strict=True)}


def _addresses(value: Any) -> tuple[Address, ...]:
    addresses = tuple(parse_address(one) for one in _texts(value))
    if not addresses:
        raise ValueError("host:port, or several")
    return addresses


def _listening(value: Any) -> Address:
    if not isinstance(value, str):
        raise ValueError("host:port")
    return parse_address(value, listen=True)


def _http(value: Any) -> Address:
    if not isinstance(value, str) or value.strip().isdigit():
        raise ValueError(f"host:port, e.g. 127.0.0.1:{HTTP_PORT}")
    return parse_address(value, listen=True, default_port=HTTP_PORT)


_READERS: dict[str, Callable[[Any], Any]] = {
    "bind": _listening,
    "data": _path,
    "durability": _choice("fsync", "os", "memory"),
    "heartbeat_seconds": _seconds(0.1),
    "lease_seconds": _seconds(0.2),
    "grace_seconds": _seconds(0),
    "result_ttl_seconds": _seconds(0),
    "results_max": _whole(0, 10**12),
    "results_bytes_max": _bytes,
    "frame_bytes_max": _whole(FRAME_BYTES_MAX, 1024**3),
    "http": _http,
    "log_format": _choice("text", "json"),
    "log_level": _choice("debug", "info", "warning", "error"),
    "authkey_file": _path,
    "expose": _table,
    "connect": _addresses,
    "modules": _texts,
    "slots": _whole(1, 65_536),
    "pools": _pools,
    "queues": _texts,
    "allow": _callables,
    "allow_shell": _switch,
    "allow_http": _switch,
    "http_private": _switch,
    "apply": _application,
    "labels": _labels,
    "resources": _resources,
    "kill_grace_seconds": _seconds(0.1),
    "max_tasks_per_child": _whole(0, 10**12),
    "max_seconds_per_child": _seconds(0),
    "max_memory_per_child": _bytes,
    "lent_children": _whole(0, 1_000),
    "nice": _whole(-20, 19),
    "task_log_dir": _path,
    "ca_file": _path,
    "certificate_file": _path,
    "client_ca_file": _path,
}


class _Given(NamedTuple):
    source: str  # where a person would look to mend it
    name: str
    value: Any


def load_settings(
    kind: type[_S],
    file: Path | None,
    environment: Mapping[str, str],
    options: Mapping[str, Any],
    flags: Mapping[str, str] = MappingProxyType({}),
) -> _S:
    """The settings in force; ``options`` that are None were not given. Raises ConfigError naming all faults.

    ``flags``: how the options are written, where that is not their setting's name.

    Variables of other names that begin with TQ_ are not a fault: a container platform sets some for a service that is
    called tq.
    """
    given: list[_Given] = []
    faults: list[str] = []
    if file is not None:
        _sort_file(kind, file, given, faults)
    for one in fields(kind):
        variable = f"TQ_{one.name.upper()}"
        if text := environment.get(variable):
            given.append(_Given(variable, one.name, _typed(one, text)))
        value = options.get(one.name)
        if value is not None and value != ():
            flag = flags.get(one.name, f"--{one.name.replace('_', '-')}")
            given.append(_Given(flag, one.name, _typed(one, value)))
    values, sources = _read(given, faults)
    faulty = {one.name for one in given} - set(values)
    settings = kind(**values)
    for names, remedy in settings.problems():
        if not faulty.intersection(names):
            where = next((sources[name] for name in names if name in sources), "settings")
            source = where if where.endswith(names[0]) else f"{where}: {names[0]}"
            faults.append(f"{source} {remedy}")
    if faults:
        raise ConfigError("\n".join(faults))
    return settings


def _sort_file(kind: type[_S], file: Path, given: list[_Given], faults: list[str]) -> None:
    names = [one.name for one in fields(kind)]
    for name, value in _read_toml(file).items():
        if name in names:
            given.append(_Given(f"{file}: {name}", name, value))
            continue
        near = nearest(name, names)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
        faults.append(f"{file}: unknown key {name!r}; {hint}")


def _read(given: list[_Given], faults: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values in force and where each was found; a later one wins, a bad one is a fault all the same."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, name, value in given:
        try:
            values[name] = _READERS[name](value)
            sources[name] = source
        except (ValueError, TqError) as error:
            text = str(error) if isinstance(error, TqError) else f"must be {error}, not {brief(value, 80)}"
            faults.append(f"{source}: {text}")
    return values, sources


def _read_toml(file: Path) -> dict[str, Any]:
    import tomllib  # most programs are started without a file

    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error


def _typed(one: Field[Any], value: Any) -> Any:
    """A variable's or an option's text as the number that its setting is: neither knows types."""
    if isinstance(value, str) and one.type in ("int", "float"):
        for number in (int, float):
            try:
                return number(value)
            except ValueError:
                continue
    return value
