"""Limits over everything that a task starts: real processes that take too much, and some that do not."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from driver import ENV, Driver, alive

from spry.execute.limits import Work
from spry.execute.local import LocalExecutor
from spry.execute.protocol import Attempt

HOG = "import time; x = bytearray({megabytes} << 20); print(1, flush=True); time.sleep(60)"
SHARED = "import os, time; x = bytearray(60 << 20); [os.fork() for _ in range(2)]; time.sleep(1)"
SOCKETS = """
import socket, time
server = socket.create_server(("127.0.0.1", 0))
held = [socket.create_connection(server.getsockname()) for _ in range({count})]
time.sleep({seconds})
"""


class Limited(Driver):
    """Runs one Python or shell script under limits."""

    def under(self, script: str, *limits, python=False):
        argv = (sys.executable, "-c", script) if python else ("/bin/bash", "-c", script)
        self.executor.start(Attempt("one", 1, argv, ENV, os.getcwd(), limits=limits))

    def excess_of(self, script: str, *limits, python=False) -> str:
        self.under(script, *limits, python=python)
        self.ended()
        return self.notices[-1].limit


def spry(folder: Path, text: str, *argv: str, path: str = "") -> subprocess.CompletedProcess:
    """Run a command on a runbook; what lies in `path` is found before everything that is installed."""
    (folder / "Spryfile.md").write_text(text)
    paths = f"{path}:{Path(__file__).resolve().parents[2]}"
    env = {**os.environ, "PYTHONPATH": paths, "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-m", "spry", *argv]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def limited():
    executor = LocalExecutor(4)
    yield Limited(executor)
    executor.close()


def python(program: str) -> str:
    return f"{sys.executable} -c '{program}'"


def test_memory_over_the_limit_is_named_with_its_measure(limited):
    name, used, unit, of, limit, _ = limited.excess_of(
        HOG.format(megabytes=150), ("memory", 100.0), python=True
    ).split()

    assert (name, unit, of, limit) == ("memory", "MB", "of", "100")
    assert 100 < int(used) < 250


def test_memory_is_that_of_all_processes_together(limited):
    hog = python(HOG.format(megabytes=70))

    assert limited.excess_of(f"{hog} & {hog} & wait", ("memory", 120.0)).startswith("memory ")


def test_memory_that_processes_share_counts_once(limited):
    assert limited.excess_of(SHARED, ("memory", 150.0), python=True) == ""


def test_who_left_the_session_is_measured_and_killed_too(limited):
    away = "setsid " + python(f"import os; print(os.getpid(), flush=True); {HOG.format(megabytes=150)}")
    excess = limited.excess_of(f"{away} & wait", ("memory", 100.0))

    assert excess.startswith("memory ")
    assert not alive(int(limited.output().split()[0]))


def test_a_busy_loop_is_over_a_share_of_a_processor(limited):
    assert limited.excess_of("while :; do :; done", ("cpu", 20.0)).endswith("% of 20%")


def test_processes_that_come_and_go_count_towards_the_processor(limited):
    script = "while :; do bash -c 'for ((n = 0; n < 8000; n++)); do :; done'; done"

    assert limited.excess_of(f"timeout 30 bash -c {shlex.quote(script)}", ("cpu", 30.0)).startswith("cpu ")


def test_too_many_open_files_are_counted(limited):
    script = "import time; x = [open('/dev/null') for _ in range(60)]; time.sleep(60)"

    assert limited.excess_of(script, ("fds", 50.0), python=True) == "fds 63 of 50"


def test_too_many_connections_are_counted(limited):
    script = SOCKETS.format(count=6, seconds=60)

    assert limited.excess_of(script, ("connections", 5.0), python=True) == "connections 7 of 5"


def test_the_first_limit_that_is_exceeded_is_named(limited):
    script = HOG.format(megabytes=150)

    assert limited.excess_of(script, ("fds", 100.0), ("memory", 50.0), ("cpu", 90.0), python=True).startswith("memory")


def test_who_stays_below_every_limit_is_left_alone(limited):
    script = SOCKETS.format(count=2, seconds=0.5)
    limits = ("memory", 500.0), ("cpu", 90.0), ("fds", 50.0), ("connections", 9.0)
    excess = limited.excess_of(script, *limits, python=True)

    assert excess == ""
    assert limited.notices[-1].code == 0


def test_each_attempt_has_a_measure_of_its_own(limited):
    limited.under(HOG.format(megabytes=80), ("memory", 300.0), python=True)
    argv = sys.executable, "-c", HOG.format(megabytes=150)
    limited.executor.start(Attempt("other", 1, argv, ENV, os.getcwd(), limits=(("memory", 100.0),)))
    limited.ended("other")

    assert limited.notices[-1].limit.startswith("memory")
    assert limited.executor.free() == 3


def test_the_next_limited_attempt_is_measured_like_the_first(limited):
    first = limited.excess_of(HOG.format(megabytes=150), ("memory", 100.0), python=True)
    second = limited.excess_of(HOG.format(megabytes=150), ("memory", 100.0), python=True)

    assert first.startswith("memory ")
    assert second.startswith("memory ")


def test_the_use_of_a_processor_is_known_only_once_a_window_is_full():
    work = Work(0.0)

    assert [work.rate((), instant) for instant in (0.5, 1.0, 1.9)] == [0.0, 0.0, 0.0]


# From the command line


def test_a_violation_is_a_failure_that_is_retried_and_named(tmp_path):
    script = "exec 4</dev/null 5</dev/null 6</dev/null; sleep 60"
    done = spry(tmp_path, f"```bash hog --limit fds=3 --retry 2\n{script}\n```\n", "task", "hog")

    assert done.returncode == 1
    assert "hog retrying (2 of 2): went over a limit: fds " in done.stderr
    assert "✗ hog went over a limit: fds " in done.stderr


def test_programs_are_told_the_reason_and_the_measure(tmp_path):
    done = spry(tmp_path, "```bash hog --limit fds=2\nsleep 60\n```\n", "task", "hog", "--json")
    ended = next(event for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "task_finished")

    assert (ended["outcome"], ended["reason"]) == ("failed", "limit")
    assert ended["message"].endswith(" of 2")


@pytest.fixture
def bare(tmp_path):
    """A folder that hides psutil."""
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "psutil.py").write_text("raise ImportError('No module named psutil')\n")
    return str(tmp_path / "bare")


def test_without_psutil_a_limited_task_is_refused_before_anything_runs(tmp_path, bare):
    text = "```bash first\ntouch ran\n```\n```bash second --dep first --limit cpu=50\ntrue\n```\n"
    done = spry(tmp_path, text, "runbook", path=bare)

    assert done.returncode == 3
    assert "second" in done.stderr
    assert "spry[limits]" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_without_psutil_what_has_no_limit_runs(tmp_path, bare):
    text = "```bash first\ntouch ran\n```\n```bash second --limit cpu=50\ntrue\n```\n"

    assert spry(tmp_path, text, "task", "first", path=bare).returncode == 0
