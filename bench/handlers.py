"""What a graph of handlers that do nothing costs, in multiples of a plain loop over the same threads.

The plain loop over `concurrent.futures` does the least that any runner of tasks in threads can do: it submits, and
waits for what is done. It knows no dependencies, statuses, results, events or retries.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from measure import ROOT, options, show

WIDE, LONG, WORKERS = 5_000, 1_000, 4


def nothing(_: object) -> None:
    """A handler."""


def plain_wide() -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: set[Future[None]] = {pool.submit(nothing, None) for _ in range(WIDE)}
        while waiting:
            _, waiting = wait(waiting, return_when=FIRST_COMPLETED)
    return time.perf_counter() - started


def plain_chain() -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in range(LONG):
            wait([pool.submit(nothing, None)], return_when=FIRST_COMPLETED)
    return time.perf_counter() - started


def graph(tasks: int, *, chain: bool) -> float:
    """Seconds that a graph takes to run."""
    from spry import Task, TaskExecutor, TaskGraph, TaskType

    executor = TaskExecutor.empty()
    executor.register(TaskType.PROMPT, nothing)
    made, before = TaskGraph(), []
    for _ in range(tasks):
        task = Task.prompt("nothing")
        made.add(task, after=before)
        before = [task] if chain else []
    started = time.perf_counter()
    made.run(executor, max_workers=WORKERS)
    seconds = time.perf_counter() - started
    assert made.ok, made.errors
    return seconds


def main() -> None:
    chosen = options(__doc__ or "", rounds=5).parse_args()
    sys.path.insert(0, str(ROOT))
    table = []
    for name, plain, ours in (
        (f"{WIDE:,} side by side", plain_wide, lambda: graph(WIDE, chain=False)),
        (f"chain of {LONG:,}", plain_chain, lambda: graph(LONG, chain=True)),
    ):
        pairs = [(plain(), ours()) for _ in range(chosen.rounds)]
        floor, best = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
        table.append({"graph": name, "plain ms": floor * 1000, "spry ms": best * 1000, "ratio": best / floor})
    show(table, as_json=chosen.json)


if __name__ == "__main__":
    main()
