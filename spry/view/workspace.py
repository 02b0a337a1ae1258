"""A run in many repositories: a banner and an outcome for each, and the summary of all."""

from __future__ import annotations

from spry.core.events import RunFinished, RunStarted, TaskFinished, TaskOutput, TaskRetrying
from spry.core.text import format_duration, plural
from spry.record import NamedTuple
from spry.view.columns import fill, width
from spry.view.screen import STREAMS, paint
from spry.view.spool import Spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spry.core.events import Event
    from spry.view.plain import Output
    from spry.view.screen import Screen

RULE = "=" * 80


def banner(screen: Screen, task: str, repository: str) -> None:
    """A repository has its turn."""
    title = f"▶ Running '{task}' in {repository}"
    for line in (RULE, title, RULE):
        screen.say(("name", line))


def ending(screen: Screen, task: str, repository: str, duration: float, *, ok: bool) -> None:
    """A repository is done."""
    mark, word = (("good", "✓"), "succeeded") if ok else (("bad", "✗"), "failed")
    screen.say(mark, f" Task '{task}' {word} in {repository} ({format_duration(duration)})")


def missing(screen: Screen, task: str, repository: str) -> None:
    """A repository has no such task."""
    screen.say(("warning", f"⚠️ Task '{task}' not found in {repository}"))


def summary(screen: Screen, figures: Sequence[tuple[str, object]], failed: Mapping[str, int], *, ok: bool) -> None:
    """The figures of all repositories, and which of them failed with which exit code."""
    for line in (RULE, "📊 Workspace Task Summary", RULE):
        screen.say(("name", line))
    for label, value in figures:
        screen.say(f"{label} {value}")
    for name, code in failed.items():
        screen.say(("bad", f"❌ {name} (exit code: {code})"))
    if ok:
        screen.say(("good", "✅ All repositories succeeded!"))


class Nothing:
    """Tells nothing: in parallel every repository is told by itself, and the board stands alone."""

    def tell(self, event: Event) -> None:
        """Put nothing on the screen."""

    def end(self) -> None:
        """Nothing was kept back."""


class Framed:
    """A run of one repository as it is shown by `inner`, between its banner and its outcome.

    With `quiet` only a failure has them. What a run of a single task would say of its success, the outcome says.
    """

    def __init__(self, inner: Output, screen: Screen, task: str, repository: str, *, quiet: bool = False) -> None:
        self._inner, self._screen, self._task, self._repository = inner, screen, task, repository
        self._quiet = quiet

    def __call__(self, event: Event) -> None:
        """Take the next event of the run."""
        if isinstance(event, RunStarted) and not self._quiet:
            banner(self._screen, self._task, self._repository)
        self._inner(event)
        if isinstance(event, RunFinished) and not (self._quiet and event.ok):
            ending(self._screen, self._task, self._repository, event.duration, ok=event.ok)
            self._screen.flush()

    def expect(self, usual: Mapping[str, float]) -> None:
        """The seconds that tasks usually take."""
        if hasattr(self._inner, "expect"):
            self._inner.expect(usual)

    @property
    def refresh(self) -> float:
        """Seconds until the next beat is due, 0 for never."""
        return self._inner.refresh

    def beat(self, now: float) -> None:
        """Do what can wait."""
        self._inner.beat(now)

    def close(self) -> None:
        """The run is over, or broke off."""
        self._inner.close()


class Kept:
    """Output of an attempt that waits: its `first` piece says whose it is."""

    __slots__ = ("first", "spool")

    def __init__(self, first: TaskOutput, spool: Spool) -> None:
        self.first, self.spool = first, spool


class Later:
    """Keeps all that a run tells until it is over, and then tells it to `inner` in one piece."""

    def __init__(self, inner: Output) -> None:
        self._inner = inner
        self._kept: list[Event | Kept] = []
        self._spools: dict[str, Kept] = {}

    def __call__(self, event: Event) -> None:
        """Take the next event of the run."""
        if isinstance(event, TaskOutput):
            self._keep(event)
            return
        if isinstance(event, (TaskFinished, TaskRetrying)) and event.task in self._spools:
            self._kept.append(self._spools.pop(event.task))
        self._kept.append(event)
        if isinstance(event, RunFinished):
            self._tell()

    @property
    def refresh(self) -> float:
        """Seconds until the next beat is due, 0 for never."""
        return self._inner.refresh

    def beat(self, now: float) -> None:
        """Do what can wait."""
        self._inner.beat(now)

    def close(self) -> None:
        """The run is over, or broke off: what is kept is told."""
        self._kept += self._spools.values()
        self._spools = {}
        self._tell()
        self._inner.close()

    def _keep(self, event: TaskOutput) -> None:
        kept = self._spools.setdefault(event.task, Kept(event, Spool()))
        try:
            kept.spool.put(STREAMS.index(event.stream), event.data)
        except OSError:  # no room for what waits: rather shown early than lost
            self._told_of(kept)
            self._inner(event)

    def _tell(self) -> None:
        kept, self._kept = self._kept, []
        for one in kept:
            if isinstance(one, Kept):
                self._told_of(one)
            else:
                self._inner(one)

    def _told_of(self, kept: Kept) -> None:
        while piece := kept.spool.take():
            self._inner(kept.first._replace(stream=STREAMS[piece[0]], data=piece[1]))
        kept.spool.close()


class Standing(NamedTuple):
    """A repository as `workspace status` tells of it: `environment` says what its tasks run in.

    `problem` is what keeps it from running anything.
    """

    name: str
    folder: str
    runbook: str = ""
    tasks: tuple[str, ...] = ()
    environment: str = ""
    problem: str = ""


def table(repositories: Sequence[Standing], *, columns: int = 0, colour: bool = False) -> str:
    """The repositories of a workspace, one a line as far as `columns` allow; what is wrong with one stands below it."""
    rows = [(one.name, one.runbook or "no runbook", plural(len(one.tasks), "task")) for one in repositories]
    widths = [max(width(row[index]) for row in rows) for index in range(3)]
    lines = []
    for row, one in zip(rows, repositories, strict=True):
        cells = [fill(text, wide) for text, wide in zip(row, widths, strict=True)]
        fits = not columns or width("  ".join([*cells, one.environment])) <= columns
        told = "  ".join([paint(cells[0], "name", on=colour), *cells[1:]])
        lines.append(f"{told}  {one.environment}".rstrip() if fits else told.rstrip())
        if not fits and one.environment:
            lines.append(f"  {one.environment}")
        if one.problem:
            lines.append(paint(f"  {one.problem}", "bad", on=colour))
    return "".join(f"{line}\n" for line in lines)
