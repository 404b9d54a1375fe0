"""Where the nodes of a graph stand in a drawing: in layers by their ranks, ordered so that few lines cross. Pure.

A line that passes a layer has a place of its own in it, so that it goes around the boxes there. Within a layer places are ordered by
the mean of their neighbours', a few times forth and back: the method of Sugiyama, in its simplest form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

BOX_WIDTH: Final = 240
BOX_HEIGHT: Final = 56
LINE_HEIGHT: Final = 14  # of a line that passes a layer
GAP_ACROSS: Final = 72  # between two layers
GAP_DOWN: Final = 18
MARGIN: Final = 24
SWEEPS: Final = 6

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """``boxes``: the upper left corner of each node. ``lines``: from node to node, through these points."""

    boxes: Sequence[Point]
    lines: Sequence[tuple[int, int, Sequence[Point]]]
    width: float
    height: float


class _Place:
    """A node in its layer, or (node −1) a line that passes it."""

    def __init__(self, node: int, layer: int) -> None:
        self.node, self.layer = node, layer
        self.before: list[_Place] = []
        self.behind: list[_Place] = []
        self.order = 0.0
        self.top = 0.0

    @property
    def height(self) -> int:
        return LINE_HEIGHT if self.node < 0 else BOX_HEIGHT

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


def layout(ranks: Sequence[int], edges: Sequence[Sequence[int]]) -> Layout:
    """``edges``: of each node the nodes that it needs, which have lower ranks."""
    lowest = min(ranks, default=0)
    layers: list[list[_Place]] = [[] for _ in range(max(ranks, default=0) - lowest + 1)]
    places = [_Place(node, rank - lowest) for node, rank in enumerate(ranks)]
    for place in places:
        layers[place.layer].append(place)
    chains = [
        (needed, node, _chain(places[needed], places[node], layers))
        for node, some in enumerate(edges)
        for needed in some
    ]
    _order(layers)
    height = _stack(layers)
    return Layout(
        boxes=[(_left(place.layer), place.top) for place in places],
        lines=[(needed, node, _points(chain)) for needed, node, chain in chains],
        width=_left(len(layers)) - GAP_ACROSS + MARGIN,
        height=height,
    )


def _left(layer: int) -> float:
    return float(MARGIN + layer * (BOX_WIDTH + GAP_ACROSS))


def _chain(start: _Place, end: _Place, layers: list[list[_Place]]) -> list[_Place]:
    """The places of a line, with those in the layers that it passes."""
    chain = [start, *(_Place(-1, layer) for layer in range(start.layer + 1, end.layer)), end]
    for one in chain[1:-1]:
        layers[one.layer].append(one)
    for one, two in pairwise(chain):
        one.behind.append(two)
        two.before.append(one)
    return chain


def _order(layers: list[list[_Place]]) -> None:
    for layer in layers:
        _number(layer)
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        for layer in layers if forth else reversed(layers):
            means = {
                id(place): _mean(place.before if forth else place.behind, place.order) for place in layer
            }
            layer.sort(key=lambda place: means[id(place)])
            _number(layer)


def _number(layer: list[_Place]) -> None:
    """Orders are parts of the whole, so that layers of different lengths compare."""
    for at, place in enumerate(layer):
        place.order = (at + 0.5) / len(layer)


def _mean(neighbours: Sequence[_Place], otherwise: float) -> float:
    return sum(one.order for one in neighbours) / len(neighbours) if neighbours else otherwise


def _stack(layers: list[list[_Place]]) -> float:
    """Each layer in the middle of the height; returns the height."""
    heights = [sum(place.height + GAP_DOWN for place in layer) - GAP_DOWN for layer in layers]
    whole = max(heights, default=0)
    for layer, height in zip(layers, heights, strict=True):
        top = MARGIN + (whole - height) / 2
        for place in layer:
            place.top = top
            top += place.height + GAP_DOWN
    return whole + 2.0 * MARGIN


def _points(chain: Sequence[_Place]) -> list[Point]:
    """From the right side of one box to the left side of the other; a layer that is passed is crossed straight."""
    points = [(_left(chain[0].layer) + BOX_WIDTH, chain[0].middle)]
    for one in chain[1:-1]:
        points += [(_left(one.layer), one.middle), (_left(one.layer) + BOX_WIDTH, one.middle)]
    return [*points, (_left(chain[-1].layer), chain[-1].middle)]
