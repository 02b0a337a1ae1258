"""What a task finds: its variables and who wins, its parameters, its words, its folder."""

from __future__ import annotations

import pytest
from book import cell


def test_a_task_is_told_about_its_run(book):
    done = book(cell("bash t --cwd sub", "env | grep '^SPRY' | cut -d= -f1 | sort"), name="docs/ops.md")
    book.path("docs/sub").mkdir()
    done = book.run("task", "t", "docs/ops.md")

    assert done.stdout.split() == [
        "SPRY", "SPRY_ATTEMPT", "SPRY_CALLER_DIR", "SPRY_DIR", "SPRY_FILE", "SPRY_OUTPUT",
        "SPRY_PROGRESS", "SPRY_RUN_ID", "SPRY_TASK",
        "SPRY_UPSTREAM",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [("SPRY", "1"), ("SPRY_TASK", "t"), ("SPRY_ATTEMPT", "1"), ("SPRY_FILE", "{docs}/ops.md"), ("SPRY_DIR", "{docs}"),
     ("SPRY_CALLER_DIR", "{here}")],
)  # fmt: skip
def test_the_variables_of_a_run_say_where_and_what(book, name, value):
    book(cell("bash t", f'echo "${name}"'), name="docs/ops.md")
    done = book.run("task", "t", "docs/ops.md")

    assert done.stdout == value.format(docs=book.path("docs"), here=book.folder) + "\n"


def test_the_attempt_is_counted(book):
    done = book(cell("bash t --retry 3", 'echo "$SPRY_ATTEMPT"', '[ "$SPRY_ATTEMPT" = 3 ]')).run("task", "t")

    assert (done.exit_code, done.stdout) == (0, "1\n2\n3\n")


def test_an_interpolated_number_of_the_attempt_is_that_of_this_attempt(book):
    script = ('echo "${env.SPRY_ATTEMPT} $SPRY_ATTEMPT"', '[ "$SPRY_ATTEMPT" = 2 ]')
    done = book(cell("bash t --interpolate --retry 2", *script)).run("task", "t")

    assert done.stdout.split("\n")[:2] == ["1 1", "2 2"]


LAYERS = {
    "caller": "",
    "spry.env_file": "---\nspry: {env_file: front.env}\n---\n",
    "spry.env": "---\nspry: {env_file: front.env, env: {V: spry.env}}\n---\n",
    "env cell": "---\nspry: {env_file: front.env, env: {V: spry.env}}\n---\n" + cell("env e", "V='env cell'"),
}


@pytest.mark.parametrize("winner", LAYERS)
def test_later_layers_win_over_the_callers_environment(book, winner):
    needs = " --dep e" if "env cell" in winner else ""
    book(LAYERS[winner], cell(f"bash t{needs}", 'echo "$V"')).path("front.env").write_text("V=spry.env_file\n")

    assert book.run("task", "t", env={"V": "caller"}).stdout == f"{winner}\n"


@pytest.mark.parametrize(
    ("flags", "options", "winner"),
    [
        ("--env-file own.env", [], "--env-file"),
        ("--env-file own.env --env V=--env", [], "--env"),
        ("--env-file own.env --env V=--env --arg V", ["--param", "V=--param"], "--param"),
        (
            "--env-file own.env --env V=--env --arg V",
            ["--param", "V=--param", "--env", "V=command line"],
            "command line",
        ),
    ],
)
def test_what_stands_nearer_to_the_task_wins(book, flags, options, winner):
    book(cell("env e", "V='env cell'"), cell(f"bash t --dep e {flags}", 'echo "$V"')).path("own.env").write_text(
        "V=--env-file\n"
    )

    assert book.run("task", "t", *options, env={"V": "caller"}).stdout == f"{winner}\n"


def test_env_cells_are_data_in_document_order_and_expand(book):
    done = book(
        cell("env first", "A=1", "export B='two words'", "# comment", 'C="${A}-${HOME_SWEET:-none}"', "not a line"),
        cell("envrc second", 'export D="$C!"', "A=2"),
        cell("bash t --dep second --dep first", 'echo "$A|$B|$C|$D"'),
    ).run("task", "t")

    assert done.stdout == "2|two words|1-none|1-none!\n"


@pytest.mark.parametrize("line", ["A=$(touch ran)", "A=`touch ran`", 'A="x $(touch ran)"'])
def test_a_command_in_an_env_cell_is_an_error_and_never_runs(book, line):
    done = book(cell("env e", line), cell("bash t --dep e", "touch ran")).run("task", "t")

    assert done.exit_code == 2
    assert "Spryfile.md:2" in done.stderr
    assert not book.has("ran")


def test_a_variable_of_an_env_cell_reaches_only_those_that_depend_on_it(book):
    done = book(cell("env e", "A=1"), cell("bash t", 'echo "<$A>"')).run("runbook", "-j", "1")

    assert done.stdout == "<>\n"


def test_a_missing_env_file_is_named_before_anything_runs(book):
    done = book(cell("bash a", "touch ran"), cell("bash t --env-file gone.env", "true")).run("runbook", "-j", "1")

    assert done.exit_code == 2
    assert "gone.env" in done.stderr
    assert not book.has("ran")


