"""Which Python environment the tasks of a runbook run in: found by looking, in the order of the manual."""

from __future__ import annotations

import json
import os
import shutil
import sys
import venv

import pytest
from book import cell

TOLD = cell("bash t", 'echo "$VIRTUAL_ENV"', "command -v python", 'python -c "import sys; print(sys.prefix)"')
WHERE = cell("bash t", 'echo "${VIRTUAL_ENV-none}"', 'echo "$PATH"')
UV = shutil.which("uv") or os.path.join(os.path.dirname(sys.executable), "uv")


@pytest.fixture(autouse=True)
def plain_path(book):
    """Programs of the system alone, whatever environment the tests run in."""
    book.env["PATH"] = "/usr/bin:/bin"


def environment(path):
    """A real virtual environment."""
    venv.create(path, with_pip=False, symlinks=True)
    return path


def mode(name):
    return f"---\nspry: {{env_mode: {name}}}\n---\n"


def fake_uv(book, text='echo "uv $*" >&2; while [ "$1" != -- ]; do shift; done; shift; exec "$@"'):
    """A program called uv that says how it was started; the PATH on which it is first."""
    folder = book.place / "tools"
    folder.mkdir()
    (folder / "uv").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "uv").chmod(0o755)
    return f"{folder}:{book.env['PATH']}"


@pytest.mark.parametrize("place", [".venv", "venv", "workenv", "workenv/pkg_linux_amd64", "workenv/anything"])
def test_the_environment_of_a_project_is_found_and_comes_first(book, place):
    made = environment(book(TOLD).path(place))
    done = book.run("task", "t")

    assert done.stdout.splitlines() == [str(made), f"{made}/bin/python", str(made)]


def test_a_task_has_the_environment_whatever_its_own_folder_is(book):
    made = environment(book(cell("bash t --cwd sub", "pwd; command -v python")).path(".venv"))
    book.path("sub").mkdir()

    assert book.run("task", "t").stdout == f"{book.folder}/sub\n{made}/bin/python\n"


def test_a_runbook_further_down_has_the_environment_of_its_repository(book):
    book(TOLD, name="docs/ops.md").path(".git").mkdir()
    made = environment(book.path(".venv"))

    assert book.run("task", "t", "docs/ops.md").stdout.startswith(f"{made}\n")


def test_outside_of_a_repository_an_environment_further_up_is_not_looked_for(book):
    environment(book(WHERE, name="docs/ops.md").path(".venv"))

    assert book.run("task", "t", "docs/ops.md").stdout.startswith("none\n")


def test_workenv_comes_before_dot_venv_and_that_before_venv(book):
    made = [environment(book(TOLD).path(place)) for place in ("venv", ".venv", "workenv/p_linux_amd64")]
    found = []
    while made:
        found.append(book.run("task", "t").stdout.splitlines()[0])
        shutil.rmtree(made.pop())

    assert [os.path.relpath(path, book.folder) for path in found] == ["workenv/p_linux_amd64", ".venv", "venv"]


def test_of_several_environments_the_one_for_this_machine_is_meant(book):
    system, machine = sys.platform, os.uname().machine
    book(WHERE)
    for name in ("p_plan9_mips", f"p_{system}_{machine}", "p_plan9_arm64"):
        environment(book.path(f"workenv/{name}"))

    assert book.run("task", "t").stdout.startswith(f"{book.folder}/workenv/p_{system}_{machine}\n")


def test_several_environments_that_could_all_be_meant_are_an_error(book):
    book(WHERE)
    for name in ("one", "two"):
        environment(book.path(f"workenv/{name}"))
    done = book.run("task", "t")

    assert (done.exit_code, done.stdout) == (2, "")
    assert "workenv holds several virtual environments: one, two" in done.stderr


def test_a_folder_called_venv_that_is_no_environment_is_not_one(book):
    book(WHERE).path("venv/bin").mkdir(parents=True)

    assert book.run("task", "t").stdout.startswith("none\n")


def test_a_broken_environment_is_not_passed_over(book):
    environment(book(WHERE).path(".venv"))
    for python in book.path(".venv/bin").glob("python*"):
        python.unlink()
    done = book.run("task", "t")

    assert (done.exit_code, done.stdout) == (3, "")
    assert "bin/python cannot be executed" in done.stderr
    assert "python3 -m venv --clear" in done.stderr


