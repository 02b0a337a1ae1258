"""A small graph drawn left to right: layers as columns, dependencies as lines that end in an arrow.

The drawing is exact, or there is none. Lines join only in trunks: vertical pieces in which every line from the left
leads to every line on the right. A `│` with `─` on both sides is a trunk that a line passes without touching it.
"""

from __future__ import annotations

from itertools import permutations, product

from spry.core.layout import arrange
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from spry.core.layout import Layout, Link, Spot

    Cells = dict[tuple[int, int], int]
    Rows = dict[Spot, int]
    Sheet = dict[int, dict[int, str]]

LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
GLYPHS = "   ─ ┘└┴ ┐┌┬│┤├┼"  # by the arms of a cell
ARROW, ACROSS, EMPTY, PASSED = "→", "─", " ", "│"
FEW = 4  # so many trunks side by side are tried in every order


class Wire(NamedTuple):
    """A horizontal line on a row, from a trunk (None: from the left layer) to a trunk (None: to the right one)."""

    row: int
    start: int | None = None
    end: int | None = None


class Gap(NamedTuple):
    """What runs between two layers: wires, and the trunks they meet, near the left layer and far from it."""

    near: list[int]
    far: list[int]
    wires: list[Wire]


class Label(NamedTuple):
    """Where in a picture a task's label stands."""

    name: str
    line: int
    column: int


class Picture(NamedTuple):
    """The lines of a drawing, and where its labels are; `crossings` counts lines that pass trunks."""

    lines: list[str]
    labels: list[Label]
    crossings: int


def draw_boxes(deps: Mapping[str, Sequence[str]], labels: Mapping[str, str]) -> Picture | None:
    """The picture of a graph given in topological order, its tasks shown as `labels`; None if it cannot be exact."""
    layout = arrange(deps)
    tries = (_draw(layout, _rows(layout, align), labels) for align in (min, _middle))
    return min(filter(None, tries), key=lambda picture: (picture.crossings, len(picture.lines)), default=None)


