"""The ten ways in which others have got this wrong: none of them is ours."""

from __future__ import annotations

import json

import pytest
from book import cell
from test_signals import survivors
from test_terminal import Terminal, plain
from yard import figures, turns


def test_1_success_is_not_silent(yard):
    yard.repository("a", cell("bash test", "echo out", "echo err >&2"))
    done = yard.all("test")

    assert done.stdout == "out\n"
    for line in ("▶ Running 'test' in a", "err", "✓ Task 'test' succeeded in a", "📊 Workspace Task Summary"):
        assert line in done.stderr


SHELL = 'echo a && echo b >&2; echo "$((1 + 1))" > written; false || exit 3'


def test_2_shell_lines_mean_the_same_in_a_pipe(yard):
    folder = yard.repository("a", cell("bash test", SHELL))
    done = yard.all("test", "--repos=a")

    assert (done.stdout, done.exit_code) == ("a\n", 1)
    assert "b\n" in done.stderr
    assert "❌ a (exit code: 3)" in done.stderr
    assert (folder / "written").read_text() == "2\n"


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_2_shell_lines_mean_the_same_on_a_terminal(yard, options):
    folder = yard.repository("a", cell("bash test", SHELL))
    yard.book.folder = yard.here
    screen = plain(Terminal(yard.book, "workspace", "run", "test", "--repos=a", *options).screen()).splitlines()

    assert "a" in screen
    assert "b" in screen
    assert "❌ a (exit code: 3)" in screen
    assert (folder / "written").read_text() == "2\n"


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_3_composite_tasks_work(yard, options):
    for name in ("a", "b"):
        yard.repository(
            name, cell("bash lint", "echo lint"), cell("bash unit", "echo unit"), cell("bash quality --dep lint,unit")
        )
    done = yard.all("quality", *options)

    assert done.exit_code == 0
    assert sorted(done.stdout.split()) == ["lint", "lint", "unit", "unit"]


def test_4_braces_match_and_what_matches_nothing_is_no_success(yard):
    yard.repository("pkg-a")
    yard.repository("pkg-b")

    assert turns(yard.all("test", "--repos=pkg-{a,b}")) == ["pkg-a", "pkg-b"]
    for pattern in ("nothing-*", "pkg-{a,x}"):
        done = yard.all("test", "--repos", pattern)
        assert done.exit_code == 2
        assert done.stderr.startswith("⚠️ No repositories found with a name like '")
    assert yard.all("nowhere").exit_code == 2


def test_5_a_relative_folder_is_that_of_the_repository(yard):
    for name in ("a", "b"):
        (yard.repository(name, cell("bash test --cwd sub", "pwd > here")) / "sub").mkdir()
    yard.all("test")

    for name in ("a", "b"):
        assert (yard.place / name / "sub" / "here").read_text() == f"{yard.place / name}/sub\n"


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_6_a_timeout_leaves_no_process_and_the_others_run(yard, options):
    sleeps = ("trap '' TERM", "sleep 77 & setsid sleep 77 & sleep 77")
    yard.repository("a", "---\nspry: {grace: 0.2}\n---\n", cell("bash test --timeout 0.2", *sleeps))
    yard.repository("b")
    done = yard.all("test", "--repos=?", *options, env={"MARK": f"mark-{yard.place}"})

    assert "❌ a (exit code: 124)" in done.stderr
    assert "Traceback" not in done.stderr
    assert figures(done)["Succeeded"] == "1"
    assert survivors(f"mark-{yard.place}") == []


def test_7_repositories_are_in_order_of_their_names(yard):
    for name in ("c", "a", "d", "b"):
        yard.repository(name)

    assert turns(yard.all("test")) == ["a", "b", "c", "d"]


def test_7_repositories_of_one_name_are_told_apart_by_their_paths(yard):
    yard.repository("one/same", cell("bash test", "echo one"))
    yard.repository("two/same", cell("bash test", "exit 4"))
    yard.members('[workspace]\nmembers = ["../one/same", "../two/same"]\n')
    done = yard.all("test")

    assert turns(done) == ["../one/same", "../two/same"]
    assert figures(done)["Total"] == "2"
    assert "❌ ../two/same (exit code: 4)" in done.stderr
    assert turns(yard.all("test", "--repos=same")) == ["../one/same", "../two/same"]


def test_8_the_total_counts_what_was_dealt_with(yard):
    yard.repository("a", cell("bash test", "exit 1"))
    for name in ("b", "c", "d"):
        yard.repository(name)
    done = yard.all("test", "--fail-fast", "--repos=?", "--json")

    last = done.events[-1]
    assert last["counts"] == {"succeeded": 0, "failed": 1, "skipped": 0}
    assert last["not_run"] == ["b", "c", "d"]


def test_9_the_environment_mode_and_dependencies_have_their_effect_and_nothing_is_imported(yard):
    yard.repository(
        "a", "---\nspry: {env_mode: system}\n---\n", cell("bash first", "echo first"),
        cell("bash test --dep first", 'echo "${VIRTUAL_ENV-none}"'),
    )  # fmt: skip
    made = yard.environment("a/.venv")
    package = next((made / "lib").iterdir()) / "site-packages"
    (package / "a-1.dist-info").mkdir(parents=True)
    told = {"url": "file:///a", "dir_info": {"editable": True}}
    (package / "a-1.dist-info" / "direct_url.json").write_text(json.dumps(told))
    (yard.place / "a" / "a.py").write_text("open('imported', 'w')\n")
    (yard.place / "a" / "uv.lock").write_text("")
    done = yard.all("test", cwd="a")

    assert done.stdout == "first\nnone\n"
    assert not (yard.place / "a" / "imported").exists()


def test_10_the_runner_is_in_front_of_the_whole_script(yard):
    yard.repository("a", cell("bash test", 'echo "$BY" && echo "$BY"'))

    assert yard.all("test", env={"SPRY_TASK_RUNNER": "env BY=runner"}).stdout == "runner\nrunner\n"


def test_10_the_virtual_environment_is_set_for_the_whole_script(yard):
    yard.repository("a", cell("bash test", 'echo "$VIRTUAL_ENV" && bash -c \'echo "$VIRTUAL_ENV"\''))
    made = yard.environment("a/.venv")

    assert yard.all("test").stdout == f"{made}\n" * 2
