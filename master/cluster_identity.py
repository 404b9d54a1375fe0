"""What makes the shards of a cluster one: its id, its certificate, its keys. Shard 0 has them; each other one is given the same. Composition,
as ``app.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ..common.auth.certificate import certificate_der
from ..common.auth.keys import AUTHKEY_ID, Verifier, make_authkey_verifier
from ..common.auth.leaf import shown_by
from ..common.runtime.config import MasterSettings
from ..common.version import VERSION
from .engine.clock import read_clock
from .joining import ending
from .keys.keyring import Keyring, verifier_of
from .keys.own_keys import OwnKeys
from .keys.revoked_leaves import REVOKED, check_not_revoked
from .shard_resources import OpenShard
from .store import shard_files
from .store.cluster_files import CERTIFICATE, CLUSTER_ID, StartOptions, claim_store, settle_certificate
from .store.sqlite.inspection import ClusterFacts
from .store.sqlite.store import newest_schema


class Identity(NamedTuple):
    cluster_id: bytes
    certificate: Path
    certificate_key: Path
    new_keys: bool


def identify(
    shard: OpenShard,
    settings: MasterSettings,
    where: str,
    authkey: str | None,
    report: Callable[..., None],
    start: StartOptions,
    left: ClusterFacts | None,
) -> Identity:
    """Read the cluster's identity, or make it: its id, then its certificate, then its keys, each stored before the next is made.
    ``left``: what of it other shards know, if this one is a new one among them."""
    new_id = os.urandom if left is None else lambda size: left.meta[CLUSTER_ID]
    engine, durable = shard.engine, settings.durability != "memory"
    store = engine.store
    record = partial(shard_files.record, shards=engine.core.shard.of)
    cluster_id = claim_store(store, settings.data, where, new_id, durable=durable, start=start, record=record)
    store.begin()
    known, revoked = store.get_meta(CERTIFICATE), store.get_meta(REVOKED)
    store.rollback()
    certificate, key, pin = settle_certificate(known, settings.data, where, start, report)
    check_not_revoked(shown_by(certificate_der(certificate)).leaf, revoked)
    if (text := ending(certificate)) is not None:
        report("certificate.ends", level="warning", text=text)
    engine.part(Keyring).pin = pin
    engine.start(read_clock())
    now = engine.now
    store.begin()
    if pin != known:
        store.set_meta(CERTIFICATE, pin)
    if left is not None:
        engine.part(Keyring).take_over([verifier_of(row) for row in left.keys])
    own, new_keys = (
        OwnKeys(engine.part(Keyring), settings.data, adopt=start.new_store or not durable),
        False,
    )
    # One that has joined a cluster finds its keys there, and makes none of its own.
    has_joined = shown_by(certificate_der(certificate)).leaf is not None and known is not None
    if authkey is not None:
        keyring = engine.part(Keyring)
        verifier = make_authkey_verifier(authkey, cluster_id, created=now.steady)
        keyring.put(verifier.with_quota_of(keyring.find(AUTHKEY_ID)))
    elif not has_joined:
        if engine.part(Keyring).find(AUTHKEY_ID) is not None:
            engine.part(Keyring).revoke(AUTHKEY_ID, [])  # it was for an earlier start
        new_keys = own.prepare(now)
    engine.timeline.keep(now, always=True)  # so that the log of a store that is open is never empty
    store.commit()
    own.write()
    for file in own.replaced:
        report("key.replaced", level="warning", file=str(file))
    return Identity(cluster_id, certificate, key, new_keys)


def join(shard: OpenShard, pin: bytes, keys: Sequence[Verifier], identity: Identity) -> None:
    """Another shard than the first: the same cluster, certificate and keys. ``keys``: as the first one has them."""
    engine, file = shard.engine, shard.opened.where
    shard_files.claim(engine.store, file, identity.cluster_id, engine.core.shard)
    keyring = engine.part(Keyring)
    keyring.pin = pin
    engine.start(read_clock())
    engine.store.begin()
    if engine.store.get_meta(CERTIFICATE) != pin:
        engine.store.set_meta(CERTIFICATE, pin)
    keyring.take_over(keys)
    engine.timeline.keep(engine.now, always=True)
    engine.store.commit()


def describe(shard: OpenShard, identity: Identity) -> None:
    """What people see of it."""
    number, count = shard.engine.core.shard
    shard.engine.facts = {
        "version": VERSION,
        "cluster_id": identity.cluster_id.hex(),
        "started": read_clock().wall / 1000,
        "data": str(shard.settings.data),
        "store": shard.opened.where,
        "durability": shard.settings.durability,
        "pid": os.getpid(),
        "schema": newest_schema(),
        "certificate": shard.engine.part(Keyring).pin.hex(),
        **({} if count == 1 else {"shard": number, "shards": count}),
    }
