from __future__ import annotations

import inspect

from tq.master.store.interface.store import Store
from tq.master.store.recording import RecordingStore


def test_what_is_recorded_takes_all_that_the_store_takes() -> None:
    """A new parameter of a verb would stop every master that records, and nothing else."""
    verbs = [
        name for name, thing in vars(RecordingStore).items() if name[0] != "_" and inspect.isfunction(thing)
    ]
    assert "lease" in verbs
    for name in verbs:
        recorded = inspect.signature(getattr(RecordingStore, name)).parameters
        stored = inspect.signature(getattr(Store, name)).parameters
        assert list(recorded.values()) == list(stored.values()), name