def test_foreign_environments_leave_the_path_and_nothing_else_does(book):
    foreign, made = environment(book.place / "foreign"), environment(book(WHERE).path(".venv"))
    env = {"VIRTUAL_ENV": str(foreign), "PYTHONHOME": "/nowhere", "PATH": f"/opt/bin:{foreign}/bin:{book.env['PATH']}"}
    told, path = book.run("task", "t", env=env).stdout.splitlines()

    assert told == str(made)
    assert path == f"{made}/bin:/opt/bin:{book.env['PATH']}"


def test_an_environment_that_is_active_already_is_named_once(book):
    made = environment(book(WHERE).path(".venv"))
    env = {"VIRTUAL_ENV": str(made), "PATH": f"{made}/bin:{book.env['PATH']}"}

    assert book.run("task", "t", env=env).stdout == f"{made}\n{made}/bin:{book.env['PATH']}\n"


@pytest.mark.parametrize("mark", [".git", "pyproject.toml"])
def test_a_project_without_an_environment_does_not_get_that_of_another(book, mark):
    other = environment(book.place / "other" / ".venv")
    (book.place / "other" / mark).write_text("")
    env = {"VIRTUAL_ENV": str(other), "PATH": f"{other}/bin:{book.env['PATH']}"}

    assert book(WHERE).run("task", "t", env=env).stdout == f"none\n{book.env['PATH']}\n"


def test_an_active_environment_of_no_project_stays_active(book):
    chosen = environment(book.place / "environments" / "work")
    env = {"VIRTUAL_ENV": str(chosen), "PATH": f"{chosen}/bin:{book.env['PATH']}"}

    assert book(WHERE).run("task", "t", env=env).stdout == f"{chosen}\n{chosen}/bin:{book.env['PATH']}\n"


def test_with_the_mode_system_nothing_is_changed(book):
    foreign = environment(book.place / "foreign")
    environment(book(mode("system"), WHERE).path(".venv"))
    env = {"VIRTUAL_ENV": str(foreign), "PATH": f"{foreign}/bin:{book.env['PATH']}"}

    assert book.run("task", "t", env=env).stdout == f"{foreign}\n{foreign}/bin:{book.env['PATH']}\n"


def test_the_mode_venv_needs_an_environment(book):
    done = book(mode("venv"), WHERE).run("task", "t")

    assert (done.exit_code, done.stdout) == (3, "")
    assert "no virtual environment in" in done.stderr
    assert "python3 -m venv .venv" in done.stderr


def test_the_mode_venv_does_not_use_uv(book):
    made = environment(book(mode("venv"), WHERE).path(".venv"))
    book.path("uv.lock").write_text("")
    done = book.run("task", "t", env={"PATH": fake_uv(book)})

    assert done.stdout.startswith(f"{made}\n")
    assert "uv run" not in done.stderr


@pytest.mark.parametrize("front", ["", mode("auto")])
def test_an_environment_that_a_task_makes_is_there_for_those_that_depend_on_it(book, front):
    make = cell("bash make", f"{sys.executable} -m venv --without-pip .venv")
    done = book(front, make, cell("bash t --dep make", 'echo "$VIRTUAL_ENV"; command -v python')).run("task", "t")

    assert done.stdout == f"{book.folder}/.venv\n{book.folder}/.venv/bin/python\n"


def test_variables_that_the_runbook_sets_win_over_the_environment(book):
    environment(book("---\nspry: {env: {VIRTUAL_ENV: mine}}\n---\n", WHERE).path(".venv"))

    assert book.run("task", "t").stdout.startswith("mine\n")


def test_python_programs_do_not_keep_back_what_they_write(book):
    environment(book(cell("bash t", 'echo "${PYTHONUNBUFFERED-none}"')).path(".venv"))

    assert book.run("task", "t").stdout == "1\n"
    assert book.run("task", "t", env={"PYTHONUNBUFFERED": ""}).stdout == "\n"


