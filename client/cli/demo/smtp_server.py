"""The demo's SMTP server: aiosmtpd in its own process, with a mailbox file and the temporary errors of real servers.

An address at ``busy.example`` gets 451 the first two times, one at ``gone.example`` always gets 550. All other mail is
written to the mailbox, synced, and then accepted. Each delivery takes a few milliseconds, as with a real server.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from email import message_from_bytes
from pathlib import Path
from typing import Any, Final

from aiosmtpd.smtp import SMTP

BUSY_ANSWERS: Final = 2
DELIVERY_SECONDS: Final = 0.015


class DemoMailbox:
    """aiosmtpd's handler: decides about recipients, keeps messages."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._asked: Counter[str] = Counter()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, rcpt_options: list[str]
    ) -> str:
        self._asked[address] += 1
        if address.endswith("@gone.example"):
            return f"550 5.1.1 no such user {address}"
        if address.endswith("@busy.example") and self._asked[address] <= BUSY_ANSWERS:
            return "451 4.3.0 busy, try again later"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        await asyncio.sleep(DELIVERY_SECONDS)
        message = message_from_bytes(envelope.content)
        for address in envelope.rcpt_tos:
            line = {
                "to": address,
                "message_id": message["Message-ID"],
                "subject": message["Subject"],
                "bytes": len(envelope.content),
            }
            self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        return "250 2.0.0 accepted"


async def serve(port: int, mailbox: Path) -> None:
    loop = asyncio.get_running_loop()
    handler = DemoMailbox(mailbox)
    server = await loop.create_server(lambda: SMTP(handler, loop=loop), "127.0.0.1", port)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    async with server:
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
