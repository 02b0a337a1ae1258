"""The graph as one self-contained SVG, for a README or a page: layers left to right, on light and on dark ground."""

from __future__ import annotations

from itertools import accumulate, pairwise

from spry.core.layout import Spot, arrange
from spry.core.path import critical_path
from spry.core.text import plural
from spry.record import NamedTuple
from spry.view.markup import attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spry.core.layout import Layout
    from spry.core.model import Plan, Step

LETTER, PADDING = 7.83, 14.0  # the width of a letter of the 13-pixel typewriter face; the room around a name
BOX, APART, BESIDE = 32.0, 18.0, 14.0  # a box's height, the room between boxes, and between lines that pass
GAP, MARGIN = 64.0, 24.0
LONGEST = 40  # letters of a name that are shown; the whole name is in the title
SWEEPS = 8
CAPTURE, SMALL_LETTER = "capture:", 6.1

STYLE = """
  .paper { fill: #ffffff }
  .box { fill: #f6f8fa; stroke: #8c959f; stroke-width: 1.2 }
  .edge { fill: none; stroke: #8c959f; stroke-width: 1.4 }
  .tip { fill: #8c959f }
  .critical { stroke: #bc4c00; stroke-width: 1.9 }
  .finally, .implied { stroke-dasharray: 5 4 }
  text { fill: #1f2328; font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; text-anchor: middle }
  .why { fill: #59636e; font-size: 10px; stroke: #ffffff; stroke-width: 3; paint-order: stroke }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 }
    .box { fill: #161b22; stroke: #6e7681 }
    .edge { stroke: #6e7681 }
    .tip { fill: #6e7681 }
    .critical { stroke: #f0883e }
    text { fill: #e6edf3 }
    .why { fill: #9198a1; stroke: #0d1117 }
  }
"""

TIP = (
    '<defs><marker id="spry-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
    'markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 0.5 8 4 0 7.5Z"/></marker></defs>'
)


class Sheet(NamedTuple):
    """Where everything is, in pixels: each layer's left edge and width, each spot's middle, and the whole size."""

    lefts: list[float]
    widths: list[float]
    middles: dict[Spot, float]
    width: float
    height: float


class Look(NamedTuple):
    """What sets a box apart on a page: a class, and a place to go to."""

    kind: str = ""
    link: str = ""


PLAIN = Look()


