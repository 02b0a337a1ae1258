"""What an attempt leaves: its stdout, and `$SPRY_OUTPUT`."""

from __future__ import annotations

import pytest

from spry.engine.captures import IN_MEMORY, Keeper, outputs


@pytest.mark.parametrize("size", [0, 1, IN_MEMORY, IN_MEMORY + 1, 3 * IN_MEMORY])
def test_a_keeper_gives_back_every_byte_in_order(size):
    keeper = Keeper()
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    for at in range(0, size, 100_000):
        keeper.add(data[at : at + 100_000])

    assert b"".join(keeper.chunks()) == data
    assert keeper.head(1000) == data[:1000]
    keeper.close()


def test_a_keeper_holds_little_in_memory():
    keeper = Keeper()
    for _ in range(50):
        keeper.add(b"x" * 100_000)

    assert sum(map(len, keeper.pieces)) <= IN_MEMORY
    keeper.close()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("a=1\nb=2=3\n", {"a": "1", "b": "2=3"}),
        ("a=1\na=2\n", {"a": "2"}),
        ("a=\n", {"a": ""}),
        ("a<<EOF\nx\ny=1\nEOF\nb=2\n", {"a": "x\ny=1", "b": "2"}),
        ("a<<E\nE\n", {"a": ""}),
        ("a=x<<y\n", {"a": "x<<y"}),
        ("my-key.x=1", {"my-key.x": "1"}),
    ],
)
def test_outputs_are_read_as_lines_and_here_documents(text, found):
    assert outputs(text) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense\n", "line 1 of $SPRY_OUTPUT is neither"),
        ("a=1\n=x\n", "line 2 of $SPRY_OUTPUT has no valid key"),
        ("a b=1\n", "line 1 of $SPRY_OUTPUT has no valid key"),
        ("a<<EOF\nx\n", 'the value that begins in line 1 of $SPRY_OUTPUT has no end "EOF"'),
    ],
)
def test_wrong_lines_of_outputs_are_named(text, message):
    with pytest.raises(ValueError, match=message.replace("$", r"\$")):
        outputs(text)
