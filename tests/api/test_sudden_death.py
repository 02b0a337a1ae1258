"""A program that dies without a word leaves nothing behind: real programs, real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from driver import alive
from waiting import until

from spry.execute.sweep import kill_trees

SCRIPT = "setsid sleep 600 & echo $$ $! > pids.part; mv pids.part pids; exec sleep 600"
HEAD = f"""
import os, signal, time
from spry import Task, TaskExecutor, run
forever = Task.bash({SCRIPT!r})
def start():
    TaskExecutor().execute(Task.bash(":"))
def submit():
    TaskExecutor().submit(forever)
    while not os.path.exists("pids"):
        time.sleep(0.01)
"""


@pytest.fixture
def program(tmp_path):
    """Starts a program; whatever it has started ends with the test."""
    (tmp_path / "book.md").write_text(f"```bash forever\n{SCRIPT}\n```\n")
    (tmp_path / "run").mkdir()
    started = []

    def start(text):
        env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path / "run"), "XDG_STATE_HOME": str(tmp_path / "state")}
        argv = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", HEAD + text]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(argv, cwd=tmp_path, env=env, **pipes))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            kill_trees([process.pid])
        process.communicate(timeout=30)
    with suppress(FileNotFoundError):
        kill_trees(pid for pid in pids(tmp_path) if alive(pid))


def pids(folder):
    return [int(pid) for pid in (folder / "pids").read_text().split()]


def guardians(program):
    """Who watches over a program."""
    end = b"/guardian.py\0%d\0" % program
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += [int(line.parent.name)] if line.read_bytes().endswith(end) else []
    return found


@pytest.mark.parametrize(("text", "number"), [
    ("submit(); signal.pause()", signal.SIGTERM),
    ("submit(); signal.pause()", signal.SIGKILL),
    ("run('book.md', yes=True)", signal.SIGKILL),
    ("start(); os.fork() or os._exit(len(input())); submit(); signal.pause()", signal.SIGKILL),
    ("submit(); os.execv('/bin/sleep', ['sleep', '600'])", 0),
], ids=["TERM", "KILL", "run", "fork", "exec"])  # fmt: skip
def test_what_a_program_leaves_when_it_dies_suddenly_is_killed(program, tmp_path, text, number):
    """Also if a child of it lives on, or if another program takes its place."""
    process = program(text)
    until((tmp_path / "pids").exists)
    os.kill(process.pid, number)

    until(lambda: not any(map(alive, pids(tmp_path))))
    until(lambda: not os.listdir(tmp_path / "run"))
    until(lambda: not guardians(process.pid))


def test_a_child_that_a_program_has_forked_has_a_guardian_of_its_own(program, tmp_path):
    process = program("start(); print(os.fork() or submit(), flush=True); signal.pause()")
    child = int(process.stdout.readline())
    until((tmp_path / "pids").exists)
    os.kill(child, signal.SIGKILL)

    until(lambda: not any(map(alive, pids(tmp_path))))
    assert guardians(process.pid)


def test_the_guardian_is_no_child_of_the_program_and_gone_before_it(program):
    process = program("start()\ntry: os.waitpid(-1, os.WNOHANG)\nexcept ChildProcessError: print('childless')")

    assert process.stdout.read() == "childless\n"
    process.wait(30)
    assert not guardians(process.pid)


def test_functions_need_no_guardian(program):
    process = program(
        "from spry import TaskType\n"
        "executor = TaskExecutor(); executor.register(TaskType.SCRIPT, lambda context: 'done')\n"
        "print(executor.execute(Task('f', '', TaskType.SCRIPT)).output, flush=True); signal.pause()"
    )

    assert process.stdout.readline() == "done\n"
    assert not guardians(process.pid)
