"""The clock of every peer's client: some tasks to warm up, then so many, every result in the client's hand.

``python peer_client.py MODULE TASKS``: the module is imported by its name, as its workers import it.
"""

from __future__ import annotations

import importlib
import json
import sys
import time

WARM_UP_TASKS = 50


def main(module: str, tasks: int) -> None:
    run = importlib.import_module(module).run
    run(WARM_UP_TASKS)
    began = time.perf_counter()
    results = run(tasks)
    seconds = time.perf_counter() - began
    if results != tasks:
        raise SystemExit(f"{results} results of {tasks}")
    sys.stdout.write(json.dumps({"seconds": seconds}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