@pytest.mark.parametrize("mark", ["lock", "table"])
def test_a_project_of_uv_runs_through_uv(book, mark):
    book(cell("bash t", "echo one && echo two >&2")).path("uv.lock" if mark == "lock" else "pyproject.toml").write_text(
        "" if mark == "lock" else "[tool.uv]\npackage = false\n"
    )
    done = book.run("task", "t", env={"PATH": fake_uv(book)})

    assert done.stdout == "one\n"
    assert done.stderr.startswith(f"uv run --project {book.folder} -- bash -e -o pipefail -c ")
    assert "two\n" in done.stderr


def test_uv_runs_the_whole_script_whatever_it_is_made_of(book):
    book(cell("bash t", "f() { echo in a function; }", "f && exit 7")).path("uv.lock").write_text("")
    done = book.run("task", "t", "--json", env={"PATH": fake_uv(book, 'shift 4; exec "$@"')})

    assert [event["exit_code"] for event in done.events if event["event"] == "task_finished"] == [7]


def test_a_project_of_uv_without_uv_uses_its_own_environment(book):
    made = environment(book(WHERE).path(".venv"))
    book.path("uv.lock").write_text("")

    assert book.run("task", "t").stdout.startswith(f"{made}\n")


def test_the_mode_uv_needs_uv(book):
    done = book(mode("uv"), WHERE).run("task", "t")

    assert (done.exit_code, done.stdout) == (3, "")
    assert "uv is not on the PATH" in done.stderr


def editable(environment, *, is_editable):
    """What pip leaves of an installation from a folder."""
    folder = environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (folder / "pkg-1.dist-info").mkdir(parents=True)
    told = {"url": "file:///src/pkg", "dir_info": {"editable": True} if is_editable else {}}
    (folder / "pkg-1.dist-info" / "direct_url.json").write_text(json.dumps(told))


@pytest.mark.parametrize("is_editable", [True, False])
def test_an_editable_installation_is_left_alone_by_uv(book, is_editable):
    made = environment(book(WHERE).path(".venv"))
    editable(made, is_editable=is_editable)
    book.path("uv.lock").write_text("")
    done = book.run("task", "t", env={"PATH": fake_uv(book)})

    assert ("uv run" in done.stderr) is not is_editable
    assert done.stdout.startswith(f"{made}\n") is is_editable


def test_whether_something_is_editable_is_found_without_importing_it(book):
    made = environment(book(WHERE).path(".venv"))
    editable(made, is_editable=True)
    package = book.path("pkg.py")
    package.write_text("open('imported', 'w')\n")
    book.path("uv.lock").write_text("")
    book.run("task", "t", env={"PATH": fake_uv(book), "PYTHONPATH": str(book.folder)})

    assert not book.has("imported")


def test_a_runner_that_the_caller_names_comes_before_all_else(book):
    environment(book(mode("venv"), WHERE).path(".venv"))
    done = book.run("task", "t", env={"SPRY_TASK_RUNNER": "env VIRTUAL_ENV='of the runner'"})

    assert done.stdout == f"of the runner\n{book.env['PATH']}\n"


@pytest.mark.parametrize(("runner", "code", "told"), [("nosuch run", 3, "names nosuch"), ("'open", 2, "No closing")])
def test_a_runner_that_cannot_be_is_an_error(book, runner, code, told):
    done = book(WHERE).run("task", "t", env={"SPRY_TASK_RUNNER": runner})

    assert (done.exit_code, done.stdout) == (code, "")
    assert told in done.stderr


def test_a_dry_run_says_in_which_environment_a_task_would_run(book):
    made = environment(book(WHERE).path(".venv"))
    done = book.run("task", "t", "--dry-run")

    assert f"runs in the virtual environment {made}" in done.stdout
    assert f"VIRTUAL_ENV={made}" in done.stdout


@pytest.mark.skipif(not os.path.exists(UV), reason="uv is not installed")
def test_uv_itself_runs_the_tasks_of_its_projects(book):
    book(TOLD).path("pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\n[tool.uv]\npackage = false\n'
    )
    path = f"{os.path.dirname(UV)}:{os.path.dirname(os.path.realpath(sys.executable))}:{book.env['PATH']}"
    done = book.run("task", "t", env={"PATH": path, "UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"})

    assert done.stdout.splitlines() == [
        str(book.path(".venv")),
        str(book.path(".venv/bin/python")),
        str(book.path(".venv")),
    ]
