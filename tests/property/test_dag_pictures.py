"""Every picture is read back by a reader that knows the glyphs alone, and must say exactly the plan's edges."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from examples import examples
from spry.core.boxes import draw_boxes
from spry.core.model import Plan, Step, Task
from spry.view.dag import draw
from spry.view.picture import BOXES_TO_ASCII

NAME = re.compile(r"task\d+")
QUICK = examples(60)
FEW = examples(8)


def plan_of(deps):
    layers = {}
    for name, needed in deps.items():
        layers[name] = 1 + max((layers[dep] for dep in needed), default=-1)
    return Plan({name: Step(Task(name, "bash"), tuple(needed), layers[name]) for name, needed in deps.items()})


def edges_of(deps):
    return {(dep, name) for name, needed in deps.items() for dep in needed}


@st.composite
def graphs(draw_value, least=1, most=30):
    size = draw_value(st.integers(least, most))
    density = draw_value(st.sampled_from([0.05, 0.15, 0.4, 0.8]))
    near = draw_value(st.sampled_from([3, 8, size]))
    dice = draw_value(st.randoms(use_true_random=False))
    names = [f"task{at}" for at in range(size)]
    hub = dice.random() < 0.3  # the last task waits for all the others, as a clean-up does
    return {
        name: tuple(
            dep
            for back, dep in enumerate(reversed(names[:at]))
            if (hub and at == size - 1) or (back < near and dice.random() < density)
        )
        for at, name in enumerate(names)
    }


def drawing(text):
    return text.split("\n\n")[0].splitlines()


# Lanes ---------------------------------------------------------------------------------------------------------------

ROOTS, FOLLOWERS, LAST = "○◇oO", "●◆◉◈*@xX", "◉◈xX"
JOINS = {"├": "R", "┤": "L", "┼": "LR"}
ENDS = {"╰": "R", "╯": "L", "┴": "LR"}
STARTS = {"╓": "R", "╖": "L", "╥": "LR"}
FEEDS = {"╟": "R", "╢": "L", "╫": "LR"}
FEED_ENDS = {"╙": "R", "╜": "L", "╨": "LR"}
ARMS = JOINS | ENDS | STARTS | FEEDS | FEED_ENDS


class Lanes:
    """What runs in each column: ("one", task), ("many", tasks), or ("maybe", task) right below a task."""

    def __init__(self):
        self.columns = {}
        self.edges = set()

    def read(self, lines):
        for line in lines:
            self.row(line)
        assert all(kind == "maybe" for kind, _ in self.columns.values()), "a lane ends nowhere"
        return self.edges

    def row(self, line):
        label = NAME.search(line)
        name, glyphs = label.group(), line[: label.start()]
        nodes = [x for x, glyph in enumerate(glyphs) if glyph in ROOTS + FOLLOWERS]
        assert len(nodes) == 1
        below = {}
        for x in range(0, max(len(glyphs), 2 + 2 * max(self.columns, default=0)), 2):
            around = glyphs[x - 1 : x] in ("─", "-"), glyphs[x + 1 : x + 2] in ("─", "-")
            lane = self.cell(glyphs[x : x + 1] or " ", around, self.columns.get(x // 2), name)
            if lane:
                below[x // 2] = lane
        self.reached(glyphs, nodes[0])
        self.columns = below

    def reached(self, glyphs, node):
        """All glyphs that join a line are on the one line of the row, which holds the task."""
        left = right = node
        while glyphs[left - 1 : left] in ("─", "-"):
            left -= 2
        while glyphs[right + 1 : right + 2] in ("─", "-"):
            right += 2
        rest = glyphs[:left] + glyphs[right + 1 :] if left >= 0 else ""
        assert not set(rest) - set(" │║|:"), glyphs

    def cell(self, glyph, around, lane, name):
        if glyph in ROOTS:
            assert lane is None or lane[0] == "maybe"
            return ("maybe", name)
        if glyph in FOLLOWERS:
            self.enter(lane, name)
            return None if glyph in LAST else ("maybe", name)
        if glyph in " ─-":
            assert lane is None or lane[0] == "maybe", "a lane breaks off"
            assert glyph == " " or around == (True, True)
            return None
        if glyph in "│|║:":
            assert around[0] == around[1]
            return self.running(lane, many=glyph in "║:")
        if glyph in ARMS:
            assert around == ("L" in ARMS[glyph], "R" in ARMS[glyph])
        assert any(around)
        return self.joint(glyph, lane, name)

    def running(self, lane, *, many):
        assert lane is not None
        assert (lane[0] == "many") == many
        return lane if many else ("one", lane[1])

    def joint(self, glyph, lane, name):
        if glyph in STARTS or glyph == ".":
            assert lane is None or lane[0] == "maybe"
            return ("many", [name])
        assert lane is not None
        if glyph in FEEDS or glyph == "#":
            assert lane[0] == "many"
            lane[1].append(name)
            return lane
        many = lane[0] == "many"
        assert glyph in "+'" or many == (glyph in FEED_ENDS)
        self.enter(lane, name)
        if glyph in JOINS or glyph == "+":
            assert not many
            return ("one", lane[1])
        return None

    def enter(self, lane, name):
        if lane is not None:
            self.edges |= {(dep, name) for dep in (lane[1] if lane[0] == "many" else [lane[1]])}


@QUICK
@given(deps=graphs(), ascii_only=st.booleans())
def test_the_lanes_say_every_edge_and_no_other(deps, ascii_only):
    text = draw(plan_of(deps), "ascii", 1, ascii_only=ascii_only)

    assert Lanes().read(drawing(text)) == edges_of(deps)
    assert not ascii_only or text.isascii()


@FEW
@given(deps=graphs(100, 200), ascii_only=st.booleans())
def test_the_lanes_of_a_large_graph_say_every_edge_and_no_other(deps, ascii_only):
    text = draw(plan_of(deps), "ascii", 80, ascii_only=ascii_only)

    assert Lanes().read(drawing(text)) == edges_of(deps)


@QUICK
@given(deps=graphs())
def test_rows_stand_below_their_dependencies(deps):
    rows = [NAME.search(line).group() for line in drawing(draw(plan_of(deps), "ascii", 1))]

    assert sorted(rows) == sorted(deps)
    assert all(rows.index(dep) < rows.index(name) for dep, name in edges_of(deps))


# Boxes ---------------------------------------------------------------------------------------------------------------

CORNERS = {"┐": "LD", "┘": "LU", "┤": "LUD", "┬": "LRD", "┴": "LRU", "┼": "LRUD", "└": "RU", "┌": "RD", "├": "RUD"}
UPRIGHT = {"+": "UD", ".": "D", "'": "U"}


class Boxes:
    def __init__(self, lines):
        self.lines = lines
        self.starts = {(row, m.start()): m.group() for row, line in enumerate(lines) for m in NAME.finditer(line)}
        self.ends = {(row, m.end()): m.group() for row, line in enumerate(lines) for m in NAME.finditer(line)}

    def glyph(self, row, x):
        return self.lines[row][x : x + 1] if 0 <= row < len(self.lines) and x >= 0 else ""

    def arms(self, row, x):
        glyph = self.glyph(row, x)
        if glyph in ("│", "|"):
            return "UD"
        if glyph in UPRIGHT:
            sides = [side for side, at in (("L", x - 1), ("R", x + 1)) if self.glyph(row, at) == "-"]
            return UPRIGHT[glyph] + "".join(sides)
        return CORNERS.get(glyph, "")

    def read(self):
        edges = set()
        for (row, end), name in self.ends.items():
            if self.glyph(row, end + 1) in ("─", "-"):
                assert self.glyph(row, end) == " "
                edges |= {(name, target) for target in self.follow(row, end + 1)}
        return edges

    def follow(self, row, x):
        """The tasks that a line to the right leads to."""
        while True:
            glyph = self.glyph(row, x)
            if glyph in ("→", ">"):
                return {self.starts[row, x + 2]}
            if glyph in ("─", "-"):
                x += 1
            elif glyph in ("│", "|"):
                assert self.glyph(row, x + 1) in ("─", "-")
                x += 1
            else:
                assert "L" in self.arms(row, x), (row, x, glyph)
                return self.trunk(row, x)

    def trunk(self, row, x):
        rows = {row}
        for step, there, back in ((-1, "U", "D"), (1, "D", "U")):
            at = row
            while there in self.arms(at, x):
                at += step
                assert back in self.arms(at, x)
                rows.add(at)
        passed = {at for at in rows if self.glyph(at, x) in ("│", "|")}
        return set().union(*(self.follow(at, x + 1) for at in rows - passed if "R" in self.arms(at, x)))


TWO_INTO_TWO = {"task0": (), "task1": (), "task2": ("task0", "task1"), "task3": ("task0", "task1")}


@QUICK
@example(deps=TWO_INTO_TWO, ascii_only=False)
@given(deps=graphs(2, 12), ascii_only=st.booleans())
def test_the_boxes_say_every_edge_and_no_other(deps, ascii_only):
    picture = draw_boxes(deps, {name: name for name in deps})
    lines = [line.translate(BOXES_TO_ASCII) if ascii_only else line for line in picture.lines] if picture else []

    assert picture is None or Boxes(lines).read() == edges_of(deps)
    assert picture is None or sorted(Boxes(lines).starts.values()) == sorted(deps)


@QUICK
@given(deps=graphs(2, 14), ascii_only=st.booleans(), width=st.sampled_from([40, 80, 120]))
def test_whichever_picture_is_chosen_fits_the_width_and_is_exact(deps, ascii_only, width):
    lines = drawing(draw(plan_of(deps), "ascii", width, ascii_only=ascii_only))
    boxes = any("→" in line or ">" in line for line in lines)

    assert (Boxes(lines).read() if boxes else Lanes().read(lines)) == edges_of(deps)
    assert max(map(len, lines)) <= width


# Other formats -------------------------------------------------------------------------------------------------------

HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def hostile_deps(names):
    return {name: tuple(names[:at]) for at, name in enumerate(names)}


@QUICK
@given(names=st.lists(HOSTILE, min_size=1, max_size=4, unique=True))
def test_mermaid_says_every_name_and_edge(names):
    deps = hostile_deps(names)
    lines = draw(plan_of(deps), "mermaid", 80).split("\n")
    nodes = dict(m.groups() for m in (re.fullmatch(r' +(t\d+)\["(.*)"\]', line) for line in lines) if m)
    shown = {key: re.sub(r"#(\d+);", lambda m: chr(int(m[1])), label) for key, label in nodes.items()}
    arrows = [m.groups() for m in (re.fullmatch(r" +(t\d+) --> (t\d+)", line) for line in lines) if m]

    assert list(shown.values()) == names
    assert {(shown[dep], shown[name]) for dep, name in arrows} == edges_of(deps)


def dot_strings(line):
    """The quoted strings of a line as a DOT reader takes them: only a backslash before a quote is removed."""
    return [found.replace('\\"', '"') for found in re.findall(r'"((?:\\.|[^"\\])*)"', line)]


@QUICK
@given(names=st.lists(HOSTILE, min_size=1, max_size=4, unique=True))
def test_dot_says_every_name_and_edge(names):
    deps = hostile_deps(names)
    lines = draw(plan_of(deps), "dot", 80).split("\n")
    nodes = [dot_strings(line)[0] for line in lines if "[label=" in line and '" -> "' not in line.split("[label")[0]]
    arrow = re.compile(r' +"(?:\\.|[^"\\])*" -> "(?:\\.|[^"\\])*";')
    arrows = {tuple(dot_strings(line)) for line in lines if arrow.fullmatch(line)}

    assert len(set(nodes)) == len(names)
    assert arrows == {(nodes[names.index(dep)], nodes[names.index(name)]) for dep, name in edges_of(deps)}


@QUICK
@given(names=st.lists(HOSTILE, min_size=1, max_size=4, unique=True))
def test_svg_is_xml_and_says_every_name_and_edge(names):
    from xml.etree import ElementTree as ET

    deps = hostile_deps(names)
    kept = {name: re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", name) for name in names}
    root = ET.fromstring(draw(plan_of(deps), "svg", 80))

    assert [e.get("data-task") for e in root.iter() if e.get("data-task")] == [kept[name] for name in names]
    assert {(e.get("data-from"), e.get("data-to")) for e in root.iter() if e.get("data-from")} == {
        (kept[dep], kept[name]) for dep, name in edges_of(deps)
    }


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_hostile_name_cannot_break_the_picture(width):
    deps = {"\x1b[31mred\nline": (), "x" * 300: ("\x1b[31mred\nline",)}
    text = draw(plan_of(deps), "ascii", width)

    assert "\x1b" not in text
    assert len(drawing(text)) == 2
    assert max(map(len, text.splitlines())) <= width
