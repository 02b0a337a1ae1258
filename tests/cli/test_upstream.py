"""What the original Spry gets wrong, each as it should be; the number is that of the list it was found by."""

from __future__ import annotations

import json

import pytest
from book import cell


def test_01_a_failure_stops_dependents_and_is_the_exit_code(book):
    done = book(
        cell("bash test", "exit 1"),
        cell("bash build --dep test", "touch built"),
        cell("bash deploy --dep build", "touch deployed"),
    ).run("runbook")

    assert done.exit_code == 1
    assert not book.has("built")
    assert not book.has("deployed")


def test_02_a_cell_runs_whole_in_one_real_shell(book):
    done = book(
        cell(
            "bash t",
            "# a comment",
            "word=kept",
            'say() { echo "$word $1"; }',
            "for number in 1 2; do",
            '  if [[ $number = 2 ]]; then say "$number"; fi',
            "done",
            "cat <<'END'",
            "",
            "  $word is text",
            "END",
            "echo one \\",
            "  two",
        )
    ).run("task", "t")

    assert done.stdout == "kept 2\n\n  $word is text\none two\n"
    assert done.exit_code == 0


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([cell("bash a --dep none", "touch ran")], "does not exist"),
        ([cell("bash built", "touch ran"), cell("bash a --dep biult", "touch ran")], "did you mean"),
        ([cell("bash a --dep b", "touch ran"), cell("bash b --dep a"), cell("bash c", "touch ran")], "Circular"),
        ([cell("bash a", "touch ran"), cell("bash a", "touch ran")], "already defined"),
    ],
    ids=["missing", "typo", "cycle", "duplicate"],
)
def test_03_a_graph_with_a_fault_runs_nothing(book, texts, message):
    done = book(*texts).run("runbook")

    assert done.exit_code == 2
    assert message in done.stderr
    assert not book.has("ran")


def test_04_independent_tasks_run_side_by_side(book):
    book.fifo("pipe")
    done = book(cell("bash writes", "echo x > pipe"), cell("bash reads", "cat pipe")).run(
        "runbook", "-j", "2", "--timeout", "20"
    )

    assert (done.exit_code, done.stdout) == (0, "x\n")


@pytest.mark.parametrize(
    ("info", "name"),
    [
        ("bash --dep base build", "build"),
        ("bash --descr 'some words' build", "build"),
        ("bash --silent build", "build"),
        ("bash -I interp", "interp"),
        ("bash --capture interp", "interp"),
        ("bash -C interp", "interp"),
        ("bash dep", "dep"),
        ("bash silent --descr x", "silent"),
        ("bash CI", "CI"),
        ("bash BUILD", "BUILD"),
        ("bash DEFAULTS", "DEFAULTS"),
        ("bash PARTIAL --not-directive", "PARTIAL"),
    ],
)
def test_05_the_name_is_the_name_wherever_it_stands(book, info, name):
    done = book(cell("bash base"), cell(info, "echo ran")).run("ls", "--json")

    assert [task["name"] for task in done.json] == ["base", name]


def test_05_a_cell_with_flags_and_no_name_is_an_error(book):
    done = book(cell('bash --descr "no name"', "touch ran")).run("runbook")

    assert done.exit_code == 2
    assert "the cell has flags but no NAME" in done.stderr


@pytest.mark.parametrize("flag", ["--decr x", "--deps a", "--depends a", "--when x", "--watch", "--cache x"])
def test_06_an_unknown_flag_is_an_error(book, flag):
    done = book(cell("bash a", "touch ran"), cell(f"bash b {flag}", "touch ran")).run("task", "a")

    assert done.exit_code == 2
    assert f"unknown flag {flag.split()[0]}" in done.stderr
    assert not book.has("ran")


def test_07_interpolation_leaves_what_belongs_to_the_shell(book):
    done = book(
        cell(
            "bash t -I",
            "DIR=/tmp/x",
            'echo "${DIR}/y ${NONE:-default} ${#DIR}"',
            "echo '{{.Name}} {{ range .Items }}'",
        )
    ).run("task", "t")

    assert (done.exit_code, done.stdout) == (0, "/tmp/x/y default 6\n{{.Name}} {{ range .Items }}\n")


def test_07_a_captured_value_is_data_whatever_it_holds(book):
    line = """<a href="x">&amp;</a> $(touch pwned) `touch pwned` ; touch pwned ' " \\ $HOME"""
    done = book(
        cell("bash first -C my-key", "cat <<'END'", line, "END"),
        cell("bash second -I", "echo ${captured.my-key}", 'echo "${captured.my-key}"'),
    ).run("task", "second")

    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == [line, line]
    assert not book.has("pwned")


def test_07_an_unknown_key_is_an_error_and_is_never_executed(book):
    done = book(cell("bash t -I", 'touch ran; echo "${captured.nothing}"')).run("task", "t")

    assert done.exit_code in {1, 2}
    assert "nothing" in done.stderr
    assert not book.has("ran")


def test_08_output_is_streamed_while_the_task_runs(book):
    book.fifo("go")
    with book(cell("bash t", "echo first", "read x < go", "echo second")).start("task", "t") as process:
        first = process.stdout.readline()
        book.path("go").write_text("x\n")
        rest = process.stdout.read()

    assert (first, rest, process.returncode) == (b"first\n", b"second\n", 0)


def test_08_what_a_success_writes_to_stderr_is_shown(book):
    done = book(cell("bash t", "echo warning >&2", "echo out")).run("task", "t")

    assert done.stdout == "out\n"
    assert "warning\n" in done.stderr


