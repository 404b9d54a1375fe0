"""The uploads in progress, and how much content each client may have here that no task names. Pure bookkeeping.

An upload belongs to one client (its key and node) and one content, and outlives the client's connections. So
no client can corrupt another's upload, and a client that reconnects resumes its own.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from ...common.errors import InvalidArgument
from ..engine.accounts import Account, Resource
from ..engine.session import Call
from .files import PartFile

UPLOADS_MAX: Final = 1_024  # in all; each takes a part file and a kilobyte of memory
UPLOADS_PER_CLIENT_MAX: Final = 64  # a worker counts as one, with all its children
# Per client: of uploads in progress, and of content that no task names yet
UNNAMED_BYTES_MAX: Final = 16 * 1024**3
# Of all clients of one key: otherwise the key could evade the limit with more nodes
UNNAMED_BYTES_OF_KEY_MAX: Final = 4 * UNNAMED_BYTES_MAX
UPLOAD_IDLE_MS: Final = 10 * 60_000  # without a chunk, until it is given up

Client = tuple[str, bytes]  # key id, node


class Upload:
    """One content that is being received. ``taken``: bytes accepted, in order; some may not be written yet."""

    def __init__(
        self, client: Client, hash: bytes, size: int, part: PartFile, now: int, account: Account
    ) -> None:
        """``account``: of its key, which bounds the uploads of all the key's clients together."""
        self.client, self.hash, self.size, self.part, self.account = client, hash, size, part, account
        self.taken = 0
        self.touched = now  # monotonic ms
        self.last: list[Call] = []  # repeated calls of the last chunk, which wait for its end


class Uploads:
    def __init__(self) -> None:
        self._open: dict[tuple[Client, bytes], Upload] = {}
        self._of_client: Counter[Client] = Counter()
        self._unnamed: dict[Client, dict[bytes, int]] = {}
        self._unnamed_of_key: Counter[str] = Counter()
        self._owners: dict[bytes, Client] = {}

    def __len__(self) -> int:
        return len(self._open)

    def find(self, client: Client, hash: bytes) -> Upload | None:
        return self._open.get((client, hash))

    @property
    def promised_bytes(self) -> int:
        """How many bytes the disk has still to take for all uploads."""
        return sum(upload.size - upload.taken for upload in self._open.values())

    def open(self, upload: Upload) -> None:
        """Begin an upload; InvalidArgument when its client, or all clients together, have too many."""
        client = upload.client
        if len(self._open) >= UPLOADS_MAX or self._of_client[client] >= UPLOADS_PER_CLIENT_MAX:
            raise InvalidArgument(
                f"{len(self._open):,} uploads are under way, {self._of_client[client]} of them yours; "
                f"at most {UPLOADS_MAX:,}, {UPLOADS_PER_CLIENT_MAX} for one client: finish some first"
            )
        for whose, waiting, limit in (
            ("you have", self._waiting_bytes(client), UNNAMED_BYTES_MAX),
            ("the clients of this key have", self._waiting_bytes_of_key(client[0]), UNNAMED_BYTES_OF_KEY_MAX),
        ):
            if waiting + upload.size > limit:
                raise InvalidArgument(
                    f"{whose} sent {waiting:,} bytes that no task names yet, and {upload.size:,} more are over the "
                    f"limit of {limit:,}; submit the tasks that name them first"
                )
        upload.account.take(Resource.UPLOADS)
        self._open[client, upload.hash] = upload
        self._of_client[client] += 1

    def _waiting_bytes(self, client: Client) -> int:
        """Bytes of a client's uploads, and of its content that no task names yet."""
        begun = sum(one.size for one in self._open.values() if one.client == client)
        return begun + sum(self._unnamed.get(client, {}).values())

    def _waiting_bytes_of_key(self, key_id: str) -> int:
        begun = sum(one.size for one in self._open.values() if one.client[0] == key_id)
        return begun + self._unnamed_of_key[key_id]

    def close(self, upload: Upload) -> None:
        key = upload.client, upload.hash
        if self._open.get(key) is upload:  # its client may have started another since
            del self._open[key]
            upload.account.give(Resource.UPLOADS)
            self._of_client[upload.client] -= 1
            if not self._of_client[upload.client]:
                del self._of_client[upload.client]

    def stored(self, upload: Upload) -> None:
        """The content is stored; until a task names it, it counts against its client."""
        self.settled(upload.hash)
        self._owners[upload.hash] = upload.client
        self._unnamed.setdefault(upload.client, {})[upload.hash] = upload.size
        self._unnamed_of_key[upload.client[0]] += upload.size

    def settled(self, hash: bytes) -> None:
        """A task names the content, or it was deleted."""
        client = self._owners.pop(hash, None)
        if client is not None:
            mine = self._unnamed[client]
            self._unnamed_of_key[client[0]] -= mine.pop(hash)
            if not self._unnamed_of_key[client[0]]:
                del self._unnamed_of_key[client[0]]
            if not mine:
                del self._unnamed[client]

    def idle(self, now: int) -> list[Upload]:
        """Uploads that have received nothing for too long."""
        return [one for one in self._open.values() if now - one.touched >= UPLOAD_IDLE_MS]
