"""What was run can be looked at afterwards: runs, status, logs, result, system tidy."""

from __future__ import annotations

import json
import os
import sqlite3

import jsonschema
import pytest
from book import ROOT, cell

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
def test_a_folder_that_cannot_be_written_is_told_before_anything_runs(book):
    book(*BOOK).path(".spry").mkdir(mode=0o500)

    done = book.run("task", "build")
    assert done.exit_code == 3
    assert done.stdout == ""
    assert "the history cannot be kept" in done.stderr


def test_a_state_folder_that_is_removed_in_mid_run_does_not_stop_it(book):
    book.path(".spry").mkdir()
    book(cell("bash clear", 'rm -r "$SPRY_DIR/.spry"'), cell("bash after --dep clear", "echo here"))

    done = book.run("runbook")
    assert (done.exit_code, done.stdout) == (3, "here\n")


def test_several_runs_at_once_do_not_disturb_each_other(book):
    book(*(cell(f"bash t{number}", "echo here") for number in range(20)))
    processes = [book.start("runbook", "-q") for _ in range(4)]
    errors = [process.communicate()[1] for process in processes]

    assert errors == [b""] * 4
    assert [run["counts"] for run in book.run("runs", "--json").json] == [{"succeeded": 20}] * 4


def conform(value, name):
    schema = json.loads((ROOT / "docs" / "schemas" / f"{name}.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(value)
    return value


def test_what_programs_read_conforms_to_its_schemas(ran):
    book, run = ran

    assert len(conform(book.run("runs", "--json").json, "runs")) == 1
    assert len(conform(book.run("runs", "--stats", "--json").json, "statistics")) == 2
    assert conform(book.run("status", "--json").json, "status")["runs"] == 1
    assert len(conform(book.run("status", run, "--json").json, "status")["tasks"]) == 2
    assert conform(book.run("result", run, "--json").json, "result")["return_code"] == 1
    assert len(conform(book.run("result", "--all", "--json").json, "result")) == 1
    events = [conform(event, "event") for event in book.run("logs", run, "--json").events]
    assert [(event["stream"], event["text"]) for event in events] == [("stdout", "one\n"), ("stderr", "two\n")]


@pytest.fixture
def held(book):
    """A book whose run waits for its gate to open, the process of that run, and its id."""
    gate, ready = book.fifo("gate"), book.fifo("ready")
    book(cell("bash wait", "echo begun; echo aside >&2; echo > ready; read < gate; echo ended"))
    process = book.start("runbook")
    ready.read_bytes()
    return gate, process, book.run("runs", "--json").json[0]["run"]


def test_what_programs_read_of_a_run_under_way_conforms_too(book, held):
    gate, process, run = held
    status = conform(book.run("status", run, "--json").json, "status")
    result = conform(book.run("result", f"{run}/wait", "--json").json, "result")
    conform(book.run("runs", "--json").json, "runs")
    gate.write_text("\n")
    process.communicate()

    assert (status["status"], status["tasks"][0]["outcome"]) == ("running", "running")
    assert (result["status"], result["output"]) == ("running", "begun\n")


def test_a_status_is_watched_until_the_run_is_over(book, held):
    gate, process, run = held
    watching = book.start("status", run, "--watch")
    first = watching.stdout.readline()
    gate.write_text("\n")
    with watching:
        rest = watching.stdout.read()
    process.communicate()

    assert b"running" in first
    assert b"completed" in rest
    assert watching.returncode == 0


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("logs", "--follow"), b"begun\naside\nended\n"),
        (("logs", "--follow", "--raw"), b"begun\naside\nended\n"),
        (("result", "--stream"), b"begun\nended\n"),
    ],
)
def test_output_is_followed_until_the_run_is_over(book, held, argv, expected):
    gate, process, run = held
    following = book.start(argv[0], run, *argv[1:])
    first = following.stdout.readline()
    gate.write_text("\n")
    with following:
        rest, told = following.stdout.read(), following.stderr.read()
    process.communicate()

    assert first + rest == expected
    assert (b"completed, exit code 0" in told) is (argv[0] == "result")


def test_a_result_is_waited_for(book, held):
    gate, process, run = held
    late = book.run("result", run, "--timeout", "0.2")
    waiting = book.start("result", run, "--timeout", "60")
    gate.write_text("\n")
    told, _ = waiting.communicate()
    process.communicate()

    assert late.exit_code == 124
    assert told == b"begun\nended\ncompleted, exit code 0\n"


