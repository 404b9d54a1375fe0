"""Which kind of child each kind of pool has."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from ...common.errors import ConfigError
from ...common.runtime.pool_spec import ASYNC, GEVENT, PROCESS, THREAD, PoolSpec
from .concurrent import ConcurrentHandle, GeventHandle
from .process import ChildHandle

HANDLES: Final[dict[str, type[ChildHandle]]] = {
    PROCESS: ChildHandle,
    THREAD: ConcurrentHandle,
    ASYNC: ConcurrentHandle,
    GEVENT: GeventHandle,
}


def handle_of(pool: PoolSpec) -> type[ChildHandle]:
    """Raises ConfigError when it needs a package that is not there."""
    if pool.kind == GEVENT and find_spec("gevent") is None:
        raise ConfigError(
            f"--pool {pool} needs the package gevent, which is not installed here; run: pip install 'tq[gevent]'"
        )
    return HANDLES[pool.kind]
