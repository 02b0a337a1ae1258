"""Events as rows of a table and back, and values as JSON without the package of that name."""

from __future__ import annotations

from _json import encode_basestring_ascii

from spry.core.events import (
    NAMES,
    ConfirmationAsked,
    Outcome,
    Reason,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskProgress,
    TaskRetrying,
    TaskStarted,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from spry.core.events import Event

    Row = tuple[Any, ...]

COLUMNS = ("event", "at", "task", "attempt", "outcome", "reason", "exit_code", "signal", "seconds", "amount", "text")

UNSAID = (None,) * 7  # from `outcome` to `text`


def row_of(event: Event) -> Row:
    """The values of an event in the order of COLUMNS; output is kept in the log and has none."""
    return (NAMES[type(event)], event.at, *_values(event))


def _values(event: Event) -> Row:
    match event:
        case TaskStarted():
            return (event.task, event.attempt, *UNSAID)
        case TaskFinished(_, _, task, attempt, outcome, reason, code, signal, duration, message, optional, leaked):
            why, amount = reason.value if reason else None, 2 * leaked + optional
            return (task, attempt, outcome.value, why, code, signal, duration, amount, text(message))
        case TaskRetrying(_, _, task, attempt, attempts, delay, reason, code, signal, message):
            return (task, attempt, None, reason.value, code, signal, delay, attempts, text(message))
        case TaskProgress(_, _, task, attempt, percent, words):
            return (task, attempt, None, None, None, None, percent, None, text(words))
        case ConfirmationAsked():
            return (event.task, None, *UNSAID[1:], text(event.text))
        case _:
            return _values_of_run(event)


def _values_of_run(event: Event) -> Row:
    if isinstance(event, RunStarted):
        return (None, None, None, None, None, None, None, event.jobs, "\n".join(event.tasks))
    if isinstance(event, RunFinished):
        tally = " ".join(f"{key}={count}" for key, count in event.counts.items())
        return (None, None, None, None, event.exit_code, None, event.duration, int(event.ok), tally)
    raise TypeError(f"{NAMES[type(event)]} is not kept in a table")


def event_of(run: str, row: Row) -> Event:
    """The event that a row was made of; ValueError for a row that no spry of this version wrote."""
    name, at, *values = row
    if name not in MAKERS:
        raise ValueError(f"no event is called {name}")
    return MAKERS[name](at, run, *values)


def _finished(*row: Any) -> Event:
    at, run, task, attempt, outcome, reason, code, signal, seconds, amount, words = row
    why = Reason(reason) if reason else None
    leaked, optional = divmod(amount or 0, 2)
    said = task, attempt, Outcome(outcome), why, code, signal, seconds, words, bool(optional), leaked
    return TaskFinished(at, run, *said)


def _retrying(*row: Any) -> Event:
    at, run, task, attempt, _, reason, code, signal, seconds, attempts, words = row
    return TaskRetrying(at, run, task, attempt, attempts, seconds, Reason(reason), code, signal, words)


def _run_started(*row: Any) -> Event:
    at, run, *_, jobs, names = row
    return RunStarted(at, run, tuple(names.split("\n")) if names else (), jobs)


def _run_finished(*row: Any) -> Event:
    at, run, *_, code, _, seconds, ok, words = row
    return RunFinished(at, run, bool(ok), tally(words), seconds, code)


def _progress(*row: Any) -> Event:
    at, run, task, attempt, *_, percent, _, words = row
    return TaskProgress(at, run, task, attempt, percent, words)


MAKERS: Mapping[str, Callable[..., Event]] = {
    "task_started": lambda at, run, task, attempt, *_: TaskStarted(at, run, task, attempt),
    "task_finished": _finished,
    "task_retrying": _retrying,
    "task_progress": _progress,
    "confirmation_asked": lambda at, run, task, *_: ConfirmationAsked(at, run, task, _[-1]),
    "run_started": _run_started,
    "run_finished": _run_finished,
}


def text(value: str) -> str:
    """Text that a database takes: bytes that were no UTF-8 are written out."""
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def as_json(value: object) -> str:
    """Plain values as JSON: importing the package would cost every run more than all it has to write."""
    if isinstance(value, str):
        return str(encode_basestring_ascii(value))
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return "[" + ",".join(map(as_json, value)) + "]"
    if hasattr(value, "items"):
        return "{" + ",".join(f"{as_json(str(key))}:{as_json(item)}" for key, item in value.items()) + "}"
    raise TypeError(f"{type(value).__name__} is no value of JSON")


def tally(words: str) -> Mapping[str, int]:
    """The counts of a run, as they are written in the text of its last event."""
    pairs = (pair.partition("=") for pair in words.split())
    return {key: int(count) for key, _, count in pairs}
