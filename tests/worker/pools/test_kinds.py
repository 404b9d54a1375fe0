"""Which child each kind of pool has."""

from __future__ import annotations

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.pool_spec import parse_pool
from tq.worker.pools.concurrent import GeventHandle
from tq.worker.pools.kinds import handle_of


def test_without_its_package_the_pool_is_refused_with_the_line_to_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert handle_of(parse_pool("gevent:200")) is GeventHandle
    monkeypatch.setattr("tq.worker.pools.kinds.find_spec", lambda _: None)
    with pytest.raises(
        ConfigError, match=r"--pool gevent:200@web needs the package gevent.*pip install 'tq\[gevent\]'"
    ):
        handle_of(parse_pool("gevent:200@web"))
