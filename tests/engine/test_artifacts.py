"""What the files of a run are to its attempts."""

from __future__ import annotations

import pytest

from spry.core.events import Outcome, Reason, TaskFinished
from spry.core.model import Plan, Step, Task
from spry.engine.artifacts import Artifacts, Place
from spry.errors import SpryError


@pytest.fixture
def artifacts(tmp_path):
    tasks = [
        Task("make", "bash", "true", saves=("f",)),
        Task("use", "bash", "true", deps=("make",), restore=".", isolated=True),
    ]
    plan = Plan({task.name: Step(task, task.deps) for task in tasks})
    return Artifacts(plan, Place(str(tmp_path)), "1", lambda task: str(tmp_path))


def ended(outcome, reason=None):
    return {"make": TaskFinished(0.0, "1", "make", 1, outcome, reason, 0, None, 0.0)}


@pytest.mark.parametrize("reason", [None, Reason.UP_TO_DATE])
def test_a_task_does_not_begin_without_what_an_ancestor_has_saved_that_succeeded(artifacts, reason):
    with pytest.raises(SpryError, match="what make saved is not there"):
        artifacts.begin("use", 1, ended(Outcome.SUCCEEDED, reason))


@pytest.mark.parametrize("events", [{}, ended(Outcome.FAILED, Reason.EXIT_CODE), ended(Outcome.SKIPPED)])
def test_but_without_what_one_has_not_saved_that_did_not_succeed(artifacts, events):
    artifacts.begin("use", 1, events)
    artifacts.records["make"] = "0" * 64
    artifacts.begin("use", 1, ended(Outcome.SUCCEEDED))
