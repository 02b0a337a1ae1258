"""A run as plain text, one block a task; and the choice among all the ways to show a run."""

from __future__ import annotations

import os

from spry.core.events import (
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskOutput,
    TaskRetrying,
    TaskStarted,
)
from spry.record import Protocol
from spry.view.outcomes import Account
from spry.view.screen import STREAMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from spry.core.events import Event
    from spry.core.model import Plan
    from spry.view.screen import Screen
    from spry.view.spool import Spool

MODES = ("auto", "live", "group", "prefix", "raw", "quiet")
BEAT = 0.1


class Output(Protocol):
    """Shows a run to people or programs; the engine calls it with every event.

    `beat` is due about every `refresh` seconds, 0 when there is nothing to wait for; its time may be of any clock.
    """

    @property
    def refresh(self) -> float:
        """Seconds until the next beat is due, 0 for never."""

    def __call__(self, event: Event) -> None:
        """Take the next event of the run."""

    def beat(self, now: float) -> None:
        """Do what can wait: redraw, write what a slow reader left."""

    def close(self) -> None:
        """The run is over, or broke off: leave the screen as it should stay."""


class Teller(Protocol):
    """What a way of showing a run has to know; when to write is not its business."""

    def tell(self, event: Event) -> None:
        """Put on the screen what this event means."""

    def end(self) -> None:
        """Put on the screen what was kept back."""


class Written:
    """Any teller as an `Output`: every event is written at once, as far as the reader takes it."""

    def __init__(self, teller: Teller, screen: Screen) -> None:
        self._teller = teller
        self._screen = screen

    @property
    def refresh(self) -> float:
        """Seconds until the next beat is due: only a slow reader needs one."""
        return BEAT if self._screen.behind else 0.0

    def __call__(self, event: Event) -> None:
        """Take the next event of the run."""
        self._teller.tell(event)
        self._screen.flush()

    def beat(self, now: float) -> None:  # noqa: ARG002 - the time is for those who draw
        """Write what a slow reader left."""
        self._screen.flush()

    def close(self) -> None:
        """Tell what was kept back; nothing is lost when a run breaks off."""
        self._teller.end()
        self._screen.flush()


class Group:
    """The output of a task appears whole, when it ends, above its outcome.

    A run of a single task streams, and so does, where nothing is `drawn` below it, a run of one task at a time; tasks
    of runbooks that do not want that (`kept`, by path) never do.
    """

    def __init__(self, account: Account, *, drawn: bool = False, kept: Collection[str] = ()) -> None:
        self._account = account
        self._drawn = drawn
        self._kept = {name for name, step in account.steps.items() if step.task.path in kept} if kept else ()
        self._screen = account.screen
        self._spools: dict[str, Spool] = {}
        self._streaming = False
        self._begun: set[str] = set()

    def tell(self, event: Event) -> None:
        """Put on the screen what this event means."""
        match event:
            case TaskOutput():
                self._output(event)
            case TaskStarted():
                self._begun.clear()
                self._account.started(event)
            case TaskFinished():
                self._show(event.task)
                self._account.finished(event)
            case TaskRetrying():
                self._show(event.task)
                self._account.retrying(event)
            case RunStarted():
                self._streaming = len(event.tasks) == 1 or (event.jobs == 1 and not self._drawn)
                self._account.begin(event)
            case RunFinished():
                self._account.over(event)
            case _:
                pass

    def end(self) -> None:
        """Show what tasks without an outcome have written."""
        for task in list(self._spools):
            self._show(task)

    def _output(self, event: TaskOutput) -> None:
        if self._account.silent(event):
            return
        if self._streaming and event.task not in self._kept:
            self._write(event.task, event.stream, event.data)
            return
        spool = self._spools.get(event.task)
        if spool is None:
            from spry.view.spool import Spool  # noqa: PLC0415 - only for output that is held back

            spool = self._spools[event.task] = Spool()
        try:
            spool.put(STREAMS.index(event.stream), event.data)
        except OSError:  # no room for what waits: rather shown early than lost
            self._show(event.task)
            self._write(event.task, event.stream, event.data)

    def _show(self, task: str) -> None:
        spool = self._spools.pop(task, None)
        if spool is not None:
            self._begun.clear()
            while piece := spool.take():
                self._write(task, STREAMS[piece[0]], piece[1])
            spool.close()
        self._screen.end(task)
        if self._screen.runner is not None:
            self._screen.runner.close()

    def _write(self, task: str, stream: str, data: bytes) -> None:
        if self._screen.runner is not None:
            self._screen.runner.open(task)
        if stream not in self._begun:
            self._begun.add(stream)
            self._screen.begin(stream)
        self._screen.write(stream, self._screen.clean(task, stream, data))


def is_live(screen: Screen) -> bool:
    """Whether somebody looks at a terminal on which a board can be drawn."""
    return all(screen.terminals.values()) and not screen.dumb


def is_for_runner(screen: Screen, mode: str) -> bool:
    """Whether the runner of GitHub Actions reads what is written, and may take it for commands."""
    return os.environ.get("GITHUB_ACTIONS") == "true" and mode != "raw" and not any(screen.terminals.values())


def output(
    mode: str, screen: Screen, plan: Plan | None = None, *, verbose: bool = False, brief: bool = False
) -> Output:
    """The way to show a run that `--output MODE` names; `auto` is live on a terminal and group elsewhere.

    A `brief` one leaves it to others to tell of a plain success.
    """
    steps, kinds = (plan.steps, plan.kinds) if plan else ({}, {})
    kept = [path for path, settings in plan.settings.items() if settings.stream is False] if plan else []
    account = Account(screen, steps, kinds, verbose=verbose, brief=brief)
    if mode == "auto":
        mode = "live" if is_live(screen) else "group"
    if mode == "group":
        return Written(Group(account, kept=kept), screen)
    if mode == "live":
        from spry.view.live import Live  # noqa: PLC0415 - only for a terminal

        return Live(Group(account, drawn=True, kept=kept), screen, steps)
    from spry.view import streams  # noqa: PLC0415 - only when asked for

    tellers: dict[str, Callable[[Account], Teller]] = {
        "prefix": streams.Prefix,
        "raw": streams.Raw,
        "quiet": streams.Quiet,
    }
    return Written(tellers[mode](account), screen)
