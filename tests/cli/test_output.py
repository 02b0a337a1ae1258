"""Where output goes: streams, modes, colours, events, readers that leave and disks that are full."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from book import ROOT, cell

MODES = ["auto", "group", "prefix", "raw", "quiet", "live"]
EVENT = json.loads((ROOT / "docs/schemas/event.json").read_text())


@pytest.fixture
def mixed(book):
    """A run with every outcome."""
    return book(
        cell("bash good", "echo out-good", "echo err-good >&2"),
        cell("bash bad --dep good --retry 2", "echo out-bad", "echo err-bad >&2", "exit 3"),
        cell("bash after --dep bad", "echo never"),
        cell("bash tidy --dep after --finally", "echo out-tidy"),
        cell("bash quiet --silent --dep good", "echo hidden"),
        cell("bash slow --timeout 0.2s", "sleep 30"),
        cell("bash group --dep good,quiet"),
    )


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_keeps_stdout_and_stderr_apart_and_the_exit_code(mixed, mode):
    done = mixed.run("runbook", "--output", mode, env={"SPRY_GRACE": "0.2"})

    assert done.exit_code == 1
    assert "never" not in done.stdout
    assert "hidden" not in done.stdout
    assert "err-bad" in done.stderr
    assert "✗ bad failed with exit code 3" in done.stderr
    assert all(mark not in done.stdout for mark in "✓✗⊘")
    if mode != "quiet":
        assert "out-good" in done.stdout
        assert done.stdout.count("out-bad") == 2


def test_the_prefix_mode_names_the_task_of_every_line(book):
    done = book(cell("bash a", "echo one; echo two"), cell("bash longer", "echo three")).run(
        "runbook", "--output", "prefix"
    )
    lines = done.stdout.splitlines()

    assert sorted(line.split()[-1] for line in lines) == ["one", "three", "two"]
    assert all(("longer" if "three" in line else "a") in line.split("three")[0] for line in lines)


def test_the_raw_mode_passes_bytes_untouched(book):
    with book(cell("bash t", r"printf '\033[31mred\033[0m\a\xff\r\n'")).start(
        "task", "t", "--output", "raw"
    ) as process:
        stdout = process.stdout.read()

    assert stdout == b"\x1b[31mred\x1b[0m\a\xff\r\n"


def test_quiet_tells_failures_only(book):
    done = book(cell("bash a", "echo out"), cell("bash b", "echo why >&2; exit 1")).run("runbook", "-q")

    assert done.exit_code == 1
    assert "✓" not in done.stderr
    assert "✗ b failed with exit code 1" in done.stderr
    assert "why" in done.stderr


def test_piped_output_has_no_control_codes_of_ours_and_no_cut_lines(mixed):
    done = mixed(cell("bash t", "printf 'x%.0s' {1..5000}")).run(
        "runbook", env={"COLUMNS": "40", "TERM": "xterm-256color"}
    )

    assert "\x1b" not in done.stdout + done.stderr
    assert "x" * 5000 in done.stdout


@pytest.mark.parametrize(
    ("env", "options", "coloured"),
    [({}, [], False), ({"FORCE_COLOR": "1"}, [], True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False),
     ({"FORCE_COLOR": "1"}, ["--no-color"], False), ({"NO_COLOR": ""}, [], False)],
)  # fmt: skip
def test_colours_come_only_where_they_are_wanted(book, env, options, coloured):
    done = book(cell("bash a", "true"), cell("bash b", "exit 1")).run("runbook", *options, env=env)

    assert ("\x1b[" in done.stderr) is coloured


def test_the_last_line_without_an_end_is_not_lost_or_joined(book):
    done = book(cell("bash a", "printf one"), cell("bash b", "printf two")).run("runbook", "-j", "1")

    assert done.stdout.replace("\n", " ").split() == ["one", "two"]


def test_order_within_a_stream_is_kept_for_large_output(book):
    done = book(cell("bash t", "seq 100000")).run("task", "t")

    assert done.stdout == "".join(f"{number}\n" for number in range(1, 100_001))


def test_events_have_the_documented_shape(mixed):
    done = mixed.run("runbook", "--json", env={"SPRY_GRACE": "0.2"})
    check = jsonschema.Draft202012Validator(EVENT)

    assert done.exit_code == 1
    for event in done.events:
        check.validate(event)
    assert {event["event"] for event in done.events} == {
        "run_started", "task_started", "task_output", "task_retrying", "task_finished", "run_finished",
    }  # fmt: skip
    assert done.outcomes == {
        "good": "succeeded", "quiet": "succeeded", "bad": "failed", "after": "skipped", "tidy": "succeeded",
        "slow": "failed", "group": "succeeded",
    }  # fmt: skip
    assert (done.events[-1]["ok"], done.events[-1]["exit_code"]) == (False, 1)


def test_events_of_one_task_come_in_order(mixed):
    events = [event for event in mixed.run("runbook", "--json").events if event.get("task") == "bad"]

    assert [event["event"] for event in events if event["event"] != "task_output"] == [
        "task_started", "task_retrying", "task_started", "task_finished",
    ]  # fmt: skip
    assert [event["attempt"] for event in events if event["event"] == "task_started"] == [1, 2]


@pytest.mark.parametrize("argv", [["task", "t"], ["task", "t", "--json"], ["task", "t", "--output", "prefix"]])
@pytest.mark.parametrize(("ending", "code"), [("true", 0), ("exit 1", 1)])
def test_a_reader_that_leaves_stops_nothing_and_changes_no_exit_code(book, argv, ending, code):
    book(cell("bash t", "seq 200000", "touch finished", ending))
    with book.start(*argv) as process:
        process.stdout.readline()
        process.stdout.close()
        stderr = process.stderr.read().decode()

    assert process.returncode == code, stderr
    assert book.has("finished")
    assert "Traceback" not in stderr


@pytest.mark.parametrize("argv", [["ls"], ["runbook", "-n"], ["show", "t"], ["dag"], ["check", "--format", "json"]])
def test_a_listing_whose_reader_leaves_ends_quietly(book, argv):
    book(*(cell(f"bash t{number}", "echo " + "x" * 500) for number in range(400)), cell("bash t", "true"))
    reading, writing = os.pipe()
    os.close(reading)
    with book.start(*argv, stdout=writing) as process:
        os.close(writing)
        stderr = process.stderr.read()

    assert (process.returncode, stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["task", "good"], 3),
        (["task", "bad"], 1),
        (["ls"], 3),
        (["task", "good", "--json"], 3),
        (["task", "good", "-n"], 3),
    ],
)
def test_a_full_disk_is_told_and_turns_success_into_3(book, argv, code):
    book(cell("bash good", "echo out", "touch finished"), cell("bash bad", "echo out; exit 1"))
    with Path("/dev/full").open("wb") as full, book.start(*argv, stdout=full) as process:
        stderr = process.stderr.read().decode()

    assert process.returncode == code
    assert "no space left on device" in stderr.lower()
    assert "Traceback" not in stderr


@pytest.mark.parametrize(("closed", "code"), [("<&-", 0), (">&-", 3), ("2>&-", 3), ("<&- >&- 2>&-", 3)])
def test_closed_streams_stop_nothing(book, closed, code):
    book(cell("bash t", "echo out", "echo err >&2", "touch finished"))
    command = f'exec "{sys.executable}" -m spry task t {closed}'
    env = {**book.env, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", command], cwd=book.folder, env=env, capture_output=True, check=False, timeout=30
    )

    assert done.returncode == code
    assert book.has("finished")


@pytest.mark.parametrize(
    ("language", "body", "words"),
    [
        ("bash", "\n\nno-such-command", "Spryfile.md: line 8: no-such-command: command not found"),
        ("bash", "f() {\n  no-such-command\n}\nf", "Spryfile.md: line 7: no-such-command: command not found"),
        ("sh", "\nno-such-command", "Spryfile.md: "),
        ("python", "a = 1\n\nraise ValueError(a)", 'File "Spryfile.md", line 8'),
        ("python", "a = (\n", 'File "Spryfile.md", line 6'),
        ("js", "let a = 1\n\nthrow new Error(a)", "Spryfile.md:8"),
    ],
)
def test_errors_name_the_line_of_the_runbook(book, language, body, words):
    programs = {"js": "node"}
    if language in programs and not _installed(programs[language]):
        pytest.skip(f"{programs[language]} is not installed")
    done = book("# Title\n\nSome text.\n\n", cell(f"{language} t --descr x", body)).run("task", "t")

    assert done.exit_code == 1
    assert words in done.stderr


@pytest.mark.parametrize(
    ("shebang", "body", "output"),
    [
        ("#!/usr/bin/env bash", 'echo "$BASH_VERSION" | wc -l', "1\n"),
        ("#!/usr/bin/env -S bash -u", "echo ${1-none}", "none\n"),
        ("#!/bin/sh", "echo sh", "sh\n"),
        ("#!/usr/bin/env python3", "print(6 * 7)", "42\n"),
        ("#!/usr/bin/env -S cat", "text $HOME", "#!/usr/bin/env -S cat\ntext $HOME\n"),
        ("#! /bin/bash", "echo blank", "blank\n"),
    ],
)
def test_a_shebang_chooses_the_program(book, shebang, body, output):
    done = book(cell("bash t", shebang, body)).run("task", "t")

    assert (done.exit_code, done.stdout) == (0, output), done.stderr


def test_other_languages_run_with_their_own_program(book):
    done = book(cell("python t --descr x", "import sys", "print(sys.version_info[0])")).run("task", "t")

    assert (done.exit_code, done.stdout) == (0, "3\n")


def test_a_language_of_the_front_matter_runs(book):
    done = book(
        "---\nspry:\n  interpreters: {shout: 'tr a-z A-Z'}\n---\n", cell("shout t --interpreter cat", "text")
    ).run("task", "t")

    assert (done.exit_code, done.stdout) == (0, "text\n")


def _installed(program: str) -> bool:
    return any(os.access(os.path.join(folder, program), os.X_OK) for folder in os.environ["PATH"].split(":"))
