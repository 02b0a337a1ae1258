"""Events and those who hear them (rows T9 to T13)."""

from __future__ import annotations

import threading
from dataclasses import FrozenInstanceError

import pytest

from spry import EventBus, Task, TaskEvent, TaskEventType, TaskStatus

FIELDS = [
    "type", "task_id", "task", "timestamp", "previous_status", "status", "error", "progress_percent",
    "progress_message", "output_stream", "output_chunk",
]  # fmt: skip


def test_t9_there_are_eight_kinds_of_events():
    assert {kind.name for kind in TaskEventType} == {
        "STARTED", "PROGRESS", "OUTPUT", "SUCCEEDED", "FAILED", "CANCELLED", "BLOCKED", "PERSISTENCE_FAILED",
    }  # fmt: skip


def test_t10_an_event_has_all_its_fields_and_is_frozen(executor, seen):
    task = Task.bash("echo hi; exit 2")
    with pytest.raises(RuntimeError):
        executor.execute(task)
    started, output, failed = seen

    assert list(TaskEvent.__dataclass_fields__) == FIELDS
    assert (started.task, started.task_id, started.status) == (task, task.id, TaskStatus.RUNNING)
    assert (output.output_stream, output.output_chunk, output.previous_status) == ("stdout", "hi\n", None)
    assert (failed.error, failed.previous_status) == ("exited with code 2", TaskStatus.RUNNING)
    assert started.timestamp <= output.timestamp <= failed.timestamp
    with pytest.raises(FrozenInstanceError):
        started.error = "x"


def test_t11_a_good_run_is_started_and_succeeded(executor, seen):
    executor.execute(Task.bash("true"))

    assert seen.kinds == ["STARTED", "SUCCEEDED"]


def test_t11_whoever_unsubscribes_hears_no_more_however_often(executor):
    heard = []
    unsubscribe = executor.events.subscribe(heard.append)
    other = executor.events.subscribe(heard.append)
    executor.execute(Task.bash("true"))
    unsubscribe()
    unsubscribe()
    executor.execute(Task.bash("true"))
    other()
    executor.execute(Task.bash("true"))

    assert len(heard) == 4 + 2


def test_t11_a_with_block_subscribes_for_its_duration(executor):
    heard = []
    with executor.events.subscribed(heard.append):
        executor.execute(Task.bash("true"))
    executor.execute(Task.bash("true"))

    assert len(heard) == 2


def test_t11_only_what_can_be_called_can_subscribe(bus):
    with pytest.raises(TypeError, match="callable"):
        bus.subscribe(3)


def test_t12_what_subscribers_raise_is_kept_and_hurts_nobody(executor, seen):
    boom = RuntimeError("boom")

    def fail(_):
        raise boom

    executor.events.subscribe(fail)
    after = []
    executor.events.subscribe(after.append)
    task = Task.bash("echo hi")
    executor.execute(task)

    assert task.is_done
    assert executor.events.errors == [boom] * 3
    assert len(after) == len(seen) == 3
    assert EventBus().errors == []


def test_t13_output_is_told_line_by_line_and_in_order(executor, seen):
    executor.execute(Task.bash("printf 'a'; sleep 0.05; printf 'b\\nc\\n\\nd'"))
    lines = [event.output_chunk for event in seen if event.output_chunk is not None]

    assert lines == ["ab\n", "c\n", "\n", "d"]


def test_t13_bytes_that_are_no_text_are_replaced_and_letters_that_come_in_pieces_are_not(executor, seen):
    result = executor.execute(Task.bash("printf '\\303'; sleep 0.05; printf '\\244\\n\\377\\n'"))

    assert result.output == "ä\n\ufffd\n"
    assert [event.output_chunk for event in seen if event.output_chunk] == ["ä\n", "\ufffd\n"]


def test_t13_subscribers_are_called_in_the_thread_that_runs_the_task(executor):
    threads = set()
    executor.events.subscribe(lambda _: threads.add(threading.current_thread()))
    executor.execute(Task.bash("echo hi"))

    assert threads == {threading.current_thread()}


def test_a_subscriber_may_cancel_the_task_it_hears_of(executor):
    task = Task.bash("echo go; exec sleep 600")
    executor.events.subscribe(lambda event: event.output_chunk and executor.cancel(task))
    with pytest.raises(RuntimeError, match="cancelled"):
        executor.execute(task)

    assert task.is_cancelled
