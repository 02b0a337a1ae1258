"""Tasks by themselves: fields, statuses, results (rows T1 to T3, T+1 to T+3)."""

from __future__ import annotations

import copy
import pickle
import subprocess
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry import RetryPolicy, Task, TaskResult, TaskStatus, TaskType

PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED, BLOCKED = TaskStatus
NEXT = {
    PENDING: {RUNNING, CANCELLED, BLOCKED, FAILED},
    RUNNING: {SUCCEEDED, FAILED, CANCELLED},
    FAILED: {RUNNING, CANCELLED},
    BLOCKED: {RUNNING, CANCELLED},
    SUCCEEDED: set(),
    CANCELLED: set(),
}
WAYS = {
    PENDING: [],
    RUNNING: [RUNNING],
    SUCCEEDED: [RUNNING, SUCCEEDED],
    FAILED: [RUNNING, FAILED],
    CANCELLED: [CANCELLED],
    BLOCKED: [BLOCKED],
}


def task_in(status):
    task = Task.bash("true")
    for step in WAYS[status]:
        task.transition_to(step)
    return task


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (Task.bash, TaskType.BASH),
        (Task.powershell, TaskType.POWERSHELL),
        (Task.prompt, TaskType.PROMPT),
        (Task.agent, TaskType.AGENT),
    ],
)
def test_t1_each_kind_of_task_has_a_way_to_make_it(make, kind):
    task = make("do it", title="Title", description="Words", timeout=2)

    assert (task.type, task.payload, task.title) == (kind, "do it", "Title")
    assert (task.description, task.timeout, task.status) == ("Words", 2, PENDING)


def test_t2_a_new_task_is_not_done_and_has_no_result():
    task = Task.bash("true")

    assert not task.is_done
    assert task.result is None
    assert task.blocked_by is None


@pytest.mark.parametrize("before", TaskStatus)
@pytest.mark.parametrize("after", TaskStatus)
def test_tplus1_only_some_statuses_can_follow_each_other(before, after):
    task = task_in(before)

    assert task.can_transition_to(after) == (after in NEXT[before])
    if after in NEXT[before]:
        task.transition_to(after)
        assert task.status is after
    else:
        with pytest.raises(ValueError, match="Cannot transition"):
            task.transition_to(after)
        assert task.status is before


@given(st.lists(st.sampled_from(list(TaskStatus))))
def test_tplus1_whatever_is_tried_a_status_only_changes_as_the_table_says(tries):
    task = Task.bash("true")
    for after in tries:
        before = task.status
        try:
            task.transition_to(after)
        except ValueError:
            assert after not in NEXT[before]
            assert task.status is before
        else:
            assert after in NEXT[before]
            assert task.status is after


def test_tplus1_statuses_say_what_they_are():
    assert {status for status in TaskStatus if status.is_sink} == {SUCCEEDED, CANCELLED}
    assert {status for status in TaskStatus if status.is_bad} == {FAILED, CANCELLED, BLOCKED}
    assert {status for status in TaskStatus if status.is_active} == {PENDING, RUNNING}


def test_tplus1_what_runs_again_has_neither_error_nor_result_nor_blocker(executor):
    task = Task.bash("exit 1")
    with pytest.raises(RuntimeError):
        executor.execute(task)
    failed = (task.error, task.result is None)
    task.transition_to(RUNNING)
    blocked = Task.bash("true")
    executor.mark_blocked(blocked, "x")
    blocked.transition_to(RUNNING)

    assert failed == ("exited with code 1", False)
    assert (task.error, task.result) == (None, None)
    assert blocked.blocked_by is None


def test_tplus2_tasks_are_equal_by_id():
    task = Task.bash("true")

    assert task == copy.copy(task)
    assert hash(task) == hash(copy.copy(task))
    assert task != Task.bash("true")
    assert task != task.id


def test_tplus2_the_id_never_changes():
    task = Task.bash("true")

    with pytest.raises(AttributeError):
        task.id = "other"
    with pytest.raises(AttributeError):
        task._id = "other"
    assert len(task.id) == 36


