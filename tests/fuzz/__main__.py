"""``python -m tests.fuzz --cases 2000000``: damaged input for everything that reads input, on all cores.

A case that is not answered with one of tq's own errors is shown with the command that repeats it.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import sys
import time

from .runner import CASES_OF_CHUNK, Chunk, run
from .targets import SHARES, TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=2_000_000, help="in all [2000000]")
    parser.add_argument("--first", type=int, default=0, help="the first seed [0]")
    parser.add_argument("--target", choices=sorted(TARGETS), help="only this one")
    options = parser.parse_args()
    names = [options.target] if options.target else list(TARGETS)
    share = options.cases / sum(SHARES.get(name, 1) for name in names)
    chunks = [
        Chunk(name, options.first + first // CASES_OF_CHUNK, min(CASES_OF_CHUNK, cases - first))
        for name in names
        for cases in [math.ceil(share * SHARES.get(name, 1))]
        for first in range(0, cases, CASES_OF_CHUNK)
    ]
    began, done, failed = time.perf_counter(), 0, 0
    with multiprocessing.get_context("spawn").Pool() as pool:
        for chunk, wrong in pool.imap_unordered(run, chunks):
            done += chunk.cases
            if wrong:
                failed += 1
                print(f"{chunk.target}, seed {chunk.seed}: {wrong}")
                print(
                    f"    python -m tests.fuzz --target {chunk.target} --first {chunk.seed} --cases {chunk.cases}"
                )
            if sys.stderr.isatty():
                print(f"\r{done:,} cases, {failed} failed", end="", file=sys.stderr)
    print(f"{done:,} cases of {', '.join(names)}; {failed} failed; {time.perf_counter() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
