"""The loop asks before it starts a task whether that is up to date; no process, a real database and real files."""

from __future__ import annotations

import os

import pytest
from fakes import FakeClock, FakeExecutor, Play

from spry.core.compile import compile_sources
from spry.core.events import TaskFinished
from spry.core.model import Terms
from spry.core.plan import Selection, select
from spry.core.source import source
from spry.engine.attempts import Attempts, Situation
from spry.engine.freshness import Freshness, Memory
from spry.engine.loop import Clock, Loop
from spry.execute.protocol import Exited
from spry.store import database
from spry.store.cache import Cache

MAKE = "```bash make --outputs made\n:\n```\n"


class Calling(FakeExecutor):
    """Acts out plays, and calls what there is to call when its time is over: the `calls`, with how they ended."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.calls = {}

    def start(self, attempt) -> None:
        super().start(attempt)
        if attempt.call is not None:
            self.calls[attempt.task] = attempt.call

    def stop(self, task, *, grace) -> None:
        super().stop(task, grace=grace)
        if task in self.calls:
            self.calls[task].cancel()

    def wait(self, timeout):
        told = super().wait(timeout)
        for at, notice in enumerate(told):
            call = self.calls.pop(notice.task, None) if isinstance(notice, Exited) else None
            if call is not None:
                ending = call(lambda _: None)
                told[at] = Exited(notice.task, ending.exit_code, ending.signal)
        return told


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
        executor = Calling(2, plays, clock=clock, signals=(), answers=None)
        self.events = []
        listeners = [self.events.append]
        loop = Loop(plan, "1", executor, attempts, listeners, Terms(2, **options), clock=Clock(clock.now, 0.0))
        self.result = loop.run()
        attempts.close()
        self.called = [attempt.task for _, attempt in executor.started if attempt.call is not None]
        return [attempt.task for _, attempt in executor.started if attempt.call is None]

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


# What is large is put back beside the loop

LARGE = b"much" * (3 << 20)


@pytest.fixture
def large(place):
    """A place with a large file that a task has made, and that is gone since."""
    (place.folder / "made").write_bytes(LARGE)
    assert place(MAKE) == ["make"]
    (place.folder / "made").unlink()
    return place


def test_a_large_file_is_put_back_while_others_run(large):
    assert large(MAKE + "```bash other\n:\n```\n", {"make": Play(lasts=5)}) == ["other"]
    ended = [(event.task, event.reason) for event in large.events if isinstance(event, TaskFinished)]

    assert large.called == ["make"]
    assert ended == [("other", None), ("make", "up_to_date")]
    assert [event.message for event in large.events if isinstance(event, TaskFinished)][1] == "restored made"
    assert (large.folder / "made").read_bytes() == LARGE
    assert large.warnings == []
    assert large(MAKE) == []


def test_many_small_files_are_put_back_beside_the_loop_too(place):
    folder = place.folder / "many"
    folder.mkdir()
    for number in range(200):
        (folder / str(number)).write_text(str(number))
    text = "```bash many --outputs many/\n:\n```\n"
    place(text)
    for number in range(150):
        (folder / str(number)).unlink()

    assert (place(text), place.called) == ([], ["many"])
    assert sorted(map(int, os.listdir(folder))) == list(range(200))


@pytest.mark.parametrize("options", [{"timeout": 2.0}, {}])
def test_a_large_file_is_not_put_back_once_its_task_is_stopped(large, options):
    task = MAKE if options else MAKE.replace("made", "made --timeout 2s")
    large(task, {"make": Play(lasts=50)}, **options)

    assert large.called == ["make"]
    assert large.result.outcomes == {"make": "failed"}
    assert sorted(os.listdir(large.folder)) == [".spry"]
    assert large(MAKE) == []
    assert (large.folder / "made").read_bytes() == LARGE


def test_a_large_file_that_is_damaged_in_the_store_is_made_again(large):
    (blob,) = [
        path
        for path in (large.folder / ".spry/artifacts/blobs").rglob("*")
        if path.is_file() and path.stat().st_size > 1e6
    ]
    blob.chmod(0o600)
    with blob.open("r+b") as stream:
        stream.write(b"!")

    assert (large(MAKE), large.called) == (["make"], ["make"])
    assert any("what make made cannot be put back, so it runs again: " in text for text in large.warnings)
    assert not (large.folder / "made").exists()
