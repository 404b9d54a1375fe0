"""The embedded store's verbs for plain values in named queues: see ``interface.items.ItemStore``."""

from __future__ import annotations

from collections.abc import Sequence

from ..interface.items import HeldItemRow, ItemPicture, ItemQueueRow, NewItem, PeekedItem
from ..interface.store import Inconsistent
from .part import SqlitePart


class SqliteItems(SqlitePart):
    def load(self) -> ItemPicture:
        run = self._all
        return ItemPicture(
            queues=[ItemQueueRow(*row) for row in run("item_queues")],
            held=[HeldItemRow(*row) for row in run("held_items")],
            putters=run("putters"),
            last_seq=run("last_item_seq")[0][0],
        )

    def add_queue(self, name: str, kind: str, maxsize: int, owner: bytes | None) -> int:
        return int(self._all("add_item_queue", (name, kind, maxsize, owner))[0][0])

    def drop_queue(self, queue: int) -> None:
        # What refers to the queue goes before its row.
        for name in ("drop_items", "drop_putters"):
            self._many(name, [(queue,)])
        self._exactly("drop_item_queue", [(queue,)])

    def drop_waiting(self, queue: int) -> None:
        self._many("drop_waiting_items", [(queue,)])

    def set_queue(self, queue: int, unfinished: int, shut: int) -> None:
        self._exactly("set_item_queue", [(unfinished, shut, queue)])

    def put(self, items: Sequence[NewItem]) -> None:
        self._many("put_item", items)

    def put_putters(self, rows: Sequence[tuple[int, bytes, int, int]]) -> None:
        self._many("put_putter", rows)

    def forget_putters(self, seen_before: int, limit: int) -> list[tuple[int, bytes]]:
        return self._all("forget_putters", (seen_before, limit))

    def take(self, queue: int, token: bytes, node: bytes) -> bytes:
        rows = self._all("first_item", (queue,))
        if not rows:
            raise Inconsistent("take: the store has no waiting item where the engine counts some")
        [(seq, payload)] = rows
        # Held, not deleted: until the consumer's answer is on its way, a lost connection gives the item back.
        self._exactly("hold_item", [(token, node, seq)])
        return bytes(payload)

    def take_first(self, queue: int, limit: int) -> list[bytes]:
        rows = self._all("take_first_items", {"queue": queue, "limit": limit})
        rows.sort(key=lambda row: row[:2])  # RETURNING promises no order
        return [bytes(payload) for _, _, payload in rows]

    def first(self, queue: int, limit: int, bytes_max: int) -> list[PeekedItem]:
        values = {"queue": queue, "limit": limit, "bytes_max": bytes_max}
        return [PeekedItem._make(row) for row in self._all("first_items", values)]

    def held(self, token: bytes) -> bytes:
        rows = self._all("held_item", (token,))
        if not rows:
            raise Inconsistent("held: the store has no item for a token that the engine knows")
        return bytes(rows[0][0])

    def seq_of(self, token: bytes) -> int:
        rows = self._all("seq_of_item", (token,))
        if not rows:
            raise Inconsistent("seq_of: the store has no item for a token that the engine knows")
        return int(rows[0][0])

    def take_waiting(self, seq: int) -> bool:
        return self._many("delete_waiting_item", [(seq,)]) == 1

    def delete(self, tokens: Sequence[bytes]) -> None:
        self._exactly("delete_item", [(token,) for token in tokens])

    def release(self, tokens: Sequence[bytes]) -> None:
        self._exactly("release_item", [(token,) for token in tokens])

    def neighbours(self, queue: int, rank: bytes) -> list[bytes]:
        run = self._all
        return [row[0] for name in ("rank_before", "rank_after") for row in run(name, (queue, rank))]
