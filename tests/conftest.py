"""What holds for every test, wherever the suite is started from."""

from __future__ import annotations

import gc
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from book import Forks
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
settings.register_profile("spry", settings.default, max_examples=33, suppress_health_check=LUCK)
settings.register_profile("many", settings.default, max_examples=100, suppress_health_check=LUCK)
settings.load_profile("spry")


# What the tests start compiles spry once and not each time, whatever the suite itself was told.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(scope="session")
def forks():
    """The process that becomes every command that a test runs to its end, in milliseconds."""
    started = Forks()
    yield started
    started.close()


def pytest_collection_finish():
    """Spare the collector the thousands of tests: they stay."""
    gc.collect()
    gc.freeze()


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