@pytest.mark.parametrize(("of", "code"), [("", 1), ("/build", 0), ("/test", 1), ("/deploy", 1)])
def test_a_result_exits_as_what_it_tells_of_did(book, of, code):
    book(cell("bash build", "echo"), cell("bash test --dep build", "exit 4"), cell("bash deploy --dep test", "echo"))
    book.run("runbook")
    run = book.run("runs", "--json").json[0]["run"]

    assert book.run("result", run + of).exit_code == code
    assert book.run("result", run + of, "--json").exit_code == code
    assert book.run("result", run + of, "--stream").exit_code == code


@pytest.mark.parametrize(("cells", "code"), [(("sleep 60",), 124), (("sleep 60", "exit 4"), 1), (("true",), 0)])
def test_a_result_tells_a_timeout_from_a_failure(book, cells, code):
    book(*(cell(f"bash a{number} --timeout 0.1", line) for number, line in enumerate(cells)))
    book.run("runbook", "-q")
    run = book.run("runs", "--json").json[0]["run"]

    assert book.run("result", run).exit_code == code
    assert book.run("result", f"{run}/a0").exit_code == (124 if code else 0)


def test_the_result_of_what_is_not_over_is_no_success(book, held):
    gate, process, run = held
    early = [book.run("result", run + of).exit_code for of in ("", "/wait")]
    gate.write_text("\n")
    process.communicate()

    assert early == [124, 124]


def test_raw_logs_pass_every_byte(book):
    book(cell("bash colours", r"printf 'a\033[31mb\033[2Kc\377\000\n'"))
    book.run("runbook")
    run = book.run("runs", "--json").json[0]["run"]

    assert book.run("logs", run, "--raw").stdout.encode("utf-8", "surrogateescape") == b"a\x1b[31mb\x1b[2Kc\xff\0\n"


def test_results_are_collected_once(book):
    book(*BOOK).run("task", "build")
    book.run("task", "test")
    peeked = book.run("result", "--all", "--peek", "--json").json
    first, second = book.run("result", "--all", "--json").json, book.run("result", "--all", "--json").json
    book.run("task", "build")
    third = book.run("result", "--all")

    assert [one["status"] for one in peeked] == ["completed", "failed"]
    assert (first, second) == (peeked, [])
    assert third.stdout.endswith("one\ncompleted, exit code 0\n")


def test_a_run_under_way_is_not_collected(book, held):
    gate, process, _ = held
    before = book.run("result", "--all", "--json").json
    gate.write_text("\n")
    process.communicate()

    assert before == []
    assert len(book.run("result", "--all", "--json").json) == 1


@pytest.mark.parametrize(
    "argv",
    [
        ("--peek",),
        ("--all", "1"),
        ("--all", "--stream"),
        ("--all", "--timeout", "1s"),
        ("--stream", "--json", "RUN"),
        (),
    ],
)
def test_options_of_a_result_that_do_not_go_together_are_refused(ran, argv):
    book, run = ran

    assert book.run("result", *(run if word == "RUN" else word for word in argv)).exit_code == 2


def test_statistics_count_how_tasks_ended(book):
    book(*BOOK).run("runbook")
    book.path("ok").touch()
    book.run("runbook")
    found = {one["task"]: one for one in book.run("runs", "--stats", "--json").json}
    failed = {one["task"]: one for one in book.run("runs", "--stats", "--json", "--status", "failed").json}

    assert found["build"]["counts"] == {"succeeded": 2}
    assert found["test"]["counts"] == {"succeeded": 1, "failed": 1}
    assert found["build"]["longest"] >= found["build"]["median"] > 0
    assert failed["test"]["counts"] == {"failed": 1}
    assert "TASK" in book.run("runs", "--stats").stdout


@pytest.mark.parametrize(
    ("state", "exits"), [("completed", [0]), ("failed", [1]), ("finished", [1, 0]), ("lost", []), ("running", [])]
)
def test_runs_are_listed_by_their_state(book, state, exits):
    book(*BOOK).run("task", "build")
    book.run("task", "test")

    assert [run["exit_code"] for run in book.run("runs", "--status", state, "--json").json] == exits
