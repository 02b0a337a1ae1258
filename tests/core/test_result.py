from __future__ import annotations

import pytest

from spry.core.events import Outcome, Reason, RunFinished, RunStarted, TaskFinished, TaskOutput, TaskStarted
from spry.core.result import counts, exit_code, fold, own_code


def finished(outcome="succeeded", reason=None, *, task="a", optional=False):
    reason = Reason(reason) if reason else None
    return TaskFinished(2.0, "r1", task, 1, Outcome(outcome), reason, None, None, 1.0, optional=optional)


FINE = finished()
BROKEN = finished("failed", "exit_code")
LATE = finished("failed", "timeout")
DECLINED = finished("cancelled", "declined")
SKIPPED = finished("skipped", "dependency")
INTERRUPTED = finished("cancelled", "interrupted")


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ([FINE], 0),
        ([finished("succeeded", "up_to_date")], 0),
        ([], 2),
        ([FINE, BROKEN], 1),
        ([BROKEN, SKIPPED], 1),
        ([finished("failed", "signal")], 1),
        ([finished("failed", "limit"), LATE], 1),
        ([FINE, DECLINED], 1),
        ([DECLINED, LATE], 1),
        ([LATE, FINE], 124),
        ([LATE, LATE, SKIPPED], 124),
        ([LATE, INTERRUPTED], 124),
        ([LATE, BROKEN], 1),
        ([FINE, INTERRUPTED], 1),
        ([FINE, finished("failed", "exit_code", optional=True)], 0),
        ([FINE, finished("failed", "timeout", optional=True)], 0),
        ([BROKEN, finished("failed", "timeout", optional=True)], 1),
        ([LATE, finished("failed", "exit_code", optional=True)], 124),
        ([finished("failed", "exit_code", optional=True), SKIPPED], 1),
    ],
)
def test_the_exit_code_tells_what_the_tasks_came_to(tasks, expected):
    assert exit_code(tasks) == expected


@pytest.mark.parametrize(("signal", "expected"), [(2, 130), (1, 129), (3, 131), (15, 143)])
@pytest.mark.parametrize("tasks", [[], [FINE], [BROKEN], [LATE]])
def test_a_signal_to_spry_outweighs_what_the_tasks_came_to(signal, expected, tasks):
    assert exit_code(tasks, signal=signal, timed_out_run=True) == expected


@pytest.mark.parametrize("tasks", [[], [FINE], [BROKEN], [LATE]])
def test_an_error_of_the_host_outweighs_everything(tasks):
    assert exit_code(tasks, signal=2, host_error=True, timed_out_run=True) == 3


@pytest.mark.parametrize("tasks", [[FINE], [finished("cancelled", "timeout")], [LATE], [FINE, LATE]])
def test_a_run_whose_own_time_was_over_exits_with_124(tasks):
    assert exit_code(tasks, timed_out_run=True) == 124


def test_a_failure_outweighs_the_time_of_the_run():
    assert exit_code([BROKEN, finished("cancelled", "timeout")], timed_out_run=True) == 1


def test_any_iterable_of_endings_will_do():
    assert exit_code(iter([FINE, BROKEN])) == 1


def test_counts_name_the_outcomes_that_occurred():
    assert counts([FINE, BROKEN, FINE]) == {"succeeded": 2, "failed": 1}


START = RunStarted(1.0, "r1", ("a", "b"), 2)


def test_a_run_is_rebuilt_from_its_events():
    fine, skipped = finished(task="a"), finished("skipped", "dependency", task="b")
    output = TaskOutput(1.5, "r1", "a", 1, "stdout", b"x")
    end = RunFinished(3.0, "r1", ok=False, counts={"succeeded": 1, "skipped": 1}, duration=2.0, exit_code=1)
    result = fold([START, TaskStarted(1.0, "r1", "a", 1), output, fine, skipped, end])

    assert (result.run, result.started, result.ended, result.ok, result.exit_code) == ("r1", 1.0, 3.0, False, 1)
    assert result.finished == {"a": fine, "b": skipped}
    assert result.outcomes == {"a": "succeeded", "b": "skipped"}
    assert result.counts == end.counts


def test_a_run_without_its_end_is_never_ok():
    result = fold([START, finished(task="a"), finished(task="b")])

    assert not result.ok
    assert result.ended is None
    assert result.exit_code == 3


def test_events_without_a_run_are_refused():
    with pytest.raises(ValueError, match="run_started is missing"):
        fold([FINE])


@pytest.mark.parametrize(
    ("reason", "code", "signal", "expected"),
    [("exit_code", 7, None, 7), ("signal", None, 9, 137), ("timeout", None, 15, 124), ("limit", None, 9, 1)],
)
def test_a_command_has_an_exit_code_of_its_own(reason, code, signal, expected):
    ended = finished("failed", reason)._replace(exit_code=code, signal=signal)

    assert own_code([FINE, SKIPPED, ended, BROKEN]) == expected
