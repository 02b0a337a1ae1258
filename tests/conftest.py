"""What holds for every test, wherever the suite is started from."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

LONGEST = 120  # seconds after which a test counts as hung, and again after as many, if it does not heed that
LONGEST_STRESS = 900

# A script that starts the suite with `&` or nohup has it ignore signals, and so would every command of a test.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

# How long or how often an example is looked for is a matter of luck and load, and says nothing about spry.
LUCK = [HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.too_slow]
settings.register_profile("spry", settings.default, suppress_health_check=LUCK)
settings.load_profile("spry")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """No test waits for ever."""

    def late(number, frame):
        pytest.fail(f"takes longer than {seconds} seconds")

    seconds = LONGEST_STRESS if item.get_closest_marker("stress") else LONGEST
    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def _nobody_left():
    """What a test that fails leaves running does not outlive it."""
    before = children()
    yield
    if left := children() - before:
        from spry.execute.sweep import kill_trees

        kill_trees(left)


def children() -> set[int]:
    """The children of this process, where the system tells."""
    found = set()
    for path in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended
            found.update(map(int, path.read_text().split()))
    return found
