"""Where the boxes of a drawing stand."""

from __future__ import annotations

import random

from tq.client.flows.layout import BOX_HEIGHT, BOX_WIDTH, layout


def test_boxes_of_a_layer_stand_below_one_another_and_layers_side_by_side() -> None:
    drawn = layout([0, 0, 0, 1], [[], [], [], [0, 1, 2]])
    lefts, tops = zip(*drawn.boxes, strict=True)
    assert lefts[0] == lefts[1] == lefts[2] < lefts[3] - BOX_WIDTH
    assert tops[3] == tops[1]
    assert (drawn.width, drawn.height) > (lefts[3] + BOX_WIDTH, tops[2] + BOX_HEIGHT)
    assert [(one, two) for one, two, _ in drawn.lines] == [(0, 3), (1, 3), (2, 3)]


def test_lines_that_cross_are_uncrossed() -> None:
    drawn = layout([0, 0, 1, 1], [[], [], [1], [0]])
    assert drawn.boxes[2][1] > drawn.boxes[3][1]


def test_whatever_the_graph_is_no_line_passes_through_a_box_and_no_box_covers_another() -> None:
    rng = random.Random(7)  # noqa: S311 - the same graphs each time
    for _ in range(30):
        ranks = sorted(rng.randrange(-1, 6) for _ in range(rng.randrange(1, 30)))
        edges = [
            [one for one in range(node) if ranks[one] < ranks[node] and rng.random() < 0.2]
            for node in range(len(ranks))
        ]
        drawn = layout(ranks, edges)
        corners = list(drawn.boxes)
        for at, (left, top) in enumerate(corners):
            assert not any(left == x and abs(top - y) < BOX_HEIGHT for x, y in corners[at + 1 :])
        for one, two, points in drawn.lines:
            for x, y in points[1:-1]:
                assert not any(
                    left <= x <= left + BOX_WIDTH and top < y < top + BOX_HEIGHT for left, top in corners
                ), (one, two)
            assert points == sorted(points, key=lambda point: point[0])


def test_nothing_is_a_drawing_too() -> None:
    assert layout([], []).boxes == []
