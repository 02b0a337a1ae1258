"""The death of spry itself, cases 19 to 32: nobody survives, nothing is done twice, nothing is lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path

import pytest
from shapes import (
    FOREGROUND,
    SHAPES,
    UNHEARD,
    Ready,
    alive,
    kill_all,
    parent,
    prepare,
    runner,
    script,
    stays,
    survivors,
    until,
)
from stage import PATIENCE, ROOT, Stage, cell

from spry.execute.sweep import by_mark
from spry.store import journal

GRACE = {"SPRY_GRACE": "0.3"}
BARE = [shape for shape in SHAPES if "without an environment" in shape]

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks into /proc")


@pytest.fixture
def stage(tmp_path, forks):
    made = prepare(Stage(tmp_path, forks))
    made.env |= {"READY": str(tmp_path / "ready"), "BEAT": str(tmp_path / "beats")}
    made.own()
    yield made
    kill_all(made)


class Pair:
    """A command that has become a pair: the process that we started, and the one that does everything."""

    def __init__(self, stage: Stage, *argv: str, ready: int = 1) -> None:
        pipe = Ready(stage)
        self.process = stage.start(*argv, env=GRACE)
        self.guardian = self.process.pid
        self.runner = runner(stage, self.guardian)
        pipe.wait(ready)
        pipe.close()

    def kill(self, who: str) -> None:
        """Kill one of them, or both at once: neither sees the other one die."""
        victims = [getattr(self, name) for name in ("guardian", "runner") if who in (name, "both")]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for victim in victims:
                os.kill(victim, number)

    def end(self) -> int:
        """Wait until neither of them is there; the exit code of the process that we started."""
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode


def everything(stage: Stage, shapes=tuple(SHAPES)) -> int:
    """A runbook whose tasks make these shapes and stay; how many processes will say that they run."""
    stage.write(*(stays(stage, shape, f"bash t{number}") for number, shape in enumerate(shapes)))
    return 2 * len(shapes) - len({*shapes} & {*FOREGROUND, *UNHEARD})


def states(stage: Stage) -> list[str]:
    """The states of the runs in the history, as they are written down: nobody is asked, nothing is marked."""
    with closing(sqlite3.connect(stage.folder / ".spry" / "spry.db")) as database:
        return [state for (state,) in database.execute("SELECT state FROM runs ORDER BY run")]


# 19: one of the pair is killed


@pytest.mark.parametrize("who", ["guardian", "runner"])
def test_case_19_no_shape_survives_the_death_of_one_of_the_pair(stage, who):
    pair = Pair(stage, "runbook", "-j", "40", ready=everything(stage))
    pair.kill(who)

    assert pair.end() == -signal.SIGKILL
    until(lambda: survivors(stage) == [], "somebody is left")


def test_case_19_when_the_runner_dies_the_guardian_is_the_last_to_go(stage):
    """Until it has ended nobody may take the run for dead, as somebody may be alive of it."""
    stage.write(cell("bash t", "echo >> $READY", "exec sleep 300"))
    pair = Pair(stage, "task", "t")
    os.kill(pair.guardian, signal.SIGSTOP)
    pair.kill("runner")
    during = stage.runs()[0]["status"]
    os.kill(pair.guardian, signal.SIGCONT)
    pair.end()

    assert during == "running"
    assert stage.runs()[0]["status"] == "lost"
    assert survivors(stage) == []


def test_case_19_the_scratch_folder_of_a_killed_runner_is_removed(stage):
    stage.write(cell("bash t", "echo x=1 >> $SPRY_OUTPUT", "echo >> $READY", "exec sleep 300"))
    pair = Pair(stage, "task", "t")
    pair.kill("runner")
    pair.end()

    assert stage.left_behind() == []


def test_case_20_a_task_whose_shell_is_killed_leaves_nothing_and_others_go_on(stage):
    stage.write(
        cell("bash dies", script(stage, "a daemon"), "echo $$ > pid", "exec sleep 300"),
        cell("bash lives", "echo >> $READY", "until [ -s done ]; do read -rt 0.01 x <> <(:) || :; done"),
    )
    pair = Pair(stage, "runbook", "-j", "2", ready=2)
    until(lambda: (stage.folder / "pid").exists() and (stage.folder / "pid").read_text().strip())
    os.kill(int((stage.folder / "pid").read_text()), signal.SIGKILL)
    until(lambda: not [words for words in survivors(stage) if words.startswith("tail")], "the daemon is left")
    (stage.folder / "done").write_text("x")

    assert pair.end() == 1
    assert {one["task"]: one["outcome"] for one in stage.look("status", stage.last(), "--json").json["tasks"]} == {
        "dies": "failed",
        "lives": "succeeded",
    }
    assert survivors(stage) == []


# 21, 22: both are killed


@pytest.mark.parametrize("next_command", [("runs",), ("resume",), ("task", "other")], ids=["runs", "resume", "task"])
def test_case_21_what_survives_the_death_of_both_is_swept_by_the_next_command(stage, next_command):
    shapes = [shape for shape in SHAPES if shape not in BARE]
    ready = everything(stage, shapes)
    book = stage.folder / "Spryfile.md"
    pair = Pair(stage, "runbook", "-j", "40", ready=ready)
    pair.kill("both")
    pair.end()
    left = survivors(stage)
    book.write_text(cell("bash other", ":") + "".join(cell(f"bash t{number}", ":") for number in range(len(shapes))))
    done = stage.spry(*next_command)

    assert left != []
    assert done.code == 0, done.err
    assert survivors(stage) == []
    assert "running" not in states(stage)


def test_case_22_a_dead_run_is_lost_and_never_running(stage):
    stage.write(cell("bash first", "echo said"), cell("bash t --dep first", "echo >> $READY", "exec sleep 300"))
    pair = Pair(stage, "task", "t")
    written = states(stage)
    pair.kill("both")
    pair.end()
    told = stage.runs()[0]["status"]

    assert (written, told, states(stage)) == (["running"], "lost", ["lost"])
    assert {one["task"]: one["reason"] for one in stage.look("status", stage.last(), "--json").json["tasks"]} == {
        "first": None,
        "t": "lost",
    }
    assert stage.log("first") == b"said\n"


# 23, 24: going on


@pytest.mark.parametrize("who", ["guardian", "runner", "both"])
def test_case_23_what_had_succeeded_is_not_done_again_and_the_rest_is(stage, who):
    stage.write(
        cell("bash first", "echo first >> $BEAT"),
        cell("bash second --dep first", "echo second >> $BEAT", "echo >> $READY", "[ -e go ] || exec sleep 300"),
        cell("bash third --dep second", "echo third >> $BEAT"),
    )
    pair = Pair(stage, "task", "third")
    pair.kill(who)
    pair.end()
    until(lambda: who == "both" or survivors(stage) == [])
    (stage.folder / "go").touch()
    pipe = Ready(stage)
    done = stage.spry("resume")
    pipe.close()

    assert done.code == 0, done.err
    assert (stage.place / "beats").read_text().split() == ["first", "second", "second", "third"]


@pytest.mark.parametrize("who", ["guardian", "runner", "both"])
def test_case_24_an_old_attempt_never_overlaps_a_new_one(stage, who):
    beat = "while :; do echo $SPRY_RUN_ID >> $BEAT; read -rt 0.01 x <> <(:) || :; [ ! -e go ] || exit 0; done"
    stage.write(cell("bash t", f"setsid bash -c '{beat}' & ", "echo >> $READY", beat))
    pair = Pair(stage, "task", "t")
    pair.kill(who)
    pipe = Ready(stage)
    again = stage.start("resume")  # at once: it finds the run alive, or dead with all that was of it
    until(lambda: again.poll() is not None or len(set((stage.place / "beats").read_text().split())) == 2)
    (stage.folder / "go").touch()
    again.communicate(timeout=PATIENCE)
    pair.end()
    pipe.close()
    runs = (stage.place / "beats").read_text().split()
    switches = sum(one != other for one, other in pairwise(runs))

    assert switches == len(set(runs)) - 1, "they took turns"


# 25: at any moment


def effects(stage: Stage) -> dict[str, list[str]]:
    """What the tasks wrote: `+` at their beginning, `-` at their end, with the run that they belonged to."""
    found: dict[str, list[str]] = {}
    for line in (stage.place / "beats").read_text().splitlines():
        task, mark, run = line.split()
        found.setdefault(task, []).append(mark + run)
    return found


def attempts(stage: Stage) -> dict[str, int]:
    """How many attempts of each task all runs together have recorded."""
    found: dict[str, int] = {}
    with closing(sqlite3.connect(stage.folder / ".spry" / "spry.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for (task,) in database.execute("SELECT task FROM events WHERE event = 'task_started'"):
            found[task] = found.get(task, 0) + 1
    return found


def go_on(stage: Stage) -> str:
    """The command that finishes the latest run, or begins another one if there is nothing to finish."""
    runs = stage.runs()
    return "resume" if runs and runs[0]["exit_code"] != 0 else "runbook"


@pytest.mark.parametrize(("moments", "tasks"), [(2, 12), pytest.param(50, 40, marks=pytest.mark.stress)])
def test_case_25_a_kill_at_random_moments_loses_and_repeats_nothing(stage, moments, tasks):
    work = ("echo $SPRY_TASK + $SPRY_RUN_ID >> $BEAT", "read -rt 0.02 x <> <(:) || :", "setsid -f sleep 300 >&- 2>&-")
    end = "echo $SPRY_TASK - $SPRY_RUN_ID >> $BEAT"
    stage.write(*(cell(f"bash t{n}{f' --dep t{n - 4}' if n > 3 else ''}", *work, end) for n in range(tasks)))
    (stage.place / "beats").touch()
    chance = random.Random(moments)
    for number in range(moments):
        process = stage.start(go_on(stage), "-j", "4")
        time.sleep(chance.uniform(0.05, tasks / 40))
        pid = process.pid
        if number % 2:
            pid = next((one for one in alive(stage.place) if parent(one) == process.pid), pid)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
        until(lambda: survivors(stage) == [], "somebody is left")
    assert stage.spry(go_on(stage), "-j", "4").code == 0
    recorded = attempts(stage)

    assert survivors(stage) == []
    assert "running" not in states(stage)
    for task, marks in effects(stage).items():
        begun = [mark for mark in marks if mark[0] == "+"]
        assert len(set(begun)) == len(begun) <= recorded[task], "an attempt that nobody recorded"
        assert recorded[task] - len(begun) <= moments, "recorded, and killed before its first line"
        order = [mark[1:] for mark in marks]
        assert order == sorted(order), "an old attempt was alive beside a new one"
    assert len(effects(stage)) == tasks


# 26: calls that fail

FAIL = """
import errno, os, sys
from _socket import socketpair
number, sys.argv = int(sys.argv[1]), sys.argv[2:]
calls = 0
def failing(name, errors):
    real = getattr(os, name)
    def call(*args, **named):
        global calls
        calls += 1
        if calls == number:
            raise OSError(errors, os.strerror(errors), "staged")
        return real(*args, **named)
    setattr(os, name, call)
