"""--report FORMAT=FILE: what is refused before anything runs, and what is there whatever became of the run."""

import json
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from book import ROOT, cell

from spry.api.reports import targets
from spry.errors import UsageError
from spry.view.reports.formats import FORMATS

GOOD = cell("bash good", "echo fine")
BAD = cell("bash bad", "echo broken >&2; exit 3")


def outcomes(text):
    """The outcomes by task of a JSON report."""
    return {task["task"]: task["outcome"] for task in json.loads(text)["tasks"]}


# What is asked for


@pytest.mark.parametrize(
    ("word", "said", "hint"),
    [
        ("junt=x.xml", 'unknown format "junt"', 'did you mean "junit"?'),
        ("xml=x.xml", 'unknown format "xml"', "the formats are junit, json, markdown, tap, html"),
        ("junit", "expected FORMAT=FILE", "write --report junit=FILE"),
        ("junit=", "expected FORMAT=FILE", "write --report junit=FILE"),
        ("junit=.", "is a folder", "name a file in it"),
        ("tap=-", "the output of tasks goes to stdout", "add --quiet, or name a file"),
        ("json=Spryfile.md", "this is the runbook", "name another file"),
        ("json=Spryfile.md/x", "is no folder", "name a file in a folder where you may write"),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_before_anything_runs(book, word, said, hint):
    done = book(cell("bash a", "touch ran")).run("task", "a", "--report", word)

    assert done.exit_code == 2
    assert said in done.stderr
    assert hint in done.stderr
    assert not book.has("ran")


def test_two_reports_cannot_share_a_file(book):
    done = book(GOOD).run("task", "good", "--report", "junit=out/../r", "--report", "json=r")

    assert done.exit_code == 2
    assert "another report goes there, too" in done.stderr


def test_a_folder_where_nobody_may_write_is_refused_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _: str(path) != str(tmp_path))  # root may write everywhere

    with pytest.raises(UsageError, match="cannot be written to"):
        targets([f"json={tmp_path}/new/deep/r.json"], quiet=False)


def test_a_dry_run_writes_no_report(book):
    book(GOOD)
    before = book.everything()

    assert book.run("task", "good", "--dry-run", "--report", "json=out/r.json").exit_code == 0
    assert {name for name in book.everything() if name.startswith("book")} == {
        name for name in before if name.startswith("book")
    }


# What is written


def test_every_format_is_written_into_folders_that_are_made(book):
    options = [word for form in FORMATS for word in ("--report", f"{form}=out/deep/{form}")]
    done = book(GOOD, BAD).run("runbook", *options)

    assert done.exit_code == 1
    assert sorted(path.name for path in book.path("out/deep").iterdir()) == sorted(FORMATS)
    assert ET.fromstring(book.read("out/deep/junit")).get("failures") == "1"
    assert "broken" in book.read("out/deep/markdown")
    assert "not ok 2 - bad" in book.read("out/deep/tap")
    assert json.loads(book.read("out/deep/json"))["exit_code"] == 1


def test_a_report_is_written_when_the_run_is_told_to_stop(book):
    book(cell("bash a", "echo under way; kill -TERM $PPID; sleep 60"), cell("bash b --dep a", "true"))
    done = book.run("task", "b", "--report", "json=r.json", "--report", "tap=r.tap")

    assert done.exit_code == 143
    assert outcomes(book.read("r.json")) == {"a": "cancelled", "b": "cancelled"}
    assert "under way" in book.read("r.json")
    assert book.read("r.tap").endswith("Bail out! The run was told to stop by signal 15\n")


def test_a_report_is_written_when_the_time_of_the_run_is_over(book):
    done = book(cell("bash a", "sleep 60")).run("task", "a", "--timeout", "0.2s", "--report", "junit=r.xml")

    assert done.exit_code == 124
    assert ET.fromstring(book.read("r.xml")).find(".//failure").get("type") == "timeout"


def test_an_old_report_does_not_outlive_a_run_that_is_killed(book):
    book(cell("bash a", "kill -KILL $PPID; sleep 60"))
    book.path("r.json").write_text('{"ok": true}')
    process = book.start("task", "a", "--report", "json=r.json")
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert not book.has("r.json")


def test_an_old_report_is_left_alone_when_nothing_is_run(book):
    book(GOOD).path("r.json").write_text("old")

    assert book.run("task", "god", "--report", "json=r.json").exit_code == 2
    assert book.read("r.json") == "old"


def test_a_report_goes_to_stdout_where_nothing_else_does(book):
    done = book(GOOD, BAD).run("runbook", "-q", "--report", "tap=-")

    assert done.exit_code == 1
    assert done.stdout.startswith("TAP version 14\n1..2\nok 1 - good\n")
    assert done.stdout.endswith("  ...\n")


def test_a_reader_of_stdout_that_goes_away_changes_no_exit_code(book):
    book(GOOD)
    read, write = os.pipe()
    os.close(read)
    process = book.start("runbook", "-q", "--report", "tap=-", stdout=write)
    os.close(write)

    assert process.communicate()[1] == b""
    assert process.returncode == 0


def test_a_report_that_cannot_be_written_in_the_end_turns_success_into_an_error_and_is_told_in_one_line(book):
    done = book(GOOD).run("task", "good", "--report", "json=/dev/full", "--report", "tap=r.tap")

    assert done.exit_code == 3
    assert done.stderr.endswith("spry: the json report could not be written to /dev/full: No space left on device\n")
    assert book.has("r.tap")


def test_a_failure_stays_a_failure_when_its_report_is_lost(book):
    assert book(BAD).run("task", "bad", "--report", "json=/dev/full").exit_code == 1


def test_a_device_is_written_to_and_never_replaced(book):
    assert book(GOOD).run("task", "good", "--report", "json=/dev/null").exit_code == 0
    assert not os.path.isfile("/dev/null")


def test_a_pipe_gets_the_report_if_somebody_reads_it_and_nobody_is_waited_for(book):
    book(GOOD).fifo("pipe")

    alone = book.run("task", "good", "--report", "tap=pipe")
    assert alone.exit_code == 3
    assert "the tap report could not be written to" in alone.stderr

    reader = os.open(book.path("pipe"), os.O_RDONLY | os.O_NONBLOCK)
    assert book.run("task", "good", "--report", "tap=pipe").exit_code == 0
    assert os.read(reader, 100).startswith(b"TAP version 14\n1..1\nok 1 - good\n")
    os.close(reader)


def test_a_report_to_a_stdout_that_is_closed_is_told_in_one_line(book):
    spry = f"{sys.executable} -m spry task good -q --report tap=- >&-"
    env = {**book(GOOD).env, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", spry], cwd=book.folder, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 3
    assert done.stderr == "spry: the tap report could not be written to stdout: Bad file descriptor\n"


def test_a_link_keeps_pointing_where_it_did(book):
    book(GOOD).path("real").mkdir()
    book.path("link.json").symlink_to("real/r.json")

    assert book.run("task", "good", "--report", "json=link.json").exit_code == 0
    assert outcomes(book.read("real/r.json")) == {"good": "succeeded"}
    assert book.path("link.json").is_symlink()


def test_a_resumed_run_reports_what_did_not_have_to_run_again(book):
    book(GOOD, cell("bash bad --dep good", "test -e mended"))
    book.run("task", "bad")
    book.path("mended").touch()
    done = book.run("resume", "--report", "json=out/r.json", "--report", "junit=r.xml")

    assert done.exit_code == 0
    assert outcomes(book.read("out/r.json")) == {"good": "succeeded", "bad": "succeeded"}
    assert json.loads(book.read("out/r.json"))["tasks"][0]["message"].startswith("succeeded in run ")


def test_the_path_of_a_report_is_relative_to_where_spry_was_started(book):
    book(GOOD, name="sub/Spryfile.md")

    assert book.run("task", "good", "-f", "sub", "--report", "json=r.json").exit_code == 0
    assert book.has("r.json")
    assert book.run("task", "good", "-C", "sub", "--report", "json=r.json").exit_code == 0
    assert book.has("sub/r.json")


@pytest.mark.parametrize("form", FORMATS)
def test_no_report_holds_a_secret(book, form):
    book(
        "---\nspry:\n  secrets: [TOKEN]\n---\n",
        cell('bash leak --env TOKEN=hunter2-is-secret --descr "with hunter2-is-secret"', "echo $TOKEN; exit 1"),
    )
    done = book.run("task", "leak", "--report", f"{form}=r")

    assert done.exit_code == 1
    assert "leak" in book.read("r")
    assert "hunter2" not in book.read("r")


def test_the_page_of_a_run_shows_the_runbook_with_what_became_of_its_cells(book):
    book(
        "---\ntitle: Ship it hunter2-is-secret\nspry:\n  secrets: [TOKEN]\n---\n# How\n\n",
        "Prose with hunter2-is-secret.\n\n",
        GOOD,
        BAD,
    )
    done = book.run("runbook", "--report", "html=r.html", env={"TOKEN": "hunter2-is-secret"})
    page = book.read("r.html")

    assert done.exit_code == 1
    assert "<h1>Ship it ***</h1>" in page
    assert "Prose with ***." in page
    assert "secrets: [TOKEN]" not in page
    assert '<figcaption><code>bash bad</code><a class="badge failed"' in page


# GitHub Actions

ACTIONS = {"GITHUB_ACTIONS": "true"}


def test_on_github_actions_output_is_grouped_and_failures_are_annotated(book):
    done = book(GOOD, BAD).run("runbook", env=ACTIONS)

    assert done.exit_code == 1
    assert re.fullmatch(r"::stop-commands::(\w{32})\nfine\n::\1::\n", done.stdout)
    assert "::group::bad\n::stop-commands::" in done.stderr
    assert "::error file=Spryfile.md,line=5,col=9,title=Task bad::failed with exit code 3" in done.stderr


@pytest.mark.parametrize("options", [("--json",), ("--output", "raw")])
def test_on_github_actions_what_programs_read_stays_as_it_is(book, options):
    done = book(GOOD, BAD).run("runbook", *options, env=ACTIONS)

    assert "::" not in done.stdout + done.stderr


def test_on_github_actions_markdown_is_added_to_the_summary_of_the_job(book):
    book(GOOD).path("summary.md").write_text("before\n")
    env = {**ACTIONS, "GITHUB_STEP_SUMMARY": str(book.path("summary.md"))}
    for report in ("markdown=out/r.md", "markdown=summary.md", "json=r.json"):
        assert book.run("task", "good", "--report", report, env=env).exit_code == 0

    assert book.read("summary.md").startswith("before\n## ✓ 1 succeeded")
    assert book.read("summary.md").count("## ✓ 1 succeeded") == 2
    assert book.read("out/r.md").count("## ✓ 1 succeeded") == 1


def test_elsewhere_there_is_no_summary_to_add_to(book):
    book(GOOD)
    env = {"GITHUB_STEP_SUMMARY": str(book.path("summary.md"))}

    assert book.run("task", "good", "--report", "markdown=r.md", env=env).exit_code == 0
    assert not book.has("summary.md")
