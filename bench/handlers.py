"""Handlers that do nothing, in a graph: next to a plain loop over concurrent.futures with the same threads.

    python bench/handlers.py [ROUNDS]

The plain loop does the least that any runner of tasks in threads can do: it submits, and waits for what is done.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from spry import Task, TaskExecutor, TaskGraph, TaskType

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
    executor = TaskExecutor.empty()
    executor.register(TaskType.PROMPT, nothing)
    made = TaskGraph()
    before = None
    for _ in range(tasks):
        task = Task.prompt("nothing")
        made.add(task, after=[before] if chain and before else [])
        before = task
    started = time.perf_counter()
    made.run(executor, max_workers=WORKERS)
    seconds = time.perf_counter() - started
    assert made.ok, made.errors
    return seconds


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for name, plain, ours in (
        (f"{WIDE} side by side", plain_wide, lambda: graph(WIDE, chain=False)),
        (f"chain of {LONG}", plain_chain, lambda: graph(LONG, chain=True)),
    ):
        pairs = [(plain(), ours()) for _ in range(rounds)]
        floor, best = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
        print(f"{name:>18}: plain {floor:.3f} s, spry {best:.3f} s, {best / floor:.1f} times")


if __name__ == "__main__":
    main()
