"""Waiting for what comes about in another process: for the thing itself, with an end."""

from __future__ import annotations

import time

LONGEST = 60  # seconds for something to come about


def until(true):
    """Wait until something is so."""
    deadline = time.monotonic() + LONGEST
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ended(book, run):
    """The result of a run, once it is over."""
    done = book.run("result", run, "--json", "--timeout", str(LONGEST))
    assert done.stdout, done.stderr
    return done.json
