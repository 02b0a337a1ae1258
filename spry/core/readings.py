"""How each value under `spry:` in front matter is read.

A reading takes a node and the key's full name; it answers the value, or notes a problem and answers None.
"""

from __future__ import annotations

from spry.core import values
from spry.core.text import did_you_mean, listing
from spry.core.words import Unterminated, next_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from spry.core.model import Parameter
    from spry.core.nodes import Node
    from spry.core.settings import Reader, Reading

ENV_MODES = ("auto", "uv", "venv", "system")


def text(reader: Reader, node: Node, name: str) -> str | None:
    """Text that says something."""
    if node.kind == "text" and node.value.strip() and "\0" not in node.value:
        return node.value
    hint = "write it in quotes" if node.is_scalar and node.kind != "text" else ""
    kind = "a blank or a NUL byte" if node.kind == "text" else node.kind
    reader.fault(node, f"{name}: expected text, not {kind}", hint)
    return None


def scalar(reader: Reader, node: Node, name: str) -> str | None:
    """The value as it is written, whatever YAML would make of it: `01` stays `01`."""
    if node.is_scalar:
        return node.value
    hint = 'write "" for an empty value' if node.kind == "nothing" else ""
    reader.fault(node, f"{name}: expected one value, not {node.kind}", hint)
    return None


def count(reader: Reader, node: Node, name: str) -> int | None:
    """A whole number from 1 on."""
    found = values.whole(node.value) if node.kind == "a whole number" else None
    if found and str(found) == node.value:
        return found
    reader.fault(node, f"{name}: expected a whole number of at least 1, not {_shown(node)}")
    return None


def switch(reader: Reader, node: Node, name: str) -> bool | None:
    """Yes or no, in any of the words that YAML has for it."""
    if node.kind == "true or false":
        return node.value.lower() in {"true", "yes", "on"}
    reader.fault(node, f"{name}: expected true or false, not {_shown(node)}")
    return None


def _shown(node: Node) -> str:
    return f'"{node.value}"' if node.is_scalar else node.kind


def as_flag(read: Callable[[str], Any]) -> Reading:
    """A value that is written as the flag of that name has it."""

    def reading(reader: Reader, node: Node, name: str) -> Any:
        written = scalar(reader, node, name)
        found = None if written is None else read(written)
        if not isinstance(found, str):
            return found
        reader.fault(node, f"{name}: {found}")
        return None

    return reading


def grace(written: str) -> float | str:
    """A duration, which may be nothing at all: then tasks are killed at once."""
    return 0.0 if written in {"0", "0s", "0.0"} else values.duration(written)


def command(reader: Reader, node: Node, name: str) -> str | None:
    """A command line with a shell's quoting."""
    line = text(reader, node, name)
    word = next_word(line or "", 0)
    while word is not None:
        if isinstance(word, Unterminated):
            reader.fault(node, f"{name}: unterminated {word.what} in the command")
            return None
        word = next_word(line or "", word.end)
    return line


def env_mode(reader: Reader, node: Node, name: str) -> str | None:
    """In which Python environment tasks run."""
    if node.kind == "text" and node.value in ENV_MODES:
        return node.value
    hint = did_you_mean(node.value, ENV_MODES)
    reader.fault(node, f"{name}: expected {listing(ENV_MODES, 'or')}, not {_shown(node)}", hint)
    return None


def variables(reader: Reader, node: Node, name: str) -> dict[str, str]:
    """Environment variables by name; a value is taken as it is written."""
    found: dict[str, str] = {}
    for key, value in reader.fields(node, name):
        if not values.is_variable(key.value):
            reader.fault(key, f'{name}: "{key.value}" cannot name a variable: {values.NAME_RULE}')
            continue
        written = scalar(reader, value, f"{name}.{key.value}")
        if written is not None and "\0" in written:
            reader.fault(value, f"{name}.{key.value}: a NUL byte cannot be handed to a task")
        elif written is not None:
            found[key.value] = written
    return found


