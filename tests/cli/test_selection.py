"""Which tasks a command runs."""

from __future__ import annotations

import pytest
from book import cell

#   base ── left ──┬── top ── roof          night (graph night, needs base)
#        └─ right ─┘                        other (alone, tag slow)
TASKS = (
    cell("bash base", "echo base"),
    cell("bash left --dep base --tag quick", "echo left"),
    cell("bash right --dep base --tag slow", "echo right"),
    cell("bash top --dep left,right", "echo top"),
    cell("bash roof --dep top", "echo roof"),
    cell("bash other --tag slow", "echo other"),
    cell("bash night --graph night --dep base --tag slow", "echo night"),
)

SELECTIONS = [
    ("task top", "base left right top"),
    ("task left right", "base left right"),
    ("task night", "base night"),
    ("task other left", "base left other"),
    ("runbook", "base left other right roof top"),
    ("run", "base left other right roof top"),
    ("run left", "base left"),
    ("runbook --graph night", "base night"),
    ("runbook --tag quick", "base left"),
    ("runbook --tag slow", "base other right"),
    ("runbook --tag slow,quick", "base left other right"),
    ("runbook --graph night --tag slow", "base night"),
    ("runbook --until top", "base left right top"),
    ("runbook --from top", "roof top"),
    ("runbook --from left", "left right roof top"),
    ("runbook --from left --until top", "left right top"),
    ("runbook --skip top", "base left other right roof"),
    ("task roof --skip left --skip right", "base roof top"),
    ("task top --skip base", "left right top"),
]


@pytest.mark.parametrize(("line", "names"), SELECTIONS, ids=[line for line, _ in SELECTIONS])
def test_a_selection_runs_exactly_these_tasks(book, line, names):
    done = book(*TASKS).run(*line.split(), "--json")

    assert done.exit_code == 0, done.stderr
    assert sorted(name for name, outcome in done.outcomes.items() if outcome == "succeeded") == names.split()


@pytest.mark.parametrize("line", [line for line, _ in SELECTIONS])
def test_a_dry_run_shows_exactly_what_would_run(book, line):
    names = dict(SELECTIONS)[line].split()
    shown = book(*TASKS).run(*line.split(), "--dry-run", "--json").json

    assert sorted(task["name"] for task in shown["tasks"]) == names


def test_a_skip_counts_as_done_and_is_told(book):
    done = book(*TASKS).run("task", "top", "--skip", "left", "--dry-run")

    assert done.exit_code == 0
    assert "Left out: left" in done.stdout


def test_a_task_whose_value_is_used_cannot_be_skipped(book):
    done = book(cell("bash a -C k", "echo 1"), cell("bash b -I", "touch ran; echo ${captured.k}")).run(
        "task", "b", "--skip", "a"
    )

    assert done.exit_code == 2
    assert "a" in done.stderr
    assert not book.has("ran")


def test_a_finally_task_joins_when_all_its_dependencies_are_selected(book):
    book(
        cell("bash up", "echo up"),
        cell("bash check --dep up", "echo check"),
        cell("bash down --dep up --finally", "echo down"),
        cell("bash report --dep check --finally", "echo report"),
    )

    assert book.run("task", "up").stdout.split() == ["up", "down"]
    assert sorted(book.run("task", "check").stdout.split()) == ["check", "down", "report", "up"]


def test_several_files_are_one_runbook(book):
    book(cell("bash a --dep b", 'echo "a $(basename "$PWD")"'), name="one/a.md")
    book(cell("bash b", 'echo "b $(basename "$PWD")"'), name="two/b.md")

    for files in (["one/a.md", "two/b.md"], ["-f", "two/b.md", "one/a.md"], ["-f", "*/*.md"]):
        assert book.run("task", "a", *files).stdout == "b two\na one\n"


def test_partials_are_shared_between_files_and_defaults_are_not(book):
    book(cell("bash PARTIAL hello", "echo hello"), cell("code DEFAULTS", "bash * --env WORD=kept"), name="a.md")
    done = book(cell("bash t -I", "{{hello}}", 'echo "<$WORD>"'), name="b.md").run("task", "t", "a.md", "b.md")

    assert done.stdout == "hello\n<>\n"


def test_a_folder_stands_for_its_runbook(book):
    book(cell("bash a", "echo here"), name="ops/Spryfile.md")

    assert book.run("task", "a", "-f", "ops").stdout == "here\n"


@pytest.mark.parametrize("again", ["Spryfile.md", "./Spryfile.md", ".", "*.md", "../book/Spryfile.md"])
def test_a_file_named_twice_is_read_once(book, again):
    done = book(cell("bash a", "echo once")).run("task", "a", "Spryfile.md", "-f", again)

    assert (done.exit_code, done.stdout) == (0, "once\n")


def test_no_more_than_the_given_number_run_at_once(book):
    book.path("running").mkdir()
    body = ('touch "running/$SPRY_TASK"', "ls running | wc -l >> counts", 'rm "running/$SPRY_TASK"')
    done = book(*(cell(f"bash t{number}", *body) for number in range(8))).run("runbook", "-j", "1")

    assert done.exit_code == 0
    assert set(book.read("counts").split()) == {"1"}


def test_the_front_matter_may_set_the_number(book):
    done = book("---\nspry: {jobs: 3}\n---\n", cell("bash a", "true")).run("runbook", "--json")

    assert done.events[0]["jobs"] == 3
    assert book.run("runbook", "--json", "-j", "5").events[0]["jobs"] == 5


def test_of_the_ready_tasks_the_one_with_the_longest_path_goes_first(book):
    done = book(
        cell("bash short", "true"),
        cell("bash long", "true"),
        cell("bash then --dep long", "true"),
        cell("bash end --dep then", "true"),
    ).run("runbook", "-j", "1", "--json")

    assert next(iter(done.outcomes)) == "long"


def test_fail_fast_stops_what_runs_and_starts_nothing_new(book):
    book.fifo("running")
    book.fifo("idle")
    done = book(
        cell("bash bad", "read x < running", "exit 1"),
        cell("bash long", "echo x > running", "read x < idle"),
        cell("bash more --dep long", "touch more"),
        cell("bash tidy --finally", "touch tidied"),
    ).run("runbook", "--fail-fast", "-j", "2", "--json", env={"SPRY_GRACE": "0.3"})

    assert done.exit_code == 1
    assert done.outcomes["bad"] == "failed"
    assert done.outcomes["long"] == "cancelled"
    assert not book.has("more")
    assert book.has("tidied")


def test_a_timeout_is_for_each_attempt_and_is_retried(book):
    done = book(cell("bash t --timeout 0.3s --retry 2", "echo x >> tries", '[ "$SPRY_ATTEMPT" = 2 ] || sleep 30')).run(
        "task", "t", env={"SPRY_GRACE": "0.2"}
    )

    assert done.exit_code == 0
    assert book.read("tries") == "x\nx\n"


def test_defaults_are_overruled_by_the_cell(book):
    book(
        "---\nspry: {defaults: {retry: 4}}\n---\n",
        cell("code DEFAULTS", "bash * --retry 3", "bash b* --retry 2"),
        cell("bash a", "echo a >> tries; exit 1"),
        cell("bash b", "echo b >> tries; exit 1"),
        cell("bash bc --retry 1", "echo c >> tries; exit 1"),
        cell("sh d", "echo d >> tries; exit 1"),
    ).run("runbook", "-j", "1")

    assert {letter: book.read("tries").split().count(letter) for letter in "abcd"} == {"a": 3, "b": 2, "c": 1, "d": 4}
