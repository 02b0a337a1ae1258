"""Runbooks to measure with, the same ones every time.

python3 bench/generate.py wide|chain|random|sleeps N > FILE
python3 bench/generate.py prose MEGABYTES > FILE
"""

from __future__ import annotations

import random
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Edges = Mapping[str, Sequence[str]]  # every task with its dependencies, in document order

SEED = 20_261
SENTENCE = (
    "the deployment waits until every region has answered and `status` says so while operators read "
    "[the log](log.md) and compare *both* sides with what **was** promised in the last review"
)
WORDS = SENTENCE.split()


def wide(count: int) -> Edges:
    """Tasks that do not know each other."""
    return {f"t{i}": () for i in range(count)}


def chain(count: int) -> Edges:
    """Each task after the one before it."""
    return {f"t{i}": (f"t{i - 1}",) if i else () for i in range(count)}


def random_dag(count: int) -> Edges:
    """Up to three dependencies each, among the fifty tasks before it; a fifth of the tasks have none."""
    dice = random.Random(SEED)
    edges = {}
    for i in range(count):
        before = range(max(0, i - 50), i)
        most = 0 if dice.random() < 0.2 else 3
        chosen = dice.sample(before, min(dice.randint(0, most), len(before)))
        edges[f"t{i}"] = tuple(f"t{j}" for j in sorted(chosen))
    return edges


def sleeps() -> tuple[Edges, Mapping[str, float]]:
    """Sixty tasks with mixed sleeps, and the sleeps in seconds: the longest path stands last in the file.

    24 single tasks, 8 chains of three, and one chain of twelve that nobody may keep waiting.
    """
    dice = random.Random(SEED)
    edges: dict[str, tuple[str, ...]] = {f"single{i}": () for i in range(24)}
    for i in range(8):
        for step in range(3):
            edges[f"short{i}.{step}"] = (f"short{i}.{step - 1}",) if step else ()
    for step in range(12):
        edges[f"long.{step}"] = (f"long.{step - 1}",) if step else ()
    times = {name: dice.choice((0.05, 0.1, 0.15, 0.2)) for name in edges}
    times.update({name: 0.2 for name in edges if name.startswith("long")})
    return edges, times


def runbook(edges: Edges, bodies: Mapping[str, str] | None = None) -> str:
    """A page with one bash task for each name."""
    cells = ["# Generated\n"]
    for name, deps in edges.items():
        flags = f" --dep {','.join(deps)}" if deps else ""
        cells.append(f"```bash {name}{flags}\n{bodies[name] if bodies else ':'}\n```\n")
    return "\n".join(cells)


def _sections(dice: random.Random) -> Iterator[str]:
    """Headings, paragraphs, lists, quotes, tables and examples without a name, for ever."""
    number = 0
    while True:
        number += 1
        sentence = " ".join(dice.choices(WORDS, k=14))
        yield f"## Section {number}\n"
        for _ in range(3):
            yield "\n".join(" ".join(dice.choices(WORDS, k=16)) for _ in range(5)) + "\n"
        yield f"- {sentence}\n- {sentence}\n\n  1. {sentence}\n"
        yield f"> {sentence}\n> {sentence}\n"
        yield f"| name | value |\n|---|---|\n| {number} | {sentence} |\n"
        yield f"```console\n$ echo {number}\n```\n"


def prose(megabytes: float) -> str:
    """A long page with one task at its end."""
    parts, size = ["# Prose\n"], 0
    for part in _sections(random.Random(SEED)):
        if size >= megabytes * 1024 * 1024:
            break
        parts.append(part)
        size += len(part) + 1
    parts.append("```bash one\n:\n```\n")
    return "\n".join(parts)


SHAPES = {"wide": wide, "chain": chain, "random": random_dag}


def page(shape: str, size: float) -> str:
    """The text of a page by the name of its shape."""
    if shape == "prose":
        return prose(size)
    if shape == "sleeps":
        edges, times = sleeps()
        return runbook(edges, {name: f"sleep {seconds}" for name, seconds in times.items()})
    return runbook(SHAPES[shape](int(size)))


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in {*SHAPES, "prose", "sleeps"}:
        sys.exit(__doc__)
    sys.stdout.write(page(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 10))
