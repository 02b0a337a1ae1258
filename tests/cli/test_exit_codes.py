"""The exit code of a run, the first that applies: 3, 128 + signal, 2, 1, 124, 0."""

from __future__ import annotations

import os

import click
import pytest
from book import cell

from spry.cli import app
from spry.cli.words import SECTIONS

RUNS = [
    ("0", [cell("bash a", "true"), cell("bash b --dep a", "true")], 0),
    ("0 with an empty body", [cell("bash a"), cell("bash b --dep a")], 0),
    ("0 by --exit-code", [cell("bash a --exit-code 0,3", "exit 3")], 0),
    ("1 by --exit-code", [cell("bash a --exit-code 3", "exit 0")], 1),
    ("1", [cell("bash a", "exit 7")], 1),
    ("1 by a signal", [cell("bash a", "kill -TERM $$")], 1),
    ("1 by 124 of its own", [cell("bash a", "exit 124")], 1),
    ("1 by 3 of its own", [cell("bash a", "exit 3")], 1),
    ("0 with an optional failure", [cell("bash a"), cell("bash b --dep a --finally --optional", "exit 1")], 0),
    ("1 with a failure of clean-up", [cell("bash a"), cell("bash b --dep a --finally", "exit 1")], 1),
    ("124", [cell("bash a --timeout 0.2s", "sleep 30")], 124),
    ("124 with a skip", [cell("bash a --timeout 0.2s", "sleep 30"), cell("bash b --dep a", "true")], 124),
    ("1 before 124", [cell("bash a --timeout 0.2s", "sleep 30"), cell("bash b", "exit 1")], 1),
    ("2", [cell("bash a --frobnicate", "true")], 2),
    ("3 without an interpreter", [cell("bash a --interpreter no-such-program", "true")], 3),
    ("3 without a shebang's program", [cell("bash a", "#!/no/such/program", "true")], 3),
    ("3 without a folder", [cell("bash a --cwd nowhere", "true")], 3),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "code"), [run[1:] for run in RUNS], ids=[run[0] for run in RUNS])
def test_a_run_has_the_exit_code_of_the_worst_that_happened(book, texts, code):
    done = book(*texts).run("runbook", env={"SPRY_GRACE": "0.2"})

    assert done.exit_code == code, done.stderr
    assert "Traceback" not in done.stderr


def test_the_time_of_the_whole_run_ends_it_with_124(book):
    done = book(cell("bash a", "sleep 30"), cell("bash b --dep a", "touch ran")).run("runbook", "--timeout", "0.3s")

    assert done.exit_code == 124
    assert not book.has("ran")


def test_a_missing_interpreter_stops_the_run_before_anything_starts(book):
    done = book(cell("bash a", "touch ran"), cell("ruby b --dep a", "puts 1")).run(
        "runbook", env={"PATH": _only(book, "bash", "touch")}
    )

    assert done.exit_code == 3
    assert "ruby" in done.stderr
    assert "Spryfile.md:5" in done.stderr
    assert not book.has("ran")


def test_a_missing_interpreter_that_is_not_selected_is_nobodys_business(book):
    done = book(cell("bash a", "true"), cell("bash b --interpreter no-such-program", "puts 1")).run("task", "a")

    assert done.exit_code == 0


@pytest.mark.parametrize("language", ["prompt", "agent"])
def test_a_language_without_a_handler_is_refused_and_not_ignored(book, language):
    done = book(cell("bash good", "touch ran"), cell(f"{language} ask --descr x", "What now?")).run("runbook")

    assert done.exit_code == 3
    assert f"{language} cells" in done.stderr
    assert f"set spry.handlers.{language}" in done.stderr
    assert "pip install 'spry[copilot]'" in done.stderr
    assert not book.has("ran")


@pytest.mark.parametrize(
    ("argv", "code"),
    [(["--version"], 0), (["--help"], 0), (["task", "--help"], 0), (["nonsense"], 2), (["task", "a", "--nonsense"], 2)],
)
def test_questions_about_the_command_line_have_their_codes(book, argv, code):
    assert book(cell("bash a", "true")).run(*argv).exit_code == code


def every_command(group=app.commands, before=()):
    """All commands and groups, each as the words that name it."""
    for name, command in group.commands.items():
        yield (*before, name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*before, name))


def help_of(words):
    """The lines of a command's help in a terminal of 60 columns."""
    ctx, command = click.Context(app.commands, info_name="spry", terminal_width=60), app.commands
    for word in words:
        command = command.commands[word]
        ctx = click.Context(command, ctx, word, terminal_width=60)
    return command.get_help(ctx).split("\n")


@pytest.mark.parametrize("words", list(every_command()), ids=" ".join)
def test_the_help_of_every_command_has_an_example_and_fits_60_columns(words):
    usage, *lines = help_of(words)

    assert usage.startswith(f"Usage: spry {' '.join(words)}")
    assert any(f"spry {' '.join(words)}" in line for line in lines)
    assert [line for line in lines if len(line) > 60] == []


def test_the_help_names_every_command_once_and_fits_60_columns():
    assert sorted(name for words in SECTIONS.values() for name in words) == sorted(app.commands.commands)
    assert [line for line in help_of([]) if len(line) > 60] == []


@pytest.mark.parametrize(
    ("argv", "fault"),
    [
        ("system tidy -o x", "--output is for spry system dump, not for tidy"),
        ("system dump --keep 7d -o x", "--keep is for spry system tidy, not for dump"),
        ("system dump --json -o x", "--json is for spry system tidy, not for dump"),
        ("system load --output y -i x", "--output is for spry system dump, not for load"),
        ("spec list --replace", "--replace is for spry spec create, not for list"),
        ("spec generate --json", "--json is for spry spec list, not for generate"),
        ("status --watch", "--watch and --process are for one run"),
        ("status --process", "--watch and --process are for one run"),
        ("logs 1 --json --raw", "--json and --raw exclude each other"),
        ("task a -q --output live", "--quiet and --output exclude each other"),
        ("task a --json --output raw", "--json and --output exclude each other"),
        ("task a --json --show-dag", "--json and --show-dag exclude each other"),
        ("exec --stream --no-stream true", "--stream and --no-stream exclude each other"),
        ("init --autostart --no-autostart", "--autostart and --no-autostart exclude each other"),
        ("ping 1 --json", "No such option"),
    ],
)
def test_an_option_that_would_be_passed_over_is_refused(book, argv, fault):
    done = book(cell("bash a", "touch ran")).run(*argv.split())

    assert done.exit_code == 2
    assert fault in done.stderr
    assert not book.has("ran")
    assert not book.has("x")


def _only(book, *programs: str) -> str:
    folder = book.place / "bin"
    folder.mkdir()
    for program in programs:
        found = next(path for path in ("/bin", "/usr/bin") if os.path.exists(f"{path}/{program}"))
        (folder / program).symlink_to(f"{found}/{program}")
    return str(folder)
