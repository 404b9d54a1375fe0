"""How each setting is read: from a TOML file, a variable or an option. Pure.

A reader raises ValueError with what would be right ("a whole number from 1 to 8"), or InvalidArgument with a whole sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..domain.shards import SHARDS_MAX
from ..errors import InvalidArgument
from ..values.brief import brief
from ..wire.address import HTTP_PORT, WEB_PORT, Address, parse_address, parse_addresses
from ..wire.frames import FRAME_BYTES_MAX
from .pool_spec import PoolSpec, parse_pools, parse_range

if TYPE_CHECKING:
    from ..domain.indexes import Own

NEXT_NAME: Final = ";"  # in place of the comma between the names of one resource


class Application(NamedTuple):
    """A function for the items of queues, and the queue that its results go to."""

    function: str
    results: str | None


def _application(value: Any) -> Application:
    """``module:function`` or ``module:function > queue``."""
    function, arrow, results = (part.strip() for part in str(value).partition(">"))
    module, colon, name = function.partition(":")
    if not (module and colon and name) or (arrow and not results):
        raise ValueError("'module:function' or 'module:function > queue'")
    return Application(function, results or None)


STORE_SCHEMES: Final = ("postgresql://", "postgres://")


def _store(value: Any) -> str:
    """What is wrong is said without what was given: a password may stand in it."""
    if not isinstance(value, str) or not value.startswith(STORE_SCHEMES):
        raise InvalidArgument(
            "must be postgresql://USER@HOST/DATABASE; leave it out for a file in the data directory"
        )
    return value


def _switch(value: Any) -> bool:
    word = str(value).lower()
    if word not in ("true", "false"):
        raise ValueError("true or false")
    return word == "true"


def _seconds(low: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        # bool is an int: `true` in a file would be one second.
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
        # MB and MiB as they are defined, not both as one.
        base = 1024 if match[3] else 1000
        value = int(float(match[1]) * base ** " KMGT".index(match[2].upper() or " "))
    # A number below a megabyte is mostly one that lacks its unit.
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
    found = tuple(one.strip() for one in values if one.strip())
    # No queue at all would mean every queue.
    if values and not found:
        raise ValueError("a list of texts that are not empty")
    return found


def _pools(value: Any) -> tuple[PoolSpec, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(one, str) for one in texts):
        raise ValueError("a list of texts such as 'async:500'")
    try:
        return parse_pools(list(texts))
    except ValueError as error:
        raise InvalidArgument(str(error)) from None


def _autoscale(value: Any) -> tuple[int, int]:
    """``2,8``, or a list of both."""
    text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    if not re.fullmatch(r" *[1-9]\d{0,4} *, *[1-9]\d{0,4} *", text):
        raise ValueError("MIN,MAX such as 2,8: how many child processes there are at least and at most")
    try:
        return parse_range(text.replace(" ", ""), ",")
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


def _resources(value: Any) -> dict[str, Own]:
    """``gpu=2,mem=16G``, ``gpu=0,1``, or a table of amounts and lists of names."""
    from ..domain.amounts import read_amount
    from ..domain.indexes import Own, read_names
    from ..domain.placing import RESOURCES_MAX
    from ..domain.where import check_label_name

    if isinstance(value, str):
        value = _table(_pairs(_joined(value)))
    if not isinstance(value, Mapping) or len(value) > RESOURCES_MAX:
        raise ValueError(f"a table of at most {RESOURCES_MAX} amounts, name = 2 or name = '16G'")

    def own(name: str, amount: Any) -> Own:
        if isinstance(amount, str) and NEXT_NAME in amount:
            amount = amount.split(NEXT_NAME)
        if isinstance(amount, (list, tuple)):
            return read_names(name, amount)
        return Own(read_amount(name, amount))

    return {check_label_name("a resource", name): own(name, amount) for name, amount in value.items()}


def _joined(text: str) -> str:
    """``gpu=0,1,mem=16G``: a part without an equals sign is one more name of what stands before it."""
    joined: list[str] = []
    for part in _texts(text):
        if joined and "=" not in part:
            joined[-1] += NEXT_NAME + part
        else:
            joined.append(part)
    return ",".join(joined)


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
    texts = _texts(value)
    if not texts:
        raise ValueError("host:port, or several")
    return parse_addresses(",".join(texts))


def _listening(value: Any) -> Address:
    if not isinstance(value, str):
        raise ValueError("host:port")
    return parse_address(value, listen=True)


def _advertised(value: Any) -> Address:
    if not isinstance(value, str):
        raise ValueError("host:port")
    return parse_address(value)


def _http(value: Any) -> Address:
    # A port alone would leave open on which address it listens.
    if not isinstance(value, str) or value.strip().isdigit():
        raise ValueError(f"host:port, e.g. 127.0.0.1:{HTTP_PORT}")
    return parse_address(value, listen=True, default_port=HTTP_PORT)


def _web(value: Any) -> Address:
    if not isinstance(value, str) or value.strip().isdigit():
        raise ValueError(f"host:port, e.g. 127.0.0.1:{WEB_PORT}")
    return parse_address(value, listen=True, default_port=WEB_PORT)


READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "bind": _listening,
    "advertise": _advertised,
    "data": _path,
    "shards": _whole(1, SHARDS_MAX),
    "processes": _whole(1, 256),
    "durability": _choice("fsync", "os", "memory"),
    "store": _store,
    "heartbeat_seconds": _seconds(0.1),
    "lease_seconds": _seconds(0.2),
    "grace_seconds": _seconds(0),
    "result_ttl_seconds": _seconds(0),
    "results_max": _whole(0, 10**12),
    "results_bytes_max": _bytes,
    "frame_bytes_max": _whole(FRAME_BYTES_MAX, 1024**3),
    "http": _http,
    "web": _web,
    "log_format": _choice("text", "json"),
    "log_level": _choice("debug", "info", "warning", "error"),
    "authkey_file": _path,
    "expose": _table,
    "connect": _addresses,
    "modules": _texts,
    "slots": _whole(1, 65_536),
    "pools": _pools,
    "autoscale": _autoscale,
    "preload": _texts,
    "watch": _switch,
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
