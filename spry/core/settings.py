"""What may stand under `spry:` in front matter, and how each value is read.

`KEYS` is the whole vocabulary: each key names the value it fills and its reading. A reading takes a node and the
key's full name; it answers the value, or notes a problem and answers None.
"""

from __future__ import annotations

from spry.core import values
from spry.core.text import did_you_mean, listing
from spry.core.words import Unterminated, next_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from spry.core.model import Parameter
    from spry.core.nodes import Broken, Node
    from spry.core.source import Source
    from spry.errors import Problem

    Reading = Callable[["Reader", Node, str], Any]
    Section = Mapping[str, tuple[str, Reading]]

ENV_MODES = ("auto", "uv", "venv", "system")


class Reader:
    """Gathers what one front matter says: `filled` by the names of values, and `problems` with their places.

    `start` is the offset in the file that the offsets of nodes count from.
    """

    __slots__ = ("filled", "problems", "source", "start")

    def __init__(self, source: Source, start: int) -> None:
        self.source = source
        self.start = start
        self.filled: dict[str, Any] = {}
        self.problems: list[Problem] = []

    def place(self, node: Node | Broken) -> tuple[int, int]:
        """Line and column in the file; counted here, as YAML sees line ends where files have none."""
        text, at = self.source.text, self.start + node.start
        return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)

    def fault(self, node: Node | Broken, message: str, hint: str = "") -> None:
        """Note a problem at a node, underlined to the end of its line at most."""
        line, column = self.place(node)
        rest = len(self.source.lines[line - 1]) - column + 1
        length = min(node.end - node.start, rest)
        self.problems.append(self.source.problem(message, line, column, length, hint))

    def fields(self, node: Node, name: str) -> Iterator[tuple[Node, Node]]:
        """The keys and values of what must be a mapping, each key once; nothing at all is an empty one."""
        if node.kind not in {"a mapping", "nothing"}:
            self.fault(node, f"{name}: expected a mapping, not {node.kind}")
            return
        seen: set[str] = set()
        for key, value in node.entries:
            if not key.is_scalar:
                self.fault(key, f"{name}: expected a name as key, not {key.kind}")
            elif key.value in seen:
                self.fault(key, f'{name}: key "{key.value}" is given twice')
            else:
                seen.add(key.value)
                yield key, value

    def section(self, node: Node, name: str, kind: str = "") -> None:
        """Fill values from the keys that `KEYS` has for this kind of section; any other key is a problem."""
        known = KEYS[kind or name]
        for key, value in self.fields(node, name):
            if key.value not in known:
                self.fault(key, f'unknown key "{key.value}" under {name}', _instead(key.value, known))
                continue
            field, read = known[key.value]
            found = read(self, value, f"{name}.{key.value}")
            if field in self.filled:
                self.fault(key, f"{field} is given twice, under spry and under spry.defaults")
            elif found is not None:
                self.filled[field] = found


def _instead(key: str, known: Section) -> str:
    """A near key, else the section where this key belongs, else all there are."""
    homes = (section for section, keys in KEYS.items() if key in keys)
    home = next(homes, "")
    belongs = f"it belongs under {home}" if home else f"known keys: {', '.join(known)}"
    return did_you_mean(key, known) or belongs


def _text(reader: Reader, node: Node, name: str) -> str | None:
    if node.kind == "text" and node.value.strip() and "\0" not in node.value:
        return node.value
    hint = "write it in quotes" if node.is_scalar and node.kind != "text" else ""
    kind = "a blank or a NUL byte" if node.kind == "text" else node.kind
    reader.fault(node, f"{name}: expected text, not {kind}", hint)
    return None


def _scalar(reader: Reader, node: Node, name: str) -> str | None:
    """The value as it is written, whatever YAML would make of it: `01` stays `01`."""
    if node.is_scalar:
        return node.value
    hint = 'write "" for an empty value' if node.kind == "nothing" else ""
    reader.fault(node, f"{name}: expected one value, not {node.kind}", hint)
    return None


def _count(reader: Reader, node: Node, name: str) -> int | None:
    count = values.whole(node.value) if node.kind == "a whole number" else None
    if count and str(count) == node.value:
        return count
    reader.fault(node, f"{name}: expected a whole number of at least 1, not {_shown(node)}")
    return None


def _switch(reader: Reader, node: Node, name: str) -> bool | None:
    if node.kind == "true or false":
        return node.value.lower() in {"true", "yes", "on"}
    reader.fault(node, f"{name}: expected true or false, not {_shown(node)}")
    return None


def _shown(node: Node) -> str:
    return f'"{node.value}"' if node.is_scalar else node.kind


def _as_flag(read: Callable[[str], Any]) -> Reading:
    """A value that is written as the flag of that name has it."""

    def reading(reader: Reader, node: Node, name: str) -> Any:
        written = _scalar(reader, node, name)
        found = None if written is None else read(written)
        if not isinstance(found, str):
            return found
        reader.fault(node, f"{name}: {found}")
        return None

    return reading


def _grace(text: str) -> float | str:
    return 0.0 if text in {"0", "0s", "0.0"} else values.duration(text)


def _command(reader: Reader, node: Node, name: str) -> str | None:
    """A command line with a shell's quoting."""
    command = _text(reader, node, name)
    word = next_word(command or "", 0)
    while word is not None:
        if isinstance(word, Unterminated):
            reader.fault(node, f"{name}: unterminated {word.what} in the command")
            return None
        word = next_word(command or "", word.end)
    return command


