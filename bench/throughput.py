"""How much of a run's time is the runner: N tasks of `bash -c :` against `xargs -P` over the same command.

`first` is a runbook that was never seen before, `again` one that was. The ratio is that of `again`; 1.00 would be
xargs itself, which knows neither names nor an order. Memory is the peak of spry's own process; memory a task is what
5,000 tasks need beyond what one needs.
"""

from __future__ import annotations

import shutil
import sys

from measure import Sample, alternate, generated, measure, options, scratch, show, spry_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from measure import Environment

BASH = shutil.which("bash") or "/bin/bash"


def xargs(count: int, jobs: int, folder: Path, env: Environment) -> Sample:
    return measure([BASH, "-c", f"seq {count} | xargs -P{jobs} -I{{}} bash -c :"], folder, env)


def spry(path: Path, jobs: int, env: Environment) -> Sample:
    return measure([*spry_command(), "runbook", path.name, "-j", str(jobs)], path.parent, env)


def row(shape: str, count: int, rounds: int) -> dict[str, object]:
    jobs = 1 if shape == "chain" else 2
    with scratch() as (folder, env):
        path = generated(folder, shape, count)

        def first() -> Sample:
            shutil.rmtree(env["XDG_CACHE_HOME"], ignore_errors=True)
            return spry(path, jobs, env)

        contenders = {
            "xargs": lambda: xargs(count, jobs, folder, env),
            "first": first,
            "again": lambda: spry(path, jobs, env),
        }
        found = alternate(contenders, rounds)
    return {
        "graph": f"{shape} {count:,} -j{jobs}",
        "xargs s": found["xargs"].seconds,
        "spry first s": found["first"].seconds,
        "spry again s": found["again"].seconds,
        "ratio": found["again"].seconds / found["xargs"].seconds,
        "ms a task": (found["again"].seconds - found["xargs"].seconds) / count * 1000,
        "peak MB first": found["first"].peak,
        "peak MB again": found["again"].peak,
    }


def memory(rows: list[dict[str, object]], rounds: int) -> list[dict[str, object]]:
    """What a task costs in memory, from the rows that were measured and one task alone."""
    base = row("wide", 1, rounds)
    costs = []
    for found in rows:
        name, count, _ = str(found["graph"]).split()
        tasks = int(count.replace(",", ""))
        cost = {
            kind: (float(str(found[f"peak MB {kind}"])) - float(str(base[f"peak MB {kind}"]))) * 1024 / (tasks - 1)
            for kind in ("first", "again")
        }
        costs.append({"memory": f"{name} {count}", "KB a task first": cost["first"], "KB a task again": cost["again"]})
    return costs


def main() -> None:
    parser = options(__doc__ or "", rounds=3)
    parser.add_argument("--tasks", default="1000,5000", help="numbers of tasks (default 1000,5000)")
    parser.add_argument("--graphs", default="wide,chain,random", help="shapes (default wide,chain,random)")
    chosen = parser.parse_args()
    rows = []
    for count in map(int, chosen.tasks.split(",")):
        for shape in chosen.graphs.split(","):
            rows.append(row(shape, count, chosen.rounds))
            print(f"{shape} {count} done", file=sys.stderr)
    costs = memory(rows, chosen.rounds)
    if chosen.json:
        show([*rows, *costs], as_json=True)
        return
    show(rows, as_json=False)
    show(costs, as_json=False)


if __name__ == "__main__":
    main()
