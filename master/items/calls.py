"""The item queues that every master exposes. ``master/tasks/calls.py`` has the rules of exposed objects, ``items.py`` the
behaviour.

``get_queue(name, kind, maxsize, mine)`` is any item queue. ``get_task_queue`` and ``get_result_queue`` serve tasks, and are item
queues as well: those of the tutorial for ``multiprocessing.managers``.
"""

from __future__ import annotations

from typing import Any

from ...common.contract.exposed import exposed
from ...common.contract.items import QueueSize
from ...common.contract.rows import to_wire
from ...common.domain.model import Role, check_name, check_new
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ...common.values.sort_keys import RANK_BYTES_MAX
from ...common.wire.frames import too_large
from ..api.validation import (
    NUMBER_MAX,
    EngineObject,
    allow_queue,
    validate_flag,
    validate_list,
    validate_token,
    validate_whole,
)
from ..engine.engine import Engine
from ..engine.session import Call
from .items import Items
from .queue import KINDS, ItemQueueState, NewPut

MAXSIZE_MAX = 2**31 - 1
TOKENS_MAX = 10_000  # in one call
PEEK_MAX = 100  # items in one look
PEEK_BYTES = 256 * 1024  # of the payloads of all of them


class ItemQueueObject(EngineObject):
    """The methods of every item queue. ``item_queue`` is its name; the other attributes say how it is created if it is missing."""

    item_queue: str
    kind: str | None = None
    maxsize = 0
    mine = False

    @exposed(Role.CLIENT)
    def make(self, call: Call) -> None:
        """Create the queue unless it exists; refused if it exists with another kind."""
        self._queue(call)

    @exposed(Role.CLIENT)
    def put(
        self,
        call: Call,
        putter: bytes,
        number: int,
        payload: bytes,
        wait: bool = True,
        rank: bytes | None = None,
    ) -> object:
        """True: stored. False: the queue is full and ``wait`` is false. Nil: the queue is shut down. Text: why the item cannot
        be ordered in this queue."""
        # Only for its checks: the tokens say which items are meant.
        queue = self._queue(call)
        self.engine.core.room.check()
        if type(payload) is not bytes or (rank is not None and type(rank) is not bytes):
            raise InvalidArgument("an item is bytes, and so is its rank")
        if rank is not None and len(rank) > RANK_BYTES_MAX:
            raise InvalidArgument(f"a rank has at most {RANK_BYTES_MAX:,} bytes, not {len(rank):,}")
        if len(payload) > self.engine.limits.payload_bytes_max:
            raise InvalidArgument(
                too_large("the item has", len(payload), self.engine.limits.payload_bytes_max)
            )
        put = NewPut(
            validate_token("putter", putter), validate_whole("number", number, 1, NUMBER_MAX), payload, rank
        )
        return self.engine.part(Items).put(call, queue, put, validate_flag("wait", wait))

    @exposed(Role.CLIENT)
    def give_up_put(self, call: Call, putter: bytes, number: int) -> bool:
        """Stop waiting for a put; whether it was stored after all."""
        return self.engine.part(Items).give_up_put(
            self._queue(call),
            validate_token("putter", putter),
            validate_whole("number", number, 1, NUMBER_MAX),
        )

    @exposed(Role.CLIENT)
    def get(self, call: Call, token: bytes, wait: bool = True) -> object:
        """The first item, held by the token until it is confirmed; nil if the queue is empty and ``wait`` is false; false if
        the queue is empty and shut down."""
        return self.engine.part(Items).get(
            call, self._queue(call), validate_token("token", token), validate_flag("wait", wait)
        )

    @exposed(Role.CLIENT)
    def give_up_get(self, call: Call, token: bytes) -> object:
        """Stop waiting for a get; the item if it was given one after all, else nil."""
        return self.engine.part(Items).give_up_get(
            call.session, self._queue(call), validate_token("token", token)
        )

    @exposed(Role.CLIENT)
    def confirm(self, call: Call, tokens: list[bytes]) -> None:
        """Acknowledge these items: they are deleted."""
        self._queue(call)
        self.engine.part(Items).confirm(call.session, _tokens(tokens))

    @exposed(Role.CLIENT)
    def release(self, call: Call, tokens: list[bytes]) -> None:
        """Return these items unprocessed: each takes its former place in the queue. A get that still waits with one of these
        tokens ends."""
        self.engine.part(Items).release(call.session, _tokens(tokens), self._queue(call))

    @exposed(Role.CLIENT)
    def task_done(self, call: Call, putter: bytes, number: int, count: int = 1) -> None:
        """Mark ``count`` items as done, once for each number."""
        putter, number = validate_token("putter", putter), validate_whole("number", number, 1, NUMBER_MAX)
        count = validate_whole("count", count, 1, MAXSIZE_MAX)
        queue, account = self._queue(call), call.session.account
        self.engine.part(Items).task_done_once(queue, putter, number, count, account)

    @exposed(Role.CLIENT)
    def shutdown(self, call: Call, immediate: bool = False) -> None:
        """Accept no more puts, and no more gets once the queue is empty. ``immediate``: empty it now, and drop held items that
        are returned later."""
        self.engine.part(Items).shut_down(self._queue(call), validate_flag("immediate", immediate))

    @exposed(Role.CLIENT)
    def reopen(self, call: Call) -> None:
        """Accept puts and gets again after ``shutdown``."""
        self.engine.part(Items).reopen(self._queue(call))

    @exposed(Role.CLIENT)
    def join(self, call: Call) -> object:
        """Answered when every item that was put is marked as done."""
        return self.engine.part(Items).join(call, self._queue(call))

    @exposed(Role.VIEWER)
    def size(self, call: Call) -> list[Any]:
        """How many items wait, the bound (0: none), the kind, and how many are not marked as done."""
        allow_queue(call, self.item_queue)
        queue = self.engine.part(Items).by_name.get(self.item_queue)
        if queue is None:
            # To ask for the size of a queue does not make one.
            check_new("queue", self.item_queue, self.mine)
            return to_wire(QueueSize(0, self.maxsize, self.kind or KINDS[0], 0))
        return to_wire(QueueSize(queue.waiting, queue.maxsize, queue.kind, queue.unfinished))

    @exposed(Role.VIEWER)
    def peek(self, call: Call, limit: int = 10) -> list[Any]:
        """The first items that no get holds, ``[bytes, payload]``, which stay where they are; nil for the payload of one that is larger than
        its share of PEEK_BYTES."""
        allow_queue(call, self.item_queue)
        limit = validate_whole("limit", limit, 1, PEEK_MAX)
        queue = self.engine.part(Items).by_name.get(self.item_queue)
        if queue is None or queue.owner not in (None, call.session.node):
            raise InvalidArgument(
                f"there is no queue of items {brief(self.item_queue, 80)}; `tq queues` lists them"
            )
        found = self.engine.part(Items).peek(queue, limit, PEEK_BYTES)
        self.engine.work.gave(len(found), sum(len(one.payload or b"") for one in found))
        return [list(one) for one in found]

    def _queue(self, call: Call) -> ItemQueueState:
        allow_queue(call, self.item_queue)
        owner = call.session.node if self.mine else None
        return self.engine.part(Items).queue(
            self.item_queue, self.kind, self.maxsize, owner, call.session.account
        )


class NamedItemQueue(ItemQueueObject):
    """``get_queue(name)``: a queue of plain values. ``mine``: it is deleted when the program that made it is gone."""

    def __init__(
        self, engine: Engine, name: str, kind: str | None = None, maxsize: int = 0, mine: bool = False
    ) -> None:
        super().__init__(engine)
        self.item_queue = check_name("queue", name)
        if kind is not None and kind not in KINDS:
            raise InvalidArgument(f"kind must be one of {', '.join(KINDS)}, not {brief(kind)}")
        self.kind, self.mine = kind, validate_flag("mine", mine)
        self.maxsize = validate_whole("maxsize", maxsize, 0, MAXSIZE_MAX)


def _tokens(tokens: Any) -> list[bytes]:
    if len(validate_list("tokens", tokens)) > TOKENS_MAX:
        raise InvalidArgument(f"more than {TOKENS_MAX:,} tokens in one call")
    return [validate_token("token", token) for token in tokens]
