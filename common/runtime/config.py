"""Settings: one validated object from a TOML file, ``TQ_*`` variables and options, in rising precedence.

All faults are reported at once, before anything starts: an unknown key with the nearest known one, a wrong value with what
would be right. The records below are the whole list; ``configs/*.toml`` show the same settings with their defaults, and a
test compares the two.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from ..domain.naming import ALLOW_HTTP, ALLOW_SHELL, APPLY, HTTP_PRIVATE, needs_switch
from ..errors import ConfigError, TqError
from ..values.brief import brief
from ..wire.address import DEFAULT_PORT, Address, is_loopback
from ..wire.frames import FRAME_BYTES_MAX
from .guessing import nearest
from .pool_spec import GEVENT, PROCESS, PoolSpec
from .setting_readers import READERS, Application

if TYPE_CHECKING:
    from ..domain.indexes import Own

HERE: Final = Address("127.0.0.1", DEFAULT_PORT)
# Variables that programs and `tq` read as well: a setting's own variable, of its name, comes before them.
SHARED_VARIABLES: Final = {"connect": "TQ_URL"}

Problem = tuple[tuple[str, ...], str]

_S = TypeVar("_S", "MasterSettings", "WorkerSettings")


def default_data_directory() -> Path:
    """Where a master keeps its state by default: the user's data directory."""
    import platformdirs

    return platformdirs.user_data_path("tq", appauthor=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class MasterSettings:
    bind: Address = HERE
    advertise: Address | None = None
    data: Path = field(default_factory=default_data_directory)
    shards: int | None = None
    processes: int = 1
    durability: str = "fsync"
    store: str | None = field(default=None, repr=False)  # a password may stand in it
    heartbeat_seconds: float = 5.0
    lease_seconds: float = 20.0
    grace_seconds: float = 3.0
    result_ttl_seconds: float = 7 * 24 * 3600.0
    results_max: int = 1_000_000
    results_bytes_max: int = 10 * 1024**3
    frame_bytes_max: int = FRAME_BYTES_MAX
    http: Address | None = None
    web: Address | None = None
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
        if self.store is not None and self.durability == "memory":
            remedy = "is for a master without a database: leave one of them out"
            found.append((("durability", "store"), f"memory {remedy}"))
        if self.processes > 1:
            needs = "needs shards that are files of this host"
            if self.store is not None:
                found.append((("processes", "store"), f"{needs}: leave out --processes, or --store"))
            if self.durability == "memory":
                remedy = f"{needs}: leave out --processes, or --durability memory"
                found.append((("processes", "durability"), remedy))
            if self.shards is not None and self.processes > self.shards:
                few = f"must not be more than shards ({self.shards}): a process would have none"
                found.append((("processes", "shards"), few))
        if self.web is not None and not (self.web.host and is_loopback(self.web.host)):
            remedy = (
                "is an address that others can reach, and a master's page has no TLS: give one of this machine, such as "
                "127.0.0.1:15672; for others start it by itself: tq web --bind … --tls-cert … --tls-key …"
            )
            found.append((("web",), remedy))
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerSettings:
    connect: tuple[Address, ...] = (HERE,)
    modules: tuple[str, ...] = ()
    slots: int = field(default_factory=lambda: os.cpu_count() or 1)
    pools: tuple[PoolSpec, ...] = ()
    autoscale: tuple[int, int] | None = None
    preload: tuple[str, ...] = ()
    watch: bool = False
    queues: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    allow_shell: bool = False
    allow_http: bool = False
    http_private: bool = False
    apply: Application | None = None
    labels: dict[str, str] = field(default_factory=dict)
    resources: dict[str, Own] = field(default_factory=dict)
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
        least, most = self.autoscale or (self.slots, 0)
        return self.pools or (PoolSpec(PROCESS, 1, least, most=most),)

    def problems(self) -> list[Problem]:
        found: list[Problem] = []
        if self.nice < 0 and hasattr(os, "geteuid") and os.geteuid() != 0:
            found.append(
                (("nice",), "must be 0 or more: only root may give its children more of the processor")
            )
        if self.http_private and not self.allow_http:
            remedy = "says from where URLs are fetched, and needs allow_http: --allow-http --http-private"
            found.append((("http_private",), remedy))
        if self.autoscale is not None and self.pools:
            least, most = self.autoscale
            remedy = f"is for a worker without pools; say it in the pool: process:{least}-{most} or async:500x{least}-{most}"
            found.append((("autoscale", "pools"), remedy))
        if self.preload and not hasattr(os, "pidfd_open"):
            found.append((("preload",), "is for Linux, where children are forked; leave it out here"))
        if self.preload and self.watch:
            remedy = "is not read again, and --watch looks for new code; leave one of them out"
            found.append((("preload", "watch"), remedy))
        if self.preload and any(pool.kind == GEVENT for pool in self.pools):
            remedy = "imports before a gevent pool patches its process; give that pool a worker of its own"
            found.append((("preload", "pools"), remedy))
        for pattern in self.allow:
            switch = needs_switch(pattern)
            if switch is not None and switch not in self.sources:
                remedy = f"{pattern} would allow nothing: what it names is served only by a worker that says so; write {switch} instead"
                found.append((("allow",), remedy))
        return found


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
        for variable in (SHARED_VARIABLES.get(one.name, ""), f"TQ_{one.name.upper()}"):
            if text := environment.get(variable):
                given.append(_Given(variable, one.name, _typed(one, text)))
        # Last, so that an option wins over the variable and the file.
        value = options.get(one.name)
        # click gives an empty tuple for a repeatable option that was left out.
        if value is not None and value != ():
            flag = flags.get(one.name, f"--{one.name.replace('_', '-')}")
            # Mostly a variable of a script that is not set: without the option the program would do more than was meant.
            if isinstance(value, tuple) and not all(str(text).strip() for text in value):
                faults.append(f"{flag} '': it is empty; leave the option out, or write what it is to be")
                continue
            given.append(_Given(flag, one.name, _typed(one, value)))
    values, sources = _read(given, faults)
    # A setting that could not be read has its default here: what that does not fit is not a second fault.
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
            values[name] = READERS[name](value)
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
    if isinstance(value, str) and one.type in ("int", "float", "int | None"):
        # int first: "4" is a whole number for settings that need one.
        for number in (int, float):
            try:
                return number(value)
            except ValueError:
                continue
    return value
