"""Every fact a run can state, on one page: past tense, frozen, flat.

An event is a NamedTuple; `record` turns it into the JSON shape that programs read (spec: event, at, run, task, …).
`at` is seconds since the epoch; `duration` and `delay` are seconds. From the events of a run alone its result can be
rebuilt (`core/result.py`).
"""

from __future__ import annotations

from enum import StrEnum

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Outcome(StrEnum):
    """How a task ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why it ended so."""

    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    LIMIT = "limit"
    DEPENDENCY = "dependency"
    ARTIFACTS = "artifacts"
    INTERRUPTED = "interrupted"
    DECLINED = "declined"
    HANDLER = "handler"
    LOST = "lost"
    UP_TO_DATE = "up_to_date"


class RunStarted(NamedTuple):
    """A run begins. `tasks` are its task names in topological order, `total` their number."""

    at: float
    run: str
    tasks: tuple[str, ...]
    jobs: int


class TaskStarted(NamedTuple):
    """An attempt of a task begins; `attempt` counts from 1."""

    at: float
    run: str
    task: str
    attempt: int


class TaskOutput(NamedTuple):
    """Bytes that a task wrote, as they came; `stream` is `stdout` or `stderr`."""

    at: float
    run: str
    task: str
    attempt: int
    stream: str
    data: bytes


class TaskProgress(NamedTuple):
    """How far a task says it is: in percent, from 0 to 100 (None if it does not say), and in words."""

    at: float
    run: str
    task: str
    attempt: int
    percent: float | None
    text: str


class ConfirmationAsked(NamedTuple):
    """A task is ready and waits for a yes on the terminal."""

    at: float
    run: str
    task: str
    text: str


class TaskRetrying(NamedTuple):
    """Attempt number `attempt` failed; the next of `attempts` starts after `delay`."""

    at: float
    run: str
    task: str
    attempt: int
    attempts: int
    delay: float
    reason: Reason
    exit_code: int | None
    signal: int | None
    message: str


class TaskFinished(NamedTuple):
    """A task has its outcome. `attempt` is 0 if it never started; `duration` covers all attempts and pauses.

    `reason` is None for a plain success. `exit_code` is None when there was no process or a signal ended it.
    `message` says in a few words what no other field can (the name of a missing key, an error of the host).
    `optional` failures do not fail the run. `leaked` is how many processes its attempts left running when they had
    ended by themselves: they were killed.
    """

    at: float
    run: str
    task: str
    attempt: int
    outcome: Outcome
    reason: Reason | None
    exit_code: int | None
    signal: int | None
    duration: float
    message: str = ""
    optional: bool = False
    leaked: int = 0


class RunFinished(NamedTuple):
    """The run is over. `counts` maps each outcome that occurred to its number."""

    at: float
    run: str
    ok: bool
    counts: Mapping[str, int]
    duration: float
    exit_code: int


Event = (
    RunStarted | TaskStarted | TaskOutput | TaskProgress | ConfirmationAsked | TaskRetrying | TaskFinished | RunFinished
)

NAMES: Mapping[type, str] = {
    RunStarted: "run_started",
    TaskStarted: "task_started",
    TaskOutput: "task_output",
    TaskProgress: "task_progress",
    ConfirmationAsked: "confirmation_asked",
    TaskRetrying: "task_retrying",
    TaskFinished: "task_finished",
    RunFinished: "run_finished",
}


def record(event: Event) -> dict[str, object]:
    """The event as its JSON object: `event` first, `at` as RFC 3339 in UTC, output bytes as text."""
    fields: dict[str, object] = {
        "event": NAMES[type(event)],
        **event._asdict(),
        "at": rfc3339(event.at),
    }
    if isinstance(event, TaskOutput):
        del fields["data"]
        fields["text"] = event.data.decode("utf-8", "replace")
    return fields


def rfc3339(at: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC with milliseconds: `2026-11-21T03:04:05.678Z`."""
    days, rest = divmod(at, 86400)
    year, month, day = _civil(int(days))
    minutes, seconds = divmod(rest, 60)
    hour, minute = divmod(int(minutes), 60)
    milliseconds = min(int(seconds * 1000), 59999)
    second, milliseconds = divmod(milliseconds, 1000)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z"


def _civil(days: int) -> tuple[int, int, int]:
    """Days since 1970-01-01 as a Gregorian date (Howard Hinnant's algorithm); `datetime` costs 1 ms to import."""
    era, day_of_era = divmod(days + 719468, 146097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    return year, month, day_of_year - (153 * shifted + 2) // 5 + 1
