"""Whether a graph of 1,000 programs always gets to its end: as a chain, side by side, and at random, again and again.

Each round runs `--tasks` tasks of `true`. It ends with an error as soon as a graph is stuck, or not ok.
"""

from __future__ import annotations

import random
import sys
import time

from measure import ROOT, options, show

PATIENCE = 300.0  # seconds for one round


def made(shape: str, tasks: int, seed: int) -> object:
    """A graph of one shape."""
    from spry import Task, TaskGraph

    chance = random.Random(seed)
    graph, known = TaskGraph(), []
    for _ in range(tasks):
        task = Task.bash("true", timeout=PATIENCE)
        after = {
            "wide": [],
            "chain": known[-1:],
            "random": chance.sample(known, min(len(known), chance.randint(0, 3))),
        }[shape]
        graph.add(task, after=after)
        known.append(task)
    return graph


def main() -> None:
    parser = options(__doc__ or "", rounds=200)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no round after so many minutes")
    chosen = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from spry import TaskExecutor

    begun = time.monotonic()
    done = dict.fromkeys(("chain", "wide", "random"), 0)
    for number in range(chosen.rounds):
        if time.monotonic() - begun > chosen.minutes * 60:
            break
        shape = list(done)[number % len(done)]
        graph = made(shape, chosen.tasks, number)
        graph.run(TaskExecutor(), max_workers=4)
        assert graph.ok, f"round {number} ({shape}): {graph}"
        done[shape] += 1
    seconds = time.monotonic() - begun
    done["all"] = sum(done.values())
    table = [{"shape": shape, "rounds": rounds, "tasks": rounds * chosen.tasks} for shape, rounds in done.items()]
    show(table, as_json=chosen.json)
    print(f"{seconds:.0f} s, none stuck", file=sys.stderr)


if __name__ == "__main__":
    main()
