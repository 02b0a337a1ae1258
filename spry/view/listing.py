"""The tasks of a runbook: a table for people, a list of objects for programs, and one task with all that is known."""

from __future__ import annotations

from spry.core.model import is_elsewhere
from spry.record import NamedTuple
from spry.view.columns import fill, printable, width, wrap
from spry.view.facts import facts
from spry.view.screen import paint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spry.core.model import Graph, Task

GAP = 2
NARROWEST = 12  # columns of a cell that wraps
LABEL = 16
ONE_EACH = frozenset({"environment", "parameters", "note"})


class Row(NamedTuple):
    """A line of the table, one text a column."""

    name: str
    description: str
    dependencies: str
    graph: str
    where: str


HEAD = Row("Task", "Description", "Dependencies", "Graph", "Where")
FIXED = (0, 4)  # names and places are never broken: people copy and click them


def records(graph: Graph) -> list[dict[str, object]]:
    """The tasks in document order, for `ls --json`."""
    return [_record(graph, task) for task in graph.runbook.tasks.values()]


def as_json(graph: Graph) -> str:
    """`records` as JSON text."""
    import json  # noqa: PLC0415 - only for programs

    return json.dumps(records(graph), indent=2) + "\n"


def table(graph: Graph, *, columns: int = 0, colour: bool = False) -> str:
    """The tasks in document order with the titles of their runbooks; `columns` 0 cuts and wraps nothing."""
    rows = [_row(graph, task) for task in graph.runbook.tasks.values()]
    lines = [*_titles(graph, columns, on=colour)]
    used = [index for index in range(len(HEAD)) if any(row[index] for row in rows)]
    widths = _fit(rows, used, columns)
    if widths:
        lines += [paint(line, "dim", on=colour) for line in _cells(HEAD, widths, on=False)]
    for row in rows:
        lines += _cells(row, widths, on=colour) if widths else _stacked(row, columns, on=colour)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def show(graph: Graph, name: str, *, state: str = "", columns: int = 0, colour: bool = False) -> str:
    """All that is known of a task: every value with its source, its neighbours, and its script as it stands.

    `state` says whether it is up to date.
    """
    task = graph.runbook.tasks[name]
    settings = graph.runbook.settings.get(task.path)
    origins = dict(task.origins)
    lines = [paint(name, "name", on=colour) + (f" — {_line(task.descr)}" if task.descr else "")]
    known: tuple[tuple[str, Sequence[str], str], ...] = (
        ("where", (f"{task.path}:{task.line}:{task.column}",), ""),
        ("language", (task.language,), ""),
        ("needs", [_needed(graph, dep, name) for dep in _deps(graph, task)], "deps"),
        ("needed by", [other for other in graph.order if name in graph.deps[other]], ""),
        ("graphs", task.graphs, "graphs"),
        ("tags", task.tags, "tags"),
    )
    for label, values, field in known:
        lines += labelled(label, values, columns, origins.get(field, ""), colour=colour)
    for fact in facts(task, settings.secrets if settings else ()):
        source = next((origins[field] for field in fact.fields if field in origins), "")
        lines += labelled(fact.label, fact.values, columns, source, colour=colour)
    lines += labelled("state", [state] if state else [], columns, colour=colour)
    lines += ["", *script(task.body, columns, indent="")] if task.body.strip() else ["", "(no script)"]
    return "".join(f"{line}\n" for line in lines)


def labelled(
    label: str, values: Sequence[str], columns: int, source: str = "", *, indent: str = "  ", colour: bool = False
) -> Iterator[str]:
    """Lines of `label  values (source)`; none without values. Pairs and sentences stand one below the other."""
    if not values:
        return
    apart = label in ONE_EACH
    texts = [_line(value) for value in values] if apart else [_line(", ".join(values))]
    if source:
        texts[-1] += f"  ({source})"
    room = columns - LABEL - len(indent)
    lines = [line for text in texts for line in (wrap(text, room) if columns and width(text) > room else [text])]
    for index, line in enumerate(lines):
        yield f"{indent}{paint(fill('' if index else label, LABEL), 'dim', on=colour)}{line}"