for name in ("write", "open", "mkdir", "fsync", "unlink", "rename", "replace"):
    failing(name, errno.ENOSPC)
for name in ("pipe", "posix_spawn", "fork", "pidfd_open", "waitid"):
    failing(name, errno.EAGAIN)
from spry.cli.main import main
main(sys.argv)
"""


@pytest.mark.stress
def test_case_26_whatever_call_fails_the_run_ends_and_success_means_that_all_was_done(stage):
    lines = ("echo said", "echo $SPRY_TASK >> $BEAT", "setsid -f sleep 300 >&- 2>&-")
    stage.write(cell("bash one", *lines), cell("bash two --dep one", *lines), cell("bash three --dep two", *lines))
    passed = 0
    for number in range(1, 400):
        (stage.place / "beats").write_text("")
        done = subprocess.run(
            [sys.executable, "-c", FAIL, str(number), "task", "three"],
            cwd=stage.folder,
            env=stage.env | GRACE,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        told = done.stderr.decode()
        assert done.returncode in (0, 1, 3), (number, told)
        assert survivors(stage) == [], number
        if done.returncode == 0:
            assert (stage.place / "beats").read_text().split() == ["one", "two", "three"], (number, told)
        else:
            assert told.strip(), number
        assert "Traceback" not in told, (number, told)
        passed = passed + 1 if "staged" not in told and done.returncode == 0 else 0
        if passed > 25:
            break
    assert "running" not in {run["status"] for run in stage.runs()}
    assert attempts(stage)


# 27, 28, 29: what is believed


def test_case_27_of_a_journal_that_was_cut_anywhere_whole_rows_are_read_and_nothing_else(stage):
    stage.write(*(cell(f"bash t{number}", ":") for number in range(5)), cell("bash t", "echo >> $READY; exec sleep 9"))
    pair = Pair(stage, "runbook", "-j", "1")
    pair.kill("both")
    pair.end()
    folder = next((stage.folder / ".spry" / "runs").iterdir())
    data = (folder / "journal").read_bytes()
    rows = list(journal.read(str(folder)))
    torn = stage.place / "torn"
    torn.mkdir()
    for size in range(len(data) + 1):
        (torn / "journal").write_bytes(data[:size] + b"\0" * (len(data) - size))
        found = list(journal.read(str(torn)))
        assert found == rows[: len(found)]

    assert len(rows) > 8


def test_case_28_only_processes_with_the_mark_of_the_dead_run_are_killed(tmp_path):
    marks = {"ours": "123456789", "other": "12345678", "longer": "1234567890", "nobody": ""}
    started = {
        name: subprocess.Popen(["/bin/sleep", "300"], env={"SPRY_RUN_ID": mark} if mark else {})
        for name, mark in marks.items()
    }
    left = by_mark("123456789")
    ended = {name: process.poll() for name, process in started.items()}
    for process in started.values():
        process.kill()
        process.wait()

    assert left == []
    assert ended == {"ours": -signal.SIGKILL, "other": None, "longer": None, "nobody": None}


def test_case_28_no_number_of_a_process_is_written_down(stage):
    stage.write(cell("bash t", "echo $$ > pid", "echo >> $READY", "exec sleep 300"))
    pair = Pair(stage, "task", "t")
    numbers = [b"%d" % pair.guardian, b"%d" % pair.runner, (stage.folder / "pid").read_bytes().strip()]
    files = [path for path in (stage.folder / ".spry").rglob("*") if path.is_file()]
    with closing(sqlite3.connect(stage.folder / ".spry" / "spry.db")) as database:
        tables = [sql for (sql,) in database.execute("SELECT sql FROM sqlite_master")]
    pair.kill("runner")
    pair.end()

    assert len(numbers) == 3
    assert not any("pid" in str(sql) or "boot" in str(sql) for sql in tables)
    assert [path.name for path in files if path.read_bytes().strip() in numbers] == []


def test_case_28_whoever_sweeps_is_no_victim_of_its_own(tmp_path):
    """A shell that a run left behind starts spry, which sweeps that run."""
    program = "from spry.execute.sweep import by_mark; print(by_mark('4242'))"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "SPRY_RUN_ID": "4242"}
    done = subprocess.run(
        ["/bin/bash", "-c", '"$@"; echo alive', "bash", sys.executable, "-c", program],
        env=env, capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip

    assert done.stdout == b"[]\nalive\n"


def test_case_29_a_run_of_before_the_machine_started_is_lost_and_nobody_is_killed(stage):
    """Then its lock is free, and whoever has its processes' numbers now is somebody else."""
    stage.write(cell("bash t", "echo >> $READY", "exec sleep 300"))
    pair = Pair(stage, "task", "t")
    shutil.copytree(stage.folder / ".spry", stage.place / "copy")
    pair.kill("runner")
    pair.end()
    shutil.rmtree(stage.folder / ".spry")
    (stage.place / "copy").rename(stage.folder / ".spry")
    other = subprocess.Popen(["/bin/sleep", "300"])
    told = stage.runs()[0]["status"]
    lives = other.poll() is None
    other.kill()
    other.wait()

    assert told == "lost"
    assert lives


