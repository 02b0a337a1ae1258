"""Secrets in output: every byte of one becomes part of a `***`, in whatever spelling and however it is cut up.

Masking a stream piece by piece gives what masking it whole gives: what may be the beginning of a secret is held back
until the next piece, or the end, tells. Control sequences of terminals, such as colours, may stand within a secret.
"""

from __future__ import annotations

from spry.core.search import Search, merged
from spry.core.spellings import spellings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from re import Pattern

    from spry.core.search import Span

HIDDEN = b"***"
SHORTEST = 6  # characters: the text of anything shorter stands everywhere
ESCAPE = b"\x1b"
# Control sequences: the data may end within the first kind, and does within the second.
WHOLE = rb"\x1b(?:\[[0-?]*[ -/]*(?:[@-~]|\Z)|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\|\x1b\Z|\Z)|[ -/]*(?:[0-~]|\Z))"
CUT = rb"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]{0,4096}\x1b?|[ -/]*)\Z"
PATIENT = 4096  # bytes of control sequences in a secret that is not complete
REVEALED = 2  # bytes of what may be a secret that are told when nothing follows for some time


class Masker:
    """Knows secrets and masks them; more can be added while streams are under way."""

    __slots__ = ("_known", "_search")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: dict[str, set[bytes]] = {}
        self._search: Search | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> bool:
        """Mask this one too; False if it is too short to be masked, as everything else would be masked with it."""
        if secret in self._known:
            return True
        if len(secret.strip()) < SHORTEST:
            return False
        self._known[secret] = spellings(secret)
        self._search = None
        return True

    @property
    def search(self) -> Search:
        """What finds the secrets that are known by now."""
        if self._search is None:
            self._search = Search(set().union(*self._known.values()))
        return self._search

    def bytes(self, data: bytes) -> bytes:
        """Data that is whole, masked."""
        stream = Stream(self)
        return stream.feed(data) + stream.flush()

    def text(self, text: str) -> str:
        """Text that is whole, masked."""
        data = text.encode("utf-8", "surrogateescape")
        masked = self.bytes(data)
        return text if masked == data else masked.decode("utf-8", "surrogateescape")

    def stream(self) -> Stream:
        """What masks one stream."""
        return Stream(self)

    def finds(self, text: str) -> bool:
        """Whether there is a secret in a text."""
        return bool(self.search.spans(text.encode("utf-8", "surrogateescape")))


class Stream:
    """Masks one stream: what `feed`, `ease` and, at the end, `flush` give is all of it, in order."""

    __slots__ = ("_covered", "_held", "_masker", "_out")

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = b""  # may be the beginning of a secret; shorter than the longest one
        self._covered = 0  # so many bytes of it are part of a secret whose `***` is out
        self._out = 0  # so many bytes of it are out as they are

    @property
    def waits(self) -> bool:
        """Whether `ease` would give something."""
        return bool(self._held) and not self._out and not self._covered

    def feed(self, data: bytes) -> bytes:
        """The next piece: what can be told of it and of what was held back."""
        data = self._held + data
        search = self._masker.search
        if ESCAPE not in data:
            return self._told(data, search.spans(data), search.beginning(data))
        plain = _Plain(data, search)
        begins = plain.beginning()
        if len(data) - begins > search.reach + PATIENT:
            begins = len(data)
        return self._told(data, plain.spans(), begins)

    def ease(self) -> bytes:
        """The first bytes of what is held back, as nothing follows for some time: too few to give a secret away."""
        if not self.waits:
            return b""
        told = self._held[:REVEALED].partition(ESCAPE)[0]
        self._out = len(told)
        return told

    def flush(self) -> bytes:
        """What was held back, at the end of the stream."""
        data, search = self._held, self._masker.search
        return self._told(data, _Plain(data, search).spans() if ESCAPE in data else search.spans(data), len(data))

    def _told(self, data: bytes, spans: list[Span], until: int) -> bytes:
        """The masked data up to where a secret may begin that is not complete; those that begin before are."""
        told: list[bytes] = []
        at, hidden = self._out, 0
        if self._covered:
            spans = [(0, self._covered), *spans]
        for start, end in merged(spans) if len(spans) > 1 else spans:
            is_out = self._covered > 0 and start == 0
            if start >= until and not is_out:
                break
            if not is_out:
                told += (data[at:start], HIDDEN, self._colours(data[start:end]))
            at, hidden = max(end, at), end
        if at < until:
            told.append(data[at:until])
        self._held, self._covered, self._out = data[until:], max(hidden - until, 0), max(self._out - until, 0)
        return b"".join(told)

    def _colours(self, hidden: bytes) -> bytes:
        """The changes of colour within a secret, so that what follows has its own."""
        if ESCAPE not in hidden:
            return b""
        return b"".join(one for one in _sequences().findall(hidden) if one.endswith(b"m") and one.startswith(b"\x1b["))


class _Plain:
    """Data without control sequences, and what is found there in places of the data."""

    __slots__ = ("_data", "_found", "_parts", "_search", "_text")

    def __init__(self, data: bytes, search: Search) -> None:
        self._data, self._search = data, search
        self._text = _sequences().sub(b"", data)
        self._found = search.spans(self._text)
        self._parts: list[tuple[int, int]] = []  # where parts of the data stand in the text, and in the data

    def beginning(self) -> int:
        """Where something begins that may be cut off, a sequence or what it stands in; else the length of the data."""
        data = self._data
        begins = min(self._search.beginning(data), self._place(self._search.beginning(self._text)))
        cut = _sequences(CUT).search(data)
        if cut:
            begins = min(begins, cut.start())
        escape = data.rfind(ESCAPE, 0, begins)
        within = _sequences().match(data, escape) if escape >= 0 else None
        return escape if within and within.end() > begins else begins

    def spans(self) -> list[Span]:
        """Where something is found, with control sequences in it or without."""
        found = [(self._place(start), self._place(end - 1) + 1) for start, end in self._found]
        return sorted([*self._search.spans(self._data), *found])

    def _place(self, at: int) -> int:
        """Where a byte of the text stands in the data; behind its last byte, that is the end."""
        if at >= len(self._text):
            return len(self._data)
        from bisect import bisect_right  # noqa: PLC0415 - only for secrets in coloured output

        if not self._parts:
            self._divide()
        in_text, in_data = self._parts[bisect_right(self._parts, (at, len(self._data))) - 1]
        return in_data + at - in_text

    def _divide(self) -> None:
        """Of parts that begin at the same place of the text, all but the last are empty."""
        size = at = 0
        for sequence in _sequences().finditer(self._data):
            self._parts.append((size, at))
            size += sequence.start() - at
            at = sequence.end()
        self._parts.append((size, at))


def _sequences(pattern: bytes = WHOLE) -> Pattern[bytes]:
    import re  # noqa: PLC0415 - only for secrets in coloured output; compiled once by its own cache

    return re.compile(pattern)
