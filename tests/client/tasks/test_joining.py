"""Which tasks travel in one submit call."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tq.client.tasks.joining import CHUNK_BLOBS, joined
from tq.client.tasks.kinds import TaskKind
from tq.client.tasks.options import choose
from tq.client.tasks.payloads import CHUNK_BYTES, CHUNK_TASKS
from tq.common.domain.ids import COMPUTED, key_id
from tq.common.values.blob import Blob

KINDS = [TaskKind("m:f", choose({"priority": priority})) for priority in range(3)]
BLOB = Blob.of(b"content")

TASKS = st.tuples(
    st.sampled_from(KINDS),
    st.sampled_from([0, 100, CHUNK_BYTES // 3, CHUNK_BYTES + 1]),
    st.integers(0, 2),
    st.booleans(),
)


@given(st.lists(TASKS, max_size=60))
def test_calls_have_all_tasks_in_order_and_keep_to_the_limits(
    drawn: list[tuple[Any, int, int, bool]],
) -> None:
    pending = []
    for number, (kind, size, blobs, keyed) in enumerate(drawn):
        id = key_id("q", "m:f", str(number)) if keyed else kind.ids.take_one()
        pending.append((kind, id, b"p" * size, [BLOB] * blobs))
    calls = list(joined(pending))
    assert [(call.kind, *task) for call in calls for task in call.tasks] == [
        (kind, id, payload) for kind, id, payload, _ in pending
    ]
    assert [call.named.get(id, []) for call in calls for id in call.ids] == [blobs for *_, blobs in pending]
    for call in calls:
        many = len(call.tasks) > 1
        assert not many or sum(len(payload) for _, payload in call.tasks) <= CHUNK_BYTES
        assert not many or max(call.ids) < COMPUTED
        assert len(call.named) in (0, len(call.tasks))
    for one, other in pairwise(calls):  # neighbours that could have travelled together did
        together = [payload for call in (one, other) for _, payload in call.tasks[:1]]
        assert (
            one.kind is not other.kind
            or sum(len(payload) for _, payload in one.tasks) + len(together[1]) > CHUNK_BYTES
            or bool(one.named) != bool(other.named)
            or max(*one.ids, *other.ids) >= COMPUTED
        )


def test_a_call_has_at_most_a_thousand_tasks_and_as_many_blobs() -> None:
    kind = KINDS[0]
    plain = [(kind, kind.ids.take_one(), b"", ()) for _ in range(2_500)]
    assert [len(call.tasks) for call in joined(plain)] == [CHUNK_TASKS, CHUNK_TASKS, 500]
    naming = [(kind, kind.ids.take_one(), b"", [BLOB, BLOB]) for _ in range(CHUNK_BLOBS)]
    assert [len(call.tasks) for call in joined(naming)] == [CHUNK_BLOBS // 2, CHUNK_BLOBS // 2]


def test_tasks_of_threads_that_overtook_one_another_are_put_in_the_order_of_their_ids() -> None:
    kind = KINDS[0]
    ids = [kind.ids.take_one() for _ in range(4)]
    [call] = joined((kind, ids[place], b"", ()) for place in (1, 0, 3, 2))
    assert call.ids == ids
