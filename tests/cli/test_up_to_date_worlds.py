"""Runbooks at random, changed at random: what spry leaves undone is never missed, and its forecasts come true."""

from __future__ import annotations

import random
import shutil

import pytest
from book import Book, cell

SOURCES = ("src0", "src1", "src2")
STEPS = 6


class World:
    """A runbook whose tasks each leave a digest of all they see: in a file, a capture, a value and an artifact."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        likely = self.random.random
        self.tasks = [
            {
                "deps": [dep for dep in range(number) if likely() < 0.6],
                "sources": [source for source in SOURCES if likely() < 0.5],
                "reads": likely() < 0.7,
                "output": self.random.choice([f"out/{number}", f"out/{number}/deep"]),
                "captures": likely() < 0.4,
                "hands": likely() < 0.3,
                "saves": likely() < 0.4,
                "restores": likely() < 0.4,
                "salt": 0,
            }
            for number in range(self.random.randint(2, 4))
        ]

    def text(self) -> str:
        """The runbook."""
        return "".join(map(self._cell, range(len(self.tasks))))

    def _cell(self, number: int) -> str:
        task = self.tasks[number]
        above = {dep: self.tasks[dep] for dep in task["deps"]}
        inputs = [*task["sources"], *(f"out/{dep}" for dep in above if task["reads"])]
        values = [f"${{captured.c{dep}}}" for dep, one in above.items() if one["captures"]]
        values += [f"${{captured.h{dep}}}" for dep, one in above.items() if one["hands"]]
        flags = [f"bash t{number} -I --outputs out/{number}", *(f"--inputs {path}" for path in inputs)]
        flags += [f"--dep t{dep}" for dep in above]
        flags += ["--restore"] * task["restores"] + ["--isolated"] * task["saves"]
        flags += [f"--save s{number}"] * task["saves"] + [f"-C c{number}"] * task["captures"]
        sees = [f"echo {task['salt']}", *(f'(cd "$SPRY_DIR"; find {path} -type f -exec cat {{}} +)' for path in inputs)]
        sees += [f'echo "{value}"' for value in values] + ["ls; cat s* 2>&1 || true"] * task["restores"]
        lines = [f"sum=$( {{ {'; '.join(sees)}; }} | cksum)", f'file="$SPRY_DIR/{task["output"]}"']
        lines += ['mkdir -p "${file%/*}"', 'echo "$sum" > "$file"', 'echo "said $sum"']
        lines += [f'echo "$sum" > s{number}'] * task["saves"]
        lines += [f'echo "h{number}=$sum" >> "$SPRY_OUTPUT"'] * task["hands"]
        return cell(" ".join(flags), *lines)

    def change(self, book: Book) -> None:
        """Something happens to the runbook, or in its folder."""
        task = self.random.choice(self.tasks)
        output = book.path(task["output"])
        what = self.random.choice(["source", "script", "lose", "lose", "edit", "nothing"])
        if what == "source":
            book.path(self.random.choice(SOURCES)).write_text(str(self.random.random()))
        elif what == "script":
            task["salt"] += self.random.choice([-1, 1])
        elif what == "lose":
            output.unlink(missing_ok=True)
        elif what == "edit" and output.exists():
            output.write_text("by hand")


def left(book: Book, world: World) -> dict[str, str]:
    return {task["output"]: book.read(task["output"]) for task in world.tasks}


def afresh(world: World, book: Book, place, forks) -> dict[str, str]:
    """What the tasks leave where nothing is remembered."""
    place.mkdir()
    other = Book(place, forks)(world.text())
    for source in SOURCES:
        shutil.copy(book.path(source), other.path(source))
    assert other.run("runbook", "-q", "--no-history").exit_code == 0
    return left(other, world)


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.stress) for seed in range(2, 8))])
def test_nothing_is_missed_and_what_was_foretold_happens(book, forks, tmp_path, seed):
    world = World(seed)
    for source in SOURCES:
        book.path(source).write_text(source)
    for step in range(STEPS):
        book(world.text())
        foretold = book.run("runbook", "--dry-run", "--json").json["tasks"]
        done = book.run("runbook", "--json")
        started = {event["task"] for event in done.events if event["event"] == "task_started"}

        assert done.exit_code == 0
        assert left(book, world) == afresh(world, book, tmp_path / f"afresh{step}", forks)
        for task in foretold:
            notes = " ".join(task["notes"])
            assert "would fail" not in notes
            assert not ("up to date" in notes and task["name"] in started), (step, notes)
            assert not ("would run" in notes and task["name"] not in started), (step, notes)
        world.change(book)
