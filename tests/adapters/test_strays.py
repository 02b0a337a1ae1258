"""Strays where nobody adopts orphans, as in a program that uses spry; and the line between the two of a pair."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from _socket import socketpair

import pytest
from driver import ENV, Driver, alive
from shapes import until

from spry.execute import census, pair
from spry.execute.local import LocalExecutor
from spry.execute.pair import Line
from spry.execute.protocol import Exited

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks into /proc")

STRAY = "setsid bash -c 'echo $$; exec sleep 300 >&- 2>&-' & read -rt 0.2 x <> <(:) || :"


@pytest.fixture
def driver():
    executor = LocalExecutor(2)
    yield Driver(executor)
    executor.close()


def marked(task: str) -> dict[bytes, bytes]:
    """The environment of a task, of a run that nobody else has at the same time."""
    return {**ENV, b"SPRY_RUN_ID": b"7777%d" % os.getpid(), b"SPRY_TASK": task.encode(), b"SPRY_ATTEMPT": b"1"}


def test_a_stray_is_known_by_its_environment(driver):
    result = driver.run(STRAY, env=marked("one"))
    exited = next(notice for notice in driver.notices if isinstance(notice, Exited))

    assert not alive(int(result.stdout))
    assert exited.leaked == ("sleep",)


def test_the_stray_of_a_task_that_runs_is_left_alone(driver):
    driver.start(f"{STRAY}; echo up; sleep 300", task="long", env=marked("long"))
    driver.until(lambda _: b"up" in driver.output("long"))
    driver.run(":", task="short", env=marked("short"))
    stray = int(driver.output("long").split()[0])
    during = alive(stray)
    driver.executor.stop("long", grace=0)
    driver.ended("long")

    assert (during, alive(stray)) == (True, False)


def test_strays_end_within_the_grace_of_a_task_that_is_stopped(driver, tmp_path):
    cleaned = f"echo once >> {tmp_path}/cleaned"
    child = f"trap '{cleaned}; read -rt 0.3 x <> <(:) || :; exit' TERM; echo $$; while :; do sleep 60 & wait $!; done"
    driver.start('setsid bash -c "$CHILD" & wait; sleep 300', env={**marked("one"), b"CHILD": child.encode()})
    driver.until_said(b"\n")
    driver.executor.stop("one", grace=30)
    driver.ended()

    assert (tmp_path / "cleaned").read_text() == "once\n"


def test_closing_ends_strays_too():
    driver = Driver(LocalExecutor(1))
    driver.start(f"{STRAY}; echo up; sleep 300", env=marked("one"))
    driver.until_said(b"up")
    driver.executor.close()

    assert not alive(int(driver.output().split()[0]))


def test_other_children_of_the_program_are_none_of_its_business(driver):
    other = subprocess.Popen(["/bin/sleep", "300"])
    driver.run(STRAY, env=marked("one"))
    lives = other.poll() is None
    other.kill()
    other.wait()

    assert lives


LEAVERS = """
import os, signal
from types import SimpleNamespace as Stub
from spry.execute.endings import Running
from spry.execute.strays import Strays, uptime

def attempt(pid, began):
    return Running(Stub(task="t", env={}), Stub(pid=pid), began)

for number, others in (signal.SIGKILL, []), (signal.SIGTERM, []), (signal.SIGKILL, [attempt(1, 0.0)]):
    ended = attempt(os.getpid(), uptime())
    child = os.fork()
    if not child:
        os.setsid()
        os.kill(os.getpid(), number)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    print(Strays(adopts=True).remain(ended, others), [*ended.left] == [child], ended.left == {})
"""


def test_who_left_a_group_while_that_was_killed_is_named_like_those_who_stayed():
    told = subprocess.run([sys.executable, "-c", LEAVERS], capture_output=True, text=True, check=True)

    by_us, by_another, perhaps_of_another = told.stdout.splitlines()
    assert by_us == "False True False"
    assert by_another == perhaps_of_another == "False False True"


def test_ps_tells_of_marks_where_there_is_no_proc(monkeypatch):
    child = subprocess.Popen(["/bin/sleep", "300"], env={"SPRY_RUN_ID": f"8888{os.getpid()}"})
    until(lambda: census.environ(child.pid))
    monkeypatch.setattr(census, "numbers", list)
    found = census.marked(b"SPRY_RUN_ID=8888%d" % os.getpid())
    child.kill()
    child.wait()

    assert found == [child.pid]


@pytest.fixture
def line(monkeypatch):
    """The runner's end of a line, at an instant that a test can move."""
    ours, theirs = socketpair()
    theirs.setblocking(False)
    made = Line(theirs, adopts=False)
    instants = [1000.0]
    monkeypatch.setattr(pair.time, "monotonic", lambda: instants[0])
    yield made, ours, instants
    made.close()
    ours.close()


def test_a_signal_that_reached_both_is_one_in_whatever_order_it_comes(line):
    made, _, _ = line

    assert [made.is_new(signal.SIGINT, told=told) for told in (False, True)] == [True, False]
    assert [made.is_new(signal.SIGTERM, told=told) for told in (True, False)] == [True, False]


def test_two_quick_signals_are_two_however_they_mix(line):
    made, _, _ = line

    assert [made.is_new(signal.SIGINT, told=told) for told in (False, False, True, True)] == [True, True, False, False]


def test_later_signals_are_others(line):
    made, _, instants = line
    first = made.is_new(signal.SIGINT, told=False)
    instants[0] += 2 * pair.APART

    assert (first, made.is_new(signal.SIGINT, told=True)) == (True, True)


def test_a_line_tells_signals_silence_and_the_death_of_the_other_one(line):
    made, ours, _ = line
    before = made.heard()
    ours.send(bytes((signal.SIGINT, signal.SIGTERM)))
    between = made.heard()
    ours.close()

    assert (before, between, made.heard()) == ([], [signal.SIGINT, signal.SIGTERM], None)
