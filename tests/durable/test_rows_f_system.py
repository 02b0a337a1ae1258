"""`spry system dump` and `load`: everything that is remembered, away and back."""

from __future__ import annotations

import errno
import json
import os
from contextlib import contextmanager
from pathlib import Path

import pytest
from book import cell

from spry.api.dumps import load
from spry.errors import HostError
from spry.store import dump as store

OLD = Path(__file__).with_name("dump-1.jsonl")  # made by the first spry that could; every later one has to load it


@pytest.fixture
def project(book):
    """A project in which something was done, and beside it `other`, in which nothing was."""
    assert book.run("init").exit_code == 0
    book("```bash one --capture x\necho 1\n```\n```bash two --dep one\necho \"é $(printf '\\377')\" >&2; exit 3\n```\n")
    book.path("other/.git").mkdir(parents=True)
    book.run("init", cwd="other")
    return book


def done(book):
    """Do a little of everything."""
    book.run("runbook")
    book.run("exec", "--name", "hi", "echo", "hi")
    book.run("spec", "create", "nightly", stdin=b'{"spec": {"process_target": "true"}}')


def test_f22_a_dump_brings_everything_back_with_its_ids(project):
    done(project)
    assert project.run("system", "dump", "-o", "all.jsonl").exit_code == 0
    assert project.run("system", "load", "-i", "../all.jsonl", cwd="other").exit_code == 0

    before, after = project.run("runs", "--json").json, project.run("runs", "--json", cwd="other").json
    assert after == before
    for run in before:
        for command in ("status", "result", "logs"):
            argv = (command, run["run"], "--json")
            assert project.run(*argv, cwd="other") == project.run(*argv)
    assert project.run("spec", "list", "--json", cwd="other").json == [{"name": "nightly", "type": "task"}]
    assert project.run("system", "dump", "-o", "again.jsonl", cwd="other").exit_code == 0
    assert project.read("other/again.jsonl") == project.read("all.jsonl")


def test_f12_f22_messages_and_aliases_go_with_a_dump_but_no_runtime_state(project):
    for queue, text in (("in", "a"), ("in", "b"), ("spry.state.x", "c")):
        assert project.run("queue", "write", queue, text).exit_code == 0
    project.run("queue", "alias", "add", "entrance", "in")
    project.run("system", "dump", "-o", "all.jsonl")
    project.run("system", "load", "-i", "../all.jsonl", cwd="other")

    peeked = project.run("queue", "peek", "in", "--all", "--json").stdout
    assert project.run("queue", "peek", "entrance", "--all", "--json", cwd="other").stdout == peeked
    assert "spry.state" not in project.read("all.jsonl")


def test_f22_a_conflict_of_aliases_is_told_and_nothing_is_loaded(project):
    project.run("queue", "write", "in", "a")
    project.run("queue", "alias", "add", "entrance", "in")
    project.run("system", "dump", "-o", "all.jsonl")
    project.run("queue", "alias", "add", "entrance", "elsewhere", cwd="other")
    loaded = project.run("system", "load", "-i", "../all.jsonl", cwd="other")

    assert loaded.exit_code == 2
    assert "the alias entrance stands for elsewhere already, not for in" in loaded.stderr
    assert project.run("queue", "list", cwd="other").stdout == ""


def test_f22_a_dump_has_what_has_happened_so_far_in_a_run_that_is_under_way(project):
    up, gate = project.fifo("up"), project.fifo("gate")
    project(cell("bash first", "true"), cell("bash second --dep first", "echo > up; cat gate"))
    process = project.start("runbook")
    up.read_text()
    project.run("system", "dump", "-o", "all.jsonl")
    gate.write_text("")
    process.communicate(timeout=60)
    events = [
        (one["event"], one.get("task"))
        for one in map(json.loads, project.read("all.jsonl").splitlines())
        if one["kind"] == "event"
    ]

    assert events == [
        ("run_started", None), ("task_started", "first"), ("task_finished", "first"), ("task_started", "second"),
    ]  # fmt: skip


def test_f22_a_dump_is_for_nobody_else(project):
    project.run("exec", "true")
    project.run("system", "dump", "-o", "all.jsonl")

    assert project.path("all.jsonl").stat().st_mode & 0o777 == 0o600


def test_f22_what_is_there_already_is_named_and_nothing_is_changed(project):
    done(project)
    project.run("system", "dump", "-o", "all.jsonl")
    again = project.run("system", "load", "-i", "all.jsonl")

    assert again.exit_code == 2
    assert "is there already" in again.stderr
    assert len(project.run("runs", "--json").json) == 2


