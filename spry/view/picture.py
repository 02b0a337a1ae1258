"""The graph as text for a terminal: left to right while it is small and simple, else a task a row beside its lanes."""

from __future__ import annotations

from spry.core.boxes import draw_boxes
from spry.core.lanes import EMPTY, draw_lanes
from spry.core.path import critical_path
from spry.record import NamedTuple
from spry.view import columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from spry.core.model import Plan, Step

MOST_BOXES = 16  # tasks; more are read better one a row
LEAST_LABEL = 12  # columns that a name always gets
LEAST_DESCRIPTION = 8
WIDEST_NAMES = 32  # names that are longer do not push all descriptions to the right

LANES_TO_ASCII = str.maketrans("○●◉◇◆◈├┤┼╯╰┴╓╖╥╟╢╫╜╙╨│║─→…", "o*xO@X+++'''...###'''|:->~")
BOXES_TO_ASCII = str.maketrans("├┤┼┌┐┬└┘┴│─→", "+++...'''|->")
LEGEND = (
    (("○", "◇"), "○ needs nothing"),
    (("◉", "◈"), "◉ nothing needs it"),
    (("◆",), "◆ on the longest path"),
    (("╓", "╖", "╥"), "║ leads to one task"),
    (("─│─", "─║─"), "─│─ passes"),
    (("┼", "╫"), "┼ joins"),
)
DIM, BOLD, RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"
LANE_COLORS = tuple(f"\x1b[{code}m" for code in (36, 35, 33, 32, 34, 31))


class Paper(NamedTuple):
    """What a picture is drawn on."""

    width: int
    colour: bool
    ascii_only: bool


def picture(plan: Plan, width: int, *, colour: bool = False, ascii_only: bool = False) -> str:
    """The picture of a plan for so many columns, with a legend for its glyphs and a list of the edges nobody wrote."""
    if not plan.steps:
        return ""
    paper = Paper(width, colour, ascii_only)
    labels = {name: _label(step, paper) for name, step in plan.steps.items()}
    path = critical_path(plan)
    critical = path if 2 < len(path) < len(labels) else ()
    lines = _small(plan, labels, critical, paper) or _tall(plan, labels, critical, paper)
    lines += _implied(plan, paper)
    return "".join(f"{line}\n" for line in lines)


def _label(step: Step, paper: Paper) -> str:
    return _printable(step.task.name, paper) + (" (finally)" if step.task.is_finally else "")


def _printable(text: str, paper: Paper) -> str:
    """A text that cannot move the cursor, colour the terminal or break the line."""
    plain = columns.printable(" ".join(text.split()))
    return plain.encode("ascii", "replace").decode() if paper.ascii_only else plain


def _small(plan: Plan, labels: Mapping[str, str], critical: Collection[str], paper: Paper) -> list[str] | None:
    """The layers left to right, if that is easy to read: few tasks, no line across another, all within the width."""
    deps = _deps(plan)
    if len(deps) > MOST_BOXES or not any(deps.values()) or not all(label.isascii() for label in labels.values()):
        return None
    boxes = draw_boxes(deps, labels)
    if boxes is None or boxes.crossings or max(map(len, boxes.lines)) > paper.width:
        return None
    lines = [line.translate(BOXES_TO_ASCII) if paper.ascii_only else line for line in boxes.lines]
    for label in sorted(boxes.labels, key=lambda label: -label.column) if paper.colour else ():
        if label.name in critical:
            line, end = lines[label.line], label.column + len(labels[label.name])
            lines[label.line] = f"{line[: label.column]}{BOLD}{line[label.column : end]}{RESET}{line[end:]}"
    return lines


def _deps(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {name: step.deps for name, step in plan.steps.items()}


def _tall(plan: Plan, labels: Mapping[str, str], critical: Collection[str], paper: Paper) -> list[str]:
    """One task a row; labels start in one column if they fit that way, else each right after its lanes."""
    rows = draw_lanes(_deps(plan), critical)
    span = max(len(row.drawing) for row in rows)
    longest = max(map(columns.width, labels.values()))
    aligned = span + 2 + longest <= paper.width
    lines = []
    for row in rows:
        lanes = span if aligned else len(row.drawing)
        room = max(paper.width - lanes - 2, LEAST_LABEL)
        text = _text(labels[row.name], plan.steps[row.name].task.descr, min(longest, WIDEST_NAMES), room, paper)
        drawing = row.drawing.translate(LANES_TO_ASCII) if paper.ascii_only else row.drawing
        lines.append(f"{_coloured(drawing) if paper.colour else drawing}{EMPTY * (lanes - len(drawing))}  {text}")
    return lines + _legend("\n".join(row.drawing for row in rows), paper)


def _text(label: str, descr: str, pad: int, room: int, paper: Paper) -> str:
    """A task's name, and its description where there is room for some of it."""
    head = _cut(label, room, paper)
    space = room - max(columns.width(head), pad) - 2
    tail = _cut(_printable(descr, paper), space, paper) if space >= LEAST_DESCRIPTION else ""
    if not tail:
        return head
    return f"{columns.fill(head, pad)}  {DIM}{tail}{RESET}" if paper.colour else f"{columns.fill(head, pad)}  {tail}"


def _cut(text: str, most: int, paper: Paper) -> str:
    short = columns.cut(text, most)
    return short.replace("…", "~") if paper.ascii_only else short


def _coloured(drawing: str) -> str:
    """Lanes in the colour of their column, so that the eye can follow them."""
    return "".join(
        f"{LANE_COLORS[at // 2 % len(LANE_COLORS)]}{glyph}{RESET}" if at % 2 == 0 and glyph != EMPTY else glyph
        for at, glyph in enumerate(drawing)
    )


def _legend(drawing: str, paper: Paper) -> list[str]:
    """What the rarer glyphs of a drawing mean."""
    known = [text for glyphs, text in LEGEND if any(glyph in drawing for glyph in glyphs)]
    if paper.ascii_only:
        known = [text.translate(LANES_TO_ASCII) for text in known]
    lines = _wrapped(known, "   ", "", paper.width)
    if paper.colour:
        lines = [f"{DIM}{line}{RESET}" for line in lines]
    return ["", *lines] if lines else []


def _implied(plan: Plan, paper: Paper) -> list[str]:
    """The edges that nobody wrote, by the task they come from and why they are there."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, step in plan.steps.items():
        for dep in step.deps:
            if (dep, name) in plan.kinds:
                groups.setdefault((dep, plan.kinds[dep, name]), []).append(name)
    arrow = "->" if paper.ascii_only else "→"
    lines = []
    for (dep, kind), dependents in groups.items():
        way = kind.replace("capture:", "capture ", 1)
        names = [_printable(name, paper) for name in (dep, *dependents)]
        words = [f"  {names[0]} {arrow}", *(f"{name}," for name in names[1:-1]), names[-1], f"({way})"]
        lines += _wrapped(words, EMPTY, "    ", paper.width)
    return ["", "implied, not written:", *lines] if lines else []


def _wrapped(words: Sequence[str], between: str, indent: str, width: int) -> list[str]:
    """Words in lines of at most `width` columns, those after the first indented; no word is cut."""
    lines: list[str] = []
    for word in words:
        if lines and columns.width(lines[-1] + between + word) <= width:
            lines[-1] += between + word
        else:
            lines.append(indent + word if lines else word)
    return lines
