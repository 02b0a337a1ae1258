"""Everything a runbook or a request can get wrong: a message with its place, exit code 2, and nothing run."""

from __future__ import annotations

import os
import sys

import pytest
from book import cell

GOOD = cell("bash good", "touch ran")


def refused(book, done, *told: str) -> None:
    """The run was refused for these reasons, in clear words, and touched nothing."""
    assert done.exit_code == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for words in told:
        assert words in done.stderr
    assert not book.has("ran")


CELLS = [
    ("bash x --descr 'late", "5:19: Error: unterminated quote", "close the quote"),
    ("bash x --descr late\\", "5:23: Error: unterminated escape", "remove the backslash"),
    ("bash x {timeout: 5", "5:11: Error: unterminated brace", "close it with }"),
    ("bash x --descr --silent", "5:11: Error: --descr needs a value", "quoted if it starts with -"),
    ("bash x --dep", "5:11: Error: --dep needs a value", ""),
    ("bash x --decr text", "5:11: Error: unknown flag --decr", 'did you mean "--descr"?'),
    ("bash x --requires good", "5:11: Error: unknown flag --requires", "use --dep NAME"),
    ("bash x --depends-on good", "5:11: Error: unknown flag --depends-on", "use --dep NAME"),
    ("bash x --deps good", "5:11: Error: unknown flag --deps", "use --dep NAME"),
    ("bash x --frobnicate", "5:11: Error: unknown flag --frobnicate", ""),
    ("bash x --descr a --desc b", "5:21: Error: --descr is given twice", "keep one"),
    ("bash x --silent=yes", "5:11: Error: --silent takes no value", "remove the value"),
    ("bash x run it", '5:11: Error: unexpected word "run"', "quote the description"),
    ("bash x timeuot=5", '5:11: Error: unknown key "timeuot"', 'did you mean "timeout"?'),
    ("bash --dep good", "5:9: Error: the cell has flags but no NAME", "write the name behind the language"),
    ("bash x.md --silent", '"x.md" cannot name a task', ".md"),
    ("bash x --timeout 5x", "5:21: Error: --timeout: expected a duration", '"5x"'),
    ("bash x --timeout 0", "5:21: Error: --timeout: expected a duration", '"0"'),
    ("bash x --retry 0", "5:19: Error: --retry: expected at least 1 attempt", ""),
    ("bash x --retry 3@soon", "5:19: Error: --retry", "soon"),
    ("bash x --limit memory=5X", "5:19: Error: --limit: memory: expected a size", '"5X"'),
    ("bash x --limit speed=5", "5:19: Error: --limit", "speed"),
    ("bash x --exit-code 300", "5:23: Error: --exit-code", '"300"'),
    ("bash x --env =5", "5:17: Error: --env", ""),
    ("bash x --injected-dep '(a'", "Error: --injected-dep", "no regular expression"),
    ("bash x --arg n:number", "5:17: Error: --arg", "number"),
    ("bash x --capture ../up", "5:21: Error: --capture", ""),
    ("bash x --optional", "5:11: Error: --optional without --finally", "add --finally"),
    ("bash x --gitignore", "5:11: Error: --gitignore without a captured file", "add --capture ./FILE"),
    ("bash x --reserved keep", "5:11: Error: --reserved without --inbox", "add --inbox"),
    ("bash good", '5:9: Error: Task "good" is already defined at Spryfile.md:1', "rename one of them"),
    ("bash x --dep x", "5:17: Error: Circular dependency detected: x → x", "x needs x (line 5)"),
    ("bash x --dep build", '5:17: Error: Task "build" referenced by "x" does not exist', 'define a task "build"'),
    ("bash x --dep godo", '5:17: Error: Task "godo" not found (did you mean "good"?)', "write --dep good"),
]  # fmt: skip


@pytest.mark.parametrize(("info", "message", "hint"), CELLS, ids=[info for info, _, _ in CELLS])
def test_a_wrong_cell_runs_nothing_and_is_named_to_the_column(book, info, message, hint):
    done = book(GOOD, cell(info, "touch ran")).run("task", "good")

    refused(book, done, message, hint, f"   5 | ```{info}\n", "1 problem; nothing was run.")


