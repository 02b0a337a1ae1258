"""`spry progress`: how far a task says it is."""

from __future__ import annotations

import sys
from contextlib import closing

import pytest
from book import ROOT, cell

SPRY = f"env PYTHONPATH={ROOT} {sys.executable} -m spry"


def progress(done):
    return [(event["percent"], event["text"]) for event in done.events if event["event"] == "task_progress"]


@pytest.fixture
def played(book):
    """A run of one task, with spry on its PATH, as events."""

    def run(*lines, flags="", **how):
        book.path("spry").write_text(f'#!/bin/sh\nexec {SPRY} "$@"\n')
        book.path("spry").chmod(0o755)
        book(cell(f"bash work --env PATH={book.folder}:{book.env['PATH']} {flags}", *lines))
        return book.run("task", "work", "--json", **how)

    return run


def test_percent_and_words_are_told_as_an_event(played):
    done = played(
        'spry progress 25 "warming up"', "spry progress 50%", "spry progress still working", "spry progress 10"
    )

    assert progress(done) == [(25, "warming up"), (50, ""), (None, "still working"), (10, "")]
    assert done.exit_code == 0


def test_what_a_task_says_last_comes_before_its_end(played):
    done = played("spry progress 100 done")

    assert [event["event"] for event in done.events] == [
        "run_started", "task_started", "task_progress", "task_finished", "run_finished",
    ]  # fmt: skip


def test_it_is_remembered(played, book):
    played("spry progress 42 'half of the answer'")
    (run,) = book.run("runs", "--json").json
    told = book.run("result", run["run"], "--json")
    import sqlite3

    (database,) = book.place.rglob("spry.db")
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT * FROM events").fetchall()

    assert told.exit_code == 0
    assert any(42 in row for row in rows)


def test_words_in_several_lines_are_one_line_and_long_ones_are_cut(played):
    done = played("spry progress 1 $'two\\nlines\\tand a tab'", "spry progress 2 $(printf 'ä%.0s' {1..9000})")
    (_, first), (_, second) = progress(done)

    assert first == "two lines and a tab"
    assert 1000 < len(second) < 9000
    assert set(second) == {"ä"}


def test_many_at_once_are_all_told(played):
    done = played('for i in {1..20}; do spry progress "$i" "step $i" & done; wait')

    assert sorted(progress(done)) == [(i, f"step {i}") for i in range(1, 21)]


def test_garbage_in_the_pipe_hurts_nobody(played):
    done = played(r"printf 'x\n\t\t\nwork\tnan\t\nwork\t900\t\nother\t5\tx\nwork\t5\tgood\n\377\n' >$SPRY_PROGRESS")

    assert progress(done) == [(5, "good")]
    assert done.exit_code == 0


def test_secrets_are_masked_in_it(played):
    done = played('spry progress 5 "key is $key"', flags="--arg key:secret=hunter2hunter2")

    assert progress(done) == [(5, "key is ***")]


@pytest.mark.parametrize("words", [["101"], ["-1"], ["nan"], []])
def test_what_is_no_progress_is_an_error(played, words):
    done = played(f"spry progress {' '.join(words)} || echo code $?")

    assert progress(done) == []
    assert any(event.get("text") == "code 2\n" for event in done.events)


def test_outside_of_a_task_it_says_so(book):
    done = book.run("progress", "25", "x")

    assert done.exit_code == 2
    assert "speaks to the run of a task" in done.stderr


def test_a_run_that_does_not_listen_is_no_reason_to_fail(book):
    done = book.run("progress", "25", env={"SPRY_PROGRESS": str(book.place / "gone"), "SPRY_TASK": "x"})

    assert done.exit_code == 0
    assert "does not listen" in done.stderr


def test_programs_hear_it_too(tmp_path):
    from spry import Task, TaskExecutor

    seen = []
    executor = TaskExecutor()
    executor.events.subscribe(seen.append)
    executor.execute(Task.bash(f"{SPRY} progress 25 'warming up'"))

    assert [(event.type.name, event.progress_percent, event.progress_message) for event in seen] == [
        ("STARTED", None, None), ("PROGRESS", 25, "warming up"), ("SUCCEEDED", None, None),
    ]  # fmt: skip
