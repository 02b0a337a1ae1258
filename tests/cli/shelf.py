"""A `book` for every test that takes one, and the end of tests that wait for what never comes."""

from __future__ import annotations

import signal

import pytest
from book import Book

LONGEST = 90  # seconds, also on a machine that has much else to do


@pytest.fixture
def book(tmp_path, forks):
    """A folder of its own for runbooks, and the command line in it."""
    opened = Book(tmp_path, forks)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def patience():
    """Fail a test that waits for something that never comes, such as the other end of a pipe."""

    def give_up(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LONGEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
