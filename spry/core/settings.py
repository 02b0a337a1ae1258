"""What may stand under `spry:` in front matter.

`KEYS` is the whole vocabulary: each key names the value it fills and its reading.
"""

from __future__ import annotations

from spry.core import readings, values
from spry.core.text import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from spry.core.nodes import Broken, Node
    from spry.core.source import Source
    from spry.errors import Problem

    Reading = Callable[["Reader", Node, str], Any]
    Section = Mapping[str, tuple[str, Reading]]


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

    def part(self) -> Reader:
        """Another one for a part of the same front matter, which notes its problems here."""
        part = Reader(self.source, self.start)
        part.problems = self.problems
        return part

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


def _section(name: str) -> Reading:
    return lambda reader, node, _: reader.section(node, name)


KEYS: Mapping[str, Section] = {
    "spry": {
        "description": ("description", readings.text),
        "jobs": ("jobs", readings.count),
        "shell": ("shell", readings.command),
        "interpreters": ("interpreters", readings.interpreters),
        "cwd": ("cwd", readings.text),
        "grace": ("grace", readings.as_flag(readings.grace)),
        "env": ("env", readings.variables),
        "env_file": ("env_files", readings.files),
        "env_mode": ("env_mode", readings.env_mode),
        "defaults": ("", _section("spry.defaults")),
        "graphs": ("graphs", readings.graphs),
        "handlers": ("", _section("spry.handlers")),
        "artifacts": ("", _section("spry.artifacts")),
        "params": ("params", readings.params),
        "secrets": ("secrets", readings.secrets),
    },
    "spry.defaults": {
        "timeout": ("timeout", readings.as_flag(values.duration)),
        "retry": ("retry", readings.as_flag(values.retry)),
        "limit": ("limits", readings.as_flag(values.limits)),
        "env": ("defaults_env", readings.variables),
        "stream": ("stream", readings.switch),
        "env_mode": ("env_mode", readings.env_mode),
    },
    "spry.handlers": {"prompt": ("prompt", readings.command), "agent": ("agent", readings.command)},
    "spry.artifacts": {"keep": ("keep_artifacts", readings.as_flag(values.duration))},
    "spry.params.NAME": {
        "type": ("type", readings.text),
        "default": ("default", readings.placed),
        "choices": ("choices", readings.choices),
    },
}
