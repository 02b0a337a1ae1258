"""What a terminal may see of a task's bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from spry.view.escapes import RESET, Filter, without

KEPT = (
    (b"plain text\n", b"plain text\n"),
    (b"\x1b[31mred\x1b[0m", b"\x1b[31mred\x1b[0m"),
    (b"\x1b[38;2;1;2;3mrgb\x1b[m", b"\x1b[38;2;1;2;3mrgb\x1b[m"),
    (b"\x1b[4:3mcurly\x1b[0m", b"\x1b[4:3mcurly\x1b[0m"),
    ("café — 日本\t\r\n".encode(), "café — 日本\t\r\n".encode()),
)
DROPPED = (
    (b"a\x1b[2Jb", b"ab"),
    (b"a\x1b[1;1Hb", b"ab"),
    (b"a\x1b[?25lb", b"ab"),
    (b"a\x1b[>4;2mb", b"ab"),
    (b"a\x1b[4$mb", b"ab"),
    (b"a\x1b]0;title\x07b", b"ab"),
    (b"a\x1b]8;;http://x\x1b\\b", b"ab"),
    (b"a\x1bPq#0;2\nsixel\x1b\\b", b"ab"),
    (b"a\x1b_apc\x1b\\b", b"ab"),
    (b"a\x1b^pm\x1b\\b", b"ab"),
    (b"a\x1bXsos\x1b\\b", b"ab"),
    (b"a\x1bcb", b"ab"),
    (b"a\x1b7b\x1b8", b"ab"),
    (b"a\x1b(0b", b"ab"),
    (b"a\x07\x00\x0e\x0f\x0b\x0c\x7fb", b"ab"),
    (b"a\xc2\x9b2Jb", b"ab"),
    (b"a\xc2\x9d0;title\xc2\x9cb", b"ab"),
    (b"a\xc2\x9b31mb", b"a\x1b[31mb"),
    (b"a\x1b\x1b[31mb", b"a\x1b[31mb"),
    (b"a\x1b]0;never ended\nb", b"a\nb"),
    (b"a\x1b]0;cut short\x1b[31mb", b"a\x1b[31mb"),
    (b"a\x1b[3\nb", b"a3\nb"),
    (b"a\x1b\xc2\xa9b", b"a\xc2\xa9b"),
    (b"a\x1b[" + b"1;" * 5000 + b"Hb", b"ab"),
)


@pytest.mark.parametrize(("data", "shown"), [*KEPT, *DROPPED])
def test_colours_stay_and_other_sequences_go(data, shown):
    assert Filter()(data) == shown


@pytest.mark.parametrize(("data", "shown"), [*KEPT, *DROPPED])
def test_a_sequence_split_at_any_byte_is_the_same_sequence(data, shown):
    for cut in range(min(len(data), 60)):
        one = Filter()

        assert one(data[:cut]) + one(data[cut:]) == shown


@pytest.mark.parametrize(("data", "shown"), [*KEPT, *DROPPED])
def test_bytes_that_come_one_by_one_are_the_same_text(data, shown):
    one = Filter()

    assert b"".join(one(bytes([byte])) for byte in data) == shown


def test_colours_left_on_are_reset_at_the_end():
    one = Filter()
    one(b"\x1b[1;31mred")

    assert one.end() == RESET
    assert one.end() == b""


def test_colours_that_were_reset_need_no_end():
    one = Filter()
    one(b"\x1b[1;31mred\x1b[0m")

    assert one.end() == b""


def test_without_drops_colours_too():
    assert without(b"\x1b[31mred\x1b[0m \x1b[2Jtext") == b"red text"


SOUP = st.lists(
    st.sampled_from([b"\x1b", b"[", b"]", b"P", b"m", b"0;", b"31", b"\x07", b"\\", b"\n", b"\xc2", b"\x9b", b"x"]),
    max_size=40,
).map(b"".join)


@examples(300)
@given(SOUP)
def test_nothing_but_colours_ever_starts_with_an_escape(data):
    shown = Filter()(data)

    for part in shown.split(b"\x1b")[1:]:
        assert part.startswith(b"[")
        assert part[1:].lstrip(b"0123456789;:").startswith(b"m")


@examples(300)
@given(SOUP, st.integers(0, 40))
def test_where_the_chunks_end_never_matters(data, cut):
    whole, parts = Filter(), Filter()

    assert parts(data[:cut]) + parts(data[cut:]) == whole(data)
