"""The gateways of a master of several processes: a stock client reaches each queue by the address that an error gives it."""

from __future__ import annotations

import sys
from pathlib import Path

import tq
from tq.client.items.queue import ItemQueue
from tq.common.domain.shards import shard_of_name

from .conftest import MasterFactory
from .programs import eventually
from .test_gateway import KEY, SECONDS, run_client
from .test_shards import SHARDS, a_queue_in, two_free_ports

# What connects and asks for one queue stands before it, see ``run_client``.
EACH_QUEUE = """
from multiprocessing.managers import RemoteError
def queue_of(name):
    try:
        return manager.get_queue(name)
    except RemoteError as error:
        assert "is in another process of this tq-master" in str(error), error
        host, port = str(error).partition("address=('")[2].partition(")")[0].split("', ")
    other = Manager(address=(host, int(port)), authkey=b"a key for stock clients")
    other.connect()
    return other.get_queue(name)
for name in sys.argv[2:]:
    q = queue_of(name)
    q.put(name)
    assert q.get(timeout=30) == name
    q.put("kept in " + name)
    print(q._token.address[1])
"""
PROCESSES = 2
DEFAULT_PROCESS = shard_of_name("default", SHARDS) % PROCESSES


def test_over_two_processes_a_stock_client_reaches_each_queue_by_the_address_that_it_is_given(
    master_factory: MasterFactory, home: Path
) -> None:
    port, gateway = two_free_ports(), two_free_ports()
    key = home / "gateway.key"
    key.write_text(KEY, "utf-8")
    key.chmod(0o600)
    master = master_factory(
        *("--shards", SHARDS, "--processes", PROCESSES, "--bind", f"127.0.0.1:{port}"),
        *("--gateway", f"127.0.0.1:{gateway}", "--gateway-authkey-file", key),
    )
    master.port = port  # instead of the one that it draws, whose neighbour another test may have
    eventually(lambda: "processes.started" in master.log, SECONDS)
    names = [a_queue_in(shard) for shard in range(SHARDS)]
    # The client begins with the queue "default": at the process that has it.
    said = run_client(sys.executable, EACH_QUEUE, str(gateway + DEFAULT_PROCESS), *names)
    assert said.split() == [str(gateway + shard % PROCESSES) for shard in range(SHARDS)]
    with tq.App(master.url, master.authkey) as app:
        kept = [ItemQueue(app.session, name).get(timeout=SECONDS) for name in names]
    assert kept == [f"kept in {name}" for name in names]