def interpreters(reader: Reader, node: Node, name: str) -> dict[str, str]:
    """Commands by the language that they run."""
    found: dict[str, str] = {}
    for key, value in reader.fields(node, name):
        language = key.value.lower()
        line = command(reader, value, f"{name}.{language}")
        if len(language.split()) != 1:
            reader.fault(key, f'{name}: expected one word as the language, not "{language}"')
        elif language in found:
            reader.fault(key, f'{name}: language "{language}" is given twice')
        elif line is not None:
            found[language] = line
    return found


def _members(reader: Reader, node: Node, name: str) -> tuple[Node, ...]:
    """The single values of a list; nothing at all is an empty one."""
    if node.kind not in {"a list", "nothing"}:
        reader.fault(node, f"{name}: expected a list, not {node.kind}")
        return ()
    return tuple(item for item in node.items if scalar(reader, item, name) is not None)


def files(reader: Reader, node: Node, name: str) -> tuple[str, ...]:
    """One path, or a list of them."""
    items = node.items if node.kind == "a list" else (node,)
    paths = (text(reader, item, name) for item in items)
    return tuple(path for path in paths if path is not None)


def graphs(reader: Reader, node: Node, name: str) -> dict[str, str]:
    """Graphs by name, with what is said of them: a list, or a mapping."""
    is_mapping = node.kind == "a mapping"
    pairs = reader.fields(node, name) if is_mapping else ((item, None) for item in _members(reader, node, name))
    found: dict[str, str] = {}
    for key, value in pairs:
        if not key.value or any(mark in key.value for mark in ", \t\n"):
            reader.fault(key, f'{name}: "{key.value}" cannot name a graph: expected a word without commas')
        elif value is None or value.kind == "nothing":
            found[key.value] = ""
        else:
            found[key.value] = text(reader, value, f"{name}.{key.value}") or ""
    return found


def secrets(reader: Reader, node: Node, name: str) -> tuple[str, ...]:
    """A list of the variables whose values are secret, each once."""
    names: dict[str, None] = {}
    for item in _members(reader, node, name):
        if values.is_variable(item.value.replace("-", "_")):
            names[item.value] = None
        else:
            reader.fault(item, f'{name}: "{item.value}" cannot name a variable: {values.NAME_RULE}')
    return tuple(names)


def params(reader: Reader, node: Node, name: str) -> tuple[Parameter, ...]:
    """Parameters by name."""
    found = []
    for key, value in reader.fields(node, name):
        parameter = _parameter(reader, key, value, f"{name}.{key.value}")
        if parameter is not None:
            found.append(parameter)
    return tuple(found)


def _parameter(reader: Reader, key: Node, node: Node, name: str) -> Parameter | None:
    """A parameter: nothing (text that must be given), one value (text with that default), or its parts."""
    own = reader.part()
    if node.kind == "a mapping":
        own.section(node, name, "spry.params.NAME")
    elif node.kind != "nothing":
        own.filled["default"] = placed(reader, node, name)
    made = values.typed(key.value, _type(own, key, name), None, *reader.place(key))
    if isinstance(made, str):
        reader.fault(key, f"{name}: {made}")
        return None
    default: Node | None = own.filled.get("default")
    if default is None:
        return made
    if fault := values.check(made, default.value):
        reader.fault(default, f"{name}: {fault}")
    return made._replace(default=default.value)


def _type(own: Reader, key: Node, name: str) -> str:
    """The type of a parameter as a flag would have it; `choices` are those of the type `choice`."""
    written: str = own.filled.get("type", "choice" if "choices" in own.filled else "str")
    if "choices" not in own.filled:
        return written
    if written != "choice":
        own.fault(key, f'{name}: choices belong to the type choice, not to "{written}"')
        return written
    return f"choice({'|'.join(own.filled['choices'])})"


def placed(reader: Reader, node: Node, name: str) -> Node | None:
    """One value with its place, for whoever has to say more about it."""
    return None if scalar(reader, node, name) is None else node


def choices(reader: Reader, node: Node, name: str) -> tuple[str, ...]:
    """A list of values, of which one may be chosen."""
    members = _members(reader, node, name)
    for member in members:
        if "|" in member.value:
            reader.fault(member, f"{name}: a choice cannot contain |")
    return tuple(member.value for member in members)
