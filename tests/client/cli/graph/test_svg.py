from __future__ import annotations

from xml.etree import ElementTree

import pytest
import tq
from tq.client.cli.graph.svg import svg
from tq.client.flows.graph import graph_of

from ...flows.test_graph import row
from .graphs import hostile

SVG = "{http://www.w3.org/2000/svg}"


def test_a_drawing_is_one_and_names_of_others_are_text_in_it() -> None:
    drawn = svg(hostile(), 'a <b>flow</b> & "more"\x00', "below", 9.0)
    root = ElementTree.fromstring(drawn)  # noqa: S314 - ours
    assert {one.tag.removeprefix(SVG) for one in root.iter()} == {
        "svg",
        "title",
        "style",
        "rect",
        "text",
        "g",
        "path",
    }
    names = {name.rpartition("}")[2] for one in root.iter() for name in one.attrib}
    assert not {name for name in names if name.startswith("on") or name == "href"}
    texts = [one.text or "" for one in root.iter(f"{SVG}text")]
    assert texts[0] == 'a <b>flow</b> & "more"␀'
    assert "jobs:<script>alert(1)</script>…" in texts
    assert len(list(root.iter(f"{SVG}path"))) == 4
    assert drawn.count('class="long"') == 2


def test_a_bar_has_a_piece_for_each_state() -> None:
    graph = graph_of([row(1, "f", tasks=3), row(4, "f", state=11)])
    root = ElementTree.fromstring(svg(graph, "", "", 9.0))  # noqa: S314 - ours
    pieces = [float(one.attrib["width"]) for one in root.iter(f"{SVG}rect") if one.attrib["height"] == "5"]
    assert pieces == [165.0, 55.0]


def test_more_than_can_be_seen_is_refused_with_what_to_do() -> None:
    graph = graph_of([row(2 * place, "f") for place in range(2_001)])
    with pytest.raises(tq.InvalidArgument, match=r"a drawing shows 2,000 at most: --format dot"):
        svg(graph, "", "", 9.0)
