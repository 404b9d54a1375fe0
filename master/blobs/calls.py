"""Large content, as every master exposes it. ``master/tasks/calls.py`` has the rules of exposed objects, ``blobs.py`` the behaviour."""

from __future__ import annotations

from ...common.contract.exposed import exposed
from ...common.domain.model import Role
from ..api.validation import EngineObject
from ..engine.session import Call
from .blobs import Blobs


class BlobsObject(EngineObject):
    """``get_blobs()``: content too large for messages, by its hash. The hash grants access: only a peer that has seen the content
    can know it."""

    @exposed(Role.CLIENT)
    def ask(self, call: Call, hash: bytes, size: int) -> object:
        return self.engine.part(Blobs).ask(call, hash, size)

    @exposed(Role.CLIENT)
    def put(self, call: Call, hash: bytes, size: int, offset: int, data: bytes) -> object:
        if call.session.role != Role.WORKER:  # its content is that of results
            self.engine.core.room.check()
        return self.engine.part(Blobs).put(call, hash, size, offset, data)

    @exposed(Role.CLIENT)
    def get(self, call: Call, hash: bytes, offset: int, length: int) -> object:
        return self.engine.part(Blobs).get(call, hash, offset, length)
