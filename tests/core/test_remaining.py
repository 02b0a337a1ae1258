"""How long a run will still take: the longest path, or all work shared by the slots, whichever is more."""

from __future__ import annotations

import pytest

from spry.core.model import Step, Task
from spry.core.remaining import seconds_left

STEPS = {
    name: Step(Task(name, "bash"), deps) for name, deps in {"a": (), "b": ("a",), "c": ("b",), "x": (), "y": ()}.items()
}
USUAL = {"a": 1.0, "b": 2.0, "c": 4.0, "x": 8.0, "y": 5.0}


@pytest.mark.parametrize(
    ("ended", "running", "jobs", "left"),
    [
        ((), {}, 1, 20.0),
        ((), {}, 2, 10.0),
        ((), {}, 8, 8.0),
        (("x", "y"), {}, 8, 7.0),
        (("x", "y", "a"), {"b": 1.5}, 8, 4.5),
        (("x", "y", "a"), {"b": 60.0}, 8, 4.0),
        (("a", "b", "c", "x", "y"), {}, 8, 0.0),
        ((), {"x": 3.0}, 0, 17.0),
    ],
)
def test_what_is_left_is_the_longest_path_or_all_work(ended, running, jobs, left):
    assert seconds_left(STEPS, USUAL, ended, running, jobs) == left


def test_a_new_task_is_taken_for_an_average_one():
    assert seconds_left(STEPS, {"a": 1.0, "x": 3.0}, {"a", "x", "y"}, {}, 4) == 4.0


@pytest.mark.parametrize("usual", [{}, {"other": 9.0}])
def test_nothing_is_said_of_a_run_without_history(usual):
    assert seconds_left(STEPS, usual, (), {}, 4) is None
