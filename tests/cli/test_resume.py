"""`spry resume` finishes what a run began: nothing that succeeded is done twice, whatever ended the run."""

from __future__ import annotations

import random
import time

import pytest
from book import cell


def logged(name, *more, info=""):
    """A task that leaves a line for each time it is run."""
    return cell(f"bash {name} {info}", f"echo {name} $SPRY_RUN_ID $SPRY_ATTEMPT >> log", *more)


def effects(book):
    return [line.split()[0] for line in book.read("log").splitlines()]


CHAIN = (
    logged("one", "echo hello; echo key=value >> $SPRY_OUTPUT", info="-C greeting"),
    logged("two", "test -e ok", info="--dep one"),
    logged("three", "echo ${captured.greeting} ${captured.key} > said", info="--dep two --dep one -I"),
    logged("aside"),
)


def test_what_succeeded_is_not_done_again(book):
    book(*CHAIN).run("runbook", "-j1")
    book.path("ok").touch()
    done = book.run("resume", "--json")

    assert done.exit_code == 0
    assert sorted(effects(book)) == ["aside", "one", "three", "two", "two"]
    assert set(done.outcomes.values()) == {"succeeded"}


def test_captures_and_outputs_come_back(book):
    book(*CHAIN).run("runbook")
    book.path("ok").touch()
    book.run("resume")

    assert book.read("said") == "hello value\n"


def test_a_run_that_was_resumed_in_vain_can_be_resumed_again(book):
    book(*CHAIN).run("runbook")
    book.run("resume")
    book.path("ok").touch()

    assert book.run("resume").exit_code == 0
    assert book.read("said") == "hello value\n"
    assert effects(book).count("one") == 1


def test_nothing_to_resume_is_no_failure(book):
    book(logged("one")).run("runbook")
    done = book.run("resume")

    assert done.exit_code == 0
    assert "nothing to resume" in done.stderr
    assert effects(book) == ["one"]


def test_a_changed_task_runs_again_with_its_dependents_and_it_is_said(book):
    book(*CHAIN).run("runbook")
    book(CHAIN[0].replace("hello", "changed"), *CHAIN[1:]).path("ok").touch()
    done = book.run("resume")

    assert "one has changed since" in done.stderr
    assert book.read("said") == "changed value\n"
    assert effects(book).count("one") == 2
    assert effects(book).count("aside") == 1


def test_from_the_start_everything_runs_again(book):
    book(*CHAIN).run("runbook")
    book.path("ok").touch()
    book.run("resume", "--from-start")

    assert effects(book).count("one") == 2


def test_selection_parameters_and_environment_come_back(book):
    task = logged("two", "test -e ok && echo $WHO $HOW > said", info="--dep one --arg WHO")
    book(logged("one"), task, logged("other")).run("task", "two", "--param", "WHO=me", "--env", "HOW=so")
    book.path("ok").touch()
    book.run("resume")

    assert book.read("said") == "me so\n"
    assert "other" not in effects(book)


def test_clean_up_runs_again_with_what_it_cleans_up_after(book):
    book(logged("one", "test -e ok"), logged("sweep", info="--finally")).run("runbook")
    book.path("ok").touch()
    book.run("resume")

    assert effects(book) == ["one", "sweep", "one", "sweep"]


def test_a_captured_file_that_is_gone_is_made_again(book):
    book(logged("one", "echo text", info="-C ./out.txt"), logged("two", "test -e ok", info="--dep one")).run("runbook")
    book.path("out.txt").unlink()
    book.path("ok").touch()
    book.run("resume")

    assert book.read("out.txt") == "text\n"


FORTY = [
    logged(f"t{number}", info=f"--dep t{number - 4}" if number > 4 else "").replace(
        "log", f"log; sleep 0.0{number % 4}"
    )
    for number in range(1, 41)
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(5), *(pytest.param(seed, marks=pytest.mark.stress) for seed in range(5, 50))])
def test_killed_at_any_moment_a_run_can_be_finished(book, seed):
    book(*FORTY).path("log").touch()
    process = book.start("runbook", "-j4")
    time.sleep(random.Random(seed).uniform(0.03, 0.6))  # any moment will do: nothing is waited for
    process.kill()
    process.communicate()
    states = [run["status"] for run in book.run("runs", "--json").json]
    resumed = book.run("resume" if states else "runbook", "-j4")

    assert resumed.exit_code == 0
    assert "running" not in states
    lines = book.read("log").splitlines()
    runs = book.run("runs", "--json").json
    ended, begun = attempts(book, runs)
    assert len(set(lines)) == len(lines)
    assert set(ended) <= set(lines) <= set(begun)
    assert {line.split()[0] for line in ended} == {f"t{number}" for number in range(1, 41)}


def attempts(book, runs):
    """The attempts that are recorded as succeeded, and all that are recorded."""
    ended, begun = [], []
    for run in runs:
        for task in book.run("status", run["run"], "--json").json["tasks"]:
            line = f"{task['task']} {run['run']} {task['attempt']}"
            if task["reason"] != "up_to_date" and task["attempt"]:
                begun.append(line)
                ended += [line] if task["outcome"] == "succeeded" else []
    assert len(ended) == 40
    return ended, begun


def test_a_dry_run_shows_what_would_run_again_and_changes_nothing(book):
    book(*CHAIN).run("runbook")
    before = effects(book)
    done, told = book.run("resume", "-n", "--json"), book.run("resume", "--dry-run")
    notes = {task["name"]: task["notes"] for task in done.json["tasks"]}

    assert done.exit_code == 0
    assert ["not run again" in " ".join(notes[name]) for name in ("one", "two", "three", "aside")] == [
        True, False, False, True,
    ]  # fmt: skip
    assert "not run again" in told.stdout
    assert effects(book) == before
    assert len(book.run("runs", "--json").json) == 1
