"""A whole cluster in one process: the shipped decision code under a seeded scheduler and virtual time.

``python -m tests.simulation --seeds 500``: that many clusters, on all cores; or one seed and its story. ``--shards``: clusters of several
shards; ``--sharing``: masters that share shards; ``--edges``: needs between shards. Each has seeds of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Final

from .edge_lives import simulate_edges
from .run import Outcome, simulate
from .shard_lives import simulate_shards
from .sharing_lives import simulate_sharing

LIVES: Final[dict[str, Callable[..., Outcome]]] = {
    "": simulate,
    "shards": simulate_shards,
    "sharing": simulate_sharing,
    "edges": simulate_edges,
}
WITHOUT_STORY: Final = ("shards", "edges")
STORY_LINES = 120  # of a failing seed; --story shows all


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many [500]")
    parser.add_argument("--first", type=int, default=0, help="where to begin [0]")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--step", type=int, default=1, help="only every so many [1]")
    parser.add_argument("--processes", type=int, help="how many run at the same time [one for each core]")
    parser.add_argument("--story", action="store_true", help="with --seed: tell everything that happened")
    parser.add_argument("--shards", action="store_true", help="lives of several shards, which have no story")
    parser.add_argument("--sharing", action="store_true", help="lives of masters that share shards")
    parser.add_argument("--edges", action="store_true", help="lives of needs between shards, without a story")
    options = parser.parse_args()
    kind = next((kind for kind in LIVES if kind and getattr(options, kind)), "")
    if options.seed is not None:
        story = {} if kind in WITHOUT_STORY else {"story": options.story}
        outcome = LIVES[kind](options.seed, **story)
        print(outcome.story)
        print(outcome.broken or f"seed {outcome.seed}: every invariant held, trace {outcome.trace[:16]}")
        return 1 if outcome.broken else 0
    seeds = range(options.first, options.first + options.seeds * options.step, options.step)
    return _many(seeds, options.processes, kind)


def _many(seeds: range, processes: int | None, kind: str) -> int:
    began = time.perf_counter()
    faults: Counter[str] = Counter()
    tasks = extra = 0
    failed: list[Outcome] = []
    # No multiprocessing.Pool: one whose process dies waits for its seed without end.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        lives = [pool.submit(LIVES[kind], seed) for seed in seeds]
        for number, ended in enumerate(as_completed(lives), 1):
            outcome = ended.result()
            faults.update(outcome.faults)
            tasks += outcome.tasks
            extra += outcome.extra_starts
            if outcome.broken:
                failed.append(outcome)
            if sys.stderr.isatty():
                print(f"\r{number}/{len(seeds)} seeds, {len(failed)} failed", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    for outcome in sorted(failed, key=lambda one: one.seed)[:1]:
        print("\n".join(outcome.story.splitlines()[-STORY_LINES:]))
    for outcome in sorted(failed, key=lambda one: one.seed):
        print(f"seed {outcome.seed}: {outcome.broken.strip().splitlines()[-1]}")
        how = " ".join(
            filter(None, (f"--{kind}" if kind else "", "" if kind in WITHOUT_STORY else "--story"))
        )
        print(f"    python -m tests.simulation --seed {outcome.seed} {how}")
    counts = ", ".join(f"{name.replace('_', ' ')} {times}" for name, times in sorted(faults.items()))
    print(f"faults: {counts}")
    print(
        f"{len(seeds)} seeds, {tasks:,} tasks, {extra:,} extra starts, {len(failed)} seeds failed, "
        f"{time.perf_counter() - began:.0f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