@pytest.mark.parametrize("name", ["status", "result", "blocked_by"])
def test_tplus2_what_the_executor_says_cannot_be_written(name):
    with pytest.raises(AttributeError):
        setattr(Task.bash("true"), name, None)


@pytest.mark.parametrize("name", ["title", "payload", "description", "error", "timeout", "anything"])
def test_tplus2_a_task_that_has_succeeded_cannot_be_written(name):
    with pytest.raises(AttributeError, match="immutable"):
        setattr(task_in(SUCCEEDED), name, None)


@pytest.mark.parametrize("status", TaskStatus)
def test_tplus2_each_status_has_its_question(status):
    task = task_in(status)
    words = {"PENDING": "pending", "RUNNING": "running", "SUCCEEDED": "succeeded", "FAILED": "failed"}

    assert {word for word in words.values() if getattr(task, f"is_{word}")} == {words.get(status.name)} - {None}
    assert task.is_cancelled == (status is CANCELLED)
    assert task.is_blocked == (status is BLOCKED)
    assert task.is_done == (status is SUCCEEDED)
    assert task.is_terminal == (status not in (PENDING, RUNNING))


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_tplus2_a_timeout_is_more_than_nothing(timeout):
    with pytest.raises(ValueError, match="greater than 0"):
        Task.bash("true", timeout=timeout)
    with pytest.raises(ValueError, match="greater than 0"):
        Task.bash("true").timeout = timeout


def test_tplus2_a_timeout_is_a_number_and_a_type_a_task_type():
    with pytest.raises(TypeError):
        Task.bash("true", timeout="3")
    with pytest.raises(TypeError):
        Task(title="a", payload="b", type="bash")


def test_tplus2_to_cancel_twice_is_to_cancel_once_and_success_stays():
    task, done = Task.bash("true"), task_in(SUCCEEDED)
    task.cancel()
    task.cancel()
    done.cancel()

    assert (task.status, done.status) == (CANCELLED, SUCCEEDED)


def test_tplus2_tasks_can_be_pickled():
    task = Task.bash("true", title="x", env={"A": "1"}, retry=RetryPolicy(2))
    again = pickle.loads(pickle.dumps(task))

    assert again == task
    assert (again.title, again.env, again.retry, again.status) == ("x", {"A": "1"}, RetryPolicy(2), PENDING)


def test_tplus3_a_result_is_frozen_and_can_be_replaced():
    now = Task.bash("true").created_at
    result = TaskResult("t", SUCCEEDED, now, now, 0.5, "out")

    with pytest.raises(FrozenInstanceError):
        result.output = "other"
    assert replace(result, output="other").output == "other"
    assert result.termination_reason is None


@pytest.mark.parametrize(
    ("raw", "output", "error", "code"),
    [
        ("text", "text", None, None),
        (None, "", None, None),
        ({"a": 1}, "", None, None),
        (subprocess.CompletedProcess("x", 2, "out", "err"), "out", "err", 2),
        (subprocess.CompletedProcess("x", 0, b"out", b""), "out", None, 0),
        (subprocess.CompletedProcess("x", 0), "", None, 0),
    ],
)
def test_tplus3_whatever_a_handler_returns_becomes_a_result(executor, handled, raw, output, error, code):
    result = executor.execute(handled(lambda _: raw))

    assert (result.output, result.error, result.returncode, result.raw) == (output, error, code, raw)
    assert result.status is SUCCEEDED


@pytest.mark.parametrize("arguments", [(0,), (-1,), (2, -1), (2, float("inf")), (2, float("nan"))])
def test_t14_a_retry_policy_is_checked(arguments):
    with pytest.raises(ValueError):
        RetryPolicy(*arguments)


@pytest.mark.parametrize("arguments", [(1.5,), (True,), ("3",), (2, "1")])
def test_t14_a_retry_policy_takes_numbers(arguments):
    with pytest.raises(TypeError):
        RetryPolicy(*arguments)
