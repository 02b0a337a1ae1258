"""What writing a run down costs: N tasks of `bash -c :` with history against the same with `--no-history`.

The two take turns, and the ratio is the median of the pairs' ratios: on a busy machine their times vary far more than
they differ. It should stay at or below 1.10. The history grows from round to round, as a user's does.
"""

from __future__ import annotations

import statistics

from measure import generated, measure, options, scratch, show, spry_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from measure import Environment

LIMIT = 1.10


def row(count: int, jobs: int, rounds: int) -> dict[str, object]:
    with scratch() as (folder, env):
        path = generated(folder, "wide", count)
        argv = [*spry_command(), "runbook", path.name, "-j", str(jobs), "-q"]
        measure([*argv, "--no-history"], path.parent, env)  # from here on the runbook is compiled
        pairs = [_pair(argv, path.parent, env, swapped=bool(number % 2)) for number in range(rounds)]
    on, off = (statistics.median(pair[which] for pair in pairs) for which in (0, 1))
    return {
        "tasks": f"{count:,} -j{jobs}",
        "history s": on,
        "--no-history s": off,
        "ratio": statistics.median(pair[0] / pair[1] for pair in pairs),
        "at most": LIMIT,
        "lowest": min(pair[0] / pair[1] for pair in pairs),
        "highest": max(pair[0] / pair[1] for pair in pairs),
    }


def _pair(argv: list[str], folder: Path, env: Environment, *, swapped: bool) -> tuple[float, float]:
    """Seconds with and without, one right after the other, so that both meet the same machine."""
    seconds = {}
    for option in ("--no-history", "") if swapped else ("", "--no-history"):
        seconds[option] = measure([*argv, option] if option else argv, folder, env).seconds
    return seconds[""], seconds["--no-history"]


def main() -> None:
    parser = options(__doc__ or "", rounds=9)
    parser.add_argument("--tasks", default="1000", help="numbers of tasks (default 1000)")
    parser.add_argument("--jobs", type=int, default=2, help="tasks at once (default 2)")
    chosen = parser.parse_args()
    rows = [row(int(count), chosen.jobs, chosen.rounds) for count in chosen.tasks.split(",")]
    show(rows, as_json=chosen.json)


if __name__ == "__main__":
    main()
