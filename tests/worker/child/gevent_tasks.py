"""Tasks for a gevent pool: they wait in the standard library as any program does."""

from __future__ import annotations

import http.client
import os
import socket

import tq

app = tq.App()


@app.task
def ask(port: int, word: str) -> tuple[str, int]:
    """Say a word to a server and wait for its answer."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(word.encode())
        return connection.makefile().readline(), os.getpid()


@app.task
def get(port: int) -> int:
    """As libraries for HTTP that are written in Python do it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/")
    return connection.getresponse().status


@app.task
def keep(path: str) -> None:
    """Says that it runs, and does not wait for anything from then on."""
    with open(path, "wb"):  # not os.close: gevent has that wait for its loop
        pass
    while True:
        pass