FRONTS = [
    ("title: x\nspry: [", "4:1: Error: broken YAML"),
    ("title: 'x\nspry: 1", "2:8: Error: broken YAML"),
    ("spry:\n\tjobs: 1", "3:1: Error: broken YAML"),
    ("spry:\n  jbos: 3", '3:3: Error: unknown key "jbos" under spry'),
    ("spry:\n  jobs: many", "3:9: Error: "),
    ("spry:\n  jobs: 2\n  jobs: 3", "4:3: Error: "),
    ("spry: 5", "2:7: Error: "),
    ("spry:\n  defaults:\n    timout: 5s", '4:5: Error: unknown key "timout"'),
    ("spry:\n  defaults:\n    timeout: soon", "4:14: Error: "),
    ("base: &all [1, 1]\nmore: [*all, *all]", '3:8: Error: alias "*all"'),
    ("spry:\n  description: " + "x" * 10_000_000, "2:1: Error: front matter larger than 64 KiB"),
    ("x: 1" + "\n" * 10_000_000, "2:1: Error: front matter larger than 64 KiB"),
    ("spry: " + "[" * 100_000, "2:1: Error: front matter larger than 64 KiB"),
    ("spry: " + "[" * 60_000, "nested more than 32 levels deep"),
    ("spry: " + "{a: " * 15_000, "nested more than 32 levels deep"),
    ("\n".join(" " * depth + "a:" for depth in range(200)), "nested more than 32 levels deep"),
]


@pytest.mark.parametrize(("front", "message"), FRONTS, ids=[f"{front[:20]!r}" for front, _ in FRONTS])
def test_broken_front_matter_runs_nothing_and_is_named_by_line_and_column(book, front, message):
    done = book(f"---\n{front}\n---\n", GOOD).run("runbook")

    refused(book, done, f"Spryfile.md:{message}" if message[0].isdigit() else message)


def test_front_matter_that_does_not_end_runs_nothing(book):
    done = book("---\nspry:\n  jobs: 2\n\n", GOOD).run("runbook")

    refused(book, done, "Spryfile.md:1:1: Error: ")


@pytest.mark.parametrize(
    "attributes",
    ["{a: " * 50 + "}" * 50, "{a: " + "[" * 100_000 + "]" * 100_000 + "}", '{"a":' * 10_000 + "1" + "}" * 10_000],
    ids=["50", "100,000", "json"],
)
def test_attributes_nested_without_end_are_refused(book, attributes):
    done = book(GOOD, cell(f"bash x {attributes}", "true")).run("runbook")

    refused(book, done, "Spryfile.md:5:", "1 problem; nothing was run.")


FENCES = [
    (GOOD + "```bash x\ntouch ran\n", "5:1: Error: unterminated fence", "close it with a line ```"),
    (GOOD + "~~~~bash x\ntouch ran\n~~~\n", "5:1: Error: unterminated fence", "close it with a line ~~~~"),
    (GOOD + "> ```bash x\n> touch ran\n\ntext\n", "5:3: Error: unterminated fence", ""),
    (GOOD + "- ```bash x\n  touch ran\n\ntext\n", "5:3: Error: unterminated fence", ""),
    ("```bash x\ntouch ran\n\n" + GOOD, "1:1: Error: this fence is not closed before another opens on line 4", ""),
    ("<!-- note\n\n" + GOOD, "1:1: Error: unterminated comment hides the cells below it", "close the comment"),
    (GOOD + "<!-- spry: x -->\n\ntext\n", "5:1: Error: this comment names no cell", "right above a fence"),
    (GOOD + "<!-- spry: x -->\n" + cell("bash y", "true"), "5:12: Error: the cell is named here and in its fence", ""),
    (GOOD + "<!-- spry: --dep good -->\n" + cell("bash y --dep good"), "5:12: Error: --dep is given here and", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "hint"), FENCES, ids=[message for _, message, _ in FENCES])
def test_a_broken_fence_runs_nothing_and_is_named_at_its_opening(book, text, message, hint):
    done = book(text).run("runbook")

    refused(book, done, f"Spryfile.md:{message}", hint)


BYTES = [
    (GOOD.encode() + b"echo \0\n", "5:6: Error: NUL byte"),
    (GOOD.encode() + "\ncafé".encode("latin-1"), "6:4: Error: not UTF-8: byte 0xe9"),
    (GOOD.encode("utf-16"), "1:1: Error: not UTF-8: byte 0xff"),
]


@pytest.mark.parametrize(("data", "message"), BYTES, ids=["NUL", "latin-1", "utf-16"])
def test_bytes_that_are_no_text_run_nothing(book, data, message):
    book.path("Spryfile.md").write_bytes(data)

    refused(book, book.run("runbook"), f"Spryfile.md:{message}")


def test_a_missing_file_is_named_with_its_neighbour(book):
    done = book(GOOD, name="deploy.md").run("runbook", "deplyo.md")

    refused(book, done, "Error: deplyo.md: no such file", 'did you mean "deploy.md"?')


def test_a_missing_folder_is_named(book):
    refused(book, book(GOOD).run("runbook", "docs/ops.md"), "docs/ops.md: no such file", "docs does not exist")


def test_a_folder_that_ends_in_md_is_no_runbook(book):
    book.path("ops.md").mkdir()

    refused(book, book.run("runbook", "ops.md"), "ops.md: no Spryfile.md or README.md in this folder")


