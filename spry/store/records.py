"""What is remembered of runs, as plain values: the words between the store and everybody who asks it."""

from __future__ import annotations

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class RunRecord(NamedTuple):
    """One run. `state` is `running`, `finished` or `lost`; times are seconds since the epoch.

    `request` is what was asked for, as JSON values: `files` (absolute paths), `selection` (fields of
    `core.plan.Selection`), `params` and `env` (never secret ones), `jobs`, `fail_fast`, `timeout`, `words`, `caller`.
    """

    run: str
    state: str
    started: float
    ended: float | None
    exit_code: int | None
    total: int
    counts: Mapping[str, int]
    request: Mapping[str, object]
    folder: str


class Statistic(NamedTuple):
    """How the attempts to run one task ended over all runs; seconds are those of successes, 0 without any."""

    task: str
    runs: int
    counts: Mapping[str, int]
    median: float
    longest: float


class TaskRecord(NamedTuple):
    """The outcome of one task in one run; `outcome` is empty while it has none.

    `definition` is the digest of what it is (script, interpreter, flags, parameters); `captured` and `outputs` are the
    values its last successful attempt left.
    """

    run: str
    task: str
    outcome: str
    reason: str
    exit_code: int | None
    signal: int | None
    attempt: int
    started: float | None
    duration: float
    message: str
    definition: str
    captured: Mapping[str, str]
    outputs: Mapping[str, str]
