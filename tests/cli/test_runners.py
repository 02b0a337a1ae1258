"""Silent failures of other runners of Markdown, each as it should be; the number is that of the list."""

from __future__ import annotations

import os
import signal

import pytest
from book import cell


def test_01_a_shared_dependency_is_done_before_any_dependent_starts(book):
    done = book(
        cell("bash shared", "echo x >> shared", "touch done"),
        *(cell(f"bash user{number} --dep shared", "test -e done") for number in range(4)),
        cell("bash all --dep user0,user1,user2,user3"),
    ).run("task", "all", "-j", "4")

    assert done.exit_code == 0
    assert book.read("shared") == "x\n"


@pytest.mark.parametrize(
    "body",
    [
        "cat <<EOF\na\n\n\n  b\n\nEOF",
        "printf '%s\\n' '* _x_ `y` ```'",
        "echo Env: prod",
        "echo $'\\t'  'two  blanks'  ",
        "echo " + "x" * 100_000,
    ],
    ids=["blank lines", "marks", "prose", "tabs", "long"],
)
def test_02_a_body_is_run_byte_for_byte(book, body):
    book("~~~~bash t -C ./out\n" + body + "\n~~~~\n")
    done = book.run("task", "t")
    shown = book.run("task", "t", "--dry-run", "--json").json

    assert done.exit_code == 0, done.stderr
    assert shown["tasks"][0]["script"] == body + "\n"


def test_02_blank_lines_of_a_script_in_another_language_stay(book):
    done = book(cell("python t --descr x", "def f():", "    a = 1", "", "    return a", "", "print(f())")).run(
        "task", "t"
    )

    assert (done.exit_code, done.stdout) == (0, "1\n")


def test_03_attributes_are_read_whole_or_refused(book):
    book(
        cell('bash {name="build" descr="two words } brace"}', "true"),
        cell('bash {"name": "test", "dep": ["build"], "env": {"A": "1"}}', 'echo "$A"'),
    )

    assert [(task["name"], task["descr"], task["deps"]) for task in book.run("ls", "--json").json] == [
        ("build", "two words } brace", []),
        ("test", "", ["build"]),
    ]
    assert book.run("task", "test").stdout == "1\n"


@pytest.mark.parametrize(
    "info",
    ['bash {"name": "a", "dep": }', "bash {name=a", 'bash {"name": "a"', "bash a {dep: [b}", 'bash {name="my task"}'],
)
def test_03_attributes_that_cannot_be_read_are_an_error(book, info):
    done = book(cell(info, "touch ran")).run("runbook")

    assert done.exit_code == 2
    assert "Spryfile.md:1:" in done.stderr


def test_04_each_exit_code_is_told_and_each_failure_named(book):
    done = book(cell("bash a", "exit 3"), cell("bash b", "exit 4")).run("runbook", "--json")
    codes = {event["task"]: event["exit_code"] for event in done.events if event["event"] == "task_finished"}

    assert done.exit_code == 1
    assert codes == {"a": 3, "b": 4}


def test_04_a_dry_run_shows_every_task(book):
    done = book(cell("bash a", "echo 1"), cell("bash b", "echo 2"), cell("bash c", "echo 3")).run("runbook", "-n")

    assert all(f"echo {number}" in done.stdout for number in (1, 2, 3))


def test_05_a_task_killed_by_a_signal_has_failed(book):
    done = book(cell("bash t", "kill -KILL $$"), cell("bash after --dep t", "touch ran")).run("runbook")

    assert done.exit_code == 1
    assert f"killed by signal {int(signal.SIGKILL)}" in done.stderr
    assert not book.has("ran")


def test_06_cells_under_headings_of_one_name_stay_apart_and_in_order(book):
    book("## Validation\n\n", cell("bash one", "echo 1"), "## Other\n\n", cell("bash two", "echo 2"),
         "## Validation\n\n",
         cell("bash three", "echo 3"))  # fmt: skip
    done = book.run("runbook", "-j", "1")

    assert done.stdout == "1\n2\n3\n"


def test_07_nothing_of_a_failed_run_reaches_the_next(book):
    book(cell("bash a -C key", "echo old", 'echo value=old >> "$SPRY_OUTPUT"', "exit 1"), cell("bash b", "env"))
    book.run("task", "a")
    left = list((book.place / "tmp").rglob("*"))
    done = book.run("task", "b")

    assert left == []
    assert "old" not in done.stdout