def test_08_stdin_is_empty_and_does_not_hang(book):
    done = book(cell("bash t", 'read line || echo "nothing to read"')).run("task", "t", stdin=b"words\n")

    assert (done.exit_code, done.stdout) == (0, "nothing to read\n")


def test_09_a_dry_run_shows_every_script_and_runs_none(book):
    done = book(cell("bash a", "touch ran-a"), cell("bash b --dep a", "touch ran-b")).run("task", "b", "--dry-run")

    assert done.exit_code == 0
    assert "touch ran-a" in done.stdout
    assert "touch ran-b" in done.stdout
    assert not book.has("ran-a")


def test_09_mermaid_is_mermaid(book):
    done = book(cell("bash a"), cell("bash b --dep a")).run("dag", "--format", "mermaid")

    assert done.stdout.startswith(("graph", "flowchart"))
    assert "-->" in done.stdout


def test_10_injected_dependencies_are_edges(book):
    book(cell("bash guard --injected-dep '*'"), cell("bash build"), cell("bash deploy --dep build"))
    edges = {(edge["from"], edge["to"]) for edge in book.run("dag", "--format", "json").json["edges"]}

    assert edges == {("guard", "build"), ("guard", "deploy"), ("build", "deploy")}


def test_10_an_injected_dependency_that_fails_stops_what_it_guards(book):
    done = book(cell("bash guard --injected-dep 'build.*'", "exit 1"), cell("bash build-app", "touch ran")).run(
        "task", "build-app"
    )

    assert done.exit_code == 1
    assert not book.has("ran")


def test_11_what_is_called_json_is_json(book):
    book(cell("bash a", "echo hi"), cell("bash b --dep a"))

    assert [task["name"] for task in book.run("ls", "--json").json] == ["a", "b"]
    assert book.run("runbook", "--dry-run", "--json").json["layers"] == [["a"], ["b"]]
    assert [event["event"] for event in book.run("runbook", "--json").events][-1] == "run_finished"


def test_12_a_captured_file_gets_its_folder_and_exactly_the_output(book):
    done = book(cell("bash t -C ./deep/down/out.txt", "echo one", "echo two")).run("task", "t")

    assert done.exit_code == 0
    assert book.read("deep/down/out.txt") == "one\ntwo\n"


def test_12_a_failed_task_leaves_its_captured_file_alone(book):
    book(cell("bash t -C ./out.txt", "echo secret-script", "exit 1")).path("out.txt").write_text("old\n")
    done = book.run("task", "t")

    assert done.exit_code == 1
    assert book.read("out.txt") == "old\n"
    assert sorted(path.name for path in book.folder.iterdir()) == ["Spryfile.md", "out.txt"]


def test_13_a_dependency_in_another_graph_is_run(book):
    book(cell("bash base", "echo base"), cell("bash nightly --graph night --dep base", "echo nightly"))

    assert book.run("runbook", "--graph", "night").stdout == "base\nnightly\n"


@pytest.mark.parametrize("graphs", [["--graph", "A,B"], ["--graph", "A", "--graph", "B"], ["-G", "B,A"]])
def test_13_several_graphs_run_together(book, graphs):
    done = book(cell("bash a --graph A"), cell("bash b -G B"), cell("bash c --graph C"), cell("bash d")).run(
        "runbook", *graphs, "--json"
    )

    assert sorted(done.outcomes) == ["a", "b"]


def test_13_a_task_may_stand_in_several_graphs_written_with_commas(book):
    done = book(cell("bash a --graph A,B"), cell("bash b --dep a,c --graph B"), cell("bash c")).run(
        "runbook", "--graph", "A", "--json"
    )

    assert sorted(done.outcomes) == ["a"]


def test_14_a_task_runs_in_the_folder_of_its_runbook(book):
    book(cell("bash t", "pwd -P"), name="docs/ops.md")
    done = book.run("task", "t", "docs/ops.md")

    assert done.stdout == f"{book.path('docs').resolve()}\n"


def test_15_front_matter_and_flags_reach_the_task(book):
    done = book(
        "---\ntitle: Ops\nspry:\n  env: {REGION: eu}\n  defaults: {retry: 2}\n---\n",
        cell("bash t --arg level=info --env MODE=fast", 'echo "$REGION $MODE $level" >> tries', "exit 1"),
    ).run("task", "t", "--param", "level=debug")

    assert done.exit_code == 1
    assert book.read("tries") == "eu fast debug\n" * 2


def test_16_nothing_but_the_shell_is_needed(book):
    tools = book.path("tools")
    tools.mkdir()
    (tools / "bash").symlink_to("/bin/bash")
    done = book(cell("bash t", "echo $((6 * 7))")).run("task", "t", env={"PATH": str(tools)})

    assert (done.exit_code, done.stdout) == (0, "42\n")


def test_cells_of_other_engines_are_ignored_quietly(book):
    book(
        cell("sql index.sql { route: { caption: 'Home' } }", "select 1"),
        cell("sql page.sql{ route: 1 }", "select 2"),
        cell("yaml META", "a: 1"),
        cell("json data", "{}"),
        cell("bash build --dep prepare", "echo built"),
        cell("envrc prepare -C ./.envrc --gitignore", "export PORT=1"),
    )

    assert [task["name"] for task in json.loads(book.run("ls", "--json").stdout)] == ["build", "prepare"]
    assert book.run("check").exit_code == 0