def test_f22_a_dump_loads_into_a_project_that_has_runs_of_its_own(project):
    done(project)
    project.run("system", "dump", "-o", "all.jsonl")
    project.run("exec", "echo", "own", cwd="other")

    assert project.run("system", "load", "-i", "../all.jsonl", cwd="other").exit_code == 0
    assert len(project.run("runs", "--json", cwd="other").json) == 3


def test_f22_the_dump_of_an_earlier_version_still_loads(project):
    loaded = project.run("system", "load", "-i", str(OLD))

    assert (loaded.exit_code, loaded.stdout) == (0, "")
    runs = project.run("runs", "--json").json
    assert [(run["status"], run["counts"]) for run in runs] == [
        ("completed", {"succeeded": 1}),
        ("failed", {"succeeded": 1, "failed": 1}),
    ]
    assert project.run("logs", runs[0]["run"]).stdout == "hi\n"
    assert project.run("spec", "validate", "nightly").exit_code == 0


def test_f22_a_loaded_run_can_be_resumed(project):
    project.run("runbook")
    project.run("system", "dump", "-o", "all.jsonl")
    project.run("system", "load", "-i", "../all.jsonl", cwd="other")
    resumed = project.run("resume", cwd="other")

    assert "1 of 2 tasks need not run again" in resumed.stderr


LINES = [
    {"kind": "spry dump", "format": 1, "version": "0.1.0"},
    {"kind": "end", "records": 0},
]


RUN = {
    "kind": "run", "run": 7, "state": "finished", "started": 1.0, "total": 1, "counts": "{}", "request": "{}",
    "folder": "/", "work": "x",
}  # fmt: skip
EVENT = {"kind": "event", "run": 7, "number": 1, "event": "run_started", "at": 1.0}
OUTPUT = {"kind": "output", "run": 7, "task": 0, "attempt": 1, "stream": "stdout", "at": 1.0, "data": "MQo="}
MESSAGE = {"kind": "message", "queue": "in", "id": 5, "text": "a"}
ALIAS = {"kind": "alias", "alias": "entrance", "target": "in"}


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([{**RUN, "state": ["finished"]}], "state is damaged"),
        ([{**RUN, "request": "{"}], "request is damaged"),
        ([{**RUN, "run": 10**30}], "run is damaged"),
        ([{name: value for name, value in RUN.items() if name != "total"}], "total is missing"),
        ([RUN, RUN], "run 7 is in the dump twice"),
        ([RUN, {**EVENT, "at": "now"}], "at is damaged"),
        ([RUN, EVENT, EVENT], "event 1 of run 7 is not in its place"),
        ([RUN, {**OUTPUT, "data": "!"}], "data is damaged"),
        ([RUN, {**OUTPUT, "task": "one"}], "task is damaged"),
        ([RUN, MESSAGE, MESSAGE], "message 5 is in the dump twice"),
        ([RUN, {**MESSAGE, "queue": "no queue!"}], "is no name of a queue"),
        ([RUN, {**MESSAGE, "id": 0}], "its id is none"),
        ([RUN, {**ALIAS, "target": "entrance"}], "it means itself"),
        ([RUN, ALIAS, {**MESSAGE, "queue": "entrance"}], "entrance is an alias and a queue with messages"),
    ],
)
def test_f22_damage_in_a_dump_is_told_and_nothing_is_loaded(project, records, words):
    lines = [LINES[0], *records, {"kind": "end", "records": len(records)}]
    project.path("odd.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    loaded = project.run("system", "load", "-i", "odd.jsonl")

    assert (loaded.exit_code, "Traceback" in loaded.stderr) == (2, False)
    assert words in loaded.stderr
    assert project.run("runs").stdout == "no runs are remembered here\n"
    assert project.run("queue", "list").stdout == ""


def test_f22_a_load_that_was_cut_short_can_be_done_again(project):
    project.run("queue", "write", "in", "a")
    project.run("exec", "true")
    project.run("system", "dump", "-o", "all.jsonl")
    project.path("other/.spry/runs").write_text("no room")
    assert project.run("system", "load", "-i", "../all.jsonl", cwd="other").exit_code == 3
    project.path("other/.spry/runs").unlink()

    assert project.run("system", "load", "-i", "../all.jsonl", cwd="other").exit_code == 0
    assert project.run("queue", "peek", "in", "--all", cwd="other").stdout == "a\n"
    assert len(project.run("runs", "--json", cwd="other").json) == 1


def test_f22_a_load_that_fails_leaves_nothing_of_anything(project):
    project.run("queue", "write", "in", "a")
    project.run("queue", "alias", "add", "entrance", "in")
    done(project)
    project.run("system", "dump", "-o", "all.jsonl")
    project.run("queue", "write", "in", "mine", cwd="other")
    project.path("other/.spry/tasks").rmdir()
    project.path("other/.spry/tasks").symlink_to("nowhere")
    failed = project.run("system", "load", "-i", "../all.jsonl", cwd="other")

    assert failed.exit_code == 3
    assert project.run("runs", cwd="other").stdout == "no runs are remembered here\n"
    assert project.run("queue", "peek", "in", "--all", cwd="other").stdout == "mine\n"
    assert project.run("queue", "alias", "list", cwd="other").stdout == ""
    assert not os.listdir(project.path("other/.spry/runs"))


def test_f22_what_was_put_before_the_last_step_failed_is_taken_back(project, monkeypatch):
    project.run("queue", "write", "in", "a")
    project.run("queue", "alias", "add", "entrance", "in")
    done(project)
    project.run("system", "dump", "-o", "all.jsonl")

    @contextmanager
    def failing(records, folder):
        yield
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "loading", failing)
    with pytest.raises(HostError):
        load(str(project.path("other")), str(project.path("all.jsonl")))

    assert project.run("queue", "list", cwd="other").stdout == ""
    assert project.run("queue", "alias", "list", cwd="other").stdout == ""
    assert project.run("spec", "list", cwd="other").stdout == "no specs are saved here\n"


