"""Ctrl-Z: everything of a run stands still, and goes on when spry is continued.

A task leads a session of its own, where the system ignores SIGTSTP: so it is SIGSTOP. Whoever stands still already
does so for a reason of its own, and is left alone.
"""

from __future__ import annotations

import os
import signal
import time

from spry.execute import census
from spry.execute.sweep import send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection


def stand_still(spared: Collection[int]) -> float:
    """Stop all that descend from this process, but for the spared, and then this process itself; for how long it was.

    Whoever watches over this process continues it.
    """
    begun = time.monotonic()
    stopped: list[int] = []
    while fresh := _moving(stopped, spared):
        for pid in fresh:
            send(pid, signal.SIGSTOP)
        stopped += fresh
    os.kill(os.getpid(), signal.SIGSTOP)
    for pid in stopped:
        send(pid, signal.SIGCONT)
    return time.monotonic() - begun


def _moving(stopped: Collection[int], spared: Collection[int]) -> list[int]:
    table = census.everybody()
    mine = census.below([os.getpid()], table)
    known = {*stopped, *spared}
    return [one.pid for one in table if one.pid in mine and one.pid not in known and one.state not in census.STOPPED]
