"""Widths, cuts and wraps as a terminal counts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from spry.view.columns import cut, fill, head, printable, width, wrap

LETTERS = st.text(alphabet="ab -é日本́😀\u200d", max_size=40)


@pytest.mark.parametrize(
    ("text", "columns"),
    [("", 0), ("abc", 3), ("日本語", 6), ("e\u0301", 1), ("\u00e9", 1), ("😀", 2), ("ｱ", 1), ("a\u200bb", 2)],
)
def test_width_counts_columns(text, columns):
    assert width(text) == columns


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [("abcdef", 6, "abcdef"), ("abcdef", 5, "abcd…"), ("日本語", 5, "日本…"), ("日本語", 4, "日…"), ("abc", 0, "")],
)
def test_cut_marks_what_is_missing(text, most, shown):
    assert cut(text, most) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\u202eb", "a\\u202eb"),
        ("a\nb\tc", "a\nb\tc"),
        ("\r", "\\x0d"),
        ("\x9b", "\\x9b"),
        ("\U000e0001", "\\U000e0001"),
        ("\udc80", "\\udc80"),
        ("a\xa0b", "a\xa0b"),
        ("👩\u200d💻", "👩\u200d💻"),
    ],
)
def test_printable_writes_control_characters_out(text, shown):
    assert printable(text) == shown


def test_fill_counts_columns():
    assert fill("日本", 6) == "日本  "


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three", ["one two", "three"]),
        ("", [""]),
        ("unbreakable", ["unbreaka", "ble"]),
        ("a unbreakable b", ["a", "unbreaka", "ble b"]),
    ],
)
def test_wrap_breaks_at_blanks(text, lines):
    assert wrap(text, 8) == lines


@examples(200)
@given(LETTERS, st.integers(2, 12))
def test_wrapped_lines_fit_and_lose_nothing(text, most):
    lines = wrap(text, most)

    assert all(width(line) <= most for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@examples(200)
@given(LETTERS, st.integers(0, 12))
def test_cut_text_fits(text, most):
    assert width(cut(text, most)) <= most
    assert text.startswith(head(text, most))
