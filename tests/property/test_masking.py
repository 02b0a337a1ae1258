"""Whatever the cuts, a masked stream is the masked whole: no secret in it, and nothing else changed."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from spry.core.masking import HIDDEN, Masker, Stream
from spry.core.spellings import spellings

LETTERS = "ab1\n"
CUTS = 3000


def streamed(masker, data, cuts):
    """What a stream tells of data that comes cut at these places."""
    stream = Stream(masker)
    places = [0, *sorted(cuts), len(data)]
    pieces = [stream.feed(data[start:end]) for start, end in pairwise(places)]
    return b"".join([*pieces, stream.flush()])


def expected(data, patterns):
    """Every byte of every pattern found is masked; those that overlap share one mask. Slow and plain."""
    spans = [(at, at + len(one)) for one in patterns for at in range(len(data)) if data.startswith(one, at)]
    told, at = b"", 0
    while at < len(data):
        ends = {end for start, end in spans if start == at}
        if not ends:
            told, at = told + data[at : at + 1], at + 1
            continue
        end = max(ends)
        while more := [other for start, other in spans if at <= start < end < other]:
            end = max(more)
        told, at = told + HIDDEN, end
    return told


secrets = st.lists(st.text(LETTERS, min_size=6, max_size=14), min_size=1, max_size=3)
pieces = st.lists(st.text(LETTERS + "*", max_size=8), max_size=6)


@examples(150)
@given(secrets, pieces, st.data())
def test_masking_a_stream_is_masking_the_whole_plainly(texts, around, data):
    masker = Masker(texts)
    mixed = "".join(data.draw(st.permutations([*texts, *around]))).encode()
    cuts = data.draw(st.lists(st.integers(0, len(mixed)), max_size=8))

    assert streamed(masker, mixed, cuts) == expected(mixed, masker.search.patterns)


many = st.lists(st.text("abcd", min_size=6, max_size=9), min_size=16, max_size=18, unique=True)


@examples(25)
@given(many, st.text("abcd ", max_size=60), st.data())
def test_many_secrets_are_masked_as_plainly(texts, around, data):
    masker = Masker(texts)
    mixed = (around[:30] + "".join(data.draw(st.permutations(texts[:6]))) + around[30:]).encode()
    cuts = data.draw(st.lists(st.integers(0, len(mixed)), max_size=8))

    assert streamed(masker, mixed, cuts) == expected(mixed, masker.search.patterns)


coloured = st.lists(
    st.sampled_from([b"hunter2", b"hun", b"ter2", b"\x1b[31m", b"\x1b[", b"\x1b", b"K", b" "]), max_size=9
)


@examples(150)
@given(coloured, st.data())
def test_a_coloured_stream_is_masked_as_the_whole_is(parts, data):
    masker, mixed = Masker(["hunter2"]), b"".join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(mixed)), max_size=6))

    assert streamed(masker, mixed, cuts) == masker.bytes(mixed)


@examples(150)
@given(st.lists(st.sampled_from([b"HUNTER2", b"HUNT", b"ER2", b"H", b"x", b"HU"]), max_size=9))
def test_pauses_tell_at_most_the_beginning_of_a_secret_and_lose_nothing_else(parts):
    masker = Masker(["HUNTER2"])
    stream, told = Stream(masker), b""
    for part in parts:
        told += stream.feed(part) + stream.ease()
    told += stream.flush()
    whole = masker.bytes(b"".join(parts))

    assert told.count(HIDDEN) == whole.count(HIDDEN)
    assert all(
        with_pauses[: len(without)] == without and with_pauses[len(without) :] in {b"", b"H", b"HU"}
        for with_pauses, without in zip(told.split(HIDDEN), whole.split(HIDDEN), strict=True)
    )


@pytest.fixture(scope="module")
def flood():
    """Secrets, and output that is full of them in every spelling, with what has to stay in between."""
    random = Random(7)
    texts = ["hunter2-horse", "hunter2", "p@ss/w+rd 'x'", "-----BEGIN-----\nQUJDREVGR0g\n-----END-----", "a1a1a1a1"]
    parts = [spelling for text in texts for spelling in sorted(spellings(text))]
    harmless = [f"<{number} ok>\n".encode() for number in range(len(parts))]
    random.shuffle(parts)
    return Masker(texts), b"".join(part for pair in zip(harmless, parts, strict=True) for part in pair), harmless


def test_three_thousand_random_cuts_leak_nothing_and_change_nothing_else(flood):
    masker, data, harmless = flood
    random = Random(11)
    whole = masker.bytes(data)
    different = sum(
        streamed(masker, data, random.sample(range(len(data)), random.randint(1, 12))) != whole for _ in range(CUTS)
    )

    assert different == 0
    assert not any(pattern in whole for pattern in masker.search.patterns)
    assert whole.replace(HIDDEN, b"") == b"".join(harmless)


def test_it_comes_byte_by_byte_and_leaks_nothing(flood):
    masker, data, _ = flood

    assert streamed(masker, data, range(1, len(data))) == masker.bytes(data)


def test_never_more_than_the_longest_secret_is_held_back(flood):
    masker, data, _ = flood
    stream, held = Stream(masker), 0
    for byte in data:
        stream.feed(bytes([byte]))
        held = max(held, len(stream._held))

    assert held == masker.search.reach - 1