def _env_mode(reader: Reader, node: Node, name: str) -> str | None:
    if node.kind == "text" and node.value in ENV_MODES:
        return node.value
    hint = did_you_mean(node.value, ENV_MODES)
    reader.fault(node, f"{name}: expected {listing(ENV_MODES, 'or')}, not {_shown(node)}", hint)
    return None


def _variables(reader: Reader, node: Node, name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in reader.fields(node, name):
        if not values.is_variable(key.value):
            reader.fault(key, f'{name}: "{key.value}" cannot name a variable: {values.NAME_RULE}')
            continue
        written = _scalar(reader, value, f"{name}.{key.value}")
        if written is not None and "\0" in written:
            reader.fault(value, f"{name}.{key.value}: a NUL byte cannot be handed to a task")
        elif written is not None:
            found[key.value] = written
    return found


def _interpreters(reader: Reader, node: Node, name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in reader.fields(node, name):
        language = key.value.lower()
        command = _command(reader, value, f"{name}.{language}")
        if len(language.split()) != 1:
            reader.fault(key, f'{name}: expected one word as the language, not "{language}"')
        elif language in found:
            reader.fault(key, f'{name}: language "{language}" is given twice')
        elif command is not None:
            found[language] = command
    return found


def _members(reader: Reader, node: Node, name: str) -> tuple[Node, ...]:
    """The single values of a list; nothing at all is an empty one."""
    if node.kind not in {"a list", "nothing"}:
        reader.fault(node, f"{name}: expected a list, not {node.kind}")
        return ()
    return tuple(item for item in node.items if _scalar(reader, item, name) is not None)


def _files(reader: Reader, node: Node, name: str) -> tuple[str, ...]:
    items = node.items if node.kind == "a list" else (node,)
    paths = (_text(reader, item, name) for item in items)
    return tuple(path for path in paths if path is not None)


def _graphs(reader: Reader, node: Node, name: str) -> dict[str, str]:
    is_mapping = node.kind == "a mapping"
    pairs = reader.fields(node, name) if is_mapping else ((item, None) for item in _members(reader, node, name))
    found: dict[str, str] = {}
    for key, value in pairs:
        if not key.value or any(mark in key.value for mark in ", \t\n"):
            reader.fault(key, f'{name}: "{key.value}" cannot name a graph: expected a word without commas')
        elif value is None or value.kind == "nothing":
            found[key.value] = ""
        else:
            found[key.value] = _text(reader, value, f"{name}.{key.value}") or ""
    return found


def _secrets(reader: Reader, node: Node, name: str) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for item in _members(reader, node, name):
        if values.is_variable(item.value.replace("-", "_")):
            names[item.value] = None
        else:
            reader.fault(item, f'{name}: "{item.value}" cannot name a variable: {values.NAME_RULE}')
    return tuple(names)


def _params(reader: Reader, node: Node, name: str) -> tuple[Parameter, ...]:
    found = []
    for key, value in reader.fields(node, name):
        parameter = _parameter(reader, key, value, f"{name}.{key.value}")
        if parameter is not None:
            found.append(parameter)
    return tuple(found)


def _parameter(reader: Reader, key: Node, node: Node, name: str) -> Parameter | None:
    """A parameter: nothing (text that must be given), one value (text with that default), or its parts."""
    own = Reader(reader.source, reader.start)
    own.problems = reader.problems
    if node.kind == "a mapping":
        own.section(node, name, "spry.params.NAME")
    elif node.kind != "nothing":
        own.filled["default"] = _node(reader, node, name)
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


def _node(reader: Reader, node: Node, name: str) -> Node | None:
    return None if _scalar(reader, node, name) is None else node


def _choices(reader: Reader, node: Node, name: str) -> tuple[str, ...]:
    members = _members(reader, node, name)
    for member in members:
        if "|" in member.value:
            reader.fault(member, f"{name}: a choice cannot contain |")
    return tuple(member.value for member in members)


def _section(name: str) -> Reading:
    return lambda reader, node, _: reader.section(node, name)


KEYS: Mapping[str, Section] = {
    "spry": {
        "description": ("description", _text),
        "jobs": ("jobs", _count),
        "shell": ("shell", _command),
        "interpreters": ("interpreters", _interpreters),
        "cwd": ("cwd", _text),
        "grace": ("grace", _as_flag(_grace)),
        "env": ("env", _variables),
        "env_file": ("env_files", _files),
        "env_mode": ("env_mode", _env_mode),
        "defaults": ("", _section("spry.defaults")),
        "graphs": ("graphs", _graphs),
        "handlers": ("", _section("spry.handlers")),
        "artifacts": ("", _section("spry.artifacts")),
        "params": ("params", _params),
        "secrets": ("secrets", _secrets),
    },
    "spry.defaults": {
        "timeout": ("timeout", _as_flag(values.duration)),
        "retry": ("retry", _as_flag(values.retry)),
        "limit": ("limits", _as_flag(values.limits)),
        "env": ("defaults_env", _variables),
        "stream": ("stream", _switch),
        "env_mode": ("env_mode", _env_mode),
    },
    "spry.handlers": {"prompt": ("prompt", _command), "agent": ("agent", _command)},
    "spry.artifacts": {"keep": ("keep_artifacts", _as_flag(values.duration))},
    "spry.params.NAME": {"type": ("type", _text), "default": ("default", _node), "choices": ("choices", _choices)},
}