def test_f22_a_load_that_was_killed_can_be_done_again(project):
    project.run("exec", "true")
    project.run("system", "dump", "-o", "all.jsonl")
    run = project.run("runs", "--json").json[0]["run"]
    project.path(f"other/.spry/runs/{run}").mkdir(parents=True)
    project.path(f"other/.spry/runs/{run}/log").write_text("half")

    assert project.run("system", "load", "-i", "../all.jsonl", cwd="other").exit_code == 0
    assert project.run("runs", "--json", cwd="other").json[0]["run"] == run


def test_f22_a_dump_goes_through_a_pipe(project):
    done(project)
    dumped = project.run("system", "dump", "-o", "-")
    loaded = project.run("system", "load", "-i", "-", cwd="other", stdin=dumped.stdout.encode())

    assert dumped.stderr.endswith("records written to stdout\n")
    assert (loaded.exit_code, loaded.stdout) == (0, "")
    assert project.run("runs", "--json", cwd="other").json == project.run("runs", "--json").json
    assert not project.has("-")


def test_f22_a_dump_says_that_artifacts_are_not_in_it(project):
    project.run("exec", "true")
    assert "artifacts" not in project.run("system", "dump", "-o", "one.jsonl").stderr
    project("```bash one --save made\ntouch made\n```\n")
    project.run("runbook")

    assert "their artifacts, are not among them" in project.run("system", "dump", "-o", "two.jsonl").stderr


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "cut short"),
        (["no json"], "is no dump of spry"),
        ([{"kind": "run"}], "is no dump of spry"),
        ([LINES[0]], "cut short"),
        ([LINES[0], {"kind": "end", "records": 3}], "lines of it are missing"),
        ([{**LINES[0], "format": 99, "version": "9.0"}, LINES[1]], "made by a newer spry (9.0)"),
        ([LINES[0], {"kind": "dream"}, {"kind": "end", "records": 1}], "unknown kind dream"),
        ([LINES[0], {"kind": "run", "run": 1, "mood": "good"}, {"kind": "end", "records": 1}], "unknown field mood"),
        ([LINES[0], EVENT, {"kind": "end", "records": 1}], "does not hold"),
        ([LINES[0], {"kind": "spec", "path": "tasks/../../x", "text": ""}, {"kind": "end", "records": 1}], "no place"),
        ([LINES[0], {"kind": "spec", "path": "tasks/x"}, {"kind": "end", "records": 1}], "a spec has path, text"),
        ([LINES[0], LINES[1], LINES[1]], "something follows the end"),
    ],
)
def test_a_file_that_is_no_whole_dump_changes_nothing(project, lines, words):
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    project.path("odd.jsonl").write_text(text)
    before = set(project.path(".spry").rglob("*.json"))
    loaded = project.run("system", "load", "-i", "odd.jsonl")

    assert loaded.exit_code == 2
    assert words in loaded.stderr
    assert set(project.path(".spry").rglob("*.json")) == before
    assert project.run("runs").stdout == "no runs are remembered here\n"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("dump",), "needs the name of a file"),
        (("load",), "needs the name of a file"),
        (("load", "-i", "absent"), "no such file"),
        (("dmup",), 'did you mean "dump"?'),
    ],
)
def test_a_request_without_sense_exits_2(project, argv, words):
    told = project.run("system", *argv)

    assert told.exit_code == 2
    assert words in told.stderr


def test_where_nothing_can_be_written_nothing_is_left(project):
    project.run("exec", "true")
    told = project.run("system", "dump", "-o", "absent/all.jsonl")

    assert told.exit_code == 3
    assert not [name for name in os.listdir(project.folder) if name.endswith(".part")]
