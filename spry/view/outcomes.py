"""How a run is told in words: a line for every outcome, a summary at the end."""

from __future__ import annotations

from spry.core.events import Outcome, Reason
from spry.core.text import exact_duration, format_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spry.core.events import RunFinished, RunStarted, TaskFinished, TaskOutput, TaskRetrying, TaskStarted
    from spry.core.model import Step
    from spry.view.screen import Screen, Span

LAST_LINES = 20
LAST_BYTES = 4096

MARKS: Mapping[Outcome, Span] = {
    Outcome.SUCCEEDED: ("good", "✓"),
    Outcome.FAILED: ("bad", "✗"),
    Outcome.SKIPPED: ("dim", "⊘"),
    Outcome.CANCELLED: ("warning", "⊘"),
}


class Account:
    """Tells a run line by line: what ended and how, and the summary. Every way of showing output has one.

    `steps` and `kinds` are those of the plan; what they do not hold is told without them. A `brief` one leaves it to
    others to tell of a plain success.
    """

    def __init__(
        self,
        screen: Screen,
        steps: Mapping[str, Step],
        kinds: Mapping[tuple[str, str], str],
        *,
        verbose: bool = False,
        brief: bool = False,
    ) -> None:
        self.screen = screen
        self.steps = steps
        self._kinds = kinds
        self._verbose = verbose
        self._brief = brief
        self._total = 0
        self._begun = 0.0
        self._failed: list[str] = []
        self._leaky = 0
        self._starts: dict[str, float] = {}
        self._times: list[tuple[TaskFinished, float]] = []
        self._tails: dict[str, bytearray] = {}

    def silent(self, event: TaskOutput) -> bool:
        """Whether this output stays off the screen; the last errors are kept for the case that the task fails.

        What an interactive task writes stands on its terminal already.
        """
        step = self.steps.get(event.task)
        if step is None or not (step.task.silent or step.task.interactive):
            return False
        if event.stream == "stderr":
            self.remember(event)
        return True

    def remember(self, event: TaskOutput) -> None:
        """Keep the last lines of a task, to be told with its failure."""
        tail = self._tails.setdefault(event.task, bytearray())
        tail += event.data[-LAST_BYTES:]
        if len(tail) > 2 * LAST_BYTES:
            del tail[:-LAST_BYTES]

    def forget(self, task: str) -> None:
        """The last lines of this task have just been seen."""
        self._tails.pop(task, None)

    def begin(self, event: RunStarted) -> None:
        """The run begins; only --verbose says something about it."""
        self._total = len(event.tasks)
        self._begun = event.at
        if self._verbose:
            from spry.view.verbose import order  # noqa: PLC0415 - only for --verbose

            self._say_all(order(event, self.steps, self._kinds))

    def started(self, event: TaskStarted) -> None:
        """An attempt began."""
        if self._verbose:
            self._starts.setdefault(event.task, event.at)
            again = f", attempt {event.attempt}" if event.attempt > 1 else ""
            self.screen.say(("dim", f"▶ {event.task} started{again}"))

    def retrying(self, event: TaskRetrying) -> None:
        """An attempt failed and is not the last."""
        self.forget(event.task)
        pause = f" in {exact_duration(event.delay)}" if event.delay else ""
        text = f" retrying ({event.attempt + 1} of {event.attempts}){pause}: {how_it_failed(event, self.steps)}"
        more = "" if event.reason is Reason.LIMIT else _message(event.message)
        self.screen.say(("warning", "↻"), " ", ("name", event.task), text, more)

    def finished(self, event: TaskFinished) -> None:
        """A task has its outcome; with a failure come its last lines, unless they have just been seen."""
        self._leaky += event.leaked > 0
        plain = event.outcome is Outcome.SUCCEEDED and event.reason is None
        if not (self._brief and plain and event.attempt == 1 and not event.leaked):
            self.screen.say(MARKS[event.outcome], " ", ("name", event.task), " ", *outcome(event, self.steps))
        tail = self._tails.pop(event.task, None)
        if event.outcome is Outcome.FAILED:
            self._failed.append(event.task)
            self._explain(event, tail or b"")
        if self._verbose:
            self._times.append((event, self._starts.pop(event.task, event.at) - self._begun))

    def over(self, event: RunFinished) -> None:
        """The run is over: its figures, unless it was a single task that has already said everything."""
        if self._verbose:
            from spry.view.verbose import timings  # noqa: PLC0415 - only for --verbose

            self._say_all(timings(self._times))
        if self._total < 2:
            return
        self.screen.say(*summary(event, self._leaky))
        if self._failed and self._total > LAST_LINES:  # the failures may have scrolled away
            self.screen.say(("bad", "failed: "), ", ".join(self._failed[:LAST_LINES]), _more(len(self._failed)))

    def _explain(self, event: TaskFinished, tail: bytes | bytearray) -> None:
        if self._verbose:
            from spry.view.verbose import failure  # noqa: PLC0415 - only for --verbose

            self._say_all(failure(event, self.steps))
        if not tail:
            return
        from spry.view.escapes import without  # noqa: PLC0415 - only for a failure

        lines = without(bytes(tail[-LAST_BYTES:])).decode("utf-8", "replace").rstrip().split("\n")
        self._say_all(("    ", _overwritten(line)) for line in lines[-LAST_LINES:])

    def _say_all(self, lines: Iterable[tuple[Span, ...]]) -> None:
        for line in lines:
            self.screen.say(*line)


