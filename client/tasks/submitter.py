"""What a program submits: the name of a callable, with its queue and options.

Options never share a namespace with the function's arguments: ``thumb.using(delay=30).submit(url)``.
Arguments are validated and encoded in the caller's thread; only bytes leave this module.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..core.blocking import warn_on_loop
from .definition import Definition
from .handle import Handle, submit_one
from .home import ANY_SHARD
from .indexed import ArgumentIndex
from .kinds import TaskKind, TaskKinds
from .lane_keys import LaneKeys, check_unique
from .made_by_master import A_HANDLER, A_SCHEDULE, MadeTask, failure_handler
from .needs import as_needed, needs_of
from .open_flow import open_flow
from .options import Choice, Options, choose
from .submission import open_batch

if TYPE_CHECKING:
    from typing import Unpack

    from ...common.domain.columns import FailureHandler
    from ...common.domain.id_runs import IdRun
    from ...common.values.blob import Blob
    from ..core.session import ClientSession
    from ..outbox.outbox import DatabaseOutbox
    from ..outbox.table import NewRow
    from .canvas import Signature
    from .handles import Handles

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class Submitter(Generic[P, R]):
    """Submits one callable with one set of options."""

    def __init__(
        self,
        session: ClientSession,
        definition: Definition,
        choice: Choice,
        key: str | None = None,
        after: Sequence[Any] = (),
        outbox: DatabaseOutbox | None = None,
    ) -> None:
        self._session, self._definition, self._choice, self._key = session, definition, choice, key
        self._after, self._outbox = after, outbox
        self._known_kind: TaskKind | None = None
        # Only where keys depend on arguments: others share one kind, and one column, for all their submits.
        self._lane_keys = None if choice.columns is not None else LaneKeys(choice.terms, definition)
        self._index = ArgumentIndex(choice.indexed, definition) if choice.indexed else None

    def __repr__(self) -> str:
        function = self._definition.function
        shown = (
            self._definition.name if function is None else f"{function.__module__}:{function.__qualname__}"
        )
        return f"<tq.{type(self).__name__} {shown}>"

    @property
    def name(self) -> str:
        """The name under which workers know the task.

        Raises:
            NotNamed: No worker could import the function: a lambda, a nested function.
        """
        return self._definition.name

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """Submit one task. It is stored when this returns; inside ``with app.batch():``, when the block ends.

        This blocks until the master has answered: inside a running event loop use ``asubmit``.

        Args:
            args: Positional arguments of the function, plain data of up to 16 MiB together; more travels as ``tq.Blob``. Where a
                handle stands, or the handles of a map, the task waits for those tasks and gets their results.
            kwargs: Keyword arguments of the function.

        Returns:
            The handle of the task; with ``unique`` of the one that is there, or None with ``on_conflict="skip"``.

        Raises:
            TypeError: The arguments do not fit the function. Nothing was sent.
            InvalidArgument: A value does not fit its annotation, a dataclass, TypedDict, NamedTuple, enum or model of pydantic; the message
                has its path. Nothing was sent.
            NotSerializable: A value cannot be sent; the message has its place. Nothing was sent.
            TaskConflict: A task with this key exists, with other arguments; or one that is the same by ``unique``, with
                ``on_conflict="raise"``.
            Unreachable: No master answers.
        """
        session = self._session
        # The first submit of a session waits for its connection.
        if session.known_shards is None and self._outbox is None:
            warn_on_loop("await task.asubmit(…)")
            self._check_first(args, kwargs)
        kind = self._kind_of(args, kwargs)
        kind, id, payload, blobs, needs = self._encoded(kind, args, kwargs)
        if self._outbox is not None:
            from .outbox_submits import outbox_row

            row, handle = outbox_row(
                session, kind, self._definition, id, payload, blobs, needs, (args, kwargs)
            )
            self._outbox.write([row])
            return cast("Handle[R]", handle)
        if blobs:
            self._send(kind, blobs)
        batch = open_batch(session)
        if self._choice.unique is not None:
            from .unique_submits import submit_unique

            if batch is not None:
                # Its answer is needed now, and may depend on a task that the batch has gathered.
                batch.flush()
            warn_on_loop("await task.asubmit(…)")
            sent = submit_unique(session, kind, self._definition, id, payload, blobs, needs, (args, kwargs))
            return cast(Handle[R], sent.handle(sent.stored.result()))
        received = self._definition.received
        if batch is not None:
            batch.add(kind, id, payload, blobs, needs)
            return Handle(session, id, received=received)
        warn_on_loop("await task.asubmit(…)")
        handle, stored = submit_one(session, kind, id, payload, blobs, needs, received)
        # Raises what the master refused; the handle is good only after that.
        stored.result()
        return cast(Handle[R], handle)

    async def asubmit(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """Do as ``submit``, for an event loop.

        Args:
            args: Positional arguments of the function.
            kwargs: Keyword arguments of the function.

        Returns:
            The handle of the task, which is stored.
        """
        import asyncio

        if self._session.known_shards is None and self._outbox is None:
            self._check_first(args, kwargs)
            await self._session.ashards()
        kind = self._kind_of(args, kwargs)
        kind, id, payload, blobs, needs = self._encoded(kind, args, kwargs)
        if self._outbox is not None:
            call = args, kwargs
            from .outbox_submits import outbox_row

            row, handle = outbox_row(self._session, kind, self._definition, id, payload, blobs, needs, call)
            await self._outbox.write_async([row])
            return cast("Handle[R]", handle)
        if blobs:
            # Reading and sending files blocks.
            await asyncio.to_thread(self._send, kind, blobs)
        if self._choice.unique is not None:
            from .unique_submits import submit_unique

            call = args, kwargs
            sent = submit_unique(self._session, kind, self._definition, id, payload, blobs, needs, call)
            return cast(Handle[R], sent.handle(await asyncio.wrap_future(sent.stored)))
        handle, stored = submit_one(self._session, kind, id, payload, blobs, needs, self._definition.received)
        await asyncio.wrap_future(stored)
        return cast(Handle[R], handle)

    def _send(self, kind: TaskKind, blobs: list[Blob]) -> None:
        from ..blobs.blobs import SessionBlobs  # a program without blobs never loads it

        self._session.part(SessionBlobs).of(kind.shard).send(blobs)

    def map(self, items: Iterable[Any]) -> Handles[R]:
        """Submit one task per item, with the item as its only argument. All are stored when this returns.

        Args:
            items: An iterable of any length, also a generator. It is read as fast as the tasks are stored, and at most a few
                thousand are in memory. Over the handles of another map, each task starts as soon as its own predecessor has
                succeeded.

        Returns:
            The handles, in the order of the items.

        Raises:
            NotSerializable: An item cannot be sent. The items before it have been submitted.
            InvalidArgument: A key is set, which names only one task.

        Example::

            print(sum(square.map(range(1000)).results()))
        """
        return self._mapped(zip(items))

    def starmap(self, items: Iterable[Iterable[Any]]) -> Handles[R]:
        """Do as ``map``, with the parts of each item as positional arguments.

        Args:
            items: An iterable of tuples, of any length.

        Returns:
            The handles, in the order of the items.
        """
        return self._mapped(map(tuple, items))

    def chunks(self, items: Iterable[Iterable[Any]], size: int) -> list[Handles[R]]:
        """Do as ``starmap``, and give the handles in portions, so that ``tq.chord(task.chunks(items, 10), body)`` gets lists of ten.

        Each item is a task of its own, with its own retries; they travel together whatever the portions are.

        Args:
            items: An iterable of tuples, of any length.
            size: How many handles a portion has, from 1; the last one may have fewer.

        Returns:
            The portions, in the order of the items.

        Raises:
            InvalidArgument: ``size`` is not a whole number from 1.
        """
        if type(size) is not int or size < 1:
            raise InvalidArgument(
                f"chunks: size is a whole number from 1, not {brief(size, 40)}; chunks(items, 10)"
            )
        # One map and then slices of its handles: portions cost no call of their own.
        handles = self.starmap(items)
        return [handles[start : start + size] for start in range(0, len(handles), size)]

    def _mapped(self, calls: Iterable[tuple[Any, ...]]) -> Handles[R]:
        if self._outbox is not None:
            rows, handles = self._outbox_rows(calls)
            self._outbox.write(rows)
            return handles
        from .mapping import submit_all

        return cast("Handles[R]", submit_all(self._session, *self.parts, calls))

    def _outbox_rows(self, calls: Iterable[tuple[Any, ...]]) -> tuple[list[NewRow], Handles[R]]:
        from .outbox_submits import outbox_rows

        return outbox_rows(self._session, *self.parts, calls)

    async def amap(self, items: Iterable[Any]) -> Handles[R]:
        """Do as ``map``, for an event loop, in which the items are read and encoded, a thousand at a time.

        Args:
            items: An iterable of any length.

        Returns:
            The handles, in the order of the items.
        """
        if self._outbox is not None:
            rows, handles = self._outbox_rows(zip(items))
            await self._outbox.write_async(rows)
            return handles
        from .mapping import submit_all_async

        return cast("Handles[R]", await submit_all_async(self._session, *self.parts, zip(items)))

    def using(
        self, *, key: str | None = None, after: Any = None, outbox: Any = None, **options: Unpack[Options]
    ) -> Submitter[P, R]:
        """Make a variant of the task with other options. Those that are not given keep their values.

        Args:
            key: Unique name for the task in its queue. Submitting again with the same key and arguments returns the same task.
            after: A handle, or a list of handles, of tasks that the task needs without getting their results.
            outbox: A connection to a database of yours, or a ``tq.DatabaseOutbox``: what is submitted becomes part of its open transaction.
            options: The queue and options of ``App.task``.

        Returns:
            What has ``submit``, ``map`` and ``using`` as the task has; the task itself does not change.

        Raises:
            InvalidArgument: The key is empty, or an option cannot be used.

        Example::

            square.using(key="order-4711", delay=30).submit(12)
        """
        if key is not None and (not isinstance(key, str) or not key):
            raise InvalidArgument(f"key must be a non-empty str, not {key!r:.80}")
        # A variant would have the function called with a single value, or with a list, depending on who submits.
        if "coalesce" in options:
            raise InvalidArgument(
                "coalesce= is of the function, which gets a list: write it at @app.task, and not in using()"
            )
        before = self._after if after is None else as_needed(after)
        choice = choose(options, self._choice)
        # Here and not at the first submit: a mistyped parameter is found where it is written.
        if choice.unique is not self._choice.unique:
            check_unique(choice, self._definition)
        into = self._outbox
        if outbox is not None:
            from ..outbox.outbox import as_outbox

            into = as_outbox(outbox)
        if into is not None:
            from .outbox_submits import check_on_full_of_outbox

            check_on_full_of_outbox(choice)
        return Submitter(self._session, self._definition, choice, key or self._key, before, into)

    def s(self, *args: Any, **kwargs: Any) -> Signature:
        """Make a signature: a call to be submitted later, in a chain, a group or a chord.

        Args:
            args: Positional arguments; the result of what comes before it stands in front of them.
            kwargs: Keyword arguments.

        Returns:
            The signature.

        Example::

            tq.chain(fetch.s(url), parse.s(), store.s("pages")).submit()
        """
        from .canvas import Signature

        return Signature(self, args, kwargs, is_immutable=False)

    def si(self, *args: Any, **kwargs: Any) -> Signature:
        """Make an immutable signature: it waits for what comes before it, and does not get its result.

        Args:
            args: Positional arguments, all of them.
            kwargs: Keyword arguments.

        Returns:
            The signature.
        """
        from .canvas import Signature

        return Signature(self, args, kwargs, is_immutable=True)

    def _encoded(
        self, kind: TaskKind, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[TaskKind, bytes, bytes, list[Blob], list[IdRun]]:
        """The kind of a task, with a shard; its id and payload, the blobs that it names, and the tasks whose results it needs."""
        encode, arguments = _encoder(), self._definition.arguments
        blobs: list[Blob] = []
        needs = needs_of(self._session, self._after)
        if arguments is None:
            payload = encode(args, kwargs, (), blobs, needs)
        else:
            args, kwargs = arguments.fit(args, kwargs)
            payload = encode(args, kwargs, arguments.names, blobs, needs)
        needed = needs.take()
        if kind.home == ANY_SHARD:
            kind = _placed(self._session, kind, self._definition, self._key, (args, kwargs), needed)
        return kind, self._new_id(kind), payload, blobs, needed

    def _check_first(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Refuse what cannot be sent before the first connection is waited for, which says how many shards there are."""
        self._encoded(TaskKind(self._definition.name, self._choice), args, kwargs)

    def _new_id(self, kind: TaskKind) -> bytes:
        if self._key is None:
            flow = kind.choice.flow
            if flow is None or not flow.has_key:
                return kind.ids.take_one()
            # Computed from the flow's key and the place in it: a flow that is submitted again finds its tasks.
            return flow.next_id(self._choice.queue, self._definition.name, kind.shard)
        # Loads hashlib, which most submits do without.
        from ...common.domain.ids import key_id

        return key_id(self._choice.queue, self._definition.name, self._key, kind.shard)

    def made_by(self, maker: str) -> MadeTask:
        """As the master makes it by itself; raises InvalidArgument for what is of a submit alone.

        Args:
            maker: For what it is made.

        Returns:
            The definition and the options, with what it is made for.
        """
        same = "cache" if self._choice.is_cached else "unique"
        alone = {
            "key": self._key is not None,
            same: self._choice.unique is not None,
            "after": self._after,
            "outbox": self._outbox is not None,
        }
        # The first one that is given: each has its own remedy.
        for name in [name for name, is_given in alone.items() if is_given]:
            instead = " (it has overlap='skip')" if (name, maker) == ("unique", A_SCHEDULE) else ""
            raise InvalidArgument(
                f"{name}=… is of a submit, and {maker} is made by the master{instead}; leave it out for {maker}"
            )
        return MadeTask(self._definition, self._choice, maker)

    def failure_handler(self) -> FailureHandler:
        """What travels of it with the tasks that have it as ``on_failure``."""
        return failure_handler(self.made_by(A_HANDLER))

    def _kind_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TaskKind:
        """Looked up at the first submit: before that, the function may have no name. By the arguments, if keys of limits and the
        tenant depend on them."""
        flow, asks = open_flow(self._session), self._outbox is None
        # Neither is the same for the next submit, so it is not kept in ``_known_kind``.
        if flow is not None or self._lane_keys is not None or self._index is not None:
            choice = self._choice._replace(flow=flow)
            if self._lane_keys is not None:
                choice = choice._replace(columns=self._lane_keys.of_call(args, kwargs))
            if self._index is not None:
                choice = self._index.of_call(choice, args, kwargs)
            return self._session.part(TaskKinds).of(self._definition.name, choice, asks=asks)
        kind = self._known_kind
        if kind is None:
            kind = self._session.part(TaskKinds).of(self._definition.name, self._choice, asks=asks)
            if asks or self._session.known_shards is not None:
                self._known_kind = kind
        return kind

    @property
    def parts(self) -> tuple[Definition, Choice]:
        """Definition and options for a map; raises InvalidArgument when a key is set."""
        if self._key is not None:
            raise InvalidArgument(
                f"key={self._key!r} names one task, and here many may be made; leave it out, or submit one by one"
            )
        if self._after:
            raise InvalidArgument("after=… is of one task, and here many may be made; submit them one by one")
        return self._definition, self._choice._replace(flow=open_flow(self._session))


@functools.cache
def _encoder() -> Callable[..., bytes]:
    """Imported for the first call and cached: an import statement for each would take as long as encoding."""
    from ...common.values.codec import encode_call

    return encode_call


def _placed(*task: Any) -> TaskKind:
    from .spreading import placed  # most queues are in one shard

    return placed(*task)
