"""Events as programs read them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry.core.events import NAMES, Outcome, Reason, RunStarted, TaskFinished, TaskOutput, record, rfc3339


@given(st.integers(0, 4_102_444_800_000))
def test_times_are_rfc_3339_in_utc(milliseconds):
    at = milliseconds / 1000

    read = datetime.fromisoformat(rfc3339(at))
    assert abs(read.timestamp() - at) < 0.002
    assert read.tzinfo == UTC


def test_an_event_begins_with_its_name_and_keeps_its_fields():
    event = TaskFinished(1.5, "7", "a", 1, Outcome.FAILED, Reason.EXIT_CODE, 3, None, 0.25)

    assert record(event) == {
        "event": "task_finished", "at": "1970-01-01T00:00:01.500Z", "run": "7", "task": "a", "attempt": 1,
        "outcome": "failed", "reason": "exit_code", "exit_code": 3, "signal": None, "duration": 0.25, "message": "",
        "optional": False,
        "leaked": 0,
    }  # fmt: skip


def test_output_is_text_whatever_its_bytes():
    shown = record(TaskOutput(0.0, "7", "a", 1, "stdout", b"caf\xc3\xa9 \xff"))

    assert shown["text"] == "café \ufffd"
    assert "data" not in shown


@pytest.mark.parametrize("kind", list(NAMES), ids=lambda kind: kind.__name__)
def test_every_event_is_named_in_the_past_and_says_when_and_in_which_run(kind):
    assert kind._fields[:2] == ("at", "run")
    assert NAMES[kind].rpartition("_")[2] in {"started", "output", "progress", "asked", "retrying", "finished"}


def test_a_run_says_which_tasks_it_has():
    assert record(RunStarted(0.0, "7", ("a", "b"), 2))["tasks"] == ("a", "b")
