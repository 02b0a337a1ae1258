"""A graph in layers, left to right: who stands where in its layer, so that few lines cross."""

from __future__ import annotations

from bisect import bisect_right, insort

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Deps = Mapping[str, Sequence[str]]
    Layer = list["Spot"]
    Link = tuple["Spot", "Spot"]

SWEEPS = 6
MOST_PASSING, MOST_PASSING_EACH = 200, 10  # beyond so many spots, and so many for each task, lines are not routed


class Spot(NamedTuple):
    """A place in a layer: a task, or (`passes`) the lines of a task to later layers, all of them as one."""

    name: str
    layer: int
    passes: bool = False


class Layout(NamedTuple):
    """The spots of each layer in their order, and the lines from each layer to the next.

    Without `routed`, no lines pass through layers: they would outnumber the tasks by far, and `links` then holds only
    those between neighbours.
    """

    layers: list[Layer]
    links: list[list[Link]]
    routed: bool


def arrange(deps: Deps) -> Layout:
    """The layers of a graph whose tasks are given with their dependencies in some topological order.

    Tasks without any edge stand at the end of the first layer.
    """
    layer, reach = _extents(deps)
    routed = sum(reach[name] - layer[name] for name in deps) <= MOST_PASSING + MOST_PASSING_EACH * len(deps)
    layers: list[Layer] = [[] for _ in range(1 + max(layer.values(), default=-1))]
    links: list[list[Link]] = [[] for _ in layers[1:]]
    alone = set(deps) - {name for needed in deps.values() for name in needed}
    alone = {name for name in alone if not deps[name]}
    for name in deps:
        if name not in alone:
            layers[layer[name]].append(Spot(name, layer[name]))
        for at in range(layer[name] + 1, reach[name] + 1 if routed else 0):
            layers[at].append(Spot(name, at, passes=True))
            links[at - 1].append((Spot(name, at - 1, at - 1 > layer[name]), Spot(name, at, passes=True)))
    for name, needed in deps.items():
        at = layer[name]
        for dep in needed:
            if routed or layer[dep] == at - 1:
                links[at - 1].append((Spot(dep, at - 1, at - 1 > layer[dep]), Spot(name, at)))
    layers = _order(layers, links)
    if alone:
        layers[0] = layers[0] + [Spot(name, 0) for name in deps if name in alone]
    return Layout(layers, links, routed)


def _extents(deps: Deps) -> tuple[dict[str, int], dict[str, int]]:
    """The layer of every task, and the last layer that its lines enter without ending there."""
    layer: dict[str, int] = {}
    reach: dict[str, int] = {}
    for name, needed in deps.items():
        layer[name] = reach[name] = 1 + max((layer[dep] for dep in needed), default=-1)
        for dep in needed:
            reach[dep] = max(reach[dep], layer[name] - 1)
    return layer, reach


def _order(layers: list[Layer], links: list[list[Link]]) -> list[Layer]:
    """The layers with each spot near those it is linked to; of several tries the one with the fewest crossings."""
    best, fewest = layers, _crossings(layers, links)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        layers = _sweep(layers, links, forwards=sweep % 2 == 0)
        crossings = _crossings(layers, links)
        if crossings < fewest:
            best, fewest = layers, crossings
    return best


def _sweep(layers: list[Layer], links: list[list[Link]], *, forwards: bool) -> list[Layer]:
    """Every layer sorted by the mean place of its neighbours in the layer before it, first to last or backwards."""
    layers = list(layers)
    places = _places(layers)
    for at in range(len(links)) if forwards else range(len(links) - 1, -1, -1):
        moved = at + 1 if forwards else at
        near: dict[Spot, list[int]] = {}
        for left, right in links[at]:
            spot, other = (right, left) if forwards else (left, right)
            near.setdefault(spot, []).append(places[other])
        means = {spot: sum(near[spot]) / len(near[spot]) if spot in near else places[spot] for spot in layers[moved]}
        layers[moved] = sorted(means, key=means.__getitem__)
        places.update((spot, place) for place, spot in enumerate(layers[moved]))
    return layers


def _places(layers: list[Layer]) -> dict[Spot, int]:
    return {spot: place for layer in layers for place, spot in enumerate(layer)}


def _crossings(layers: list[Layer], links: list[list[Link]]) -> int:
    """How many pairs of straight lines between neighbouring layers cross."""
    places = _places(layers)
    count = 0
    for gap in links:
        seen: list[int] = []
        for _, right in sorted((places[left], places[right]) for left, right in gap):
            count += len(seen) - bisect_right(seen, right)
            insort(seen, right)
    return count
