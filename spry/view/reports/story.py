"""A run as reports tell it: its events, gathered by task."""

from __future__ import annotations

from spry.core.events import Outcome, RunFinished, RunStarted, TaskFinished, TaskOutput, TaskRetrying, TaskStarted
from spry.core.result import counts
from spry.errors import INTERNAL
from spry.record import NamedTuple
from spry.view.outcomes import LAST_LINES, MARKS, outcome
from spry.view.reports.tails import Output, Shelf, Tail
from spry.view.screen import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spry.core.events import Event
    from spry.core.model import Plan, Step

UNKNOWN = "has no outcome: the run broke off"


class Attempt(NamedTuple):
    """One try of a task; `ending` is None if nobody knows how it ended. Times are seconds since the epoch."""

    number: int
    started: float
    ended: float
    ending: TaskRetrying | TaskFinished | None
    output: Output


class Tale(NamedTuple):
    """What became of one task; `words` say it to people: `failed with exit code 1`."""

    name: str
    step: Step
    attempts: Sequence[Attempt]
    finished: TaskFinished | None
    words: str

    @property
    def outcome(self) -> Outcome | None:
        """Its outcome; None if the run broke off before it had one."""
        return self.finished.outcome if self.finished else None

    @property
    def is_bad(self) -> bool:
        """Whether it failed, or broke off."""
        return self.outcome in {Outcome.FAILED, None}

    @property
    def is_optional(self) -> bool:
        """Whether its failure does not count."""
        return self.finished is not None and self.finished.optional

    def last_lines(self, *streams: str) -> list[str]:
        """The last lines that its last attempt wrote to these streams."""
        said = self.attempts[-1].output.text(*streams).rstrip() if self.attempts else ""
        return said.split("\n")[-LAST_LINES:] if said else []

    @property
    def mark(self) -> str:
        """One sign for its outcome."""
        return "✗" if self.outcome is None else MARKS[self.outcome][1]


class Story(NamedTuple):
    """A whole run; times are seconds since the epoch.

    `recorded` says whether its logs can be looked up. `pages` are the texts of its runbooks by path, their lines where
    they are in the files, and without front matter.
    """

    plan: Plan
    run: str
    jobs: int
    started: float
    duration: float
    ok: bool
    exit_code: int
    tales: Mapping[str, Tale]
    recorded: bool = True
    pages: Mapping[str, str] = {}

    @property
    def counts(self) -> dict[str, int]:
        """How many tasks had each outcome that occurred."""
        return counts(tale.finished for tale in self.tales.values() if tale.finished)

    def cut(self, tale: Tale, attempt: Attempt) -> str:
        """What to say above an output that is not whole; nothing above one that is."""
        output = attempt.output
        if not output.left_out:
            return ""
        where = f"; all of it: spry logs {self.run}/{tale.name}" if self.recorded else ""
        return f"output cut: first {output.left_out:,} of {output.total:,} bytes left out{where}"


class Chronicle:
    """A listener that remembers what reports need, in bounded memory."""

    def __init__(self) -> None:
        self._shelf = Shelf()
        self._start: RunStarted | None = None
        self._end: RunFinished | None = None
        self._latest = 0.0
        self._under_way: dict[str, tuple[TaskStarted, Tail]] = {}
        self._attempts: dict[str, list[Attempt]] = {}
        self._finished: dict[str, TaskFinished] = {}

    def __call__(self, event: Event) -> None:
        """Take the next event of the run."""
        self._latest = event.at
        match event:
            case TaskOutput():
                self._under_way[event.task][1].add(event.stream, event.data)
            case TaskStarted():
                self._under_way[event.task] = event, Tail()
            case TaskRetrying():
                self._conclude(event.task, event)
            case TaskFinished():
                self._finished[event.task] = event
                self._conclude(event.task, event)
            case RunStarted():
                self._start = event
            case RunFinished():
                self._end = event
            case _:
                pass

    def story(self, plan: Plan, exit_code: int | None, *, recorded: bool) -> Story | None:
        """Everything that happened; None if nothing did. `exit_code` is the run's, None if it broke off."""
        if self._start is None:
            return None
        for name in list(self._under_way):
            self._conclude(name, None)
        code = INTERNAL if exit_code is None else exit_code
        duration = self._end.duration if self._end else self._latest - self._start.at
        tales = {name: self._tale(name, plan) for name in self._start.tasks}
        return Story(
            plan, self._start.run, self._start.jobs, self._start.at, duration, code == 0, code, tales, recorded
        )

    def close(self) -> None:
        """Forget all output."""
        self._shelf.close()

    def _tale(self, name: str, plan: Plan) -> Tale:
        finished = self._finished.get(name)
        words = UNKNOWN
        if finished is not None:
            spans = outcome(finished, plan.steps)
            words = plain(*(span for span in spans if isinstance(span, str) or span[0] != "dim"))  # without times
        return Tale(name, plan.steps[name], self._attempts.get(name, ()), finished, words)

    def _conclude(self, task: str, ending: TaskRetrying | TaskFinished | None) -> None:
        begun = self._under_way.pop(task, None)
        if begun is not None:
            start, tail = begun
            ended = self._latest if ending is None else ending.at
            attempt = Attempt(start.attempt, start.at, ended, ending, self._shelf.put(tail))
            self._attempts.setdefault(task, []).append(attempt)
