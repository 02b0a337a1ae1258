"""PARTIAL cells: text that other cells include as `{{NAME}}`, or that is put into them by `--inject`."""

from __future__ import annotations

from spry.core.passage import Piece
from spry.core.text import did_you_mean
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from spry.core.passage import Passage
    from spry.errors import Problem

NAME_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:/+-"
LONGEST_NAME = 200
MOST_TEXT = 1 << 20
MOST_INCLUSIONS = 10_000
DEEPEST = 100


class Partial(NamedTuple):
    """A `PARTIAL NAME` cell: its text, the globs of the tasks it is injected into, and where it goes there."""

    name: str
    text: Passage
    inject: tuple[str, ...] = ()
    append: bool = False
    weight: float = 0.0


class Reference(NamedTuple):
    """`{{NAME}}` in a text: the offsets of its first brace and behind its last."""

    start: int
    end: int
    name: str


class _Open(NamedTuple):
    """A piece in waiting: as it is, or the reference to `name` inside the inclusions `trail`, outermost first."""

    piece: Piece
    name: str = ""
    trail: tuple[str, ...] = ()


def inject(body: Passage, name: str, partials: Iterable[Partial]) -> list[Piece]:
    """A task's body with the partials that want to be in it: low weights first, never before a shebang line."""
    wanted = sorted((one for one in partials if one.inject and is_wanted(name, one.inject)), key=lambda one: one.weight)
    text = body.text
    head = 0
    if text.startswith("#!"):
        head = text.find("\n") + 1 or len(text)
    before = [piece for one in wanted if not one.append for piece in _whole_lines(one.text, 0, len(one.text.text))]
    after = [piece for one in wanted if one.append for piece in _whole_lines(one.text, 0, len(one.text.text))]
    first = _whole_lines(body, 0, head) if before or after else [Piece(text[:head], body, 0)]
    rest = _whole_lines(body, head, len(text)) if after else [Piece(text[head:], body, head)]
    return [piece for piece in (*first, *before, *rest, *after) if piece.text] or [Piece(text, body, 0)]


def is_wanted(name: str, globs: Sequence[str]) -> bool:
    """Whether a task's name matches one of the globs and none of those behind a `!`; only negations match the rest."""
    from fnmatch import fnmatchcase  # noqa: PLC0415 - few runbooks inject

    if any(fnmatchcase(name, glob[1:]) for glob in globs if glob.startswith("!")):
        return False
    positive = [glob for glob in globs if not glob.startswith("!")]
    return not positive or any(fnmatchcase(name, glob) for glob in positive)


def _whole_lines(passage: Passage, start: int, end: int) -> list[Piece]:
    text = passage.text[start:end]
    if not text or text.endswith("\n"):
        return [Piece(text, passage, start)]
    return [Piece(text, passage, start), Piece("\n", passage, end)]


def references(text: str, shell: str = "") -> list[Reference]:
    """Every `{{NAME}}` of a text; in a shell script those in comments or behind a backslash are left out."""
    found = list(_names(text))
    if not found or not shell:
        return found
    from spry.core.shellscan import scan  # noqa: PLC0415 - few cells include anything

    contexts = scan(text, [(one.start, one.end) for one in found], shell)
    return [one for one, context in zip(found, contexts, strict=True) if context not in ("comment", "escaped")]


def _names(text: str) -> Iterator[Reference]:
    at = text.find("{{")
    while at >= 0:
        end = text.find("}}", at + 2, at + LONGEST_NAME)
        name = text[at + 2 : end] if end >= 0 else ""
        is_third = at > 0 and text[at - 1] == "{"
        if name and not name.strip(NAME_LETTERS) and name[0] not in ":/+-" and not is_third:
            yield Reference(at, end + 2, name)
            at = end + 1
        at = text.find("{{", at + 1)


def expand(pieces: Sequence[Piece], partials: Mapping[str, Partial], shell: str) -> tuple[list[Piece], list[Problem]]:
    """The pieces with every `{{NAME}}` replaced by the text of the partial, and what is wrong with the references.

    A reference that is wrong stays as it is.
    """
    return _Expansion(partials, shell).run(pieces)


class _Expansion:
    """Inclusions in progress: `waiting` is a stack, the next piece on top."""

    def __init__(self, partials: Mapping[str, Partial], shell: str) -> None:
        self.partials, self.shell = partials, shell
        self.done: list[Piece] = []
        self.problems: list[Problem] = []
        self.waiting: list[_Open] = []
        self.known: dict[str, list[Reference]] = {}
        self.inclusions = self.size = 0

    def run(self, pieces: Sequence[Piece]) -> tuple[list[Piece], list[Problem]]:
        text = "".join(piece.text for piece in pieces)
        self.waiting = list(_cut(pieces, references(text, self.shell), ()))[::-1]
        while self.waiting:
            item = self.waiting.pop()
            if item.name:
                self._include(item)
            else:
                self.done += [item.piece] if item.piece.text else []
        return self.done, self.problems

    def _include(self, item: _Open) -> None:
        message, hint = self._objection(item)
        if message:
            piece = item.piece
            self.problems.append(piece.passage.problem(piece.start, message, len(piece.text), hint))
            self.done.append(piece)
            return
        passage = self.partials[item.name].text
        text = passage.text.removesuffix("\n")
        self.inclusions += 1
        self.size += len(text)
        if item.name not in self.known:
            self.known[item.name] = references(text, self.shell)
        parts = _cut([Piece(text, passage, 0)], self.known[item.name], (*item.trail, item.name))
        self.waiting += list(parts)[::-1]

    def _objection(self, item: _Open) -> tuple[str, str]:
        name, trail = item.name, item.trail
        if name not in self.partials:
            near = did_you_mean(name, self.partials)
            return f'PARTIAL "{name}" does not exist', near or f"write {{{{ {name} }}}} with blanks to leave it alone"
        if name in trail:
            loop = " → ".join((*trail[trail.index(name) :], name))
            return f"PARTIAL includes itself: {loop}", "take one of these inclusions out"
        if len(trail) >= DEEPEST:
            return f"PARTIAL cells include one another more than {DEEPEST} deep", "include fewer levels"
        if self.inclusions >= MOST_INCLUSIONS or self.size > MOST_TEXT:
            self.waiting.clear()  # said once
            return f'PARTIAL "{name}" makes the cell too large (1 MiB or 10,000 inclusions)', "include less"
        return "", ""


def _cut(pieces: Iterable[Piece], found: Sequence[Reference], trail: tuple[str, ...]) -> Iterator[_Open]:
    """The pieces, cut at the references found in them together."""
    offset = index = 0
    for piece in pieces:
        at, end = 0, len(piece.text)
        while index < len(found) and found[index].start < offset + end:
            start, stop = found[index].start - offset, found[index].end - offset
            yield _Open(_part(piece, at, start))
            yield _Open(_part(piece, start, stop), found[index].name, trail)
            at = stop
            index += 1
        yield _Open(_part(piece, at, end))
        offset += end


def _part(piece: Piece, start: int, end: int) -> Piece:
    return Piece(piece.text[start:end], piece.passage, piece.start + start)
