"""In which shard of the cluster the tasks of a choice are: that of their queue; and what of them cannot be in another.

What is put together by the master in one transaction has to be in one shard: a flow, and what is made when a task fails. Queues with one
tag, as ``{shop}fetch`` and ``{shop}store``, are. What a task needs may be in any: see ``client/core/needed_first.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...common.domain.shards import is_spread, shard_of_id, shard_of_name, tag_of
from ...common.errors import InvalidArgument

if TYPE_CHECKING:
    from ..core.session import ClientSession
    from .options import Choice

ONE_SHARD: Final = -1  # of a cluster with one, where nothing has to be compared
ANY_SHARD: Final = -2  # of a queue that is in every one: see ``spreading.py``


def home_of(session: ClientSession, choice: Choice) -> int:
    """The shard of the tasks; ANY_SHARD: of each by itself. Asks for the number of shards, if it is not known. Raises InvalidArgument for what is not together."""
    shards = session.shards
    if shards == 1:
        return ONE_SHARD
    if is_spread(choice.queue):
        return _home_in_spread(choice, shards)
    home = shard_of_name(choice.queue, shards)
    if choice.flow is not None and shard_of_id(choice.flow.flow_id) != home:
        raise InvalidArgument(
            f"queue {choice.queue} is in shard {home}, and the flow is in shard {shard_of_id(choice.flow.flow_id)}: "
            f"{_together(choice.queue)}, and open the flow with one of them: app.flow(…, queue={_with_one_tag(choice.queue)[0]!r})"
        )
    handler = None if choice.columns is None else choice.columns.on_failure
    if handler is not None:
        check_together(choice.queue, handler.queue, shards, "its on_failure")
    return home


def _home_in_spread(choice: Choice, shards: int) -> int:
    handler = choice.terms.on_failure
    homes: dict[str, int] = {}
    if choice.flow is not None:
        homes["its flow"] = shard_of_id(choice.flow.flow_id)
    if handler is not None and not is_spread(handler.queue):
        homes[f"its on_failure in queue {handler.queue}"] = shard_of_name(handler.queue, shards)
    limit = next((one.name for one in choice.terms.limits if is_spread(one.name)), None)
    if homes and limit is not None:
        raise InvalidArgument(
            f"limit {limit!r} has a shard for each of its keys, and {next(iter(homes))} is in one; leave out the limit, or give it and the "
            "queue one tag in braces"
        )
    if len(set(homes.values())) > 1:
        raise InvalidArgument(
            f"{' and '.join(homes)} are in different shards; give the handler a queue that is in every shard, as {{spread}}failed"
        )
    return next(iter(homes.values()), ANY_SHARD)


def check_together(queue: str, other: str, shards: int, what: str) -> None:
    """Raises InvalidArgument if two queues are in different shards. ``what``: is made in the other one."""
    one, two = shard_of_name(queue, shards), shard_of_name(other, shards)
    if one != two and not is_spread(other):
        raise InvalidArgument(
            f"queue {queue} is in shard {one}, and {what} in queue {other} is in shard {two}: {_together(queue, other)}"
        )


def _together(*queues: str) -> str:
    return (
        f"queues that belong together need one tag in their names, as {' and '.join(_with_one_tag(*queues))}"
    )


def _with_one_tag(*queues: str) -> list[str]:
    """Their names with the tag of the first one that has any."""
    tag = next((tag for queue in queues if (tag := tag_of(queue)) != queue), "tag")
    return [f"{{{tag}}}" + queue.replace(f"{{{tag_of(queue)}}}", "", 1) for queue in queues]
