"""The loop asks before it starts a task whether that is up to date; no process, a real database and real files."""

from __future__ import annotations

import os

import pytest
from fakes import FakeClock, FakeExecutor, Play

from spry.core.compile import compile_sources
from spry.core.model import Terms
from spry.core.plan import Selection, select
from spry.core.source import source
from spry.engine.attempts import Attempts, Situation
from spry.engine.freshness import Freshness, Memory
from spry.engine.loop import Clock, Loop
from spry.store import database
from spry.store.cache import Cache

MAKE = "```bash make --outputs made\n:\n```\n"


class Place:
    """A folder with a history, in which runbooks are run by an executor that only says what was started."""

    def __init__(self, folder):
        self.folder = folder
        self.warnings = []
        (folder / "scratch").mkdir()
        (folder / "made").write_text("1")

    def __call__(self, text, plays=None, *, locked=None, memory=True, **options):
        """Run a runbook; the tasks that were started, in order."""
        graph = compile_sources([source(text, "r.md", str(self.folder))]).graph
        plan = select(graph, Selection(everything=True))
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        situation = Situation("1", dict(os.environb), str(self.folder), str(scratch), warn=self.warnings.append)
        attempts = Attempts(plan, situation)
        attempts.freshness = Freshness(attempts, self._memory() if memory else None)
        clock = FakeClock()
        executor = FakeExecutor(2, plays, clock=clock, signals=(), answers=None)
        loop = Loop(plan, "1", executor, attempts, [], Terms(2, **options), clock=Clock(clock.now, 0.0))
        self.result = loop.run()
        attempts.close()
        return [attempt.task for _, attempt in executor.started]

    def _memory(self):
        history = str(self.folder / ".spry")
        cache = Cache(history, database.connect(history, create=True), self.warnings.append)
        return Memory(cache, {"r.md": "r.md"}, bytes, os.path.join(history, "artifacts"))


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_the_executor_never_hears_of_a_task_that_is_up_to_date(place):
    assert [place(MAKE), place(MAKE)] == [["make"], []]
    assert place.result.outcomes == {"make": "succeeded"}


def test_a_failure_is_not_remembered(place):
    assert place(MAKE, {"make": Play(1)}) == ["make"]
    assert place(MAKE) == ["make"]


def test_tasks_that_are_up_to_date_hold_no_slot(place):
    text = "".join(MAKE.replace("make", f"make{number}") for number in range(5)) + "```bash other\n:\n```\n"
    place(text)

    assert place(text) == ["other"]


def test_a_retry_is_not_asked_about(place):
    text = MAKE.replace("make", "make --retry 2")
    assert place(text, {"make": [Play(1), Play(0)]}) == ["make", "make"]
    assert place(text) == []


def test_without_a_memory_everything_runs(place):
    assert [place(MAKE, memory=False), place(MAKE, memory=False)] == [["make"], ["make"]]
    assert not (place.folder / ".spry").exists()


def test_while_another_program_writes_what_is_learned_waits(place, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    database.connect(str(place.folder / ".spry"), create=True).close()
    other = database.sqlite.connect(str(place.folder / ".spry" / "spry.db"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert place(MAKE) == ["make"]
    assert any("runs again the next time" in text for text in place.warnings)
    other.execute("ROLLBACK")
    other.close()

    assert [place(MAKE), place(MAKE)] == [["make"], []]
