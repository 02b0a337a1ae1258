"""The `{ … }` of a fence: `k=v` pairs, a JSON object, or YAML flow, each key with its column."""

from __future__ import annotations

from spry.core import nodes
from spry.core.words import Fault, Unterminated, Word, next_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from spry.core.nodes import Node

    Texts = list[tuple[str, int]]  # values with their offsets; none for a bare word or true
    Entry = tuple[str, Texts, int, int]  # key, values, offset, length

HINT = "write { key: value, … } or k=v"


def entries(text: str, start: int, end: int) -> Iterator[Entry | Fault]:
    """The attributes between the braces at `start` and before `end`, or what is wrong with them."""
    inner = text[start + 1 : end - 1]
    first = next_word(inner, 0)
    if first is None:
        return iter(())
    pairs = isinstance(first, Word) and not first.quoted and (first.text[0] in ".#" or ":" not in inner)
    if pairs or (isinstance(first, Word) and "=" in first.text.split(":")[0].rstrip(":")):
        return _pairs(inner, start + 1)
    return _flow(text[start:end], start)


def _pairs(inner: str, offset: int) -> Iterator[Entry | Fault]:
    """`k=v k="a b" word .class #id`, with or without commas between them."""
    at = 0
    while (word := next_word(inner, at)) is not None:
        if isinstance(word, Unterminated):
            yield Fault(f"unterminated {word.what}", offset + word.start, 1, "close the quote")
            return
        at = word.end
        separator = inner[word.start : at].endswith(",")  # and no part of a quoted value
        key, equals, value = (word.text.rstrip(",") if separator else word.text).partition("=")
        if key and key[0] not in ".#":
            start = offset + word.start
            yield key, [(value, start + len(key) + 1)] if equals else [], start, word.end - word.start


def _flow(text: str, offset: int) -> Iterator[Entry | Fault]:
    """A JSON object or YAML flow mapping; JSON is read as the YAML it is."""
    node, broken = nodes.read(text)
    if broken is not None:
        message = broken.message.replace("front matter", "attributes")
        yield Fault(message, offset + broken.start, 1, broken.hint or HINT)
        return
    if node is None or node.kind != "a mapping":
        yield Fault("attributes are not a mapping", offset, len(text), HINT)
        return
    for key, value in zip(node.items[::2], node.items[1::2], strict=True):
        yield key.value, list(_texts(value, text, offset)), offset + key.start, value.end - key.start


def _texts(node: Node, text: str, offset: int) -> Iterator[tuple[str, int]]:
    """A value as the texts that flags would be given: a list repeats, a mapping is `key=value` for each."""
    if node.kind == "a list":
        for item in node.items:
            yield from _texts(item, text, offset)
    elif node.kind == "a mapping":
        for key, value in zip(node.items[::2], node.items[1::2], strict=True):
            for inner, _ in _texts(value, text, offset):
                yield f"{key.value}={inner}", offset + key.start
    elif not _is_true(node):
        yield node.value, offset + node.start + (text[node.start : node.start + 1] in "'\"")


def _is_true(node: Node) -> bool:
    return node.kind == "nothing" or (node.kind == "true or false" and node.value.lower() in {"true", "yes", "on"})
