"""The end of a command that writes and writes though nobody reads it any more (`spry exec yes | head -1`).

Without spry it would be told with its next byte. With spry the run goes on, since what it does may matter more than
what it says, and its log is kept: but not without an end, and so until the disk is full.
"""

from __future__ import annotations

import os
import signal

from spry.core.events import TaskOutput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.core.events import Event
    from spry.view.screen import Screen

MOST = 256_000_000  # bytes that a command may write for nobody


class Unread:
    """A listener that ends the run as TERM does once so much was written to stdout after its reader had gone."""

    def __init__(self, screen: Screen, most: int = MOST) -> None:
        self._screen, self._most = screen, most
        self._count, self._is_over = 0, False

    def __call__(self, event: Event) -> None:
        """Count what nobody reads."""
        if not isinstance(event, TaskOutput) or event.stream != "stdout" or not self._screen.deserted:
            return
        self._count += len(event.data)
        if self._count > self._most and not self._is_over:
            self._is_over = True
            size = f"{self._most / 1_000_000:g} MB"
            why = f"nobody reads stdout any more, and {event.task} has written {size} since then: it is stopped"
            self._screen.say(("warning", "spry: "), why)
            os.kill(os.getpid(), signal.SIGTERM)