def test_a_link_that_leads_to_itself_is_named(book):
    os.symlink("loop.md", book.path("loop.md"))

    refused(book, book.run("runbook", "loop.md"), "Error: loop.md: too many levels of symbolic links")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_file_is_named(book):
    book(GOOD).path("Spryfile.md").chmod(0)

    refused(book, book.run("runbook"), "Error: Spryfile.md: permission denied")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_file_that_cannot_be_read_to_its_end_is_named(book):
    os.symlink("/proc/self/mem", book.path("broken.md"))

    refused(book, book.run("runbook", "broken.md"), "Error: broken.md: input/output error")


def test_a_glob_without_a_match_is_named(book):
    refused(book, book(GOOD).run("runbook", "-f", "docs/*.md"), "docs/*.md: no file matches")


@pytest.mark.parametrize(
    "text", ["", "# Only text\n", cell("bash", "ls"), cell("python x", "1"), cell("bash x.md", "1")]
)
def test_a_file_without_tasks_is_named(book, text):
    refused(book, book(text).run("runbook"), "Error: no tasks found in Spryfile.md")


def test_all_files_without_tasks_are_named(book):
    book("text\n", name="one.md")("text\n", name="two.md")

    refused(book, book.run("runbook", "one.md", "two.md"), "Error: no tasks found in one.md, two.md")


REQUESTS = [
    (["task", "goood"], 'Task "goood" not found (did you mean "good"?)'),
    (["task", "unlike"], 'Task "unlike" not found'),
    (["runbook", "--graph", "nightly"], 'Graph "nightly" not found'),
    (["runbook", "--tag", "fast"], 'Tag "fast" not found'),
    (["runbook", "--skip", "goood"], 'Task "goood" not found (did you mean "good"?)'),
    (["runbook", "--from", "nowhere"], 'Task "nowhere" not found'),
    (["runbook", "--until", "nowhere"], 'Task "nowhere" not found'),
    (["task", "good", "--skip", "good"], ""),
    (["task"], "Missing argument"),
    (["task", "good", "--jobs", "0"], "--jobs"),
    (["task", "good", "--jobs", "two"], "--jobs"),
    (["task", "good", "--timeout", "soon"], "--timeout"),
    (["task", "good", "--env", "NOVALUE"], "--env NOVALUE"),
    (["task", "good", "--env", "=5"], "--env =5"),
    (["task", "good", "--param", "x=1"], 'no selected task declares the parameter "x"'),
    (["task", "good", "--output", "loud"], "loud"),
    (["task", "good", "--dry-rn"], "--dry-rn"),
    (["tsk", "good"], 'No such command "tsk". Did you mean "task"?'),
    (["good"], "To run a task: spry task good"),
    (["runbook", "--", "word"], "words after -- are for one task"),
    (["-C", "nowhere", "runbook"], "nowhere: no such file or directory"),
]  # fmt: skip


@pytest.mark.parametrize(("argv", "message"), REQUESTS, ids=[" ".join(argv) for argv, _ in REQUESTS])
def test_a_wrong_request_runs_nothing(book, argv, message):
    refused(book, book(GOOD).run(*argv), message)


def test_a_runbook_whose_tasks_are_all_in_graphs_names_the_graphs(book):
    done = book(cell("bash a --graph A", "touch ran"), cell("bash b --graph B,C", "touch ran")).run("runbook")

    refused(book, done, "A", "B", "C", "--graph")


def test_a_bad_task_that_is_not_selected_stops_everything(book):
    done = book(GOOD, cell("bash other --frobnicate", "true")).run("task", "good")

    refused(book, done, "unknown flag --frobnicate")


def test_every_problem_of_every_file_is_told_at_once_and_in_order(book):
    book("---\nspry:\n  jbos: 3\n---\n", cell("bash one --decr x"), cell("bash two --dep gone,two"), name="a.md")
    book(cell("bash two", "true"), cell("bash three --timeout x --retry y"), "```bash four\ntouch ran\n", name="b.md")
    done = book.run("runbook", "a.md", "b.md")
    places = [line.split(": Error:")[0] for line in done.stderr.splitlines() if ": Error:" in line]

    refused(book, done, "8 problems; nothing was run.")
    assert places == [
        "a.md:3:3", "a.md:5:13", "a.md:8:19", "a.md:8:24", "b.md:1:9", "b.md:5:25", "b.md:5:35", "b.md:8:1",
    ]  # fmt: skip


def test_a_bad_flag_is_one_problem_and_not_one_for_each_dependent(book):
    done = book(cell("bash one --decr x"), cell("bash two --dep one"), cell("bash three --dep one")).run("runbook")

    refused(book, done, "unknown flag --decr", "1 problem; nothing was run.")


def test_a_name_that_two_files_define_names_both_places(book):
    book(GOOD, name="a.md")("\n\n", GOOD, name="b.md")

    refused(book, book.run("runbook", "a.md", "b.md"), 'b.md:3:9: Error: Task "good" is already defined at a.md:1')
