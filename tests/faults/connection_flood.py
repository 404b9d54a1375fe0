"""A flood of unauthenticated connections, run as a program: ``connection_flood.py PORT SIZE``. Says when all of them are there."""

from __future__ import annotations

import asyncio
import sys

from tq.common.wire.tls import TlsPipe, client_context

ADDRESSES = 250  # 127.0.1.1 and so on: all of 127/8 is loopback on Linux
TRICKLE_SECONDS = 0.2  # between two bytes of a hello that never ends
AGAIN_SECONDS = 0.5  # before one that was hung up on comes again


class Crowd:
    """Unauthenticated connections, silent or with a TLS hello in single bytes; when they are closed, they connect again."""

    def __init__(self, port: int, size: int) -> None:
        self._port, self._size, self._connected = port, size, 0
        self.is_there = asyncio.Event()
        self._never = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(self._connect(number)) for number in range(size)]

    async def _connect(self, number: int) -> None:
        address = f"127.0.1.{number % ADDRESSES + 1}"
        hello = TlsPipe(client_context(), server_side=False).take_output() if number % 2 else b""
        while True:
            try:
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", self._port, local_addr=(address, 0)
                )
            except OSError:
                await asyncio.wait({self._never}, timeout=AGAIN_SECONDS)
                continue
            self._connected += 1
            if self._connected == self._size:
                self.is_there.set()
            ended = asyncio.ensure_future(reader.read())
            try:
                for byte in hello[:-1]:
                    if ended.done():
                        break
                    writer.write(bytes((byte,)))
                    await asyncio.wait({ended}, timeout=TRICKLE_SECONDS)
                await asyncio.wait({ended})
            finally:
                ended.cancel()
                writer.close()
            await asyncio.wait({self._never}, timeout=AGAIN_SECONDS)


async def main() -> None:
    crowd = Crowd(int(sys.argv[1]), int(sys.argv[2]))
    await crowd.is_there.wait()
    sys.stdout.write("there\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
