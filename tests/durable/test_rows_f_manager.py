"""The manager of a project: elected, in nobody's way, and what starts by itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from threading import Thread

import pytest
from driver import alive
from waiting import ended, until

from spry.core.manifest import Manifest
from spry.errors import HostError
from spry.manager.autostart import STEADY, Standing
from spry.manager.detached import Begun
from spry.manager.service import Manager


@pytest.fixture
def project(book):
    """A project; its manager, and whatever is still running in it, is ended with the test."""
    book.env["SPRY_MANAGER_LIFETIME_TIMEOUT"] = "60"
    assert book.run("init").exit_code == 0
    yield book
    book.run("manager", "stop")
    for run in book.run("runs", "--status", "running", "--json").json:
        book.run("kill", run["run"])


def autostart(book, name, *argv, **policy):
    """A saved spec, and a manifest for it."""
    spec = {"name": name, "spec": {"process_target": argv[0], "args": argv[1:]}}
    book.path(f".spry/tasks/{name}.json").write_text(json.dumps(spec))
    manifest = {"name": name, "target": {"type": "task", "name": name}, "policy": policy}
    book.path(f".spry/autostart/{name}.json").write_text(json.dumps(manifest))


def manager(book):
    """What `spry manager status` tells."""
    return json.loads(book.run("manager", "status", "--json").stdout)


def lines(book, name):
    return book.read(name).splitlines() if book.has(name) else []


def test_f25_the_example_of_the_reference_is_started_with_the_manager_and_kept_running(project):
    autostart(project, "queue-monitor", "sh", "-c", "echo $$ >> pids; sleep 60", mode="ensure", backoff=0.01)
    assert project.run("exec", "echo", "trigger") == (0, "trigger\n", "")
    until(lambda: len(lines(project, "pids")) == 1)
    os.kill(int(lines(project, "pids")[0]), signal.SIGKILL)
    until(lambda: len(lines(project, "pids")) == 2)

    until(lambda: manager(project)["targets"]["queue-monitor"]["restarts"] == 1)


def test_f25_once_is_once_for_each_manager(project):
    autostart(project, "hello", "sh", "-c", "echo hi >> said", mode="once")
    project.run("manager", "start")
    until(lambda: lines(project, "said") == ["hi"])
    until(lambda: not manager(project)["targets"].get("hello", {}).get("up", True))
    project.run("manager", "stop")
    project.run("manager", "start")

    until(lambda: lines(project, "said") == ["hi", "hi"])


def test_f25_a_pipeline_and_a_runbook_can_be_started_too(project):
    pipeline = {"stages": [{"name": "a", "spec": {"process_target": "touch", "args": ["piped"]}}]}
    project.path(".spry/pipelines/p.json").write_text(json.dumps(pipeline))
    project.path(".spry/autostart/p.json").write_text('{"target": {"type": "pipeline", "name": "p"}}')
    project.path(".spry/autostart/book.md").write_text("```bash one --cwd ../..\ntouch booked\n```\n")
    project.run("manager", "start")

    until(lambda: project.has("piped") and project.has("booked"))


def test_max_restarts_bounds_what_never_stays_up(project):
    autostart(project, "bad", "sh", "-c", "echo x >> tries; exit 1", mode="ensure", max_restarts=2, backoff=0.01)
    project.run("manager", "start", env={"SPRY_MANAGER_LIFETIME_TIMEOUT": "0"})
    until(lambda: manager(project)["pid"] is None)

    assert lines(project, "tries") == ["x", "x", "x"]


@pytest.mark.parametrize(
    ("argv", "env"),
    [
        (("exec", "--no-autostart", "true"), {}),
        (("exec", "true"), {"SPRY_AUTOSTART_TASKS": "false"}),
        (("exec", "--detach", "--no-autostart", "true"), {}),
        (("exec", "--detach", "true"), {"SPRY_AUTOSTART_TASKS": "false"}),
    ],
)
def test_f26_it_can_be_switched_off(project, argv, env):
    autostart(project, "hello", "touch", "made")
    project.run(*argv, env=env)

    assert manager(project)["pid"] is None
    assert not project.has("made")


def detached(book, *argv):
    """Begin a command in the background: the id of its run."""
    return book.run("exec", "--detach", *argv).stdout.strip()


def recorded(book):
    """How the runs stand in the history, as it is: no command of ours looks, which would mark lost ones itself."""
    with closing(sqlite3.connect(book.path(".spry/spry.db"), timeout=60)) as connection:
        return {str(run): state for run, state in connection.execute("SELECT run, state FROM runs")}


def pair(book, run):
    """The two processes of a run: the one that runs its tasks, and the one that watches over it."""
    runner = int(book.read(f".spry/runs/{run}/lock").split()[0])
    with open(f"/proc/{runner}/stat") as stat:
        return runner, int(stat.read().rpartition(")")[2].split()[1])


def test_f16_a_run_in_the_background_has_a_manager_and_one_that_is_waited_for_has_none(project):
    project.run("exec", "true")
    assert manager(project)["pid"] is None
    assert project.run("exec", "--detach", "true").stderr == ""
    pid = manager(project)["pid"]
    assert pid is not None
    project.run("exec", "--detach", "true")

    assert manager(project)["pid"] == pid


def test_f16_a_task_in_the_background_has_the_manager_of_its_runbook(project):
    project("```bash one\necho 1\n```\n")
    project.path("below").mkdir()
    project.run("task", "one", "../Spryfile.md", "--detach", cwd="below")

    assert manager(project)["pid"] is not None


def test_f16_no_manager_outside_of_a_project(book):
    run = detached(book, "echo", "hi")

    assert ended(book, run)["output"] == "hi\n"
    assert not list(book.place.rglob("manager.lock"))


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="reads /proc")
def test_f16_a_run_that_was_killed_is_marked_as_lost_and_its_tasks_are_ended_though_nobody_looks(project):
    run = detached(project, "sh", "-c", "echo $$ > pid.part; mv pid.part pid; sleep 600")
    until(lambda: project.has("pid"))
    for process in pair(project, run):
        os.kill(process, signal.SIGKILL)

    until(lambda: recorded(project)[run] == "lost")
    until(lambda: not alive(int(project.read("pid"))))


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="reads /proc")
def test_f16_a_manager_that_is_killed_amid_ten_runs_ends_none_and_the_next_marks_what_was_lost_meanwhile(project):
    gate = project.path("gate")
    wait = "echo $$ > pid$0.part; mv pid$0.part pid$0; while ! [ -e gate ]; do sleep 0.1; done; echo $0"
    runs = [detached(project, "sh", "-c", wait, str(number)) for number in range(10)]
    until(lambda: all(project.has(f"pid{number}") for number in range(10)))
    os.kill(manager(project)["pid"], signal.SIGKILL)
    until(lambda: manager(project)["pid"] is None)
    for process in pair(project, runs[0]):
        os.kill(process, signal.SIGKILL)
    assert recorded(project) == dict.fromkeys(runs, "running")
    project.run("manager", "start")

    until(lambda: recorded(project)[runs[0]] == "lost")
    gate.touch()
    assert [ended(project, run)["output"] for run in runs[1:]] == [f"{number}\n" for number in range(1, 10)]


def test_f16_a_manager_whose_project_is_gone_leaves(project):
    project.run("manager", "start")
    pid = manager(project)["pid"]
    shutil.rmtree(project.path(".spry"))

    until(lambda: not alive(pid))


def test_f16_a_manager_that_cannot_start_spoils_no_run(project):
    project.env["SPRY_MANAGER_LIFETIME_TIMEOUT"] = "soon"
    done = project.run("exec", "--detach", "echo", "hi")
    project.env["SPRY_MANAGER_LIFETIME_TIMEOUT"] = "60"

    assert done.exit_code == 0
    assert ended(project, done.stdout.strip())["output"] == "hi\n"


def test_f16_it_leaves_after_the_idle_time_and_not_while_something_runs(project):
    gate = project.fifo("gate")
    run = project.run("exec", "--detach", "cat", "gate", env={"SPRY_MANAGER_LIFETIME_TIMEOUT": "0.1"}).stdout.strip()
    assert manager(project)["pid"] is not None
    assert project.run("ping", run).exit_code == 0
    gate.write_text("")
    ended(project, run)

    until(lambda: manager(project)["pid"] is None)


def test_f16_the_idle_time_does_not_begin_while_a_run_says_nothing(project):
    gate = project.fifo("gate")
    run = project.run("exec", "--detach", "--no-autostart", "cat", "gate").stdout.strip()
    launched = []
    made = Manager(str(project.folder), lambda one: launched.append(one.name) or Begun("", 1), launched.append)
    thread = Thread(target=made.run, args=(0,), daemon=True)
    thread.start()
    until(lambda: project.has(".spry/manager.json"))  # it has looked once
    autostart(project, "late", "true")
    until(lambda: "late" in launched or not thread.is_alive())  # and looks again
    gate.write_text("")

    assert ended(project, run)["status"] == "completed"
    thread.join(20)
    assert not thread.is_alive()
    assert launched == ["late", "late: could not be started (exit code 1)"]


def test_f41_without_reuse_it_leaves_at_once(project):
    project.run("manager", "start", env={"SPRY_MANAGER_REUSE_ENABLED": "false"})

    until(lambda: manager(project)["pid"] is None)


def test_f41_a_wrong_time_is_told(project):
    done = project.run("manager", "start", env={"SPRY_MANAGER_LIFETIME_TIMEOUT": "soon"})

    assert done.exit_code == 2
    assert "SPRY_MANAGER_LIFETIME_TIMEOUT" in done.stderr


def test_f41_a_wrong_time_is_told_where_a_command_starts_the_manager(project):
    project.env["SPRY_MANAGER_LIFETIME_TIMEOUT"] = "soon"
    autostart(project, "good", "true")
    ran = project.run("exec", "echo", "hi")
    project.env["SPRY_MANAGER_LIFETIME_TIMEOUT"] = "60"

    assert (ran.exit_code, ran.stdout) == (0, "hi\n")
    assert ran.stderr.startswith("Error: SPRY_MANAGER_LIFETIME_TIMEOUT: expected a duration")


def test_of_several_that_start_at_once_one_becomes_the_manager(project):
    autostart(project, "hello", "sh", "-c", "echo hi >> said; sleep 60", mode="ensure")
    starts = [project.start("manager", "start") for _ in range(6)]
    told = [start.communicate()[1].decode() for start in starts]

    assert sorted(told) == ["a manager is running already\n"] * 5 + ["the manager was started\n"]
    until(lambda: lines(project, "said") == ["hi"])


@pytest.mark.parametrize("count", [3, pytest.param(10, marks=pytest.mark.stress)])
def test_a_killed_manager_ends_no_run_and_the_next_one_takes_them_over(project, count):
    for number in range(count):
        autostart(project, f"t{number}", "sh", "-c", f"echo $$ >> pids{number}; sleep 60", mode="ensure")
    project.run("manager", "start")
    until(lambda: all(lines(project, f"pids{number}") for number in range(count)))
    until(lambda: [one["up"] for one in manager(project)["targets"].values()] == [True] * count)
    before = manager(project)
    os.kill(before["pid"], signal.SIGKILL)
    until(lambda: manager(project)["pid"] is None)
    project.run("manager", "start")
    until(lambda: [one["up"] for one in manager(project)["targets"].values()] == [True] * count)

    after = manager(project)
    assert {name: one["run"] for name, one in after["targets"].items()} == {
        name: one["run"] for name, one in before["targets"].items()
    }
    assert [len(lines(project, f"pids{number}")) for number in range(count)] == [1] * count


def test_what_is_piped_into_the_command_that_started_the_manager_is_not_for_what_it_starts(project):
    autostart(project, "reader", "sh", "-c", "cat > got.part; mv got.part got")
    assert project.run("exec", "cat", stdin=b"mine").stdout == "mine"
    until(lambda: project.has("got"))

    assert project.read("got") == ""


def test_stopping_the_manager_lets_its_runs_go_on(project):
    gate = project.fifo("gate")
    autostart(project, "waits", "cat", "gate", mode="ensure")
    project.run("manager", "start")
    until(lambda: manager(project)["targets"].get("waits", {}).get("up"))
    run = manager(project)["targets"]["waits"]["run"]

    assert project.run("manager", "stop").exit_code == 0
    assert project.run("ping", run).exit_code == 0
    gate.write_text("went on")
    assert ended(project, run)["output"] == "went on"


def test_a_wrong_manifest_is_told_in_the_log_and_stops_no_other(project):
    project.path(".spry/autostart/bad.json").write_text('{"target": {"type": "task"}, "polcy": 1}')
    autostart(project, "good", "touch", "made")
    project.run("manager", "start")
    until(lambda: project.has("made"))

    log = project.read(".spry/logs/manager.log")
    assert 'unknown key "polcy"' in log
    assert '"name" is missing' in log


def test_a_manager_that_cannot_write_how_all_stands_says_so_and_goes_on(project):
    project.path(".spry/manager.json").mkdir()
    autostart(project, "good", "sh", "-c", "echo $$ >> pids; sleep 60", mode="ensure", backoff=0.01)
    project.run("manager", "start")
    until(lambda: len(lines(project, "pids")) == 1)
    os.kill(int(lines(project, "pids")[0]), signal.SIGKILL)

    until(lambda: len(lines(project, "pids")) == 2)
    assert "manager.json cannot be written" in project.read(".spry/logs/manager.log")


def test_what_no_process_can_be_made_for_is_tried_again(project):
    autostart(project, "good", "true", mode="ensure", max_restarts=1, backoff=0.01)
    said, before = [], signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def launch(_):
        raise HostError("cannot start a process")

    try:
        Manager(str(project.folder), launch, said.append).run(0)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    assert said == ["cannot start a process", "good: could not be started (exit code 3)"] * 2


def test_a_manager_that_is_stopped_says_so(project):
    assert project.run("manager", "stop").stderr == "no manager is running\n"
    project.run("manager", "start")
    assert project.run("manager", "stop").stderr == "the manager has left; what it started goes on\n"


def test_a_manifest_that_comes_later_is_seen(project):
    project.run("manager", "start")
    autostart(project, "late", "touch", "made")

    until(lambda: project.has("made"))


def test_a_manager_needs_a_project(book):
    assert "spry init makes one" in book.run("manager", "status").stderr


@pytest.mark.stress
@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="reads /proc")
def test_an_idle_manager_takes_less_than_a_hundredth_of_a_processor_and_60_megabytes(project):
    autostart(project, "waits", "sleep", "600", mode="ensure")
    project.run("manager", "start")
    pid = manager(project)["pid"]

    def spent():
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    until(lambda: manager(project)["targets"].get("waits", {}).get("up"))
    before, start = spent(), time.monotonic()
    subprocess.run(["sleep", "10"], check=True)
    assert (spent() - before) / (time.monotonic() - start) < 0.01
    with open(f"/proc/{pid}/status") as status:
        memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    assert memory < 60 * 1024


# How a manifest stands


def test_the_pause_doubles_and_is_bounded():
    one = Manifest("a", "task", "a", "ensure", None, 1.0)

    assert [one.pause(restarts) for restarts in (0, 1, 2, 5, 6, 50)] == [1, 2, 4, 32, 60, 60]


def test_what_stayed_up_for_long_is_restarted_soon_again():
    standing = Standing(Manifest("a", "task", "a", "ensure"))
    for _ in range(4):
        standing.began("1", 0.0)
        standing.ended(1.0)
    assert standing.restarts == 3
    standing.began("2", 10.0)
    standing.ended(10.0 + STEADY)

    assert (standing.restarts, standing.due) == (0, 10.0 + STEADY + 1.0)


def test_what_cannot_begin_counts_as_a_try():
    standing = Standing(Manifest("a", "task", "a", "ensure", 1))
    standing.ended(0.0)
    assert standing.comes_again
    standing.ended(5.0)

    assert not standing.comes_again
