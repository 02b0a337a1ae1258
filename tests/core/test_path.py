from __future__ import annotations

import pytest

from spry.core.model import Plan, Step, Task
from spry.core.path import critical_path


def path(deps):
    return critical_path(Plan({name: Step(Task(name, "bash"), tuple(needed)) for name, needed in deps.items()}))


@pytest.mark.parametrize(
    ("deps", "longest"),
    [
        ({}, ()),
        ({"a": []}, ("a",)),
        ({"a": [], "b": ["a"], "c": ["b"]}, ("a", "b", "c")),
        ({"a": [], "b": [], "c": ["b"]}, ("b", "c")),
        ({"a": [], "b": ["a"], "c": ["a", "b"]}, ("a", "b", "c")),
    ],
    ids=["nothing", "alone", "chain", "second root", "detour"],
)
def test_the_critical_path_is_the_longest_chain(deps, longest):
    assert path(deps) == longest


def test_of_equally_long_paths_the_first_in_plan_order_counts():
    assert path({"a": [], "b": [], "x": ["b", "a"], "y": ["b"]}) == ("a", "x")


@pytest.mark.slow
@pytest.mark.parametrize("size", [20_000, pytest.param(100_000, marks=pytest.mark.stress)])
def test_a_very_long_chain_is_no_trouble(size):
    assert len(path({f"t{at}": [f"t{at - 1}"] if at else [] for at in range(size)})) == size
