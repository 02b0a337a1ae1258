"""Text in columns of a terminal: how wide it is, cut, filled, wrapped, and made harmless."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

JOINERS = "\u200c\u200d"  # they hold letters and emoji together and move nothing


def printable(text: str) -> str:
    r"""Text with every control character written out (`\x1b`, `\u202e`); line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def width(text: str) -> int:
    """How many columns the text takes: two for CJK and emoji, none for combining marks."""
    if text.isascii():
        return len(text)
    return sum(map(_columns(), text))


def cut(text: str, most: int) -> str:
    """Text in at most `most` columns, an ellipsis where something is missing."""
    if width(text) <= most:
        return text
    return head(text, most - 1) + "…" if most > 0 else ""


def head(text: str, most: int) -> str:
    """As much of the beginning as fits `most` columns."""
    if text.isascii():
        return text[: max(most, 0)]
    columns = _columns()
    used = 0
    for index, letter in enumerate(text):
        used += columns(letter)
        if used > most:
            return text[:index]
    return text


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells in columns as wide as they need; the first row is the heading."""
    if not rows:
        return ""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(fill, row, widths)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def fill(text: str, columns: int) -> str:
    """Text with blanks up to `columns`."""
    return text + " " * (columns - width(text))


def wrap(text: str, most: int) -> list[str]:
    """Lines of at most `most` columns, broken at blanks; a longer word is broken where it has to be."""
    lines = [""]
    for word in text.split():
        line = f"{lines[-1]} {word}" if lines[-1] else word
        if width(line) <= most:
            lines[-1] = line
            continue
        broken = _break(word, most)
        lines[len(lines) - (not lines[-1]) :] = broken
    return lines


def _break(word: str, most: int) -> list[str]:
    pieces = []
    while width(word) > most:
        piece = head(word, most) or word[0]
        pieces.append(piece)
        word = word[len(piece) :]
    return [*pieces, word] if word else pieces


def _shown(letter: str) -> str:
    if letter.isprintable() or letter in "\n\t" or letter in JOINERS:
        return letter
    code = ord(letter)
    if code == 0xAD or letter.isspace():  # a soft hyphen and the many blanks
        return letter if code > 0x9F else f"\\x{code:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _columns() -> Callable[[str], int]:
    import unicodedata  # noqa: PLC0415 - only for text beyond ASCII

    def columns(letter: str) -> int:
        if unicodedata.east_asian_width(letter) in "WF":
            return 2
        return 0 if unicodedata.category(letter) in ("Mn", "Me", "Cf") else 1

    return columns
