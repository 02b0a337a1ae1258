"""JSON with the place of every value, so that whatever is wrong with one can be pointed at.

The package of the standard library knows places of its own mistakes only, keeps the last of two equal keys, and takes
`NaN`; here each of these is an error.
"""

from __future__ import annotations

import re
from _json import scanstring
from json import JSONDecodeError

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 1024 * 1024  # letters
DEEPEST = 32
LONGEST_NUMBER = 1000
BLANK = re.compile(r"[ \t\n\r]*")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
WORDS = {"true": True, "false": False, "null": None}


class Value(NamedTuple):
    """A value with its offsets: `plain` is a string, number, truth or None; a list or object has `items` instead.

    The items of an object are its keys and values in turn. `kind` is the word for it in a message.
    """

    kind: str
    plain: str | int | float | bool | None
    start: int
    end: int
    items: tuple[Value, ...] = ()

    @property
    def entries(self) -> Iterator[tuple[Value, Value]]:
        """The keys of an object, each with its value."""
        return zip(self.items[::2], self.items[1::2], strict=True)

    def bare(self) -> object:
        """The value without places."""
        if self.kind == "an object":
            return {str(key.plain): value.bare() for key, value in self.entries}
        if self.kind == "a list":
            return [item.bare() for item in self.items]
        return self.plain


class MalformedError(ValueError):
    """The text is no JSON: what was expected, and the offset at which it was not there."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.message, self.at = message, at


def parse(text: str) -> Value:
    """The value that a text is; raises MalformedError."""
    if len(text) > LARGEST:
        raise MalformedError(f"more than {LARGEST:,} letters", 0)
    value, at = _value(text, _skip(text, 0), 0)
    at = _skip(text, at)
    if at < len(text):
        raise MalformedError("expected nothing after the value", at)
    return value


def _value(text: str, at: int, depth: int) -> tuple[Value, int]:
    if depth > DEEPEST:
        raise MalformedError(f"nested more than {DEEPEST} deep", at)
    letter = text[at : at + 1]
    if letter == "{":
        return _members(text, at, depth, "}")
    if letter == "[":
        return _members(text, at, depth, "]")
    if letter == '"':
        return _string(text, at)
    for word, plain in WORDS.items():
        if text.startswith(word, at):
            end = at + len(word)
            return Value("nothing" if plain is None else "a truth value", plain, at, end), end
    number = NUMBER.match(text, at)
    if number is None:
        is_bare = letter.isalpha() or letter == "'"
        raise MalformedError("expected a value in double quotes" if is_bare else "expected a value", at)
    is_whole = number[1] is None and number[2] is None
    if len(number[0]) > LONGEST_NUMBER:
        raise MalformedError(f"a number of more than {LONGEST_NUMBER:,} digits", at)
    figure = int(number[0]) if is_whole else float(number[0])
    return Value("a number", figure, at, number.end()), number.end()


def _string(text: str, at: int) -> tuple[Value, int]:
    try:
        plain, end = scanstring(text, at + 1)
    except JSONDecodeError as error:
        raise MalformedError(f"broken string: {error.msg[0].lower()}{error.msg[1:]}", error.pos) from None
    return Value("a string", plain, at, end), end


def _members(text: str, at: int, depth: int, closing: str) -> tuple[Value, int]:
    """A list or an object, from its opening bracket on."""
    items: list[Value] = []
    keys: set[object] = set()
    start, at = at, _skip(text, at + 1)
    while text[at : at + 1] != closing:
        if items:
            if text[at : at + 1] != ",":
                raise MalformedError(f'expected "," or "{closing}"', at)
            at = _skip(text, at + 1)
        if closing == "}":
            key, at = _key(text, at, keys)
            items.append(key)
        value, at = _value(text, at, depth + 1)
        items.append(value)
        at = _skip(text, at)
    return Value("an object" if closing == "}" else "a list", None, start, at + 1, tuple(items)), at + 1


def _key(text: str, at: int, known: set[object]) -> tuple[Value, int]:
    if text[at : at + 1] != '"':
        raise MalformedError("expected a key in double quotes", at)
    key, end = _string(text, at)
    if key.plain in known:
        raise MalformedError(f'"{key.plain}" is given twice', at)
    known.add(key.plain)
    end = _skip(text, end)
    if text[end : end + 1] != ":":
        raise MalformedError('expected ":" after the key', end)
    return key, _skip(text, end + 1)


def _skip(text: str, at: int) -> int:
    blank = BLANK.match(text, at)
    assert blank is not None
    return blank.end()
