"""The YAML at the top of a file as nodes with places: bounded, without aliases, nothing constructed from it.

The pure-Python events of PyYAML are folded here, iteratively: its composer recurses, its constructor makes objects,
and its C loader crashes the process on deep nesting. Importing this module imports yaml and python-frontmatter.
"""

from __future__ import annotations

import yaml
from frontmatter.default_handlers import YAMLHandler

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

LARGEST = 64 * 1024
DEEPEST = 32
TAG = "tag:yaml.org,2002:"
KINDS: Mapping[str, str] = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
    "timestamp": "a date",
}


class Node(NamedTuple):
    """One value: `kind` in people's words, `value` as it is written, `start` and `end` its offsets in the block.

    `items` are the members of a list; of a mapping its keys and values in turn.
    """

    kind: str
    value: str
    start: int
    end: int
    items: tuple[Node, ...] = ()

    @property
    def entries(self) -> Iterator[tuple[Node, Node]]:
        """The keys of a mapping, each with its value."""
        return zip(self.items[::2], self.items[1::2], strict=True)

    @property
    def is_scalar(self) -> bool:
        """Whether it is one value: no collection, not nothing, and without a tag that gives it another type."""
        return self.kind not in {"a list", "a mapping", "nothing", "a tagged value"}


class Broken(NamedTuple):
    """Why a block is not read, and the offsets in it to point at."""

    message: str
    start: int
    end: int
    hint: str = ""


def span(text: str) -> tuple[int, int]:
    """The offsets of the YAML between the boundaries that python-frontmatter splits at; end -1 without a second."""
    boundaries = YAMLHandler.FM_BOUNDARY.finditer(text)
    opening, closing = next(boundaries), next(boundaries, None)
    return opening.end(), closing.start() if closing else -1


def read(block: str) -> tuple[Node | None, Broken | None]:
    """The one value of a YAML block, or what is wrong with it; neither if it holds nothing but comments."""
    if len(block) > LARGEST or len(block.encode("utf-8", "replace")) > LARGEST:
        start = len(block) - len(block.lstrip())
        return None, Broken("front matter larger than 64 KiB", start, start, "keep data in a file of its own")
    loader = None
    try:
        loader = yaml.SafeLoader(block)
        return _fold(loader)
    except yaml.reader.ReaderError as error:
        at = error.position
        return None, Broken(f"broken YAML: character U+{error.character:04X} is not allowed", at, at + 1)
    except yaml.MarkedYAMLError as error:
        return None, _complaint(error, len(block.rstrip()))
    except (ValueError, OverflowError):  # PyYAML lets these pass for escapes and versions out of range
        at = loader.index if loader else 0
        return None, Broken("broken YAML: a number out of range", at, at)


def _complaint(error: yaml.MarkedYAMLError, end: int) -> Broken:
    """What PyYAML says; something missing at the end is shown where it began."""
    mark = error.problem_mark or error.context_mark
    if mark and mark.index >= end:
        mark = error.context_mark or mark
    words = ": ".join(part for part in (error.context, error.problem) if part)
    hint = "indent with spaces, not tabs" if "'\\t'" in words else ""
    at = mark.index if mark else 0
    return Broken(f"broken YAML: {words}", at, at, hint)


def _fold(loader: Any) -> tuple[Node | None, Broken | None]:
    """Events to one tree; `opened` holds every open collection with what stands before it in its own collection."""
    members: list[Node] = []
    opened: list[tuple[Any, list[Node]]] = []
    while loader.check_event():
        event = loader.get_event()
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, yaml.AliasEvent):
            return None, Broken(f'alias "*{event.anchor}" in the front matter', start, end, "write the value out")
        if isinstance(event, yaml.ScalarEvent):
            members.append(Node(_kind(loader, event), event.value, start, end))
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(opened) == DEEPEST:
                return None, Broken(f"front matter nested more than {DEEPEST} levels deep", start, end)
            opened.append((event, members))
            members = []
        elif isinstance(event, yaml.CollectionEndEvent):
            opening, before = opened.pop()
            before.append(Node(_kind(loader, opening), "", opening.start_mark.index, end, tuple(members)))
            members = before
    if len(members) > 1:
        return None, Broken("more than one YAML document", members[1].start, members[1].end)
    return (members[0] if members else None), None


def _kind(loader: Any, event: Any) -> str:
    if event.tag is not None:
        return "a tagged value"
    if isinstance(event, yaml.ScalarEvent):
        tag = loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        return KINDS.get(tag.removeprefix(TAG), "text")
    return "a mapping" if isinstance(event, yaml.MappingStartEvent) else "a list"
