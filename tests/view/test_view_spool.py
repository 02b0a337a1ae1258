"""Bytes that wait come back in order, from memory and from the file."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from spry.view.spool import PIECE, Spool


def drained(spool):
    pieces = []
    while piece := spool.take():
        pieces.append(piece)
    return pieces


def joined(pieces):
    """Neighbours with one tag together, as whoever reads them sees them."""
    whole = []
    for tag, data in pieces:
        if whole and whole[-1][0] == tag:
            whole[-1] = tag, whole[-1][1] + data
        else:
            whole.append((tag, data))
    return whole


@examples(150)
@given(
    st.integers(0, 400),
    st.lists(st.one_of(st.tuples(st.integers(0, 1), st.binary(min_size=1, max_size=80)), st.none()), max_size=30),
)
def test_what_goes_in_comes_out_in_order_whatever_the_limit(limit, steps):
    spool, put, taken = Spool(limit), [], []
    for step in steps:
        if step:
            put.append(step)
            spool.put(*step)
        elif piece := spool.take():
            taken.append(piece)
    taken += drained(spool)
    spool.close()

    assert joined(taken) == joined(put)
    assert not spool


def test_a_piece_larger_than_any_is_given_back_in_bounded_ones():
    spool = Spool(10)
    spool.put(1, b"x" * (3 * PIECE + 5))
    pieces = drained(spool)
    spool.close()

    assert [len(data) for _, data in pieces] == [PIECE, PIECE, PIECE, 5]


def test_the_file_has_no_name(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spool = Spool(10)
    spool.put(1, b"x" * 100)

    assert spool
    assert list(tmp_path.iterdir()) == []
    spool.close()


def test_closing_gives_the_descriptor_back():
    before = os.listdir("/proc/self/fd")
    spool = Spool(0)
    spool.put(0, b"x")
    spool.close()

    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_an_emptied_file_takes_no_room():
    spool = Spool(10)
    spool.put(0, b"x" * 100)
    drained(spool)
    size = os.fstat(spool._file).st_size
    spool.close()

    assert size == 0


def test_a_file_that_cannot_be_made_is_told(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    spool = Spool(4)
    spool.put(0, b"")

    with pytest.raises(OSError, match="nowhere"):
        spool.put(0, b"too much")
    assert not spool