def script(body: str, columns: int, *, indent: str) -> list[str]:
    """A script line by line as it stands; on a terminal nothing in it can act on the terminal."""
    lines = body.removesuffix("\n").split("\n")
    return [f"{indent}{printable(line) if columns else line}" if line else "" for line in lines]


def _deps(graph: Graph, task: Task) -> list[str]:
    """What a task needs: of this runbook, and of other repositories."""
    elsewhere = (dep for dep in task.deps if dep not in graph.runbook.tasks and is_elsewhere(dep))
    return [*graph.deps[task.name], *dict.fromkeys(elsewhere)]


def _record(graph: Graph, task: Task) -> dict[str, object]:
    return {
        "name": task.name,
        "descr": task.descr,
        "language": task.language,
        "deps": _deps(graph, task),
        "graphs": list(task.graphs),
        "tags": list(task.tags),
        "finally": task.is_finally,
        "optional": task.optional,
        "file": task.path,
        "line": task.line,
    }


def _row(graph: Graph, task: Task) -> Row:
    deps = ", ".join(_deps(graph, task))
    where = f"{printable(task.path)}:{task.line}"
    return Row(task.name, _line(task.descr), deps, ", ".join(task.graphs), where)


def _titles(graph: Graph, columns: int, *, on: bool) -> Iterator[str]:
    """The title of each runbook and what it is for, and a blank line."""
    told = False
    for settings in graph.runbook.settings.values():
        if settings.title:
            yield paint(_line(settings.title), "name", on=on)
        text = _line(settings.description)
        yield from (wrap(text, columns) if columns else [text]) if text else ()
        told = told or bool(settings.title or text)
    if told:
        yield ""


def _fit(rows: Sequence[Row], used: Sequence[int], columns: int) -> dict[int, int]:
    """The width of each used column, or nothing if a table would be too narrow to read."""
    natural = {index: max(width(row[index]) for row in (HEAD, *rows)) for index in used}
    soft = [index for index in used if index not in FIXED]
    room = columns - sum(natural[index] for index in used if index in FIXED) - GAP * (len(used) - 1)
    if not columns or sum(natural[index] for index in soft) <= room:
        return natural
    if room < sum(min(natural[index], NARROWEST) for index in soft):
        return {}
    for place, index in enumerate(sorted(soft, key=lambda index: natural[index])):
        natural[index] = min(natural[index], room // (len(soft) - place))
        room -= natural[index]
    return natural


def _cells(row: Row, widths: dict[int, int], *, on: bool) -> Iterator[str]:
    wrapped = {
        index: wrap(row[index], room) if width(row[index]) > room else [row[index]] for index, room in widths.items()
    }
    for line in range(max(map(len, wrapped.values()), default=0)):
        parts = [fill(texts[line] if line < len(texts) else "", widths[index]) for index, texts in wrapped.items()]
        name = paint(parts[0], "name", on=on and line == 0)
        yield (" " * GAP).join([name, *parts[1:]])


def _stacked(row: Row, columns: int, *, on: bool) -> Iterator[str]:
    """A task as a paragraph, where there is no room for a table."""
    if width(row.name) + GAP + width(row.where) <= columns:
        yield f"{paint(row.name, 'name', on=on)}{' ' * GAP}{row.where}"
    else:
        yield paint(row.name, "name", on=on)
        yield f"  {row.where}"
    needs = f"needs {row.dependencies}" if row.dependencies else ""
    graphs = f"graph {row.graph}" if row.graph else ""
    for text in filter(None, (row.description, needs, graphs)):
        yield from (f"  {line}" for line in wrap(text, columns - 2))


def _needed(graph: Graph, dep: str, name: str) -> str:
    kind = graph.kinds.get((dep, name))
    return f"{dep} ({kind})" if kind else dep


def _line(text: str) -> str:
    """Text of any shape as one harmless line."""
    return text if text.isprintable() else printable(" ".join(text.split()))
