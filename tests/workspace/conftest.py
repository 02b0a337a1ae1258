"""What the tests of workspaces share."""

from __future__ import annotations

import signal

import pytest
from yard import Yard

LONGEST = 90  # seconds, also on a machine that has much else to do


@pytest.fixture
def yard(tmp_path, forks):
    """Repositories next to each other."""
    made = Yard(tmp_path, forks)
    yield made
    made.book.close()


@pytest.fixture(autouse=True)
def patience():
    """Fail a test that waits for something that never comes."""

    def give_up(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LONGEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
