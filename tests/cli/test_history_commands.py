"""What was run can be looked at afterwards: runs, status, logs, result, system tidy."""

from __future__ import annotations

import os
import sqlite3

import pytest
from book import cell

BOOK = (cell("bash build", "printf 'one\\n'; echo two >&2"), cell("bash test --dep build", "test -e ok"))


@pytest.fixture
def ran(book):
    """A book whose run has failed, and the id of that run."""
    book(*BOOK).run("runbook")
    return book, book.run("runs", "--json").json[0]["run"]


def state(book):
    """The folder where the only history is."""
    return next((book.place / "home").rglob("spry.db")).parent


def test_runs_are_listed_latest_first(book):
    book(*BOOK).run("task", "build")
    book.run("task", "test")

    listed = book.run("runs", "--json").json
    assert [run["status"] for run in listed] == ["failed", "completed"]
    assert [run["selection"]["tasks"] for run in listed] == [["test"], ["build"]]
    assert listed[0]["counts"] == {"succeeded": 1, "failed": 1}
    assert len(listed[0]["run"]) == 19


def test_without_history_nothing_is_written(book):
    book(*BOOK).run("runbook", "--no-history")

    assert book.run("runs", "--json").json == []
    assert not list((book.place / "home").rglob("spry.db"))


def test_a_folder_of_its_own_holds_the_history(book):
    book.path(".spry").mkdir()
    book(*BOOK).run("runbook")

    assert book.has(".spry/spry.db")
    assert not list((book.place / "home").rglob("spry.db"))


def test_the_status_of_a_run_has_every_task(ran):
    book, run = ran

    told = book.run("status", run[-6:], "--json").json
    assert told["status"] == "failed"
    assert [(task["task"], task["outcome"]) for task in told["tasks"]] == [("build", "succeeded"), ("test", "failed")]


def test_the_status_of_the_whole_is_short(ran):
    book, _ = ran

    assert book.run("status").stdout.startswith("System: OK\nTasks: 0 running\n")


def test_logs_are_what_was_written(ran):
    book, run = ran

    assert book.run("logs", f"{run}/build").stdout == "one\ntwo\n"
    assert book.run("logs", f"{run}/test").stdout == ""


def test_a_result_has_the_names_that_programs_expect(ran):
    book, run = ran

    told = book.run("result", f"{run}/build", "--json").json
    assert told == {"status": "completed", "return_code": 0, "output": "one\n", "run": run}
    assert book.run("result", run, "--json").json["return_code"] == 1


@pytest.mark.parametrize("argv", [("status", "999"), ("logs", "999"), ("result", "999"), ("resume", "999")])
def test_an_unknown_run_is_an_error_of_the_request(ran, argv):
    book, run = ran

    done = book.run(*argv)
    assert done.exit_code == 2
    assert run in done.stderr


def test_an_unknown_task_of_a_run_is_an_error_that_names_the_nearest(ran):
    book, run = ran

    done = book.run("logs", f"{run}/biuld")
    assert done.exit_code == 2
    assert 'did you mean "build"?' in done.stderr


def test_tidying_forgets_what_cannot_be_resumed(book):
    book(*BOOK).run("task", "build")
    book.run("task", "test")

    assert book.run("system", "tidy", "--keep", "0").exit_code == 0
    assert [run["status"] for run in book.run("runs", "--json").json] == ["failed"]


def spoil(database):
    database.write_bytes(b"no database at all" * 100)


def renew(database):
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version=99")
    connection.close()


@pytest.mark.parametrize("harm", [spoil, renew])
def test_a_history_that_cannot_be_used_is_told_in_a_line_and_the_run_goes_on(ran, harm):
    book, _ = ran
    harm(state(book) / "spry.db")

    done = book.run("task", "build")
    told = [line for line in done.stderr.splitlines() if "goes on without history" in line]
    assert done.exit_code == 0
    assert done.stdout == "one\n"
    assert len(told) == 1
    assert book.run("runs").exit_code == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_costs_the_history_only(book):
    book(*BOOK).path(".spry").mkdir(mode=0o500)

    done = book.run("task", "build")
    assert done.exit_code == 0
    assert "goes on without history" in done.stderr


def test_a_state_folder_that_is_removed_in_mid_run_does_not_stop_it(book):
    book.path(".spry").mkdir()
    book(cell("bash clear", 'rm -r "$SPRY_DIR/.spry"'), cell("bash after --dep clear", "echo here"))

    assert book.run("runbook").stdout == "here\n"


def test_several_runs_at_once_do_not_disturb_each_other(book):
    book(*(cell(f"bash t{number}", "echo here") for number in range(20)))
    processes = [book.start("runbook", "-q") for _ in range(4)]
    errors = [process.communicate()[1] for process in processes]

    assert errors == [b""] * 4
    assert [run["counts"] for run in book.run("runs", "--json").json] == [{"succeeded": 20}] * 4
