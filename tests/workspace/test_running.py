"""What else holds for a run in many repositories: history, signals, time, secrets, reports, Python."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from book import ROOT, cell
from test_signals import survivors
from test_terminal import Terminal, plain
from yard import figures, turns

from spry import Workspace


@pytest.mark.parametrize("options", [[], ["--parallel", "-j", "4"]])
def test_every_repository_remembers_its_own_run_and_can_resume_it(yard, options):
    for name in ("a", "b"):
        yard.repository(
            name, cell("bash first", f"echo {name} first"), cell("bash test --dep first", "[ -e ok ] && echo done")
        )
        (yard.place / name / ".spry").mkdir()
    yard.all("test", *options)
    runs = {name: yard.run("runs", "--json", cwd=name).json for name in ("a", "b")}
    (yard.place / "b" / "ok").touch()

    assert [len(found) for found in runs.values()] == [1, 1]
    assert runs["a"][0]["run"] != runs["b"][0]["run"]
    assert yard.run("logs", runs["b"][0]["run"], cwd="b").stdout.strip().endswith("b first")
    resumed = yard.run("resume", cwd="b")
    assert (resumed.exit_code, resumed.stdout) == (0, "done\n")
    assert "1 of 2 tasks need not run again" in resumed.stderr


def test_repositories_that_share_a_history_have_runs_of_their_own(yard):
    (yard.here / ".spry").mkdir()
    for name in ("a", "b", "c"):
        (yard.here / name).mkdir()
        (yard.here / name / "README.md").write_text(cell("bash test", f"echo {name}"))
    yard.members('[workspace]\nmembers = ["a", "b", "c"]\n')
    done = yard.all("test", "--parallel", "-j", "3")
    (yard.here / "Spryfile.md").write_text(cell("bash x", "true"))

    assert done.exit_code == 0, done.stderr
    assert len({one["run"] for one in yard.run("runs", "--json").json}) == 3


def test_without_history_nothing_is_written_down(yard):
    yard.repository("a")
    yard.all("test", "--no-history")

    assert not (yard.book.place / "home" / ".local").exists()


@pytest.mark.parametrize("options", [[], ["--parallel", "-j", "4"]])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_the_middle_stops_all_cleans_up_and_tells_the_summary(yard, options, number, code):
    for name in ("a", "b", "c"):
        yard.repository(
            name,
            cell("bash test", "echo started", "sleep 77 & sleep 77"),
            cell("bash sweep --finally", f"echo swept {name}"),
        )
    process = yard.start(
        "workspace", "run", "test", "--repos=?", "--output", "raw", *options, env={"MARK": f"mark-{yard.place}"}
    )
    begun = [process.stdout.readline() for _ in range(3 if options else 1)]
    process.send_signal(number)
    out, err = process.communicate(timeout=30)

    assert process.returncode == code
    assert begun == [b"started\n"] * len(begun)
    assert sorted(out.split(b"\n"))[1:] == ([b"swept a", b"swept b", b"swept c"] if options else [b"swept a"])
    assert "📊 Workspace Task Summary" in err.decode()
    assert ("⏹️ Not run: 2 (b, c)" in err.decode()) is not bool(options)
    assert survivors(f"mark-{yard.place}") == []


@pytest.mark.parametrize("options", [[], ["--parallel", "-j", "2"]])
def test_after_a_kill_nothing_is_left_and_every_repository_can_go_on(yard, options):
    for name in ("a", "b"):
        yard.repository(name, cell("bash test", "echo started", "[ -e ok ] || sleep 77"))
    process = yard.start(
        "workspace", "run", "test", "--repos=?", "--output", "raw", *options, env={"MARK": f"mark-{yard.place}"}
    )
    for _ in range(2 if options else 1):
        process.stdout.readline()
    runner = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
    os.kill(int(runner), signal.SIGKILL)
    process.communicate(timeout=30)

    assert process.returncode == -signal.SIGKILL
    assert survivors(f"mark-{yard.place}") == []
    assert list((yard.book.place / "tmp").iterdir()) == []
    assert list(Path("/dev/shm").glob(f"spry-*-{runner}")) == []
    for name in "ab" if options else "a":
        assert yard.run("runs", "--json", cwd=name).json[0]["status"] == "lost"
        (yard.place / name / "ok").touch()
        assert yard.run("resume", cwd=name).exit_code == 0


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_ctrl_c_on_a_terminal_leaves_the_summary_on_it(yard, options):
    for name in ("a", "b"):
        yard.repository(name, cell("bash test", "echo started", "sleep 77"))
    yard.book.folder = yard.here
    terminal = Terminal(
        yard.book, "workspace", "run", "test", "--repos=?", *options, env={"MARK": f"mark-{yard.place}"}
    )
    terminal.until("started")
    terminal.type("\x03")
    screen = plain(terminal.screen())

    assert terminal.process.returncode == 130
    assert "📊 Workspace Task Summary" in screen
    assert "❌ a (exit code: 130)" in screen
    assert survivors(f"mark-{yard.place}") == []


def test_an_interrupted_repository_can_be_resumed(yard):
    yard.repository("a", cell("bash test", "echo started", "[ -e ok ] || sleep 77"))
    process = yard.start("workspace", "run", "test", "--repos=a")
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    (yard.place / "a" / "ok").touch()

    assert yard.run("runs", "--json", cwd="a").json[0]["status"] == "cancelled"
    assert yard.run("resume", cwd="a").exit_code == 0


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_the_time_of_the_whole_run_is_that_of_all_repositories(yard, options):
    yard.repository("a", cell("bash test", "sleep 77"))
    yard.repository("b", cell("bash test", "sleep 77"))
    done = yard.all("test", "--timeout", "0.5", "--repos=?", *options)

    assert done.exit_code == 124
    assert "❌ a (exit code: 124)" in done.stderr
    assert ("Not run: 1 (b)" in done.stderr) is not bool(options)


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_a_repository_that_cannot_run_fails_by_itself_and_says_why(yard, options):
    yard.repository("a", cell("bash test --no-such-flag", "true"))
    yard.repository("b", cell("bash test --interpreter nosuch-program", "true"))
    yard.repository("c", cell("bash test --arg must", "true"))
    yard.repository("d", cell("bash test", "echo d"))
    done = yard.all("test", "--repos=?", *options)

    assert done.stdout == "d\n"
    assert done.exit_code == 3
    assert "unknown flag --no-such-flag" in done.stderr
    for line in (
        "❌ a (exit code: 2)",
        "❌ b (exit code: 3)",
        "❌ c (exit code: 2)",
        "✗ Task 'test' failed in b (0.0s)",
    ):
        assert line in done.stderr


def test_programs_learn_what_is_wrong_with_a_repository_too(yard):
    yard.repository("a", cell("bash test --dep no", "true"), cell("bash x --dep no", "true"))
    found = 'Task "no" referenced by "test" does not exist (and 1 more)'
    done = yard.all("test", "--repos=a", "--json", "--report=json=r.json")
    standing = json.loads(yard.run("workspace", "status", "--json").stdout)

    refused = next(event for event in map(json.loads, done.stdout.splitlines()) if "refused" in event["event"])
    assert refused["message"].endswith(found)
    assert ":1:" in refused["message"]
    assert found.replace('"', '\\"') in (yard.place / "here" / "r.json").read_text()
    assert [one["problem"].endswith(found) for one in standing if one["problem"]] == [True]
    assert Workspace(yard.place).run_task("test", ["a"]).repo_results["a"].message.endswith(found)


def test_if_no_repository_can_run_the_exit_code_says_so(yard):
    yard.repository("a", cell("bash test --no-such-flag", "true"))

    assert yard.all("test", "--repos=a").exit_code == 2


def test_parameters_go_to_the_repositories_that_declare_them(yard):
    yard.repository("a", cell("bash test --arg size=1", 'echo "a $size"'))
    yard.repository("b", cell("bash test", 'echo "b ${size-none}"'))

    assert yard.all("test", "--param", "size=2").stdout == "a 2\nb none\n"
    done = yard.all("test", "--param", "sise=2")
    assert done.exit_code == 2
    assert 'no selected task of any repository declares the parameter "sise"' in done.stderr


@pytest.mark.parametrize("options", [[], ["--parallel"], ["--json"], ["--report", "json=report"]])
def test_secrets_of_each_repository_are_kept(yard, options):
    for name in ("a", "b"):
        yard.repository(name, cell("bash test --arg token:secret", 'echo "it is $token" >&2; echo "$token"; exit 1'))
    done = yard.all("test", "--param", "token=tr0ub4dor", "--repos=?", *options)

    assert "it is ***" in done.stderr + done.stdout
    everything = (
        done.stdout
        + done.stderr
        + "".join(path.read_text(errors="replace") for path in yard.book.place.rglob("*") if path.is_file())
    )
    assert "tr0ub4dor" not in everything


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_reports_tell_of_all_repositories(yard, options):
    yard.repository("a")
    yard.repository("b", cell("bash test", "exit 3"))
    yard.repository("c", cell("bash test --interpreter nosuch-program", "true"))
    yard.repository("d", cell("bash test --no-such-flag", "true"))
    done = yard.all("test", "--repos=?", "--report", "json=out.json", *options)
    told = json.loads((yard.here / "out.json").read_text())

    assert done.exit_code == 3
    assert {one["task"]: one["outcome"] for one in told["tasks"]} == {
        "a//test": "succeeded", "b//test": "failed", "c//test": "failed", "d//test": "failed",
    }  # fmt: skip


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_what_tasks_print_is_no_command_to_the_runner_of_github(yard, options):
    yard.repository("a", cell("bash test", "echo '::error::not mine'; exit 1"))
    done = yard.all("test", "--repos=a", *options, env={"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(yard.place)})
    lines = done.stdout.splitlines()
    at = lines.index("::error::not mine")

    assert lines[at - 1].startswith("::stop-commands::")
    assert "::error file=a/Spryfile.md,line=1,col=9,title=Task test::failed with exit code 1" in done.stderr
    assert "📊 Workspace Task Summary" in done.stderr


def test_a_dry_run_shows_every_repository_and_runs_nothing(yard):
    yard.repository("a", cell("bash test", "touch ran"))
    yard.repository("b", cell("bash first", "touch ran"), cell("bash test --dep first", "true"))
    before = yard.book.everything()
    done = yard.all("test", "--dry-run", "--repos=?")

    assert done.exit_code == 0
    assert [line for line in done.stdout.splitlines() if line in {"a", "b"}] == ["a", "b"]
    assert "touch ran" in done.stdout
    assert yard.book.everything() == before


def test_each_repository_keeps_its_own_grace(yard):
    waits = ("trap '' TERM", "sleep 77")
    yard.repository("a", "---\nspry: {grace: 0.1}\n---\n", cell("bash test --timeout 0.1", *waits))
    yard.repository("b", "---\nspry: {grace: 60}\n---\n", cell("bash test", "true"))
    start = time.monotonic()
    done = yard.all("test", "--parallel", "--repos=?")

    assert "❌ a (exit code: 124)" in done.stderr
    assert time.monotonic() - start < 20


def test_a_runbook_that_comes_from_a_workspace_has_no_files_of_the_command_line(yard):
    yard.repository("a")
    done = yard.all("test", "Spryfile.md")

    assert done.exit_code == 2
    assert "have their own runbooks" in done.stderr


def test_forty_repositories_run_in_parallel_eight_at_a_time(yard):
    names = [f"r{number:02}" for number in range(40)]
    for name in names:
        yard.repository(name, cell("bash test", f"echo {name}"))
    done = yard.all("test", "--parallel", "-j", "8", "--repos=r*")

    assert done.exit_code == 0
    assert sorted(done.stdout.split()) == names
    assert sorted(turns(done)) == names
    assert figures(done)["Succeeded"] == "40"


@pytest.mark.parametrize("parallel", [False, True])
def test_python_runs_a_task_in_every_repository(yard, parallel, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(yard.book.place / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(yard.book.place / "cache"))
    yard.repository("a", cell("bash test", 'echo "$HOW" > how'))
    yard.repository("b", cell("bash test", "exit 3"))
    heard = []
    workspace = Workspace(yard.place)
    result = workspace.run_task(
        "test",
        parallel=parallel,
        env={"HOW": "python"},
        on_event=lambda name, event: heard.append((name, type(event).__name__)),
    )

    assert [one.name for one in workspace.discover_repos(["{a,b}"])] == ["a", "b"]
    assert [one.name for one in workspace.discover_repos(repo_filter=lambda one: one.name > "b")] == ["here"]
    assert (yard.place / "a" / "how").read_text() == "python\n"
    assert (result.task_name, result.total_repos, result.succeeded, result.failed, result.skipped) == (
        "test",
        3,
        1,
        1,
        1,
    )
    assert (result.success, result.exit_code) == (False, 1)
    assert (result.get_failed_repos(), result.get_succeeded_repos()) == (["b"], ["a"])
    assert result.repo_results["b"].exit_code == 3
    assert result.repo_results["a"].success
    assert ("a", "RunFinished") in heard


def test_a_workspace_run_loads_what_a_process_title_needs_and_a_plain_run_does_not(yard):
    yard.repository("a", cell("bash test", "true"))
    program = "import sys; from spry.cli.main import run; run(sys.argv[1:]); print('spry.execute.title' in sys.modules)"
    env = {**yard.book.env, "PYTHONPATH": str(ROOT)}
    for argv, loaded in ((("task", "test"), "False"), (("workspace", "run", "test"), "True")):
        command = [sys.executable, "-c", program, *argv]
        done = subprocess.run(command, cwd=yard.place / "a", env=env, capture_output=True, text=True, check=True)

        assert done.stdout.strip() == loaded
