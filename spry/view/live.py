"""A run on a terminal: what has ended scrolls by, and below it a board of what runs now.

The board is drawn by `beat` alone, never by an event, and only once a run has lasted long enough to be worth it. The
cursor is never hidden and rests on the line below the board, so there is nothing to restore, even after `kill -9`.
"""

from __future__ import annotations

from spry.core.events import (
    ConfirmationAsked,
    Outcome,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskOutput,
    TaskProgress,
    TaskRetrying,
    TaskStarted,
)
from spry.core.text import exact_duration, format_duration
from spry.view.columns import cut, fill, printable, width
from spry.view.escapes import without
from spry.view.screen import STREAMS, paint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from spry.core.events import Event
    from spry.core.model import Step
    from spry.view.plain import Teller
    from spry.view.screen import Screen, Size

Row = list[tuple[str, str]]  # (style, text)

BEAT = 0.125
FIRST = 0.2  # seconds before the first board: most runs are over by then
MOST_ROWS = 8
PREVIEW = 512  # bytes of output in which the last line is looked for
MOST_HELD = 500
ESTIMATED = 1.0  # seconds between two estimates of the time left


class Running:
    """A task on the board."""

    __slots__ = ("since", "tail", "told")

    def __init__(self, since: float) -> None:
        self.since = since
        self.tail = b""
        self.told = ""

    def preview(self) -> str:
        """What it said last: its progress, or its last line of output."""
        if self.told:
            return self.told
        lines = without(self.tail).replace(b"\r", b"\n").decode("utf-8", "replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


class Live:
    """Outcomes as they come, told by `group`, above a board of the running tasks and one line of totals."""

    def __init__(self, group: Teller, screen: Screen, steps: Mapping[str, Step]) -> None:
        self._group = group
        self._screen = screen
        self._steps = steps
        self._running: dict[str, Running] = {}
        self._held: list[Event] = []
        self._drawn: list[int] = []
        self._drawing = False
        self._owners: set[str] = set()
        self._ended: dict[Outcome, int] = {}
        self._total = 0
        self._begun = 0.0
        self._latest = 0.0
        self._painted = 0.0
        self._ahead = float("-inf")
        self._usual: Mapping[str, float] = {}
        self._over: set[str] = set()
        self._jobs = 1
        self._left: tuple[float, float | None] = (float("-inf"), None)  # when it was estimated, and what came out

    def __call__(self, event: Event) -> None:
        """Take the next event of the run."""
        self._latest = event.at
        self._note(event)
        if isinstance(event, TaskOutput):
            self._group.tell(event)  # is kept until the task ends, so nothing is written here
        else:
            self._held.append(event)
        if isinstance(event, TaskRetrying | RunFinished) or self._gives_away(event):
            self._clear()
        elif not self._drawn and not self._owners:
            self._tell()
            self._screen.flush()
        elif len(self._held) > MOST_HELD and not self._owners:
            self._redraw(event.at)

    def expect(self, usual: Mapping[str, float]) -> None:
        """The seconds that tasks usually take, of which the time left is made."""
        self._usual = usual

    @property
    def refresh(self) -> float:
        """Seconds until the next beat is due, 0 for never."""
        return BEAT if self._drawing or self._screen.behind else 0.0

    def beat(self, now: float) -> None:
        """Draw the board anew, if the terminal keeps up and nobody else has it."""
        self._screen.flush()
        # The clock of `now` need not be that of the events; no event lies in the future, so the latest one tells.
        self._ahead = max(self._ahead, self._latest - now)
        at = now + self._ahead
        if not self._drawing or self._owners or self._screen.behind:
            return
        if at - self._begun >= FIRST and at - self._painted >= BEAT / 2:
            self._redraw(at)

    def close(self) -> None:
        """Take the board away and tell what is left."""
        self._drawing = False
        self._clear()
        self._group.end()
        self._screen.flush()

    def _note(self, event: Event) -> None:
        """Keep the board's own books."""
        match event:
            case RunStarted():
                self._begun, self._total = event.at, len(event.tasks)
                self._jobs = event.jobs
                self._drawing = self._total > 1
            case TaskStarted():
                self._running[event.task] = Running(event.at)
                self._owners.discard(event.task)
            case TaskOutput():
                self._preview(event)
            case TaskProgress(task=task) if task in self._running:
                percent = "" if event.percent is None else f"{event.percent:.0f}% "
                self._running[task].told = f"{percent}{event.text}".strip()
            case TaskRetrying():
                self._leave(event.task)
            case TaskFinished():
                self._leave(event.task)
                self._over.add(event.task)
                self._ended[event.outcome] = self._ended.get(event.outcome, 0) + 1
            case RunFinished():
                self._drawing = False
            case _:
                pass

    def _leave(self, task: str) -> None:
        self._running.pop(task, None)
        self._owners.discard(task)

    def _preview(self, event: TaskOutput) -> None:
        running = self._running.get(event.task)
        step = self._steps.get(event.task)
        if running and not (step and step.task.silent):
            running.told = ""
            running.tail = (running.tail + event.data[-PREVIEW:])[-PREVIEW:]

    def _gives_away(self, event: Event) -> bool:
        """Whether from now on a task has the terminal to itself: for a question, or because it is interactive."""
        step = self._steps.get(event.task) if isinstance(event, TaskStarted) else None
        given = isinstance(event, ConfirmationAsked) or (step is not None and step.task.interactive)
        if given and isinstance(event, ConfirmationAsked | TaskStarted):
            self._owners.add(event.task)
        return given

    def _clear(self) -> None:
        """The terminal without a board, everything told."""
        self._erase()
        self._tell()
        self._screen.flush()

    def _redraw(self, now: float) -> None:
        size = self._screen.size()
        if size is None:
            return
        self._painted = now
        if self._held:
            self._erase()
            self._tell()
        for stream in STREAMS:
            self._screen.begin(stream)
        rows = self._board(now, size)
        on = self._screen.colours["stderr"]
        lines = ("".join(paint(text, style, on=on) if style else text for style, text in row) for row in rows)
        self._screen.draw(self._back(size) + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
        self._screen.before = self._erase  # whatever is written next, by whomever, stands above the board
        self._drawn = [sum(width(text) for _, text in row) for row in rows]
        self._screen.flush()

    def _tell(self) -> None:
        held, self._held = self._held, []
        for event in held:
            self._group.tell(event)

    def _erase(self) -> None:
        self._screen.before = None
        size = self._screen.size()
        if self._drawn and size is not None:
            self._screen.draw(self._back(size) + "\x1b[J")
        self._drawn = []

    def _back(self, size: Size) -> str:
        """To the first line of the board; a terminal that became narrower has wrapped its lines."""
        rows = sum(max(1, -(-drawn // size.columns)) for drawn in self._drawn)
        return f"\r\x1b[{rows}A" if rows else "\r"

    def _board(self, now: float, size: Size) -> list[Row]:
        most = max(min(MOST_ROWS, size.lines - 3), 0)
        shown = list(self._running.items())
        hidden = 0 if len(shown) <= most else len(shown) - max(most - 1, 0)
        shown = shown[: len(shown) - hidden]
        names = min(max((len(name) for name, _ in shown), default=0), size.columns // 3)
        rows = [_row(fill(cut(name, names), names), task, now, size.columns - 1) for name, task in shown]
        more: list[Row] = [[("dim", f"  … and {hidden} more")]] if hidden and most else []
        return [*rows, *more, [("", cut(self._totals(now), size.columns - 1))]]

    def _totals(self, now: float) -> str:
        done = f"{sum(self._ended.values())}/{self._total} done"
        others = (Outcome.FAILED, Outcome.SKIPPED, Outcome.CANCELLED)
        bad = [f"{self._ended[outcome]} {outcome}" for outcome in others if self._ended.get(outcome)]
        left = [f"about {exact_duration(float(round(seconds)))} left"] if (seconds := self._seconds_left(now)) else []
        return " · ".join([done, f"{len(self._running)} running", *bad, format_duration(now - self._begun), *left])

    def _seconds_left(self, now: float) -> float:
        """An estimate of a second or more, made anew once a second; 0 if there is none."""
        at, seconds = self._left
        if self._usual and now - at >= ESTIMATED:
            from spry.core.remaining import seconds_left  # noqa: PLC0415 - for runs that last, and have before

            running = {name: now - task.since for name, task in self._running.items()}
            seconds = seconds_left(self._steps, self._usual, self._over, running, self._jobs)
            at, self._left = now, (now, seconds)
        rest = (seconds or 0.0) - (now - at)
        return rest if rest >= 1.0 else 0.0


def _row(name: str, task: Running, now: float, columns: int) -> Row:
    """One task: `  build    1.2s  compiling main.c`."""
    elapsed = f" {format_duration(max(now - task.since, 0.0)):>7}  "
    room = columns - 2 - width(name) - len(elapsed)
    preview = cut(printable(task.preview().replace("\t", " ")), room)
    return [("", "  "), ("name", name), ("", elapsed), ("dim", preview)]
