"""One task over many repositories, row by row of what was asked for."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from book import cell
from schemas import conform
from yard import figures, turns

RULE = "=" * 80


def outputs(done):
    """What each repository wrote, of a run with `--json`."""
    found = {}
    for event in done.events:
        if event["event"] == "task_output":
            found.setdefault(event["repository"], []).append(event["text"])
    return found


def test_w1_one_command_runs_one_task_in_every_repository(yard):
    folders = [yard.repository(name) for name in ("a", "b", "c")]
    done = yard.all("test")

    assert done.exit_code == 0
    assert done.stdout == "".join(f"{folder}\n" for folder in folders)


def test_w1_the_task_has_to_be_named(yard):
    yard.repository("a")
    done = yard.all()

    assert done.exit_code == 2
    assert "TASK" in done.stderr


def test_w2_every_folder_next_to_this_one_with_git_and_pyproject_is_a_repository(yard):
    yard.repository("a")
    yard.repository("no-python", python=False)
    (yard.place / "no-git").mkdir()
    (yard.place / "no-git" / "pyproject.toml").write_text("")
    (yard.place / "a-file").write_text("")

    assert [one["name"] for one in yard.run("workspace", "status", "--json").json] == ["a", "here"]


def test_w2_worktrees_and_submodules_have_a_git_file_and_count(yard):
    yard.repository("a")
    git = ["git", "-C", yard.place / "a", "-c", "user.name=x", "-c", "user.email=x@x"]
    for command in (["add", "."], ["commit", "-qm", "x"], ["worktree", "add", "-q", yard.place / "tree"]):
        subprocess.run([*git, *command], check=True, capture_output=True, env=yard.book.env)
    sub = yard.repository("sub")
    (sub / ".git").rename(yard.place / "modules")
    (sub / ".git").write_text("gitdir: ../modules\n")

    assert (yard.place / "tree" / ".git").is_file()
    assert turns(yard.all("test")) == ["a", "sub", "tree"]


def test_w2_the_repositories_are_those_around_the_current_folder(yard):
    yard.repository("a")
    yard.repository("elsewhere/b")
    yard.repository("elsewhere/c")

    assert turns(yard.all("test", cwd="elsewhere/b")) == ["b", "c"]


def test_w3_a_repository_without_the_task_is_skipped_with_a_warning_and_is_no_failure(yard):
    yard.repository("a")
    yard.repository("b", cell("bash other", "true"))
    done = yard.all("test")

    assert done.exit_code == 0
    assert "⚠️ Task 'test' not found in b\n" in done.stderr
    assert "⚠️ Task 'test' not found in here\n" in done.stderr
    assert figures(done) | {"Duration": ""} == {
        "Task": "test", "Total": "3", "Succeeded": "1", "Failed": "0", "Skipped": "2", "Duration": ""
    }  # fmt: skip


@pytest.mark.parametrize("name", ["Spryfile.md", "README.md", "docs/ops.md"])
def test_w3_the_task_is_that_of_the_repositorys_own_runbook(yard, name):
    folder = yard.repository("a", runbook=None)
    (folder / "docs").mkdir()
    (folder / name).write_text(cell("bash test", "echo own"))
    (folder / "pyproject.toml").write_text('[tool.spry]\nrunbook = "docs/ops.md"\n' if "ops" in name else "")

    assert yard.all("test").stdout == "own\n"


def test_w3_the_runbook_of_a_folder_above_is_not_that_of_a_member(yard):
    (yard.here / "Spryfile.md").write_text(cell("bash test", "echo above"))
    (yard.here / "libs" / "a").mkdir(parents=True)
    yard.members('[workspace]\nmembers = [".", "libs/a"]\n')
    done = yard.all("test")

    assert turns(done) == ["here"]
    assert "⚠️ Task 'test' not found in a\n" in done.stderr


@pytest.mark.parametrize(
    ("patterns", "names"),
    [(["pkg-*"], "pkg-a pkg-b"), (["pkg-?"], "pkg-a pkg-b"), (["pkg-[ab]"], "pkg-a pkg-b"), (["other"], "other"),
     (["other", "pkg-b"], "other pkg-b"), (["*"], "other pkg-a pkg-b")],
)  # fmt: skip
def test_w4_repositories_are_chosen_by_patterns_of_their_names(yard, patterns, names):
    for name in ("pkg-b", "other", "pkg-a"):
        yard.repository(name)

    assert turns(yard.all("test", *(f"--repos={one}" for one in patterns))) == names.split()


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("pyvider-{cty,hcl,rpcplugin}", "pyvider-cty pyvider-hcl pyvider-rpcplugin"),
     ("{wrknv,pyvider-cty}", "pyvider-cty wrknv"),
     ("pyvider-{c*,{hcl,rpc*}}", "pyvider-cty pyvider-hcl pyvider-rpcplugin")],
)  # fmt: skip
def test_w5_braces_stand_for_several_patterns(yard, pattern, names):
    for name in ("pyvider-cty", "pyvider-hcl", "pyvider-rpcplugin", "wrknv"):
        yard.repository(name)

    assert turns(yard.all("test", "--repos", pattern)) == names.split()


@pytest.mark.parametrize("pattern", ["pkg-{a", "{}", "{a}"])
def test_w5_braces_that_stand_for_nothing_are_an_error(yard, pattern):
    yard.repository("pkg-a")
    done = yard.all("test", "--repos", pattern)

    assert done.exit_code == 2
    assert "expected {one,other}" in done.stderr


def test_w6_by_default_one_repository_runs_at_a_time_and_streams(yard):
    gate = yard.place / "gate"
    for name in ("a", "b"):
        yard.repository(name, cell("bash test", "echo one", f"cat {gate}", "echo two"))
    subprocess.run(["mkfifo", gate], check=True)
    process = yard.start("workspace", "run", "test")
    lines = [process.stdout.readline()]  # comes while the task still waits
    gate.write_bytes(b"go\n")
    lines += [process.stdout.readline() for _ in range(3)]
    gate.write_bytes(b"go\n")
    rest, _ = process.communicate()

    assert b"".join([*lines, rest]) == b"one\ngo\ntwo\n" * 2


def test_w7_each_repository_has_a_banner_its_output_and_its_outcome(yard):
    yard.repository("a", cell("bash test", "echo from a >&2"))
    yard.repository("b", cell("bash test", "echo from b >&2", "exit 3"))
    lines = yard.all("test", "--repos={a,b}").stderr.splitlines()
    lines = [re.sub(r"\d+\.\ds", "0.0s", line) for line in lines]

    assert lines[:12] == [
        RULE, "▶ Running 'test' in a", RULE, "from a", "✓ Task 'test' succeeded in a (0.0s)",
        RULE, "▶ Running 'test' in b", RULE, "from b", "✗ test failed with exit code 3 (0.0s)",
        "✗ Task 'test' failed in b (0.0s)", RULE,
    ]  # fmt: skip


def test_w8_parallel_runs_all_repositories_at_once_and_each_to_its_end(yard):
    for name, other in (("a", "b"), ("b", "a")):  # each waits for the other: one after the other would never end
        yard.repository(
            name,
            cell(
                "bash test",
                f"mkfifo {name}.ready || :",
                f": > ../{other}.met",
                f"until [ -e ../{name}.met ]; do sleep 0.01; done",
                f"echo {name}",
            ),
        )
    yard.repository("c", cell("bash test", "exit 1"))
    done = yard.all("test", "--parallel", "-j", "3")

    assert done.exit_code == 1
    assert sorted(done.stdout.split()) == ["a", "b"]
    assert figures(done)["Succeeded"] == "2"


def test_w8_the_output_of_each_repository_stays_together(yard):
    for name in ("a", "b", "c"):
        yard.repository(name, cell("bash one", f"echo {name} one"), cell("bash test --dep one", f"echo {name} two"))
    done = yard.all("test", "--parallel", "-j", "3")
    lines = done.stdout.splitlines()

    assert sorted(lines) == [f"{name} {word}" for name in "abc" for word in ("one", "two")]
    assert [lines[at][0] == lines[at + 1][0] for at in (0, 2, 4)] == [True] * 3
    assert sorted(turns(done)) == ["a", "b", "c"]


def test_w8_no_more_tasks_than_asked_for_run_at_once(yard):
    count = 'n=$(ls .. | grep -c "^on-"); [ "$n" -le 2 ] || touch ../too-many'
    for name in "abcdef":
        yard.repository(name, cell("bash test", f"touch ../on-{name}", count, "sleep 0.05", f"rm ../on-{name}"))

    assert yard.all("test", "--parallel", "-j", "2").exit_code == 0
    assert not (yard.place / "too-many").exists()


def test_w8_a_runbook_that_limits_its_jobs_is_limited_in_parallel_too(yard):
    one = "mkdir busy || touch ../too-many; sleep 0.05; rmdir busy"
    cells = [cell(f"bash t{number}", one) for number in range(4)]
    yard.repository("a", "---\nspry: {jobs: 1}\n---\n", *cells, cell("bash test --dep t0,t1,t2,t3"))
    yard.repository("b", cell("bash test", "true"))

    assert yard.all("test", "--parallel", "-j", "4").exit_code == 0
    assert not (yard.place / "too-many").exists()


def test_w9_all_repositories_run_even_if_some_fail(yard):
    yard.repository("a", cell("bash test", "exit 1"))
    yard.repository("b")
    yard.repository("c", cell("bash test", "exit 2"))
    yard.repository("d")
    done = yard.all("test")

    assert turns(done) == ["a", "b", "c", "d"]
    assert (figures(done)["Succeeded"], figures(done)["Failed"], done.exit_code) == ("2", "2", 1)


def test_w10_fail_fast_stops_at_the_first_failure(yard):
    yard.repository("a")
    yard.repository("b", cell("bash test", "exit 1"))
    yard.repository("c")
    yard.repository("d")
    done = yard.all("test", "--fail-fast", "--repos=?")

    assert turns(done) == ["a", "b"]
    assert done.exit_code == 1
    assert figures(done)["Total"] == "2"
    assert figures(done)["run"] == "2 (c, d)"


def test_w10_fail_fast_is_ignored_in_parallel_and_says_so(yard):
    yard.repository("a", cell("bash test", "exit 1"))
    yard.repository("b", cell("bash test", "sleep 0.2; echo b"))
    done = yard.all("test", "--fail-fast", "--parallel", "-j", "2")

    assert "--fail-fast is ignored with --parallel" in done.stderr
    assert done.stdout == "b\n"


def test_w11_the_summary_counts_and_is_always_printed(yard):
    yard.repository("a")
    for options in ([], ["--parallel"], ["-q"], ["--output", "raw"], ["--output", "prefix", "--parallel"]):
        lines = yard.all("test", *options, "--repos=a").stderr.splitlines()

        assert [re.sub(r"\d+\.\ds", "0.0s", line) for line in lines][-10:] == [
            RULE, "📊 Workspace Task Summary", RULE, "Task: test", "Total repos: 1", "✅ Succeeded: 1", "❌ Failed: 0",
            "⏭️ Skipped: 0", "⏱️ Duration: 0.0s", "✅ All repositories succeeded!",
        ], options  # fmt: skip


def test_w12_the_summary_names_the_repositories_that_failed_with_their_exit_codes(yard):
    yard.repository("a", cell("bash test", "exit 3"))
    yard.repository("b", cell("bash test", "kill -9 $$"))
    yard.repository("c", cell("bash test --timeout 0.1", "sleep 60"))
    yard.repository("d", cell("bash first", "exit 7"), cell("bash test --dep first", "true"))
    lines = yard.all("test").stderr.splitlines()

    assert [line for line in lines if line.startswith("❌") and "exit code" in line] == [
        "❌ a (exit code: 3)", "❌ b (exit code: 137)", "❌ c (exit code: 124)", "❌ d (exit code: 7)",
    ]  # fmt: skip
    assert "✅ All repositories succeeded!" not in lines


@pytest.mark.parametrize(
    ("body", "code"), [("true", 0), ("exit 5", 1), ("kill -9 $$", 1), ("sleep 9 # --timeout", 124)]
)
@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_w13_the_exit_code_says_whether_any_failed(yard, body, code, options):
    yard.repository("a")
    yard.repository("b", cell(f"bash test{' --timeout 0.1' if code == 124 else ''}", body))
    yard.repository("c", cell("bash other", "true"))

    assert yard.all("test", *options).exit_code == code


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_w14_each_repository_has_its_own_environment_and_nothing_of_others(yard, options):
    told = 'echo "${VIRTUAL_ENV-none}"; command -v python || :; echo "$PATH"; echo "${MARK-none}"; export MARK=leaked'
    for name in ("a", "b", "c", "d"):
        yard.repository(name, cell("bash test", told))
    made = [yard.environment(path) for path in ("a/.venv", "b/workenv/b_linux_amd64", "c/venv")]
    env = {"VIRTUAL_ENV": str(made[0]), "PATH": f"{made[0]}/bin:{made[1]}/bin:/usr/bin:/bin"}
    done = yard.all("test", "--repos=[a-d]", "--json", *options, env=env)
    said = {name: "".join(texts).split() for name, texts in outputs(done).items()}

    for name, path in zip("abc", made, strict=True):
        assert said[name] == [str(path), f"{path}/bin/python", f"{path}/bin:/usr/bin:/bin", "none"]
    assert said["d"][0] == "none"
    assert said["d"][-2:] == ["/usr/bin:/bin", "none"]


def test_w15_the_environment_is_found_for_each_repository(yard):
    tools = yard.place / "tools"
    tools.mkdir()
    (tools / "uv").write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; BY=uv exec "$@"\n')
    (tools / "uv").chmod(0o755)
    for name in ("a", "b", "c"):
        yard.repository(name, cell("bash test", 'echo "${BY-none} ${VIRTUAL_ENV-none}"'))
    (yard.place / "a" / "uv.lock").write_text("")
    (yard.place / "c" / "uv.lock").write_text("")
    made = [yard.environment("b/.venv"), yard.environment("c/.venv")]
    packages = next((made[1] / "lib").iterdir()) / "site-packages" / "c-1.dist-info"
    packages.mkdir(parents=True)
    (packages / "direct_url.json").write_text('{"url": "file:///c", "dir_info": {"editable": true}}')
    done = yard.all("test", env={"PATH": f"{tools}:/usr/bin:/bin"})

    assert done.stdout.splitlines() == ["uv none", f"none {made[0]}", f"none {made[1]}"]


def test_w16_the_settings_of_each_task_and_runbook_are_its_own(yard):
    front = "---\nspry: {env_mode: system, defaults: {stream: false}, env: {WHO: a}}\n---\n"
    yard.repository("a", front, cell("bash test --env HOW=mine --timeout 9", 'echo "$WHO $HOW ${VIRTUAL_ENV-none}"'))
    yard.repository("b", cell("bash test --timeout 0.1", 'echo "${WHO-nobody}"', "sleep 60"))
    yard.environment("a/.venv")
    done = yard.all("test")

    assert done.stdout == "a mine none\nnobody\n"
    assert "timed out after 0.1s" in done.stderr


def test_w17_the_process_is_called_after_the_repository_and_the_task(yard):
    gate = yard.place / "gate"
    subprocess.run(["mkfifo", gate], check=True)
    yard.repository("a", cell("bash test", "echo started", f"cat {gate}"))
    process = yard.start("workspace", "run", "test", "--env", "TOKEN=hush", "--repos=a")
    process.stdout.readline()
    runner = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
    title = Path(f"/proc/{runner}/cmdline").read_bytes().rstrip(b"\0").decode()
    gate.write_bytes(b"")
    process.communicate()

    assert re.fullmatch(r"spry-book-\d{10}:a/test:running", title)


@pytest.mark.parametrize("name", ["test.unit", "format.check", "pkg.install", "test.coverage"])
def test_w18_dotted_names_are_names(yard, name):
    yard.repository("a", cell(f"bash {name}", "echo ran"))

    assert yard.all(name).stdout == "ran\n"


def test_w19_no_repositories_is_told_and_exits_2(yard):
    (yard.here / "pyproject.toml").unlink()
    for command in (("run", "test"), ("status",), ("dag",)):
        done = yard.run("workspace", *command)

        assert done.exit_code == 2
        assert done.stderr.splitlines()[0] == "⚠️ No repositories found"


def test_w19_a_task_that_no_repository_has_exits_2(yard):
    yard.repository("a")
    yard.repository("b")
    done = yard.all("tset")

    assert done.exit_code == 2
    assert done.stderr == 'Error: Task "tset" not found in any of 3 repositories\n  hint: did you mean "test"?\n'


def test_w20_status_shows_the_repositories(yard):
    yard.repository("a", cell("bash test", "true"), cell("bash lint", "true"))
    yard.repository("b", cell("bash bad --no-such-flag", "true"))
    made = yard.environment("a/.venv")
    done = yard.run("workspace", "status")

    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["a", "b", "../b/Spryfile.md:1:13:", "here"]
    assert f"2 tasks  the virtual environment {made}" in done.stdout


def test_w20_status_takes_no_names(yard):
    yard.repository("a")

    assert yard.run("workspace", "status", "a").exit_code == 2


def test_w20_status_is_json_for_programs(yard):
    folder = yard.repository("a")
    done = yard.run("workspace", "status", "--json", "--repos", "a").json

    assert done == [
        {"name": "a", "folder": str(folder), "runbook": "Spryfile.md", "tasks": ["test"],
         "environment": "the environment of the caller", "problem": ""},
    ]  # fmt: skip


def test_w20_the_task_of_one_repository_runs_there_alone_in_the_same_way(yard):
    yard.repository("a", cell("bash test", 'echo "$PWD|$VIRTUAL_ENV|$1"'))
    yard.environment("a/.venv")

    assert yard.run("task", "test", "--", "x", cwd="a").stdout == yard.all("test", "--", "x").stdout


def test_w20_patterns_go_with_parallel_and_with_fail_fast(yard):
    for name in ("a1", "a2", "b1"):
        yard.repository(name, cell("bash test", "exit 1"))

    assert sorted(turns(yard.all("test", "--repos=a*", "--parallel"))) == ["a1", "a2"]
    assert turns(yard.all("test", "--repos=a*", "--fail-fast")) == ["a1"]


def test_w_4_words_behind_two_dashes_are_the_arguments_of_the_task(yard):
    yard.repository("a", cell("bash test", 'printf "<%s>" "$@"'))
    done = yard.all("test", "--", "-k", "two words", "$HOME")

    assert done.stdout == "<-k><two words><$HOME>"


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_w_7_a_task_with_dependencies_runs_them_and_the_first_failure_stops_it(yard, options):
    yard.repository(
        "a", cell("bash lint", "exit 1"), cell("bash unit", "echo unit"), cell("bash quality --dep lint,unit")
    )
    yard.repository("b", cell("bash lint", "echo lint"), cell("bash quality --dep lint"))
    done = yard.all("quality", *options)

    assert sorted(done.stdout.split()) == ["lint", "unit"]
    assert "❌ a (exit code: 1)" in done.stderr
    assert figures(done)["Succeeded"] == "1"


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_the_json_of_a_workspace_is_as_its_schemas_say(yard, options):
    yard.repository("a")
    yard.repository("b", cell("bash test", "exit 3"))
    yard.repository("c", cell("bash test --no-such-flag", "true"))
    for event in yard.all("test", "--json", *options).events:
        own = event["event"].startswith("workspace_") or event["event"] == "repository_refused"
        if not own:
            assert event.pop("repository") in {"a", "b"}
        conform("workspace-run" if own else "event", event)

    conform("workspace-status", yard.run("workspace", "status", "--json").json)


def test_the_json_of_a_run_has_the_events_of_each_repository_with_its_name(yard):
    folder = yard.repository("a")
    yard.repository("b", cell("bash test", "exit 3"))
    events = yard.all("test", "--json").events
    of_a = [event for event in events if event.get("repository") == "a"]

    assert [event["event"] for event in of_a] == [
        "run_started", "task_started", "task_output", "task_finished", "run_finished"
    ]  # fmt: skip
    assert {event["run"] for event in of_a} == {json.loads(yard.run("runs", "--json", cwd="a").stdout)[0]["run"]}
    assert events[0]["event"] == "workspace_started"
    assert events[0]["repositories"] == {"a": ["test"], "b": ["test"]}
    assert events[0]["skipped"] == ["here"]
    last = events[-1]
    assert (last["event"], last["ok"], last["exit_code"]) == ("workspace_finished", False, 1)
    assert last["counts"] == {"succeeded": 1, "failed": 1, "skipped": 1}
    found = {one["name"]: (one["outcome"], one["exit_code"]) for one in last["repositories"]}
    assert found == {"here": ("skipped", 0), "a": ("succeeded", 0), "b": ("failed", 3)}
    assert next(one["folder"] for one in last["repositories"] if one["name"] == "a") == str(folder)
