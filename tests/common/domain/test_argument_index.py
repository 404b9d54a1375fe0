"""Indexed arguments of many tasks: as they travel, and in parts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.argument_index import IndexColumns
from tq.common.domain.text_columns import TextColumn
from tq.common.wire.frames import pack, unpack

TASKS = st.lists(
    st.tuples(st.sampled_from(["", "ann", "ben"]), st.text("xy", max_size=3)), min_size=1, max_size=30
)


def index(tasks: list[tuple[str, str]]) -> IndexColumns:
    customers, shops = zip(*tasks, strict=True)
    return IndexColumns((("arg.customer", TextColumn.of(customers)), ("arg.shop", TextColumn.of(shops))))


@given(TASKS, st.data())
def test_each_task_has_its_texts_wherever_they_stand_and_empty_ones_are_no_tags(
    tasks: list[tuple[str, str]], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(tasks) - 1))
    stop = data.draw(st.integers(start + 1, len(tasks)))
    meant = [
        {name: text for name, text in (("arg.customer", customer), ("arg.shop", shop)) if text}
        for customer, shop in tasks[start:stop]
    ]
    travelled = IndexColumns.from_wire(unpack(pack(index(tasks).to_wire())), len(tasks))
    found = travelled.part(start, stop)
    assert [found.at(task) for task in range(stop - start)] == meant
