"""Dask: a scheduler in the client's process and two processes that work, of one thread each; results stay there until they are joined."""

from __future__ import annotations

import functools

from distributed import Client, LocalCluster


def nothing(value: int) -> int:
    return value


def total(values: list[int]) -> int:
    return len(values)


@functools.cache
def client() -> Client:
    return Client(LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None))


def run(count: int) -> int:
    members = client().map(nothing, range(count), pure=False)
    joined: int = client().submit(total, members, pure=False).result()
    return joined