def svg(plan: Plan, looks: Mapping[str, Look] = {}) -> str:
    """A plan's graph; boxes carry `data-task`, lines `data-from` and `data-to`: names as the runbook has them."""
    layout = arrange({name: step.deps for name, step in plan.steps.items()})
    sheet = _sheet(layout, plan)
    path = critical_path(plan)
    critical = set(path) if len(path) < len(plan.steps) else set()
    spots = {spot.name: spot for layer in layout.layers for spot in layer if not spot.passes}
    width, height = round(sheet.width), round(sheet.height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"',
        f' role="img" aria-label="Graph of {plural(len(plan.steps), "task")}">',
        f"<style>{STYLE}</style>",
        TIP,
        '<rect class="paper" width="100%" height="100%" rx="8"/>',
        *_lines(plan, sheet, spots, set(pairwise(path)) if critical else set(), layout),
        *_captions(plan, sheet, spots),
        *(
            _box(step, sheet, spots[name], looks.get(name, PLAIN), marked=name in critical)
            for name, step in plan.steps.items()
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _sheet(layout: Layout, plan: Plan) -> Sheet:
    widths = [max((_span(spot.name) for spot in layer if not spot.passes), default=0.0) for layer in layout.layers]
    gaps = [GAP] * len(widths)
    for (dep, _), kind in plan.kinds.items():
        if dep in plan.steps and kind.startswith(CAPTURE):
            layer = plan.steps[dep].layer
            gaps[layer] = max(gaps[layer], len(kind) * SMALL_LETTER)
    lefts = list(accumulate((width + gap for width, gap in zip(widths, gaps, strict=True)), initial=MARGIN))
    middles = _middles(layout)
    top = min((y - _half(spot) for spot, y in middles.items()), default=0.0) - MARGIN
    middles = {spot: y - top for spot, y in middles.items()}
    bottom = max((y + _half(spot) for spot, y in middles.items()), default=0.0) + MARGIN
    return Sheet(lefts, widths, middles, lefts[-1] - (gaps[-1] if gaps else 0.0) + MARGIN, bottom)


def _span(name: str) -> float:
    """How wide the box of a task is."""
    return sum(LETTER if letter.isascii() else 2 * LETTER for letter in name[:LONGEST]) + 2 * PADDING


def _half(spot: Spot) -> float:
    """Half the height that a spot keeps for itself."""
    return BESIDE / 2 if spot.passes else BOX / 2


def _middles(layout: Layout) -> dict[Spot, float]:
    """A height for every spot, near the mean of its neighbours, with the order and the distances in its layer kept."""
    before: dict[Spot, list[Spot]] = {}
    after: dict[Spot, list[Spot]] = {}
    for left, right in (link for gap in layout.links for link in gap):
        before.setdefault(right, []).append(left)
        after.setdefault(left, []).append(right)
    middles: dict[Spot, float] = {}
    for layer in layout.layers:
        _settle(layer, [0.0] * len(layer), middles)
    for sweep in range(SWEEPS):
        forwards = sweep % 2 == 0
        near = before if forwards else after
        for layer in layout.layers if forwards else reversed(layout.layers):
            wanted = [_mean([middles[other] for other in near.get(spot, [spot])]) for spot in layer]
            _settle(layer, wanted, middles)
    return middles


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _settle(layer: Sequence[Spot], wanted: Sequence[float], middles: dict[Spot, float]) -> None:
    """Give a layer's spots the heights nearest to the wanted ones that keep them in order and apart."""
    steps = (_half(one) + _half(other) + APART / (1 + one.passes + other.passes) for one, other in pairwise(layer))
    offsets = list(accumulate(steps, initial=0.0))
    runs: list[tuple[float, int]] = []  # spots that touch move together: the mean of what they want, and how many
    for want, offset in zip(wanted, offsets, strict=False):
        mean, count = want - offset, 1
        while runs and runs[-1][0] >= mean:
            other, others = runs.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        runs.append((mean, count))
    bases = (mean for mean, count in runs for _ in range(count))
    middles.update((spot, base + offset) for spot, base, offset in zip(layer, bases, offsets, strict=False))


def _lines(
    plan: Plan, sheet: Sheet, spots: Mapping[str, Spot], critical: set[tuple[str, str]], layout: Layout
) -> Iterable[str]:
    for name, step in plan.steps.items():
        for dep in step.deps:
            kind = plan.kinds.get((dep, name), "")
            classes = "edge" + " implied" * bool(kind) + " critical" * ((dep, name) in critical)
            route = _route(sheet, spots[dep], spots[name], routed=layout.routed)
            title = f"{dep} → {name}" + (f" ({kind})" if kind else "")
            yield (
                f'<path class="{classes}" data-from="{attribute(dep)}" data-to="{attribute(name)}" '
                f'marker-end="url(#spry-tip)" d="{route}"><title>{attribute(title)}</title></path>'
            )


def _route(sheet: Sheet, left: Spot, right: Spot, *, routed: bool) -> str:
    """A line from the right side of one box to the left side of another, straight through the layers between."""
    x, y = sheet.lefts[left.layer] + sheet.widths[left.layer], sheet.middles[left]
    route = [f"M{x:.1f} {y:.1f}"]
    for at in range(left.layer + 1, right.layer + 1) if routed else [right.layer]:
        spot = right if at == right.layer else Spot(left.name, at, passes=True)
        there, height = sheet.lefts[at], sheet.middles[spot]
        half = min((there - x) / 2, GAP)
        route.append(f"C{x + half:.1f} {y:.1f} {there - half:.1f} {height:.1f} {there:.1f} {height:.1f}")
        x, y = there, height
        if spot.passes:
            x += sheet.widths[at]
            route.append(f"H{x:.1f}")
    return "".join(route)


def _captions(plan: Plan, sheet: Sheet, spots: Mapping[str, Spot]) -> Iterable[str]:
    """The captured keys beside the tasks that capture them, where that makes an edge."""
    for dep, kind in dict.fromkeys((dep, kind) for (dep, _), kind in plan.kinds.items() if kind.startswith(CAPTURE)):
        if dep in spots:
            left = spots[dep]
            x = (sheet.lefts[left.layer] + sheet.widths[left.layer] + sheet.lefts[left.layer + 1]) / 2
            key = attribute(kind.removeprefix(CAPTURE))
            yield f'<text class="why" x="{x:.1f}" y="{sheet.middles[left] - 7:.1f}">{key}</text>'


def _box(step: Step, sheet: Sheet, spot: Spot, look: Look, *, marked: bool) -> str:
    x, width, y = sheet.lefts[spot.layer], sheet.widths[spot.layer], sheet.middles[spot]
    name = spot.name if len(spot.name) <= LONGEST else spot.name[: LONGEST - 1] + "…"
    classes = "box" + " finally" * step.task.is_finally + " critical" * marked + f" {look.kind}" * bool(look.kind)
    title = spot.name + (f": {step.task.descr}" if step.task.descr else "")
    box = (
        f'<g data-task="{attribute(spot.name)}"><title>{attribute(title)}</title>'
        f'<rect class="{classes}" x="{x:.1f}" y="{y - BOX / 2:.1f}" width="{width:.1f}" height="{BOX:.0f}" rx="6"/>'
        f'<text x="{x + width / 2:.1f}" y="{y + 4.5:.1f}">{attribute(name)}</text></g>'
    )
    return f'<a href="{attribute(look.link)}">{box}</a>' if look.link else box
