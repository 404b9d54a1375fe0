"""What a master says when it listens: where its state is, how many shards, and the line to type next."""

from __future__ import annotations

from pathlib import Path

from tq.common.runtime.config import MasterSettings
from tq.common.wire.address import parse_address
from tq.master.app import Opening, open_resources
from tq.master.banner import banner


def test_it_names_the_state_the_shards_and_the_next_line(tmp_path: Path) -> None:
    settings = MasterSettings(data=tmp_path / "state", durability="os", shards=3)
    resources = open_resources(Opening(settings, None, lambda action, **_: None))
    local = banner(resources, parse_address("127.0.0.1:5001"), with_authkey=False)
    assert f"state  {settings.data} (os: survives a killed process, not a power cut)" in local
    assert "shards 3, each with a store of its own" in local
    key = settings.data / "worker.key"
    assert f"next   tq-worker --connect 127.0.0.1:5001 --authkey-file {key} jobs.py" in local
    remote = banner(resources, parse_address("192.0.2.7:5000"), with_authkey=False)
    assert f"copy {key} to each worker host" in remote
    assert "--authkey-file FILE" in banner(resources, parse_address("192.0.2.7:5000"), with_authkey=True)
    resources.close()
