"""What it costs to find out that nothing has to be done: N tasks that are all up to date, against make and ninja.

Each task reads two files and makes one; half of them depend on another. `paths` names the files, `globs` matches
them. make and ninja compare times and know nothing of contents; `make -q` only looks, `ninja` finds no work to do.
spry should need at most half a second for 500 tasks.
"""

from __future__ import annotations

import shutil
import subprocess

from measure import alternate, measure, options, scratch, show, spry_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from measure import Environment, Sample

LIMIT = 0.5  # seconds for 500 tasks


def sources(folder: Path, count: int) -> None:
    for number in range(count):
        place = folder / "src" / f"t{number}"
        place.mkdir(parents=True)
        for name in ("a", "b"):
            (place / f"{name}.txt").write_text(f"{number}{name}\n")
    for made in ("spry", "make", "ninja"):
        (folder / "out" / made).mkdir(parents=True)


def runbook(count: int, kind: str) -> str:
    cells = []
    for number in range(count):
        place = f"src/t{number}"
        inputs = f"--inputs '{place}/*.txt'" if kind == "globs" else f"--inputs {place}/a.txt --inputs {place}/b.txt"
        dep = f" --dep t{number // 2}" if number % 2 else ""
        cells.append(f"```bash t{number}{dep} {inputs} --outputs out/spry/t{number}\n{job(number, 'spry')}\n```\n")
    return "\n".join(cells)


def job(number: int, made: str) -> str:
    return f"cat src/t{number}/a.txt src/t{number}/b.txt > out/{made}/t{number}"


def makefile(count: int) -> str:
    targets = [f"out/make/t{number}" for number in range(count)]
    rules = [f"all: {' '.join(targets)}\n"]
    for number in range(count):
        dep = f" out/make/t{number // 2}" if number % 2 else ""
        needs = f"src/t{number}/a.txt src/t{number}/b.txt"
        rules.append(f"{targets[number]}: {needs}{dep}\n\t{job(number, 'make')}\n")
    return "".join(rules)


def ninja(count: int) -> str:
    lines = ["rule cat\n  command = cat $in > $out\n"]
    for number in range(count):
        dep = f" | out/ninja/t{number // 2}" if number % 2 else ""
        lines.append(f"build out/ninja/t{number}: cat src/t{number}/a.txt src/t{number}/b.txt{dep}\n")
    return "".join(lines)


def row(count: int, kind: str, rounds: int) -> dict[str, object]:
    with scratch() as (folder, env):
        sources(folder, count)
        (folder / "Spryfile.md").write_text(runbook(count, kind))
        (folder / "Makefile").write_text(makefile(count))
        (folder / "build.ninja").write_text(ninja(count))
        commands = {"spry": [*spry_command(), "runbook", "-q"]}
        for name, options_ in (("make", ["-q"]), ("ninja", [])):
            path = shutil.which(name)
            if path is not None:
                subprocess.run([path], cwd=folder, env=env, capture_output=True, check=True)
                commands[name] = [path, *options_]
        for _ in range(3):  # makes everything, then learns what nobody has just written, then knows it
            measure(commands["spry"], folder, env)
        found = alternate({name: contender(argv, folder, env) for name, argv in commands.items()}, rounds)
    seconds = {name: sample.seconds for name, sample in found.items()}
    return {
        "tasks": f"{count:,} {kind}",
        "spry s": seconds["spry"],
        "at most": LIMIT * count / 500,
        "make -q s": seconds.get("make"),
        "ninja s": seconds.get("ninja"),
        "of make": seconds["spry"] / seconds["make"] if "make" in seconds else None,
        "of ninja": seconds["spry"] / seconds["ninja"] if "ninja" in seconds else None,
    }


def contender(argv: list[str], folder: Path, env: Environment):
    def run() -> Sample:
        return measure(argv, folder, env)

    return run


def main() -> None:
    parser = options(__doc__ or "", rounds=9)
    parser.add_argument("--tasks", default="500", help="numbers of tasks (default 500)")
    chosen = parser.parse_args()
    counts = [int(count) for count in chosen.tasks.split(",")]
    rows = [row(count, kind, chosen.rounds) for count in counts for kind in ("paths", "globs")]
    show(rows, as_json=chosen.json)


if __name__ == "__main__":
    main()
