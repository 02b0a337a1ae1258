"""Splitting an info string into words as a POSIX shell would, with the column of each."""

from __future__ import annotations

from spry.record import NamedTuple

BLANKS = " \t"


class Word(NamedTuple):
    """One word: its text after quoting, where it stands (`start`, `end` are offsets), and whether it was quoted."""

    text: str
    start: int
    end: int
    quoted: bool = False


class Unterminated(NamedTuple):
    """A quote, an escape or a brace that never ends; `start` is the offset where it begins."""

    what: str
    start: int


class Fault(NamedTuple):
    """Something wrong at an offset of the text that was read."""

    message: str
    start: int
    length: int = 1
    hint: str = ""


def next_word(text: str, start: int) -> Word | Unterminated | None:
    r"""The word at or after an offset, or None at the end.

    word = (plain | "\" any | "'" literal "'" | '"' (any | "\" (one of $`"\\))* '"')+
    """
    while start < len(text) and text[start] in BLANKS:
        start += 1
    if start >= len(text):
        return None
    taken: list[str] = []
    quoted = False
    at = start
    while at < len(text) and text[at] not in BLANKS:
        letter = text[at]
        if letter not in "'\"\\":
            taken.append(letter)
            at += 1
            continue
        quoted = True
        end = _quotation(text, at, taken)
        if end < 0:
            return Unterminated("escape" if letter == "\\" else "quote", at)
        at = end
    return Word("".join(taken), start, at, quoted)


def _quotation(text: str, at: int, taken: list[str]) -> int:
    """Take the quotation or escape at an offset; the offset behind it, or -1 if it never ends."""
    quote = text[at]
    if quote == "\\":
        taken.append(text[at + 1 : at + 2])
        return at + 2 if at + 1 < len(text) else -1
    if quote == "'":
        end = text.find("'", at + 1)
        taken.append(text[at + 1 : end])
        return end + 1 or -1
    at += 1
    while at < len(text):
        letter = text[at]
        if letter == '"':
            return at + 1
        if letter == "\\" and text[at + 1 : at + 2] in tuple('$`"\\'):
            at += 1
        taken.append(text[at])
        at += 1
    return -1


def braces(text: str, start: int) -> int | Unterminated:
    """The offset behind the brace that closes the one at `start`; braces inside quotes do not count."""
    depth, at = 0, start
    while at < len(text):
        letter = text[at]
        if letter in "'\"":
            at = _string(text, at)
            if at < 0:
                break
            continue
        depth += (letter == "{") - (letter == "}")
        at += 1
        if not depth:
            return at
    return Unterminated("brace", start)


def _string(text: str, at: int) -> int:
    """The offset behind the quoted string at an offset, or -1; a quote inside a word (`it's`) is a letter."""
    quote = text[at]
    if quote == "'" and at and text[at - 1].isalnum():
        return at + 1
    end = at + 1
    while end < len(text) and text[end] != quote:
        end += 2 if text[end] == "\\" and quote == '"' else 1
    return end + 1 if end < len(text) else -1
