"""Which program is chosen for a task, and the argv it gets."""

import os
import stat
from pathlib import Path

import pytest

from spry.core.model import Settings, Task
from spry.errors import HostError, UsageError
from spry.execute.command import ScriptFolder, command, resolve

NONE = Settings()
NAMES = ("bash", "sh", "dash", "zsh", "fish", "ksh", "python3", "python3.12", "node", "ruby", "perl", "pwsh")
OTHERS = ("env", "cat", "awk", "sqlite3", "psql", "deno", "uv", "bash-5.2")


@pytest.fixture
def bin_(tmp_path):
    """A folder with every program that is asked for, none of which is ever run."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in NAMES + OTHERS:
        (folder / name).touch(0o755)
    return str(folder)


@pytest.fixture
def scripts(tmp_path):
    folder = ScriptFolder(str(tmp_path))
    yield folder
    folder.close()


def task(body="echo hi\n", language="bash", **fields) -> Task:
    return Task("build", language, body, "docs/deploy.md", line=46, body_line=47, **fields)


def chosen(bin_, of: Task, settings=NONE, cwd="/work"):
    found = resolve(of, settings, path=bin_, cwd=cwd)
    return found.family, " ".join(word.removeprefix(f"{bin_}/") for word in found.argv), found.origin


# Which program


@pytest.mark.parametrize(
    ("language", "family", "argv"),
    [
        ("bash", "bash", "bash -e -o pipefail"),
        ("shell", "bash", "bash -e -o pipefail"),
        ("zsh", "zsh", "zsh -e -o pipefail"),
        ("sh", "sh", "sh -e"),
        ("fish", "fish", "fish"),
        ("python", "python", "python3"),
        ("py", "python", "python3"),
        ("javascript", "node", "node"),
        ("js", "node", "node"),
        ("node", "node", "node"),
        ("ruby", "ruby", "ruby"),
        ("perl", "perl", "perl"),
        ("pwsh", "pwsh", "pwsh"),
        ("powershell", "pwsh", "pwsh"),
    ],
)
def test_a_language_has_its_program(bin_, language, family, argv):
    assert chosen(bin_, task(language=language)) == (family, argv, "language")


@pytest.mark.parametrize(("language", "argv"), [("bash", "bash"), ("sh", "sh"), ("zsh", "zsh")])
def test_no_strict_takes_the_strict_options_away(bin_, language, argv):
    assert chosen(bin_, task(language=language, strict=False))[1] == argv


@pytest.mark.parametrize(
    ("first_line", "family", "argv"),
    [
        ("#!/usr/bin/env bash", "bash", "bash -e -o pipefail"),
        ("#! /usr/bin/env  bash ", "bash", "bash -e -o pipefail"),
        ("#!/usr/bin/env -S bash -x", "bash", "bash -e -o pipefail -x"),
        ("#!/usr/bin/env -Sbash -x", "bash", "bash -e -o pipefail -x"),
        ("#!{bin}/bash -x", "bash", "bash -e -o pipefail -x"),
        ("#!{bin}/bash -eu -o posix", "bash", "bash -e -o pipefail -eu -o posix"),
        ("#!{bin}/bash-5.2", "bash", "bash-5.2 -e -o pipefail"),
        ("#!{bin}/dash", "dash", "dash -e"),
        ("#!/usr/bin/env ksh", "ksh", "ksh -e"),
        ("#!/usr/bin/env -S cat", "other", "cat"),
        ("#!/usr/bin/env -S awk -f", "other", "awk -f"),
        ("#!{bin}/env -S -i A=1 bash", "bash", "env -i A=1 bash -e -o pipefail"),
        ("#!/usr/bin/env python3.12", "python", "python3.12"),
        ("#!/usr/bin/env -S python3 -u -W error", "python", "python3 -u -W error"),
        ("#!/usr/bin/env -S python3 -m tool", "other", "python3 -m tool"),
        ("#!/usr/bin/env -S uv run --script", "other", "uv run --script"),
    ],
)
def test_a_shebang_decides_and_keeps_its_options(bin_, first_line, family, argv):
    body = f"{first_line.format(bin=bin_)}\necho hi\n"

    assert chosen(bin_, task(body)) == (family, argv, "shebang")


def test_a_shebang_with_no_strict_stays_as_it_is(bin_):
    assert chosen(bin_, task("#!/usr/bin/env -S bash -x\n", strict=False))[1] == "bash -x"


@pytest.mark.parametrize(
    ("written", "family", "argv"),
    [
        ("zsh", "zsh", "zsh -e -o pipefail"),
        ("bash -c", "bash", "bash -e -o pipefail"),
        ("bash -lc", "bash", "bash -e -o pipefail -l"),
        ("python3 -c", "python", "python3"),
        ("deno run 'with blank' {}", "other", "deno run with blank {}"),
        ("bash {}", "other", "bash {}"),
    ],
)
def test_the_flag_is_read_as_words(bin_, written, family, argv):
    assert chosen(bin_, task(interpreter=written)) == (family, argv, "--interpreter")


def test_the_flag_beats_the_shebang_that_beats_the_settings(bin_):
    settings = Settings(interpreters={"bash": "fish"})
    shebang = "#!/usr/bin/env zsh\n"

    assert chosen(bin_, task(shebang, interpreter="dash"), settings)[0] == "dash"
    assert chosen(bin_, task(shebang), settings)[0] == "zsh"
    assert chosen(bin_, task(), settings)[::2] == ("fish", "spry.interpreters")


def test_the_settings_may_name_a_language_by_another_of_its_names(bin_):
    settings = Settings(interpreters={"python": "uv run python"})

    assert chosen(bin_, task(language="py"), settings)[1] == "uv run python"


def test_the_settings_bring_other_languages(bin_):
    settings = Settings(interpreters={"sql": "sqlite3 app.db"})

    assert chosen(bin_, task(language="sql"), settings) == ("other", "sqlite3 app.db", "spry.interpreters")


def test_the_shell_of_the_settings_is_for_shell_cells_alone(bin_):
    settings = Settings(shell="zsh")

    assert chosen(bin_, task(language="shell"), settings)[::2] == ("zsh", "spry.shell")
    assert chosen(bin_, task(language="bash"), settings)[::2] == ("bash", "language")


def test_a_relative_program_is_found_from_the_working_folder(bin_):
    found = resolve(task(interpreter="./bin/bash"), NONE, path="", cwd=os.path.dirname(bin_))

    assert os.path.samefile(found.argv[0], f"{bin_}/bash")


@pytest.mark.parametrize(
    ("of", "message", "hint"),
    [
        (
            task(language="zsh"),
            'task "build" needs zsh, which is not on its PATH (docs/deploy.md:46)',
            "install zsh, or name another program with spry.interpreters.zsh",
        ),
        (
            task("#!/no/bash\n"),
            'task "build" needs /no/bash, which cannot be found or executed (docs/deploy.md:46)',
            "correct the #! line",
        ),
        (
            task(interpreter="tool -x"),
            'task "build" needs tool, which is not on its PATH (docs/deploy.md:46)',
            "install tool, or correct --interpreter",
        ),
        (
            task(language="sql"),
            'no program runs sql cells: task "build" (docs/deploy.md:46)',
            "set spry.interpreters.sql",
        ),
        (
            task(language="prompt"),
            'no program runs prompt cells: task "build" (docs/deploy.md:46)',
            "set spry.handlers.prompt to a command that reads stdin, or: pip install 'spry[copilot]'",
        ),
    ],
)
def test_a_missing_program_is_a_host_error_that_names_it(tmp_path, of, message, hint):
    with pytest.raises(HostError) as raised:
        resolve(of, NONE, path=str(tmp_path), cwd="/")

    assert (raised.value.message, raised.value.hint, raised.value.exit_code) == (message, hint, 3)


def test_a_program_installed_by_an_earlier_task_is_found(tmp_path):
    with pytest.raises(HostError):
        resolve(task(), NONE, path=str(tmp_path), cwd="/")
    (tmp_path / "bash").touch(0o755)

    assert resolve(task(), NONE, path=str(tmp_path), cwd="/").argv[0] == str(tmp_path / "bash")


@pytest.mark.parametrize("written", ["bash 'x", '"', "''", "#!"])
def test_a_command_that_is_none_is_the_runbooks_mistake(bin_, written):
    of = task(f"{written}\n") if written == "#!" else task(interpreter=written)
    with pytest.raises(UsageError) as raised:
        resolve(of, NONE, path=bin_, cwd="/")

    assert "docs/deploy.md:46" in raised.value.message


# What it gets


def built(bin_, scripts, of: Task, *args, settings=NONE, cwd="/", line=0):
    return command(resolve(of, settings, path=bin_, cwd=cwd), of, of.body, args, cwd=cwd, scripts=scripts, line=line)


@pytest.mark.parametrize("language", ["bash", "sh"])
def test_a_shell_gets_the_script_as_one_argument_behind_the_lines_before_it(bin_, scripts, language):
    argv, cwd = built(bin_, scripts, task(language=language), "a b", "-c")

    assert argv[-5:] == ("-c", "\n" * 46 + "echo hi\n", "docs/deploy.md", "a b", "-c")
    assert cwd == "/"


def test_text_put_in_front_takes_lines_off(bin_, scripts):
    assert built(bin_, scripts, task(), line=40).argv[5] == "\n" * 39 + "echo hi\n"


def test_far_down_in_a_runbook_bash_is_told_the_line_instead(bin_, scripts):
    argv = built(bin_, scripts, task()._replace(body_line=50_000), "arg").argv

    assert "LINENO=49999" in argv[5]
    assert argv[6:] == ("docs/deploy.md", "shift\necho hi\n", "arg")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("docs/deploy.md", "docs/deploy.md"),
        ("./deploy.md", "./deploy.md"),
        ("/abs/deploy.md", "deploy.md"),
        ("../up/deploy.md", "deploy.md"),
        ("-", "./-"),
    ],
)
def test_a_script_file_has_the_runbooks_name(bin_, scripts, path, name):
    argv, cwd = built(bin_, scripts, task(language="zsh")._replace(path=path), "arg")

    assert argv[-2:] == (name, "arg")
    assert os.path.isfile(os.path.join(cwd, name))


def test_a_script_file_keeps_the_line_and_goes_to_the_working_folder(bin_, scripts, tmp_path):
    folder = tmp_path / "it's here"
    folder.mkdir()
    argv, cwd = built(bin_, scripts, task(language="zsh"), cwd=str(folder))
    lines = Path(cwd, argv[-1]).read_text().split("\n")

    assert lines[0] == f"cd -- '{tmp_path}/it'\\''s here' && unset OLDPWD"
    assert lines[1:46] == [""] * 45
    assert lines[46:] == ["echo hi", ""]


def test_with_no_working_folder_no_script_is_written_and_whoever_starts_it_will_say_so(bin_, scripts, tmp_path):
    _, cwd = built(bin_, scripts, task(language="zsh"), cwd="/no/folder")

    assert cwd == "/no/folder"
    assert os.listdir(tmp_path) == ["bin"]


@pytest.mark.parametrize(
    ("language", "size", "filed"),
    [("bash", 1000, False), ("bash", 130_000, False), ("bash", 131_000, True), ("sh", 300_000, True)],
)
def test_a_script_too_large_for_an_argument_goes_to_a_file(bin_, scripts, language, size, filed):
    argv, cwd = built(bin_, scripts, task(":" * size, language))

    assert max(map(len, argv)) <= 131_071
    assert (cwd != "/") is filed


def test_what_counts_is_bytes(bin_, scripts):
    assert built(bin_, scripts, task("ä" * 70_000)).cwd != "/"


def test_any_other_program_gets_a_private_file_as_it_is(bin_, scripts):
    body = "#!/usr/bin/env -S cat\nzwei\u00fc\n"
    argv, cwd = built(bin_, scripts, task(body), "arg")
    written = Path(argv[1]).read_bytes()

    assert argv[::2] == (f"{bin_}/cat", "arg")
    assert (written, cwd) == (body.encode(), "/")
    assert stat.S_IMODE(os.stat(argv[1]).st_mode) == 0o600
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in Path(argv[1]).parents[:2]] == [0o700, 0o700]


def test_braces_stand_for_the_file(bin_, scripts):
    argv = built(bin_, scripts, task(interpreter="deno run --file={} -"), "arg").argv

    assert argv[2].startswith("--file=/")
    assert argv[2].endswith("/build.bash")
    assert argv[3:] == ("-", "arg")


def test_a_database_shell_reads_the_file_from_its_input(bin_, scripts):
    settings = Settings(interpreters={"sql": "sqlite3 app.db"})
    argv = built(bin_, scripts, task("select 1;\n", "sql"), settings=settings).argv

    assert argv[:3] == ("/bin/sh", "-c", 'exec "$@" <"$0"')
    assert argv[3].endswith("/build.sql")
    assert argv[4:] == (f"{bin_}/sqlite3", "app.db")


def test_inserted_bytes_that_are_no_text_are_kept(bin_, scripts):
    argv = built(bin_, scripts, task("x\udcff", interpreter="cat")).argv

    assert Path(argv[1]).read_bytes() == b"x\xff"


# The folder of scripts


def test_no_folder_is_made_before_it_is_needed(bin_, scripts, tmp_path):
    built(bin_, scripts, task())

    assert os.listdir(tmp_path) == ["bin"]


def test_closing_leaves_nothing(bin_, scripts, tmp_path):
    for _ in range(3):
        built(bin_, scripts, task(language="zsh"))
    during = len(os.listdir(tmp_path))
    scripts.close()
    scripts.close()

    assert (during, os.listdir(tmp_path)) == (2, ["bin"])


def test_a_folder_that_cannot_be_written_is_a_host_error(bin_, tmp_path):
    with pytest.raises(HostError) as raised:
        built(bin_, ScriptFolder(str(tmp_path / "none")), task(language="zsh"))

    assert 'cannot write the script of task "build": No such file or directory' in raised.value.message


def test_every_family_has_an_argv(bin_, scripts):
    for name in NAMES:
        of = task(interpreter=name)
        argv, _ = built(bin_, scripts, of, "last")

        assert argv[-1] == "last"
        assert argv[0] == f"{bin_}/{name}"
