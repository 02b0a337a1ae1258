"""A graph drawn one task a row, its edges as lanes beside the names, dependencies above their dependents.

The drawing is exact: every edge can be read from its glyphs, and no other. It knows two kinds of lanes.

- A single lane (`│`) leaves a task downwards and belongs to it alone. Every row whose line joins it (`├ ┤ ┼`, and
  `╰ ╯ ┴` where it ends) is a dependent; so is a task that stands in the lane, which then ends there.
- A double lane (`║`) belongs to the one task where it ends (`╙ ╜ ╨`, or the task below it). Every row that feeds it
  (`╓ ╖ ╥` where it starts, `╟ ╢ ╫`) is a dependency. It saves width where many tasks lead to one.

A horizontal line concerns its own row's task only. It passes lanes without touching them as `─│─` and `─║─`. Nothing
enters a task drawn as `○`, nothing leaves one drawn as `◉`; any other two tasks in one column, one right below the
other, are an edge too.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from heapq import heappop, heappush

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    Deps = Mapping[str, Sequence[str]]

ROOT, TASK, LAST = CIRCLES = "○●◉"
DIAMONDS = "◇◆◈"  # the same on the critical path
SINGLE, DOUBLE, ACROSS, EMPTY = "│", "║", "─", " "

# The glyph of a lane that a row's line reaches: coming from the left, from the right, or running on both sides.
JOINS = ("┤", "├", "┼")
ENDS = ("╯", "╰", "┴")
FEED_STARTS = ("╖", "╓", "╥")
FEEDS = ("╢", "╟", "╫")
FEED_ENDS = ("╜", "╙", "╨")

WORTHWHILE = 4  # a double lane replaces at least so many single ones
ALONE = 2  # a task without edges comes last, so that it breaks no lanes apart
LANES_SAVED = 1  # another order than the document's must save so many lanes in the average row


class Row(NamedTuple):
    """One task and the glyphs of its row, two characters a column, without trailing blanks."""

    name: str
    drawing: str


class Sketch(NamedTuple):
    """An order of rows, and which edges go by double lanes: for each such dependent, its dependencies on it.

    `length` is the number of rows that all lanes together run through.
    """

    order: Sequence[str]
    feeds: Mapping[str, frozenset[str]]
    length: int


def draw_lanes(deps: Deps, critical: Collection[str] = ()) -> list[Row]:
    """The rows of a graph, whose tasks are given with their dependencies in some topological order.

    That order is kept, unless another one keeps the lanes much shorter. Tasks in `critical` get their own glyphs.
    """
    dependents = _dependents(deps)
    given = _sketch(deps, dependents, tuple(deps))
    narrow = _sketch(deps, dependents, _Narrow(deps, dependents).order())
    sketch = narrow if given.length - narrow.length > LANES_SAVED * len(deps) else given
    return _Board(deps, dependents, sketch, critical).draw()


def _dependents(deps: Deps) -> dict[str, list[str]]:
    dependents: dict[str, list[str]] = {name: [] for name in deps}
    for name, needed in deps.items():
        for dep in needed:
            dependents[dep].append(name)
    return dependents


class _Narrow:
    """A topological order with short lanes: next comes what ends most of them, then what the last task led to."""

    __slots__ = ("_dependents", "_deps", "_ends", "_heap", "_opened", "_pending", "_place", "_placed", "_waiting")

    def __init__(self, deps: Deps, dependents: Deps) -> None:
        self._deps = deps
        self._dependents = dependents
        self._place = {name: at for at, name in enumerate(deps)}
        self._placed: set[str] = set()
        self._waiting = {name: len(needed) for name, needed in deps.items()}  # dependencies without a row
        self._pending = {name: len(others) for name, others in dependents.items()}  # dependents without a row
        self._ends = dict.fromkeys(deps, 0)  # how many lanes the task would end, being the only dependent left
        self._opened = dict.fromkeys(deps, 0)  # the last row that led to the task
        self._heap: list[tuple[int, int, int, str]] = []

    def order(self) -> list[str]:
        for name, waiting in self._waiting.items():
            if not waiting:
                self._offer(name)
        order: list[str] = []
        while self._heap:
            name = heappop(self._heap)[-1]
            if name not in self._placed:
                self._placed.add(name)
                order.append(name)
                self._arrive(name)
                self._depart(name, len(order))
        return order

    def _offer(self, name: str) -> None:
        alone = not self._deps[name] and not self._dependents[name]
        wider = ALONE if alone else bool(self._dependents[name]) - self._ends[name]
        heappush(self._heap, (wider, -self._opened[name], self._place[name], name))

    def _arrive(self, name: str) -> None:
        for dep in self._deps[name]:
            self._pending[dep] -= 1
            if self._pending[dep] == 1:
                last = next(other for other in self._dependents[dep] if other not in self._placed)
                self._ends[last] += 1
                if not self._waiting[last]:
                    self._offer(last)

    def _depart(self, name: str, row: int) -> None:
        for dependent in self._dependents[name]:
            self._waiting[dependent] -= 1
            self._opened[dependent] = row
            self._ends[dependent] += self._pending[name] == 1
            if not self._waiting[dependent]:
                self._offer(dependent)


def _sketch(deps: Deps, dependents: Deps, order: Sequence[str]) -> Sketch:
    """Which edges go by double lanes in this order: those that alone keep many single lanes open, all for one task."""
    row = {name: at for at, name in enumerate(order)}
    ends = {name: sorted(row[other] for other in dependents[name]) for name in order}
    feeds: dict[str, frozenset[str]] = {}
    length = 0
    for name in sorted((name for name in order if len(deps[name]) >= WORTHWHILE), key=lambda name: -len(deps[name])):
        group = [dep for dep in deps[name] if ends[dep] and ends[dep][-1] == row[name]]
        start = min((row[dep] for dep in group), default=0)
        saved = sum(row[name] - (ends[dep][-2] if len(ends[dep]) > 1 else row[dep]) for dep in group)
        if len(group) >= WORTHWHILE and saved > row[name] - start:
            for dep in group:
                ends[dep].pop()
            feeds[name] = frozenset(group)
            length += row[name] - start
    length += sum(rows[-1] - row[name] for name, rows in ends.items() if rows)
    return Sketch(order, feeds, length)


class _Board:
    """The columns as the rows go by: which lane runs in each, and which are free."""

    __slots__ = (
        "_bare",
        "_cells",
        "_critical",
        "_deps",
        "_double",
        "_fed",
        "_feeds",
        "_free",
        "_left",
        "_order",
        "_single",
    )

    def __init__(self, deps: Deps, dependents: Deps, sketch: Sketch, critical: Collection[str]) -> None:
        self._deps = deps
        self._critical = critical
        self._order = sketch.order
        self._feeds = sketch.feeds
        self._fed: dict[str, list[str]] = {name: [] for name in deps}
        for name, group in sketch.feeds.items():
            for dep in group:
                self._fed[dep].append(name)
        self._left = {name: len(dependents[name]) - len(self._fed[name]) for name in deps}
        self._single: dict[str, int] = {}
        self._double: dict[str, int] = {}
        self._cells: list[str] = []
        self._free: list[int] = []
        self._bare = (-1, "")  # the task of the row above, and its column, where no lane leaves it though none says so

    def draw(self) -> list[Row]:
        return [Row(name, self._row(name)) for name in self._order]

    def _row(self, name: str) -> str:
        marks, ended = self._arrivals(name)
        at = self._column(name, marks, ended)
        feeds = self._departures(name, at)
        drawing = self._line(name, at, {**marks, **feeds})
        for column in ended:
            if column != at:
                self._close(column)
        for column in feeds:
            self._cells[column] = DOUBLE
        self._leave(name, at)
        return drawing

    def _column(self, name: str, marks: Mapping[int, object], ended: Sequence[int]) -> int:
        """Where a task stands: in a lane that ends there, or left of it if nothing is between, or in a free column."""
        if not ended:
            return self._open(next(iter(marks), 0), for_task=name)
        at = min(ended)
        place = bisect_left(self._free, at)
        while place and self._free[place - 1] == at - 1 and self._may_stand(name, at - 1):
            place, at = place - 1, at - 1
        if at not in ended:
            del self._free[place]
        return at

    def _arrivals(self, name: str) -> tuple[dict[int, tuple[str, str, str]], list[int]]:
        """The lanes that lead to a task, with their glyphs, and those that end there."""
        marks, ended = {}, []
        fed = self._feeds.get(name, ())
        for dep in self._deps[name]:
            if dep not in fed:
                column = self._single[dep]
                self._left[dep] -= 1
                marks[column] = JOINS if self._left[dep] else ENDS
                if not self._left[dep]:
                    ended.append(column)
        if fed:
            column = self._double.pop(name)
            marks[column] = FEED_ENDS
            ended.append(column)
        return marks, ended

    def _departures(self, name: str, at: int) -> dict[int, tuple[str, str, str]]:
        """The double lanes that a task feeds, with their glyphs."""
        marks = {}
        for dependent in self._fed[name]:
            marks[self._double.get(dependent, -1)] = FEEDS
            if dependent not in self._double:
                del marks[-1]
                self._double[dependent] = self._open(at + 1)
                marks[self._double[dependent]] = FEED_STARTS
        return marks

    def _line(self, name: str, at: int, marks: Mapping[int, tuple[str, str, str]]) -> str:
        """The glyphs of a row: everything that goes on, the task, and its line to the lanes in `marks`."""
        first, last = min(at, *marks, at), max(at, *marks, at)
        cells = self._cells.copy()
        for column, (from_left, from_right, through) in marks.items():
            cells[column] = through if first < column < last else from_left if column > first else from_right
        kind = ROOT if not self._deps[name] else TASK if self._leads(name) else LAST
        cells[at] = DIAMONDS[CIRCLES.index(kind)] if name in self._critical else kind
        line = EMPTY.join(cells)
        joined = line[2 * first : 2 * last + 1].replace(EMPTY, ACROSS)
        return (line[: 2 * first] + joined + line[2 * last + 1 :]).rstrip()

    def _may_stand(self, name: str, column: int) -> bool:
        """Whether what stands above would not mislead: right below a task that nothing leaves, all but roots follow."""
        bare, above = self._bare
        return column != bare or not self._deps[name] or above in self._deps[name]

    def _leads(self, name: str) -> bool:
        """Whether anything depends on a task: told before its own lane is closed."""
        return bool(self._left[name] or self._fed[name])

    def _open(self, near: int, for_task: str = "") -> int:
        """Take the free column nearest to another one, or a new one at the right end, for a task or a double lane."""
        at = bisect_left(self._free, near)
        options = [column for column in self._free[max(at - 2, 0) : at + 2] if self._fits(column, for_task)]
        if not options:
            self._cells.append(EMPTY)
            return len(self._cells) - 1
        best = min(options, key=lambda column: (abs(column - near), -column))
        del self._free[bisect_left(self._free, best)]
        return best

    def _fits(self, column: int, task: str) -> bool:
        return self._may_stand(task, column) if task else column != self._bare[0]

    def _close(self, column: int) -> None:
        self._cells[column] = EMPTY
        insort(self._free, column)

    def _leave(self, name: str, at: int) -> None:
        """What runs on below a task: its own lane, or nothing."""
        if self._left[name]:
            self._single[name] = at
            self._cells[at] = SINGLE
            self._bare = (-1, "")
        else:
            self._close(at)
            self._bare = (at, name) if self._leads(name) or not self._deps[name] else (-1, "")
