from __future__ import annotations

import pytest

from spry.core.lanes import draw_lanes


def lanes(deps, critical=()):
    return [f"{row.drawing} {row.name}" for row in draw_lanes(deps, critical)]


def test_a_chain_is_one_column():
    assert lanes({"a": [], "b": ["a"], "c": ["b"]}) == ["○ a", "● b", "◉ c"]


def test_a_lane_with_several_dependents_branches_off():
    assert lanes({"a": [], "b": ["a"], "c": ["a"], "d": ["a"]}) == ["○ a", "├─◉ b", "├─◉ c", "◉ d"]


def test_lanes_end_at_the_task_they_lead_to():
    assert lanes({"a": [], "b": [], "c": [], "d": ["a", "b", "c"]}) == ["○ a", "│ ○ b", "│ │ ○ c", "◉─┴─╯ d"]


def test_many_tasks_that_lead_to_one_share_a_double_lane():
    deps = {"a": [], "b": [], "c": [], "d": [], "e": ["a", "b", "c", "d"]}

    assert lanes(deps) == ["○─╖ a", "○─╢ b", "○─╢ c", "○─╢ d", "◉─╜ e"]


def test_a_line_passes_a_lane_that_it_does_not_join():
    deps = {"a": [], "b": [], "c": ["a"], "d": ["b"], "e": ["a"]}

    assert lanes(deps) == ["○ a", "│ ○ b", "├─│─◉ c", "│ ◉ d", "◉ e"]


def test_tasks_without_edges_stand_in_one_column():
    assert lanes({"a": [], "b": [], "c": []}) == ["○ a", "○ b", "○ c"]


def test_a_task_never_stands_right_below_one_that_it_would_seem_to_follow():
    deps = {"a": [], "lone": [], "b": ["a"], "c": ["a"]}

    assert lanes(deps) == ["○ a", "│ ○ lone", "├───◉ b", "◉ c"]


def test_tasks_on_the_critical_path_have_their_own_glyphs():
    deps = {"a": [], "b": ["a"], "c": ["b"], "d": ["a"]}

    assert lanes(deps, critical={"a", "b", "c"}) == ["◇ a", "├─◆ b", "│ ◈ c", "◉ d"]


def test_rows_keep_the_order_of_the_document_where_that_is_not_much_wider():
    deps = {"x": [], "y": [], "x2": ["x"], "y2": ["y"]}

    assert [row.name for row in draw_lanes(deps)] == list(deps)


def test_chains_that_the_document_interleaves_are_drawn_one_after_the_other():
    deps = {f"{chain}{step}": [f"{chain}{step - 1}"] if step else [] for step in range(6) for chain in "abcdef"}

    assert [row.name for row in draw_lanes(deps)] == sorted(deps)
    assert {row.drawing for row in draw_lanes(deps)} == {"○", "●", "◉"}


@pytest.mark.parametrize(
    "deps",
    [
        {f"t{at}": [f"t{at - 1}"] if at else [] for at in range(20_000)},
        {**{f"t{at}": [] for at in range(20_000)}, "end": [f"t{at}" for at in range(20_000)]},
        {"start": [], **{f"t{at}": ["start"] for at in range(20_000)}},
    ],
    ids=["chain", "join", "fan"],
)
def test_a_large_graph_stays_narrow(deps):
    rows = draw_lanes(deps)

    assert len(rows) == len(deps)
    assert max(len(row.drawing) for row in rows) <= 3
