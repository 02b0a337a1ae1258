"""The graph of a plan in every format: a picture for people, text for programs and for other tools."""

from __future__ import annotations

from spry.core.path import critical_path
from spry.errors import UsageError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from spry.core.model import Plan

FORMATS = ("ascii", "mermaid", "dot", "json", "svg")


class Edge(NamedTuple):
    """A dependency, its dependent, and, if nobody wrote the edge, why it is there: `injected` or `capture:KEY`."""

    dep: str
    dependent: str
    kind: str


def draw(plan: Plan, format: str, width: int, *, colour: bool = False, ascii_only: bool = False) -> str:  # noqa: A002 - the option's name
    """A plan's graph as text that ends in a newline; `width` (columns), `colour`, `ascii_only` concern `ascii` alone.

    The ascii picture is exact whatever the width: names and descriptions are cut to fit it, edges never. Where the
    edges leave less than 12 columns for a name, lines get longer than `width`.
    """
    if format == "ascii":
        from spry.view.picture import picture  # noqa: PLC0415 - one format is asked for, the others stay unread

        return picture(plan, width, colour=colour, ascii_only=ascii_only)
    if format == "svg":
        from spry.view.svg import svg  # noqa: PLC0415 - as above

        return svg(plan)
    formats = {"mermaid": _mermaid, "dot": _dot, "json": _json}
    if format not in formats:
        raise UsageError(f'unknown format "{format}"', f"use one of {', '.join(FORMATS)}")
    return formats[format](plan)


def edges(plan: Plan) -> Iterator[Edge]:
    """Every edge of a plan, by dependent in plan order."""
    for name, step in plan.steps.items():
        for dep in step.deps:
            yield Edge(dep, name, plan.kinds.get((dep, name), ""))


def _json(plan: Plan) -> str:
    import json  # noqa: PLC0415 - only for this format

    layers: list[list[str]] = [[] for _ in range(1 + max((step.layer for step in plan.steps.values()), default=-1))]
    for name, step in plan.steps.items():
        layers[step.layer].append(name)
    shape = {
        "nodes": [{"name": name, "descr": s.task.descr, "layer": s.layer} for name, s in plan.steps.items()],
        "edges": [
            {"from": edge.dep, "to": edge.dependent, "implied": bool(edge.kind)}
            | ({"kind": edge.kind} if edge.kind else {})
            for edge in edges(plan)
        ],
        "layers": layers,
        "critical_path": list(critical_path(plan)),
    }
    return json.dumps(shape, indent=2) + "\n"


def _mermaid(plan: Plan) -> str:
    ids = {name: f"t{at}" for at, name in enumerate(plan.steps)}
    lines = ["flowchart LR"]
    for name, step in plan.steps.items():
        left, right = ("([", "])") if step.task.is_finally else ("[", "]")
        lines.append(f'    {ids[name]}{left}"{_entities(name)}"{right}')
    for edge in edges(plan):
        arrow = f'-.->|"{_entities(edge.kind)}"|' if edge.kind else "-->"
        lines.append(f"    {ids[edge.dep]} {arrow} {ids[edge.dependent]}")
    path = critical_path(plan)
    if 1 < len(path) < len(plan.steps):
        lines.append("    classDef critical stroke-width:3px")
        lines.append(f"    class {','.join(ids[name] for name in path)} critical")
    return "\n".join(lines) + "\n"


def _entities(text: str) -> str:
    """Text inside a quoted Mermaid label: whatever could mean something there, as a character number."""
    return "".join(letter if letter.isalnum() or letter in " _-./:+" else f"#{ord(letter)};" for letter in text)


def _dot(plan: Plan) -> str:
    lines = ["digraph plan {", "    rankdir=LR;", "    node [shape=box, style=rounded];"]
    path = critical_path(plan)
    bold = set(path) if 1 < len(path) < len(plan.steps) else set()
    for name, step in plan.steps.items():
        marks = {"label": name, "tooltip": step.task.descr or name}
        marks |= {"style": "rounded,dashed"} if step.task.is_finally else {}
        marks |= {"penwidth": "2"} if name in bold else {}
        lines.append(f"    {_quoted(name)} [{', '.join(f'{key}={_quoted(value)}' for key, value in marks.items())}];")
    for edge in edges(plan):
        why = f" [style=dashed, label={_quoted(edge.kind)}]" if edge.kind else ""
        lines.append(f"    {_quoted(edge.dep)} -> {_quoted(edge.dependent)}{why};")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    """A DOT string; backslashes are doubled and ampersands written out, since labels give them a meaning."""
    plain = text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{"".join(letter if letter.isprintable() else f"&#{ord(letter)};" for letter in plain)}"'