def test_07_values_of_several_lines_arrive_whole(book):
    done = book(
        cell("bash a -C text", "printf 'one\\n\\n  two = 2\\n'"),
        cell("bash b -I", 'printf %s "${captured.text}"'),
    ).run("task", "b", "--json")
    told = "".join(event["text"] for event in done.events if event["event"] == "task_output" and event["task"] == "b")

    assert told == "one\n\n  two = 2"


def test_10_what_failed_is_not_kept(book):
    done = book(cell("bash t -C ./README.part --retry 2", "echo partial", "exit 3")).run("task", "t")

    assert done.exit_code == 1
    assert not book.has("README.part")


@pytest.mark.parametrize(
    "text",
    [
        cell("sh t", "echo ran"),
        "```bash  {tag=y  name=t}\necho ran\n```\n",
        "~~~sh t\necho ran\n~~~\n",
        "- item\n\n  ```bash t\n  echo ran\n  ```\n",
        "> ```bash t\n> echo ran\n> ```\n",
        "1. a\n   > ````bash t\n   > echo ran\n   > ````\n",
        "```bash t\r\necho ran\r\n```\r\n",
        "   ```bash t\n   echo ran\n   ```",
    ],
)
def test_11_every_fence_of_commonmark_is_found(book, text):
    done = book(text).run("task", "t")

    assert (done.exit_code, done.stdout) == (0, "ran\n")


def test_11_an_unknown_task_is_an_error(book):
    assert book(cell("bash t", "true")).run("task", "u").exit_code == 2


@pytest.mark.parametrize(
    "example",
    [
        "````md\n```bash example\ntouch ran\n```\n````\n",
        "~~~~\n~~~bash example\ntouch ran\n~~~\n~~~~\n",
        "    ```bash example\n    touch ran\n    ```\n",
        "text\n\n\t```bash example\n\ttouch ran\n\t```\n",
        "<!--\n```bash example\ntouch ran\n```\n-->\n",
        "<pre>\n```bash example\ntouch ran\n```\n</pre>\n",
    ],
)
def test_12_a_fence_that_is_only_shown_is_text(book, example):
    book(example, cell("bash real", "true"))

    assert [task["name"] for task in book.run("ls", "--json").json] == ["real"]
    assert book.run("runbook").exit_code == 0
    assert not book.has("ran")


def test_13_an_exit_code_skips_nothing_but_its_own_dependents(book):
    done = book(cell("bash a", "exit 1"), cell("bash b", "exit 80"), cell("bash c", "touch c")).run(
        "runbook", "-j", "1", "--json"
    )

    assert done.exit_code == 1
    assert done.outcomes == {"a": "failed", "b": "failed", "c": "succeeded"}


def test_14_a_failure_anywhere_is_never_exit_code_0(book):
    names = [f"t{number}" for number in range(6)]
    for bad in names:
        book(*(cell(f"bash {name}", "exit 1" if name == bad else "true") for name in names))
        assert book.run("runbook").exit_code == 1


def test_15_variables_go_from_task_to_task_only_where_it_is_said(book):
    done = book(
        cell("bash a", "export WORD=lost", 'echo "WORD=kept" >> "$SPRY_OUTPUT"'),
        cell("bash b -I --dep a", 'echo "${WORD:-none} ${captured.WORD}"'),
    ).run("task", "b")

    assert (done.exit_code, done.stdout) == (0, "none kept\n")


@pytest.mark.parametrize(
    ("info", "body", "code"),
    [
        ("bash t", "false\necho on", 1),
        ("bash t", "false | true\necho on", 1),
        ("sh t", "false\necho on", 1),
        ("zsh t", "false | true\necho on", 1),
        ("bash t --no-strict", "false | true\nfalse\necho on", 0),
        ("bash t", "#!/usr/bin/env bash\nfalse\necho on", 1),
        ("bash t", "#!/bin/bash\nfalse | true\necho on", 1),
        ("bash t", "true && false || echo on", 0),
        ("bash t", "if false; then true; fi\necho on", 0),
    ],
)
def test_16_a_failing_command_fails_its_cell(book, info, body, code):
    language = info.split()[0]
    if not any(os.access(f"{folder}/{language}", os.X_OK) for folder in os.environ["PATH"].split(":")):
        pytest.skip(f"{language} is not installed")
    done = book(cell(info, body)).run("task", "t")

    assert (done.exit_code, done.stdout) == (code, "" if code else "on\n")


@pytest.mark.parametrize("language", ["console", "shell-session", "text", ""])
def test_16_a_tag_that_is_no_language_never_falls_back_to_a_shell(book, language):
    done = book(cell(f"{language} t", "touch ran"), cell("bash real", "true")).run("runbook")

    assert done.exit_code == 0
    assert not book.has("ran")
