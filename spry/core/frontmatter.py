"""The front matter of a runbook: where it stands, and the settings, defaults and parameters it gives."""

from __future__ import annotations

from spry.core.model import HANDLED, Settings
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from spry.core.model import Parameter
    from spry.core.nodes import Node
    from spry.core.settings import Reader
    from spry.core.source import Source
    from spry.errors import Problem


class Defaults(NamedTuple):
    """What tasks have when neither their cell nor a DEFAULTS line says otherwise. None: not given.

    `timeout` is seconds; `retry` is attempts, backoff in seconds, and factor; `limits` as in `Task.limits`.
    """

    timeout: float | None = None
    retry: tuple[int, float, float] | None = None
    limits: tuple[tuple[str, float], ...] | None = None
    env: Mapping[str, str] = {}


class FrontMatter(NamedTuple):
    """What was read; `end_line` is the number of lines that the front matter takes at the top of the file."""

    settings: Settings
    defaults: Defaults
    params: tuple[Parameter, ...]
    end_line: int
    problems: list[Problem]


def parse(source: Source) -> FrontMatter:
    """The front matter of a document that starts with a line `---`; an empty one of no lines for any other."""
    if source.lines[0].rstrip(" \t") != "---":
        return FrontMatter(Settings(), Defaults(), (), 0, [])
    from spry.core import nodes, settings  # noqa: PLC0415 - yaml and much else that few documents need

    start, end = nodes.span(source.text)
    reader = settings.Reader(source, start)
    if end < 0:
        _unclosed(source, reader)
        return _result(reader, 0)
    root, broken = nodes.read(source.text[start:end])
    if _is_prose(root, source):
        return _result(reader, 0)
    if broken:
        reader.fault(broken, broken.message, broken.hint)
    if root:
        _top(reader, root)
    return _result(reader, source.text.count("\n", 0, end) + 1)


def _unclosed(source: Source, reader: Reader) -> None:
    """A lone `---` is a thematic break, unless settings of ours follow it."""
    if _opens_ours(source.lines[1:]):
        hint = "end it with a line that is only ---"
        reader.problems.append(source.problem("front matter is never closed", 1, 1, 3, hint))


def _opens_ours(lines: tuple[str, ...]) -> bool:
    """Whether a line before the first fence opens the mapping `spry:`."""
    for line in lines:
        if line.lstrip().startswith(("```", "~~~")):
            return False
        if line.startswith("spry:") and line[5:].lstrip()[:1] in {"", "{", "#"}:
            return True
    return False


def _is_prose(root: Node | None, source: Source) -> bool:
    """Whether `---` is a thematic break here: a blank line follows it, and what stands below is no mapping."""
    is_mapping = root is not None and root.kind == "a mapping"
    return not is_mapping and not source.lines[1].strip() and not _opens_ours(source.lines[2:])


def _top(reader: Reader, root: Node) -> None:
    """Read `spry:` and the plain `title`; every other key belongs to other tools."""
    if root.kind != "a mapping":
        reader.fault(root, f"front matter is {root.kind}, not a mapping", 'write lines such as "title: Release"')
        return
    seen: set[str] = set()
    for key, value in root.entries:
        if key.value in seen:
            reader.fault(key, f'key "{key.value}" is given twice')
        elif key.value == "spry":
            reader.section(value, "spry")
        elif key.value == "title" and value.is_scalar:
            reader.filled["title"] = value.value
        seen.update({key.value} & {"spry", "title"})


def _result(reader: Reader, end_line: int) -> FrontMatter:
    """What was filled, as the values of the model."""
    filled = reader.filled
    settings = Settings()._replace(**{field: filled[field] for field in Settings._fields if field in filled})
    handlers = {kind: filled[kind] for kind in sorted(HANDLED) if kind in filled}
    defaults = Defaults(
        filled.get("timeout"), filled.get("retry"), filled.get("limits"), filled.get("defaults_env", {})
    )
    settings = settings._replace(handlers=handlers, env={**settings.env, **defaults.env})
    return FrontMatter(settings, defaults, filled.get("params", ()), end_line, reader.problems)