def test_case_30_a_task_that_the_system_kills_is_told_as_such(stage):
    stage.write(cell("bash hungry", "kill -KILL $$"), cell("bash fine", ":"))
    done = stage.spry("runbook")

    assert done.code == 1
    assert "✗ hungry killed by signal 9 (SIGKILL)" in done.err
    assert "✓ fine completed" in done.err


# 31, 32: what outlives its task


def test_case_31_a_background_child_that_holds_stdout_holds_nobody_up(stage):
    stage.write(cell("bash leaky", "sleep 300 &"), cell("bash after --dep leaky", "echo here"))
    begun = time.monotonic()
    done = stage.spry("task", "after", "--json")
    events = {event["task"]: event for event in done.events if event["event"] == "task_finished"}

    assert done.code == 0
    assert time.monotonic() - begun < 5
    assert 0.5 <= events["leaky"]["duration"] < 2
    assert events["leaky"]["message"] == "sleep kept running"
    assert survivors(stage) == []


def test_case_32_a_daemon_ends_with_its_task_and_is_named_in_the_history(stage):
    stage.write(cell("bash leaky", script(stage, "a daemon")))
    pipe = Ready(stage)
    done = stage.spry("task", "leaky")
    pipe.close()
    told = stage.look("status", stage.last(), "--json").json["tasks"][0]["message"]

    assert done.code == 0
    assert told.endswith("kept running")
    assert survivors(stage) == []


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.stress)])
@pytest.mark.parametrize("child", ["sleep 300 >&- 2>&- &", "setsid -f sleep 300 >&- 2>&-"], ids=["group", "daemon"])
def test_case_32_tasks_that_each_leave_a_child_leave_none(stage, count, child):
    stage.write(*(cell(f"bash t{number}", child) for number in range(count)))
    done = stage.spry("runbook", "--json", "-j", "4")
    leaked = [event["leaked"] for event in done.events if event["event"] == "task_finished"]

    assert done.code == 0, done.err
    assert leaked == [1] * count
    assert survivors(stage) == []


def test_the_guardian_needs_little(stage):
    stage.write(cell("bash t", "echo >> $READY", "exec sleep 300"))
    pair = Pair(stage, "task", "t")
    told = Path(f"/proc/{pair.guardian}/smaps_rollup").read_text().splitlines()
    own = sum(int(line.split()[1]) for line in told if line.startswith(("Private_Dirty", "Private_Clean")))
    pair.kill("runner")
    pair.end()

    assert own < 8 * 1024, "KiB of its own"


CHAIN = """import os, time
if os.fork(): os._exit(0)
os.setsid()
for _ in range(500):
    if os.fork(): os._exit(0)
time.sleep(300)
"""


def test_case_32_who_ends_while_it_is_looked_at_has_left_somebody(stage):
    """A daemon that goes on as a child of itself, again and again, is found all the same, and named."""
    (stage.folder / "chain.py").write_text(CHAIN)
    stage.write(*(cell(f"bash t{number}", "python3 -S chain.py >&- 2>&-") for number in range(20)))
    done = stage.spry("runbook", "--json", "-j", "1")
    leaked = [event["leaked"] for event in done.events if event["event"] == "task_finished"]

    assert done.code == 0, done.err
    assert 0 not in leaked
    assert survivors(stage) == []