def test_startup_files_and_functions_of_the_caller_change_no_script(book):
    book.path("evil.sh").write_text("echo evil\nset +e\n")
    evil = str(book.path("evil.sh"))
    env = {
        "BASH_ENV": evil,
        "ENV": evil,
        "SHELLOPTS": "xtrace",
        "BASH_FUNC_true%%": "() { echo evil; }",
        "PS4": "$(echo x)",
    }
    done = book(cell("bash t", "true", "env | grep -c BASH_FUNC || :"), cell("sh u", "true")).run("runbook", env=env)

    assert done.exit_code == 0
    assert done.stdout == "0\n"
    assert "evil" not in done.stderr


def test_an_outer_run_does_not_leak_into_an_inner_one(book):
    done = book(cell("bash t", 'echo "$SPRY_TASK $SPRY_MESSAGE_ID"')).run(
        "task", "t", env={"SPRY_TASK": "outer", "SPRY_MESSAGE_ID": "7", "SPRY_OUTPUT": "/nowhere"}
    )

    assert done.stdout == "t \n"


def test_parameters_are_typed_defaulted_and_seen_with_underscores(book):
    book(
        cell(
            "bash t --arg dry-run:bool=false --arg n:int=3 --arg 'mode:choice(fast|slow)=fast'",
            'echo "$dry_run $n $mode"',
        )
    )

    assert book.run("task", "t").stdout == "false 3 fast\n"
    assert book.run("task", "t", "--param", "n=-5", "--param", "mode=slow", "--param", "dry-run=true").stdout == (
        "true -5 slow\n"
    )


@pytest.mark.parametrize(
    ("declared", "given", "words"),
    [
        ("n:int", [], 'needs a value for "n"'),
        ("n:int", ["n=many"], '"n"'),
        ("n:float", ["n=x"], '"n"'),
        ("n:bool", ["n=perhaps"], '"n"'),
        ("'n:choice(a|b)'", ["n=c"], '"n"'),
        ("n", ["m=1", "n=1"], 'no selected task declares the parameter "m"'),
        ("name", ["nmae=1", "name=1"], 'did you mean "name"'),
    ],
)
def test_a_wrong_parameter_stops_the_run_before_anything_starts(book, declared, given, words):
    options = [word for pair in given for word in ("--param", pair)]
    done = book(cell("bash a", "touch ran"), cell(f"bash t --dep a --arg {declared}", "true")).run(
        "task", "t", *options
    )

    assert done.exit_code == 2
    assert words in done.stderr
    assert not book.has("ran")


def test_parameters_of_the_front_matter_are_everybodys(book):
    book("---\nspry:\n  params:\n    region: eu\n---\n", cell("bash t", 'echo "$region"'))

    assert book.run("task", "t").stdout == "eu\n"
    assert book.run("task", "t", "--param", "region=us").stdout == "us\n"


def test_a_dry_run_tells_missing_parameters_and_does_not_ask(book):
    done = book(cell("bash t --arg who", "touch ran")).run("task", "t", "--dry-run")

    assert done.exit_code == 2
    assert "who" in done.stdout + done.stderr
    assert not book.has("ran")


@pytest.mark.parametrize("info", ["bash t", "sh t", "bash t --interpreter 'bash -x'"])
def test_words_after_the_dashes_are_the_tasks_own(book, info):
    done = book(cell(info, 'printf "<%s>" "$@"')).run("task", "t", "--", "--flag", "two words", "", "x.md", "*")

    assert done.stdout == "<--flag><two words><><x.md><*>"


def test_words_reach_a_script_in_python_and_with_a_shebang(book):
    book(cell("python t --descr x", "import sys; print(sys.argv[1:])"), cell("bash u", "#!/bin/sh -e", 'echo "$1"'))

    assert book.run("task", "t", "--", "a b").stdout == "['a b']\n"
    assert book.run("task", "u", "--", "a b").stdout == "a b\n"


@pytest.mark.parametrize(
    ("front", "flags", "folder"),
    [("", "", "docs"), ("", "--cwd sub", "docs/sub"), ("spry: {cwd: sub}", "", "docs/sub"), ("", "--cwd ..", "."),
     ("spry: {cwd: sub}", "--cwd ..", "docs")],
)  # fmt: skip
def test_folders_start_from_that_of_the_runbook(book, front, flags, folder):
    book(f"---\n{front}\n---\n" if front else "", cell(f"bash t {flags}", "pwd -P"), name="docs/ops.md")
    book.path("docs/sub").mkdir()

    assert book.run("task", "t", "docs/ops.md").stdout == f"{book.path(folder).resolve()}\n"


def test_a_runbook_from_stdin_runs_where_the_caller_stands(book):
    book.path("sub").mkdir()
    done = book.run("runbook", "-y", "-f", "-", stdin=cell("bash t", 'pwd -P; echo "$SPRY_DIR"').encode(), cwd="sub")
    here = book.path("sub").resolve()

    assert done.stdout == f"{here}\n{here}\n"


def test_chdir_goes_there_first(book):
    book(cell("bash t", "pwd -P"), name="docs/Spryfile.md")

    assert book.run("-C", "docs", "task", "t").stdout == f"{book.path('docs').resolve()}\n"
    assert book.run("task", "t", "-C", "docs").stdout == f"{book.path('docs').resolve()}\n"
