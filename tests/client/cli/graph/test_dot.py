from __future__ import annotations

import re

from tq.client.cli.graph.dot import dot

from .graphs import hostile


def test_names_of_others_are_text_in_quotation_marks() -> None:
    drawn = dot(hostile(), 'a "flow"\n', 9.0)
    assert drawn.startswith('digraph flow {\n  graph [label="a \\"flow\\"\\n",')
    lines = drawn.splitlines()
    outside = [re.sub(r'"(?:[^"\\]|\\.)*"', "", line) for line in lines]
    assert not any("evil" in line or "script" in line for line in outside)
    assert all(line.isprintable() for line in lines)
    assert r"-> \\N" in drawn
    assert [line.strip() for line in lines if " -> n" in line] == [
        "n0 -> n1 [penwidth=3];", "n0 -> n2;", "n0 -> n3;", "n1 -> n3 [penwidth=3];",
    ]  # fmt: skip
