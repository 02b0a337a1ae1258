"""Ways to show a run whose output is not collected: line by line with the task's name, byte by byte, or not at all."""

from __future__ import annotations

from spry.core.events import (
    Outcome,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskOutput,
    TaskRetrying,
    TaskStarted,
)
from spry.view.escapes import RESET
from spry.view.screen import STREAMS, encoded, paint
from spry.view.spool import Spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from spry.core.events import Event
    from spry.view.outcomes import Account

COLOURS = ("one", "two", "three", "four", "five")


class Quiet:
    """No output of tasks; failures alone, each with its last lines, and the figures of a run that failed."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def tell(self, event: Event) -> None:
        """Put on the screen what this event means."""
        match event:
            case TaskOutput() if not self._account.silent(event):
                self._account.remember(event)
            case TaskRetrying():
                self._account.forget(event.task)
            case TaskFinished(outcome=Outcome.FAILED):
                self._account.finished(event)
            case TaskFinished():
                self._account.forget(event.task)
            case RunStarted():
                self._account.begin(event)
            case RunFinished(ok=False):
                self._account.over(event)
            case _:
                pass

    def end(self) -> None:
        """Nothing was kept back."""


class Raw:
    """Every byte of every task as it is and as it comes; our own lines between them."""

    def __init__(self, account: Account) -> None:
        self._screen = account.screen
        self.tell = Told(account, self._pass, _nothing)

    def end(self) -> None:
        """Nothing was kept back."""

    def _pass(self, event: TaskOutput) -> None:
        self._screen.write(event.stream, event.data)


class Prefix:
    """Whole lines as they come, each behind the name of its task: `[build] compiling`.

    A line appears when it is complete, so that no two tasks share one; until then it waits in a spool.
    """

    def __init__(self, account: Account) -> None:
        self._screen = account.screen
        self.tell = Told(account, self._lines, self._complete)
        self._partial: dict[tuple[str, str], Spool] = {}
        self._prefixes: dict[tuple[str, str], bytes] = {}

    def end(self) -> None:
        """Complete the lines that were left open."""
        for task, _ in list(self._partial):
            self._complete(task)

    def _lines(self, event: TaskOutput) -> None:
        data = self._screen.clean(event.task, event.stream, event.data)
        whole, newline, rest = data.rpartition(b"\n")
        if newline:
            self._write(event.task, event.stream, whole)
        if rest:
            self._wait(event.task, event.stream, rest)

    def _write(self, task: str, stream: str, lines: bytes) -> None:
        """Complete the open line with the first of these, and write the others behind it."""
        prefix = self._prefix(task, stream)
        partial = self._partial.pop((task, stream), None)
        coloured = self._screen.terminals[stream] and (partial is not None or b"\x1b" in lines)
        newline = RESET + b"\n" if coloured else b"\n"
        self._screen.begin(stream)
        self._screen.write(stream, prefix)
        while partial and (piece := partial.take()):
            self._screen.write(stream, piece[1])
        if partial is not None:
            partial.close()
        self._screen.write(stream, lines.replace(b"\n", newline + prefix) + newline)

    def _wait(self, task: str, stream: str, data: bytes) -> None:
        try:
            self._partial.setdefault((task, stream), Spool()).put(0, data)
        except OSError:  # no room for what waits: rather a line in two than lost
            self._write(task, stream, data)

    def _complete(self, task: str) -> None:
        for stream in STREAMS:
            if (task, stream) in self._partial:
                self._write(task, stream, b"")
        self._screen.end(task)

    def _prefix(self, task: str, stream: str) -> bytes:
        """The prefix of a task's lines, its colour by the order in which tasks first spoke."""
        known = self._prefixes.get((task, stream))
        if known is None:
            style = COLOURS[len(self._prefixes) // 2 % len(COLOURS)]
            for name in STREAMS:
                painted = paint(f"[{task}]", style, on=self._screen.colours[name])
                self._prefixes[task, name] = encoded(f"{painted} ", "utf-8")
            known = self._prefixes[task, stream]
        return known


class Told:
    """Passes output on and tells the rest; a failure repeats its last lines if other output came in between."""

    def __init__(self, account: Account, pass_on: Callable[[TaskOutput], None], end: Callable[[str], None]) -> None:
        self._account = account
        self._pass_on = pass_on
        self._end = end
        self._last = ""

    def __call__(self, event: Event) -> None:
        """Take the next event of the run."""
        match event:
            case TaskOutput():
                self._output(event)
            case TaskStarted():
                self._account.started(event)
            case TaskFinished():
                self._end(event.task)
                self._seen(event.task)
                self._account.finished(event)
            case TaskRetrying():
                self._end(event.task)
                self._account.retrying(event)
            case RunStarted():
                self._account.begin(event)
            case RunFinished():
                self._account.over(event)
            case _:
                pass

    def _output(self, event: TaskOutput) -> None:
        if self._account.silent(event):
            return
        self._account.remember(event)
        self._last = event.task
        self._pass_on(event)

    def _seen(self, task: str) -> None:
        if task == self._last:
            self._account.forget(task)


def _nothing(task: str) -> None:
    """A raw stream has no open ends."""