def outcome(event: TaskFinished, steps: Mapping[str, Step]) -> tuple[Span, ...]:
    """What became of a task, as spans without its mark and name: `completed (1.2s)`."""
    took = format_duration(event.duration)
    if event.outcome is Outcome.SUCCEEDED:
        return _succeeded(event, took)
    if event.outcome is Outcome.SKIPPED:
        why = "dependency failed" if event.reason is Reason.DEPENDENCY else event.message
        return (f"skipped ({why})" if why else "skipped",)
    if event.outcome is Outcome.CANCELLED:
        why = event.message or (event.reason or "").replace("_", " ")
        return (f"cancelled ({why})" if why else "cancelled", _leaky(event.leaked))
    after = f" after {took}" if event.reason is Reason.SIGNAL else ("dim", f" ({took})")
    optional = " (optional)" if event.optional else ""
    told = event.reason is Reason.LIMIT  # its message is part of the phrase
    leaky, message = _leaky(event.leaked), "" if told else _message(event.message)
    return (how_it_failed(event, steps), after, optional, leaky, message)


def summary(event: RunFinished, leaky: int = 0) -> tuple[Span, ...]:
    """The figures of a run: `5 succeeded, 1 failed, 2 skipped in 3.4s`, and how many tasks left processes behind."""
    style = "good" if event.ok else "bad"
    return (style, figures(event.counts)), f" in {format_duration(event.duration)}", _leaky(leaky)


def figures(counts: Mapping[str, int]) -> str:
    """How many tasks had which outcome: `5 succeeded, 1 failed`."""
    return ", ".join(f"{counts[name]:,} {name}" for name in Outcome if counts.get(name)) or "nothing ran"


def _succeeded(event: TaskFinished, took: str) -> tuple[Span, ...]:
    if event.reason is Reason.UP_TO_DATE:
        return ("up to date", _message(event.message))
    again = f", attempt {event.attempt}" if event.attempt > 1 else ""
    return ("completed", ("dim", f" ({took}{again})"), _leaky(event.leaked), _message(event.message))


def how_it_failed(event: TaskFinished | TaskRetrying, steps: Mapping[str, Step]) -> str:
    """How an attempt failed: `failed with exit code 1`, `timed out after 5s`, `killed by signal 9 (SIGKILL)`."""
    if event.reason is Reason.TIMEOUT:
        step = steps.get(event.task)
        own = step.task.timeout if step and not event.message else None  # a message tells of another limit
        return f"timed out after {exact_duration(own)}" if own else "timed out"
    if event.reason is Reason.LIMIT:
        return f"went over a limit{_message(event.message)}"
    if event.reason is Reason.LOST:
        return "lost: spry ended while it ran"
    if event.signal is not None:
        return f"killed by signal {event.signal}{_signal_name(event.signal)}"
    if event.exit_code or (event.exit_code is not None and not event.message):
        return f"failed with exit code {event.exit_code}"
    return "failed"


def _leaky(count: int) -> Span:
    """What is said of something that left processes behind, or of a run in which tasks did."""
    return ("warning", f", {count:,} leaky") if count else ""


def _message(message: str) -> str:
    return f": {message}" if message else ""


def _overwritten(line: str) -> str:
    """What a terminal shows of a line that was written over itself, as progress bars do."""
    return line.rstrip().rpartition("\r")[2]


def _more(count: int) -> str:
    return f" and {count - LAST_LINES:,} more" if count > LAST_LINES else ""


def _signal_name(number: int) -> str:
    import signal  # noqa: PLC0415 - only for a task that a signal ended

    try:
        return f" ({signal.Signals(number).name})"
    except ValueError:
        return ""
