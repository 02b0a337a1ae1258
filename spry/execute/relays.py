"""The ways between interactive tasks and the user's terminal, in the loop of an executor."""

from __future__ import annotations

import time

from spry.execute.protocol import Output
from spry.execute.terminal import Relay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from spry.execute.endings import Running
    from spry.execute.protocol import Attempt, Notice
    from spry.execute.reactor import Reactor

EASE = 0.1  # seconds until what was held back of a prompt is shown
PATIENCE = 5.0  # seconds for a slow terminal to show what an interactive task wrote last
RETRY = 0.005


class Relays:
    """Opens terminals for attempts, keeps them going and closes them; shows nothing that is not told so far."""

    __slots__ = ("_notices", "_reactor", "_relays", "_spared")

    def __init__(self, reactor: Reactor, notices: list[Notice], spared: set[int]) -> None:
        self._reactor, self._notices, self._spared = reactor, notices, spared
        self._relays: dict[str, Relay] = {}

    def open(self, attempt: Attempt) -> Relay:
        """A terminal for an attempt that is about to start; OSError without one of our own."""
        relay = Relay(lambda data: self._notices.append(Output(attempt.task, 1, data)), veil=attempt.veil)
        self._spared.add(relay.guard)
        return relay

    def begin(self, task: str, relay: Relay) -> None:
        """The attempt has started: carry what comes."""
        self._relays[task] = relay
        self._pump(relay)

    def given_back(self, running: Running, again: Callable[[], None]) -> bool:
        """Whether an ended attempt has no terminal, or no longer; if it has, `again` is called soon."""
        relay = self._relays.get(running.task)
        if relay is None:
            return True
        if not relay.finish(show=not self._notices) and time.monotonic() < running.drain_until + PATIENCE:
            self._reactor.after(RETRY, again)
            return False
        relay.leave(self._reactor)
        self._relays.pop(running.task).close()
        self._spared.discard(relay.guard)
        return True

    def rest(self) -> None:
        """Give the terminal back for as long as this process is stopped."""
        for relay in self._relays.values():
            relay.rest()

    def close(self) -> None:
        """Give the terminal back as it was."""
        for relay in self._relays.values():
            relay.close()

    def _pump(self, relay: Relay) -> None:
        """Keys came, or output; what is not told so far is shown in the next turn."""
        relay.pump(show=not self._notices)
        relay.attend(self._reactor, lambda: self._pump(relay))
        if relay.holds:
            self._reactor.after(EASE, lambda: self._ease(relay))

    def _ease(self, relay: Relay) -> None:
        """Show what was held back of a prompt, unless its task has ended meanwhile."""
        if relay in self._relays.values() and relay.ease():
            self._pump(relay)