def _middle(rows: Iterable[int]) -> int:
    ordered = sorted(rows)
    return ordered[(len(ordered) - 1) // 2]


def _rows(layout: Layout, align: Callable[[Iterable[int]], int]) -> Rows:
    """A row for every spot, two apart in a layer, as near to the spots before it as the order allows."""
    rows: Rows = {}
    before: dict[Spot, list[int]] = {}
    for at, layer in enumerate(layout.layers):
        free = 0
        for spot in layer:
            rows[spot] = free = max(free, align(before[spot]) if spot in before else 0)
            free += 2
        for left, right in layout.links[at] if at < len(layout.links) else ():
            before.setdefault(right, []).append(rows[left])
    return rows


def _draw(layout: Layout, rows: Rows, labels: Mapping[str, str]) -> Picture | None:
    sheet: Sheet = {row: {} for row in sorted(rows.values())}
    places: list[tuple[str, int, int]] = []
    crossings = column = 0
    for at, layer in enumerate(layout.layers):
        links = layout.links[at] if at < len(layout.links) else []
        width = max((len(labels[spot.name]) for spot in layer if not spot.passes), default=0) + 1
        leaving = {left for left, _ in links}
        for spot in layer:
            text = "" if spot.passes else labels[spot.name] + EMPTY
            line = text.ljust(width, ACROSS if spot in leaving else EMPTY)
            sheet[rows[spot]].update(zip(range(column, column + width), line, strict=True))
            if not spot.passes:
                places.append((spot.name, rows[spot], column))
        column += width
        if links:
            painted = _paint(_gap(links, rows), {rows[right]: right.passes for _, right in links})
            if painted is None:
                return None
            glyphs, span, crossed = painted
            crossings += crossed
            for (row, x), glyph in glyphs.items():
                sheet.setdefault(row, {})[column + x] = glyph
            column += span
    return _finish(sheet, places, column, crossings)


def _finish(sheet: Sheet, places: Sequence[tuple[str, int, int]], width: int, crossings: int) -> Picture:
    """The sheet as lines, without the rows where nothing happens."""
    lines: list[str] = []
    shown: dict[int, int] = {}
    for row in sorted(sheet):
        line = "".join(sheet[row].get(x, EMPTY) for x in range(width)).rstrip()
        if line.strip(PASSED + EMPTY):
            shown[row] = len(lines)
            lines.append(line)
    return Picture(lines, [Label(name, shown[row], column) for name, row, column in places], crossings)


def _gap(links: list[Link], rows: Rows) -> Gap:
    """Trunks and wires for the lines between two layers, in groups that have nothing to do with each other."""
    gap = Gap([], [], [])
    between: list[tuple[int, int, int, int]] = []
    for group in _groups(links):
        lefts, rights = dict.fromkeys(left for left, _ in group), dict.fromkeys(right for _, right in group)
        if len(group) == len(lefts) * len(rights):
            _join(gap, [rows[left] for left in lefts], [rows[right] for right in rights])
        else:
            between += _branch(gap, [(rows[left], rows[right]) for left, right in group])
    ends = {rows[spot] for link in links for spot in link}
    taken = {wire.row for wire in gap.wires if wire.end not in gap.near and wire.start not in gap.far}
    for left, right, start, end in between:
        row = _free_row(left, right, taken, ends)
        taken.add(row)
        gap.wires.append(Wire(row, start, end))
    return gap


def _groups(links: list[Link]) -> list[list[Link]]:
    """Links that share spots, directly or through others, together."""
    group_of: dict[Spot, list[Link]] = {}
    for left, right in links:
        ours, other = group_of.setdefault(left, []), group_of.get(right, [])
        ours.append((left, right))
        group_of[right] = ours
        if other is not ours:
            ours += other
            for link in other:
                group_of[link[0]] = group_of[link[1]] = ours
    return list({id(group): group for group in group_of.values()}.values())


def _join(gap: Gap, lefts: list[int], rights: list[int]) -> None:
    """All lines from the left lead to all on the right: one trunk, or a plain line."""
    if lefts == rights and len(lefts) == 1:
        gap.wires.append(Wire(lefts[0]))
        return
    trunk = len(gap.near) + len(gap.far)
    gap.near.append(trunk)
    gap.wires.extend(Wire(row, end=trunk) for row in lefts)
    gap.wires.extend(Wire(row, start=trunk) for row in rights)


def _branch(gap: Gap, links: list[tuple[int, int]]) -> list[tuple[int, int, int, int]]:
    """A trunk for each left row with several lines and for each right one; gives the lines that need a row between."""
    near = _trunks(gap, gap.near, [left for left, _ in links])
    far = _trunks(gap, gap.far, [right for _, right in links])
    gap.wires.extend(Wire(row, end=trunk) for row, trunk in near.items())
    gap.wires.extend(Wire(row, start=trunk) for row, trunk in far.items())
    between = []
    for left, right in links:
        if left in near and right in far:
            between.append((left, right, near[left], far[right]))
        else:
            gap.wires.append(Wire(left if right in far else right, near.get(left), far.get(right)))
    return between


def _trunks(gap: Gap, trunks: list[int], rows: list[int]) -> dict[int, int]:
    """New trunks for the rows that occur more than once."""
    known = {}
    for row in dict.fromkeys(rows):
        if rows.count(row) > 1:
            known[row] = len(gap.near) + len(gap.far)
            trunks.append(known[row])
    return known


def _free_row(left: int, right: int, taken: set[int], ends: set[int]) -> int:
    """The row for a line between two trunks: near both, where no other line runs or ends."""
    reach = 2 * len(taken) + 2 * len(ends) + 2
    options = range(min(left, right) - reach, max(left, right) + reach)
    return min(
        (row for row in options if row not in taken and (row in (left, right) or row not in ends)),
        key=lambda row: (abs(row - left) + abs(row - right), abs(2 * row - left - right)),
    )


def _paint(gap: Gap, passes: Mapping[int, bool]) -> tuple[dict[tuple[int, int], str], int, int] | None:
    """The glyphs of a gap, its width and its crossings, trunks in the best order; None if no order works."""
    best: tuple[Cells, int] | None = None
    span = max(2 * (len(gap.near) + len(gap.far)) + 4, 4)
    for near, far in product(_orders(gap.near), _orders(gap.far)):
        places: dict[int | None, int] = {trunk: 2 * at + 1 for at, trunk in enumerate((*near, *far))}
        painted = _cells(gap, places, span - 2)
        if painted and (best is None or painted[1] < best[1]):
            best = painted
    if best is None:
        return None
    glyphs = {at: PASSED if arms > 15 else GLYPHS[arms] for at, arms in best[0].items()}
    for row, passing in passes.items():
        glyphs[row, span - 2], glyphs[row, span - 1] = (ACROSS, ACROSS) if passing else (ARROW, EMPTY)
    return glyphs, span, best[1]


def _orders(trunks: list[int]) -> Iterable[tuple[int, ...]]:
    return permutations(trunks) if len(trunks) <= FEW else (tuple(trunks),)


def _cells(gap: Gap, places: Mapping[int | None, int], span: int) -> tuple[Cells, int] | None:
    """The arms of every cell and the number of crossings (cells over 15); None if two lines would run together."""
    cells: Cells = {}
    for wire in gap.wires:
        first, last = places.get(wire.start, -1), places.get(wire.end, span)
        for x in range(max(first, 0), min(last, span - 1) + 1):
            arms = (LEFT if x > first else 0) | (RIGHT if x < last else 0)
            if cells.get((wire.row, x), 0) & arms:
                return None
            cells[wire.row, x] = cells.get((wire.row, x), 0) | arms
    met = {(wire.row, places[trunk]) for wire in gap.wires for trunk in wire[1:] if trunk is not None}
    crossings = 0
    for trunk in (*gap.near, *gap.far):
        rows = [wire.row for wire in gap.wires if trunk in wire[1:]]
        for row in range(min(rows), max(rows) + 1) if min(rows) < max(rows) else ():
            at = (row, places[trunk])
            crossed = at in cells and at not in met
            arms = (UP if row > min(rows) else 0) | (DOWN if row < max(rows) else 0)
            cells[at] = 16 if crossed else cells.get(at, 0) | arms
            crossings += crossed
    return cells, crossings
