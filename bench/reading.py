"""How reading grows with the page: `spry check` of many tasks, and of a few megabytes of prose.

The floor is Python reading the same file line by line and looking for fences, from a cold start, in the same rounds.
The time a task costs is what the page takes beyond a page with one task; `growth` compares it with that of the
smallest page: 1 is linear.
"""

from __future__ import annotations

import shutil
import sys

from measure import alternate, generated, measure, options, scratch, show, spry_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from measure import Sample

FLOOR = "import sys; print(sum(line.lstrip().startswith('```') for line in open(sys.argv[1], encoding='utf-8')))"


def row(shape: str, size: float, rounds: int) -> dict[str, object]:
    with scratch() as (folder, env):
        path, least = generated(folder, shape, size), generated(folder, "wide", 1)

        def check(page: Path) -> Sample:
            shutil.rmtree(env["XDG_CACHE_HOME"], ignore_errors=True)
            return measure([*spry_command(), "check", page.name], folder, env)

        contenders = {
            "floor": lambda: measure([sys.executable, "-c", FLOOR, path.name], folder, env),
            "least": lambda: check(least),
            "check": lambda: check(path),
        }
        found = alternate(contenders, rounds)
        megabytes = path.stat().st_size / 1024 / 1024
    return {
        "page": f"{shape} {size:,g}" + (" MB" if shape == "prose" else " tasks"),
        "MB": megabytes,
        "floor s": found["floor"].seconds,
        "check s": found["check"].seconds,
        "ratio": found["check"].seconds / found["floor"].seconds,
        "peak MB": found["check"].peak,
        "us a task": (found["check"].seconds - found["least"].seconds) / size * 1e6 if shape != "prose" else None,
    }


def main() -> None:
    parser = options(__doc__ or "", rounds=3)
    parser.add_argument("--tasks", default="1000,5000,10000", help="numbers of tasks (default 1000,5000,10000)")
    parser.add_argument("--megabytes", default="1,10", help="sizes of prose (default 1,10)")
    chosen = parser.parse_args()
    rows = [
        row(shape, int(count), chosen.rounds)
        for shape in ("random", "chain", "wide")
        for count in chosen.tasks.split(",")
    ]
    smallest = {str(found["page"]).split()[0]: found["us a task"] for found in reversed(rows)}
    for found in rows:
        found["growth"] = found["us a task"] / smallest[str(found["page"]).split()[0]]
    sizes = map(float, chosen.megabytes.split(","))
    rows.extend({**row("prose", size, chosen.rounds), "growth": None} for size in sizes)
    show(rows, as_json=chosen.json)


if __name__ == "__main__":
    main()
