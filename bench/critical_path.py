"""What the order of ready tasks is worth: sixty tasks with mixed sleeps on four slots.

The floor is max(longest path, work / slots): no order can beat it. spry, which knows no durations on a first run, is
timed, and so is first-come-first-served with a pool of threads. The other rows are simulated, without any cost of
starting a process.
"""

from __future__ import annotations

import heapq
import shutil
import statistics
import subprocess
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from generate import sleeps
from measure import generated, measure, options, scratch, show, spry_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Edges = Mapping[str, Sequence[str]]
    Times = Mapping[str, float]

SLOTS = 4


def dependents(edges: Edges) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in edges}
    for name, deps in edges.items():
        for dep in deps:
            found[dep].append(name)
    return found


def remaining(edges: Edges, times: Times) -> dict[str, float]:
    """The longest path from each task to an end, itself included; names are in document order, dependencies first."""
    after = dependents(edges)
    longest: dict[str, float] = {}
    for name in reversed(list(edges)):
        longest[name] = times[name] + max((longest[other] for other in after[name]), default=0.0)
    return longest


def layers(edges: Edges) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, deps in edges.items():
        found[name] = max((found[dep] + 1 for dep in deps), default=0)
    return found


def simulate(edges: Edges, times: Times, urgency: Callable[[str], float]) -> float:
    """When the last task ends if free slots always take the ready task with the lowest `urgency`, oldest first."""
    after, missing = dependents(edges), {name: len(deps) for name, deps in edges.items()}
    ready = [(urgency(name), age, name) for age, name in enumerate(edges) if not missing[name]]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    now, age = 0.0, len(edges)
    while ready or running:
        while ready and len(running) < SLOTS:
            name = heapq.heappop(ready)[2]
            heapq.heappush(running, (now + times[name], name))
        now, ended = heapq.heappop(running)
        for name in after[ended]:
            missing[name] -= 1
            if not missing[name]:
                age += 1
                heapq.heappush(ready, (urgency(name), age, name))
    return now


def barriers(edges: Edges, times: Times) -> float:
    """Layer by layer: nothing of the next layer starts before all of this one has ended."""
    of = layers(edges)
    return sum(
        simulate({name: () for name in edges if of[name] == layer}, times, lambda _: 0.0)
        for layer in range(max(of.values()) + 1)
    )


def pool(edges: Edges, times: Times) -> float:
    """First come, first served, with processes and a pool of threads."""
    after, missing = dependents(edges), {name: len(deps) for name, deps in edges.items()}
    begin = time.perf_counter()
    with ThreadPoolExecutor(SLOTS) as threads:

        def start(name: str) -> object:
            return threads.submit(subprocess.run, ["bash", "-c", f"sleep {times[name]}"], check=True)

        running = {start(name): name for name in edges if not missing[name]}
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                for name in after[running.pop(future)]:
                    missing[name] -= 1
                    if not missing[name]:
                        running[start(name)] = name
    return time.perf_counter() - begin


def timed(rounds: int) -> dict[str, float]:
    """Really run, alternating; start-up included."""
    edges, times = sleeps()
    found: dict[str, list[float]] = {"spry, first time": [], "spry, again": [], "threads, first come": []}
    with scratch() as (folder, env):
        path = generated(folder, "sleeps", len(edges))
        command = [*spry_command(), "runbook", path.name, "-j", str(SLOTS)]
        for _ in range(rounds):
            shutil.rmtree(env["XDG_CACHE_HOME"], ignore_errors=True)
            found["spry, first time"].append(measure(command, folder, env).seconds)
            found["spry, again"].append(measure(command, folder, env).seconds)
            found["threads, first come"].append(pool(edges, times))
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    chosen = options(__doc__ or "", rounds=3).parse_args()
    edges, times = sleeps()
    by_time = remaining(edges, times)
    by_count = remaining(edges, dict.fromkeys(edges, 1.0))
    floor = max(*by_time.values(), sum(times.values()) / SLOTS)
    makespans = {
        "floor: max(path, work / slots)": floor,
        **{f"{name} (timed)": seconds for name, seconds in timed(chosen.rounds).items()},
        "longest path first, durations known": simulate(edges, times, lambda name: -by_time[name]),
        "longest path first, by count": simulate(edges, times, lambda name: -by_count[name]),
        "first come, first served": simulate(edges, times, lambda _: 0.0),
        "layer by layer": barriers(edges, times),
    }
    rows = [{"order": name, "seconds": value, "of the floor": value / floor} for name, value in makespans.items()]
    show(rows, as_json=chosen.json)


if __name__ == "__main__":
    main()
