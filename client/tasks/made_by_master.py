"""Tasks that the master makes by itself: at the times of a schedule, when a flow ends, when a task ends without success.

The master opens no payload and evaluates no expression: the keys of limits, the tenant and the indexed arguments of such a task are
computed here, when it is declared, from the arguments that it will have, and are stored with the declaration. What it is given when the
time has come is not known here, so no expression may name that parameter, and it is not among what is indexed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ...common.domain.columns import FailureHandler
from ...common.errors import InvalidArgument
from .definition import Definition
from .indexed import ArgumentIndex
from .lane_keys import LaneKeys
from .options import Choice
from .submission import lane_columns

if TYPE_CHECKING:
    from ...common.values.blob import Blob


A_SCHEDULE: Final = "a schedule"
A_CALLBACK: Final = "a callback of a flow"
A_HANDLER: Final = "on_failure"


class MadeTask(NamedTuple):
    """What the master makes. ``maker``: what it is made for, for messages."""

    definition: Definition
    choice: Choice
    maker: str


def scheduled(made: MadeTask, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Choice, bytes]:
    """The options and terms of the tasks that a schedule makes with these arguments, and the arguments, encoded."""
    from ...common.values.codec import encode_call

    arguments = made.definition.arguments
    blobs: list[Blob] = []
    names: tuple[str, ...] = ()
    choice = made.choice
    if choice.indexed:
        choice = ArgumentIndex(choice.indexed, made.definition).of_call(choice, args, kwargs)
    if choice.columns is None:
        choice = choice._replace(columns=LaneKeys(choice.terms, made.definition).of_call(args, kwargs))
    if arguments is not None:
        (args, kwargs), names = arguments.fit(args, kwargs), arguments.names
    payload = encode_call(args, kwargs, names, blobs)
    if blobs:
        raise InvalidArgument(
            "a tq.Blob is kept as long as a task that names it, and a schedule has none yet: give it where the content is found"
        )
    return choice, payload


def called_back(made: MadeTask) -> Choice:
    """The options and terms of a task that is made with one argument, which is not known yet."""
    definition, choice, maker = made
    arguments = definition.arguments
    if arguments is not None:
        try:
            # Tried with a value in the place of the argument: only whether it fits is known here.
            arguments.values((None,), {})
        except TypeError as error:
            raise InvalidArgument(
                f"{arguments.function_name} cannot be {maker}: it is called with one argument, a dict that says what has ended ({error})"
            ) from None
    if choice.indexed:
        choice = ArgumentIndex(choice.indexed, definition).of_unknown(choice)
    if choice.columns is None:
        choice = choice._replace(columns=LaneKeys(choice.terms, definition).of_unknown(maker))
    return choice


def failure_handler(made: MadeTask) -> FailureHandler:
    """What travels with the tasks that it is the handler of."""
    choice = called_back(made)
    columns = lane_columns(choice)._replace(
        on_failure=None
    )  # a handler has none: failures cannot go in circles
    return FailureHandler(choice.queue, made.definition.name, choice.options, columns)
