"""Many patterns looked for at once in pieces of data: where they are, and where one may begin that is cut off."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from re import Pattern

    Span = tuple[int, int]

ANCHOR = 4  # bytes by which a pattern is looked for; no pattern is shorter
FEW = 64  # patterns that are quicker looked for one by one
# What is frequent in logs, first what is most frequent: a pattern is looked for by what is rare in it.
FREQUENT = b" etaoinsrhldcumfpgwybvkxjqz0123456789./:-_=,\"'()[]\n"


class Search:
    """Finds patterns, all of 4 bytes or more; made once for many pieces of data."""

    __slots__ = ("_anchored", "_groups", "_starts", "patterns", "reach", "spans")

    spans: Callable[[bytes], list[Span]]

    def __init__(self, patterns: Iterable[bytes]) -> None:
        self.patterns = tuple(sorted({*patterns}))
        self.reach = max(map(len, self.patterns), default=0)
        self._groups = _groups(self.patterns)
        self._starts = frozenset(pattern[:size] for pattern in self.patterns for size in range(1, ANCHOR))
        self._anchored: dict[bytes, list[bytes]] = {}
        for pattern in self.patterns:
            self._anchored.setdefault(pattern[:ANCHOR], []).append(pattern)
        self.spans = self._one_by_one if len(self._groups) <= FEW else _Anchors(self._groups).spans

    def _one_by_one(self, data: bytes) -> list[Span]:
        """Where patterns are, in order, those that overlap made one."""
        found = []
        for pattern, longer in self._groups.items():
            at = data.find(pattern)
            while at >= 0:
                found.append((at, _end(data, at, pattern, longer)))
                at = data.find(pattern, at + 1)
        return merged(sorted(found)) if len(found) > 1 else found

    def beginning(self, data: bytes) -> int:
        """Where the first pattern begins of which data may hold a part only; its length if there is none."""
        size = len(data)
        first, last = max(size - self.reach + 1, 0), max(size - ANCHOR + 1, 0)
        look = self._by_place if last - first < len(self._anchored) else self._by_anchor
        found = look(data, first, last)
        if found < last:
            return found
        for at in range(max(last, first), size):
            if data[at:] in self._starts:
                return at
        return size

    def _by_place(self, data: bytes, first: int, last: int) -> int:
        for at in range(first, last):
            patterns = self._anchored.get(data[at : at + ANCHOR])
            if patterns and _is_cut(data, at, patterns):
                return at
        return last

    def _by_anchor(self, data: bytes, first: int, last: int) -> int:
        for anchor, patterns in self._anchored.items():
            at = data.find(anchor, first)
            while 0 <= at < last:
                if _is_cut(data, at, patterns):
                    last = at
                    break
                at = data.find(anchor, at + 1)
        return last


class _Anchors:
    """Finds patterns by an anchor of each, all anchors with one regular expression."""

    __slots__ = ("_expression", "_found")

    def __init__(self, groups: dict[bytes, list[bytes]]) -> None:
        import re  # noqa: PLC0415 - only where there are many secrets

        self._found: dict[bytes, list[tuple[int, bytes, list[bytes]]]] = {}
        for pattern, longer in groups.items():
            at = _rarest(pattern)
            self._found.setdefault(pattern[at : at + ANCHOR], []).append((at, pattern, longer))
        self._expression: Pattern[bytes] = re.compile(_tree(set(self._found), re.escape), re.DOTALL)

    def spans(self, data: bytes) -> list[Span]:
        """Where patterns are, in order, those that overlap made one."""
        found: list[Span] = []
        search = self._expression.search
        hit = search(data)
        while hit:
            place = hit.start()
            for before, pattern, longer in self._found[hit[0]]:
                at = place - before
                if at >= 0 and data.startswith(pattern, at):
                    found.append((at, _end(data, at, pattern, longer)))
            hit = search(data, place + 1)
        return merged(sorted(found)) if len(found) > 1 else found


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans in order of their starts, those that overlap made one; neighbours stay two."""
    found: list[Span] = []
    for start, end in spans:
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _groups(patterns: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    """Sorted patterns by the shortest one that each begins with: only that has to be looked for."""
    groups: dict[bytes, list[bytes]] = {}
    shortest: bytes | None = None
    for pattern in patterns:
        if shortest is not None and pattern.startswith(shortest):
            groups[shortest].insert(0, pattern)
        else:
            shortest = pattern
            groups[pattern] = []
    return groups


def _end(data: bytes, at: int, pattern: bytes, longer: Iterable[bytes]) -> int:
    """Where the longest pattern of a group ends that begins here."""
    return at + max((len(one) for one in longer if data.startswith(one, at)), default=len(pattern))


def _is_cut(data: bytes, at: int, patterns: Iterable[bytes]) -> bool:
    """Whether one of the patterns goes on behind the data."""
    rest = len(data) - at
    return any(len(pattern) > rest and data.endswith(pattern[:rest]) for pattern in patterns)


def _rarest(pattern: bytes) -> int:
    """Where the anchor of a pattern begins: at its rarest byte, with rare ones behind."""
    rarity = [FREQUENT.find(byte) if byte in FREQUENT else len(FREQUENT) for byte in pattern]
    places = range(len(pattern) - ANCHOR + 1)
    return max(places, key=lambda at: (rarity[at], sum(rarity[at : at + ANCHOR])))


def _tree(anchors: set[bytes], escape: Callable[[bytes], bytes]) -> bytes:
    """A regular expression for anchors of one length that reads their common beginnings once."""
    if anchors == {b""}:
        return b""
    rests: dict[bytes, set[bytes]] = {}
    for anchor in anchors:
        rests.setdefault(anchor[:1], set()).add(anchor[1:])
    firsts: dict[bytes, list[bytes]] = {}
    for first, rest in sorted(rests.items()):
        firsts.setdefault(_tree(rest, escape), []).append(escape(first))
    branches = [b"[%b]%b" % (b"".join(letters), rest) for rest, letters in firsts.items()]
    return branches[0] if len(branches) == 1 else b"(?:%b)" % b"|".join(branches)
