"""Small matters of language: near names, durations, sizes, lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry.core.text import (
    closest,
    did_you_mean,
    edits,
    exact_duration,
    format_duration,
    listing,
    parse_duration,
    parse_size,
    plural,
)


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [("dep", "dep", 0), ("dpe", "dep", 1), ("de", "dep", 1), ("dap", "dep", 1), ("depp", "dep", 1), ("abc", "cab", 2)],
)
def test_edits_count_swaps_of_neighbours_once(one, other, count):
    assert edits(one, other) == count


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_edits_go_both_ways_alike(one, other):
    assert edits(one, other, 9) == edits(other, one, 9)


@pytest.mark.parametrize(
    ("name", "names", "near"),
    [
        ("biuld-app", ["test", "build-app"], "build-app"),
        ("BUILD", ["build"], "build"),
        ("tset", ["test", "set"], "set"),
        ("xyz", ["build"], None),
        ("ab", ["cd"], None),
        ("x", [], None),
    ],
)
def test_the_closest_name_is_at_most_two_edits_away(name, names, near):
    assert closest(name, names) == near


def test_a_near_name_makes_a_hint_and_no_name_makes_none():
    assert did_you_mean("tset", ["test"]) == 'did you mean "test"?'
    assert did_you_mean("xyz", ["test"]) == ""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30),
        ("0.5", 0.5),
        ("30s", 30),
        ("250ms", 0.25),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("7d", 604800),
    ],
)
def test_durations_are_read_as_seconds(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "0", "-3", "1e3", "inf", "5 m", "5x", "1h30", "m", "1m1h", "1m1m", "1..5s", "٣", "5mm"]
)
def test_what_is_no_duration_is_none(text):
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("text", "megabytes"),
    [("512", 512), ("512M", 512), ("1.5G", 1536), ("64KiB", 0.0625), ("2GB", 2048), ("1t", 1024**2)],
)
def test_sizes_are_read_as_megabytes(text, megabytes):
    assert parse_size(text) == megabytes


@pytest.mark.parametrize("text", ["", "x", "5X", "0", "-1M", "1e3", "M"])
def test_what_is_no_size_is_none(text):
    assert parse_size(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (1.25, "1.2s"), (59.97, "1m00s"), (65, "1m05s"), (7380, "2h03m")]
)
def test_durations_are_shown_as_people_read_them(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize("text", ["30s", "5m", "1h30m", "0.5s", "90.5s"])
def test_exact_durations_lose_nothing(text):
    assert parse_duration(exact_duration(parse_duration(text))) == parse_duration(text)


@pytest.mark.parametrize(
    ("names", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_listed_as_people_do(names, text):
    assert listing(names) == text


def test_a_count_has_its_word():
    assert [plural(count, "task") for count in (0, 1, 1200)] == ["0 tasks", "1 task", "1,200 tasks"]
