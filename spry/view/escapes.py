"""Terminal sequences in a task's output: its colours stay, everything else that a terminal would obey goes.

A sequence may be split anywhere between two chunks, so a filter remembers where it is. Nothing of a sequence is kept
beyond the first bytes, whatever its length.
"""

from __future__ import annotations

import re

RESET = b"\x1b[0m"
# All control characters but tab, newline, carriage return, backspace and ESC, which starts a sequence.
HARMLESS = b"\b\t\n\r\x1b"
DROPPED = bytes(code for code in (*range(32), 127) if code not in HARMLESS)
SEVEN_BIT = {
    b"\x90": b"\x1bP",
    b"\x98": b"\x1bX",
    b"\x9b": b"\x1b[",
    b"\x9c": b"\x1b\\",
    b"\x9d": b"\x1b]",
    b"\x9e": b"\x1b^",
    b"\x9f": b"\x1b_",
}

COLOUR = re.compile(rb"\x1b\[([0-9;:]*)m")
CONTROL = re.compile(rb"\x1b\[[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]")
UNFINISHED = re.compile(rb"\x1b(?:\[[\x30-\x3f]*[\x20-\x2f]*)?\Z|\x1b[\x20-\x2f]+\Z")
SHORT = re.compile(rb"\x1b[\x20-\x2f]*[\x30-\x7e]")
# A device control string may hold line ends; the others end with the line, so that a lost end swallows one line only.
TEXT_END = re.compile(rb"\x07|\x1b|\n|\x18|\x1a")
DEVICE_END = re.compile(rb"\x1b|\x18|\x1a")
LONGEST = 256  # bytes of an unfinished sequence; no real one is longer
EIGHT_BIT = re.compile(rb"\xc2([\x80-\x9f])")


class Filter:
    """Cleans one stream of one task; `colours=False` drops its colours too."""

    __slots__ = ("_colours", "_pending", "_string", "coloured")

    def __init__(self, *, colours: bool = True) -> None:
        self._colours = colours
        self._pending = b""
        self._string: re.Pattern[bytes] | None = None
        self.coloured = False

    def __call__(self, data: bytes) -> bytes:
        """The bytes that may be shown; the start of an unfinished sequence waits for the next call."""
        if self._pending:
            data, self._pending = self._pending + data, b""
        if data.endswith(b"\xc2"):
            data, self._pending = data[:-1], b"\xc2"
        if b"\xc2" in data:
            data = EIGHT_BIT.sub(_seven_bit, data)
        if self._string is None and b"\x1b" not in data:
            return data.translate(None, DROPPED)
        return self._sift(data)

    def end(self) -> bytes:
        """What the stream needs at its end: a reset if its colours are still on."""
        self._pending, self._string = b"", None
        reset = RESET if self.coloured else b""
        self.coloured = False
        return reset

    def _sift(self, data: bytes) -> bytes:
        kept: list[bytes] = []
        at = 0
        while at < len(data):
            if self._string is not None:
                at = self._skip_string(data, at)
                continue
            start = data.find(b"\x1b", at)
            if start < 0:
                start = len(data)
            kept.append(data[at:start].translate(None, DROPPED))
            at = self._sequence(data, start, kept) if start < len(data) else start
        return b"".join(kept)

    def _sequence(self, data: bytes, start: int, kept: list[bytes]) -> int:
        """Deal with the sequence at `start`; the offset behind it."""
        colour = COLOUR.match(data, start)
        if colour:
            self._colour(colour, kept)
            return colour.end()
        introducer = data[start + 1 : start + 2]
        if introducer and introducer in b"]PX^_":
            self._string = DEVICE_END if introducer == b"P" else TEXT_END
            return start + 2
        if UNFINISHED.match(data, start):
            self._pending = (data[start:] if len(data) - start <= LONGEST else b"\x1b[") + self._pending
            return len(data)
        whole = CONTROL.match(data, start) or (introducer != b"[" and SHORT.match(data, start))
        return whole.end() if whole else start + (2 if introducer == b"[" else 1)

    def _skip_string(self, data: bytes, at: int) -> int:
        assert self._string is not None
        end = self._string.search(data, at)
        if not end:
            return len(data)
        self._string = None
        if end[0] != b"\x1b":
            return end.start() if end[0] == b"\n" else end.end()
        return end.start()  # ESC \ ends the string as a sequence of its own; any other ESC starts a new one

    def _colour(self, match: re.Match[bytes], kept: list[bytes]) -> None:
        if not self._colours:
            return
        kept.append(match[0])
        self.coloured = match[1].strip(b"0;") != b""


def without(data: bytes) -> bytes:
    """Bytes without any sequence, colours included."""
    return Filter(colours=False)(data)


def _seven_bit(match: re.Match[bytes]) -> bytes:
    """Control characters 128-159, as UTF-8 writes them, in their two-byte form; unknown ones vanish."""
    return SEVEN_BIT.get(match[1], b"")
