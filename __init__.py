"""tq: a durable, encrypted task queue. One master, many workers, two commands.

The public names are below; each is imported when it is first used, so that ``import tq`` costs next to
nothing and loads no server code.
"""

# Checkers know this name whatever its origin; importing typing would cost more than all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .client.app import App as App
    from .client.flows.flow import Flow as Flow
    from .client.flows.progress import FlowProgress as FlowProgress
    from .client.local.local import local as local
    from .client.local.throwaway import throwaway_cluster as throwaway_cluster
    from .client.outbox.outbox import DatabaseOutbox as DatabaseOutbox
    from .client.schedules.schedule import Occurrence as Occurrence
    from .client.schedules.schedule import Schedule as Schedule
    from .client.schedules.schedules import Schedules as Schedules
    from .client.stdlib.exceptions import BrokenCluster as BrokenCluster
    from .client.stdlib.executor import Executor as Executor
    from .client.stdlib.pool import Pool as Pool
    from .client.tasks.answers import Attempt as Attempt
    from .client.tasks.answers import Progress as Progress
    from .client.tasks.canvas import Chain as Chain
    from .client.tasks.canvas import Chord as Chord
    from .client.tasks.canvas import Group as Group
    from .client.tasks.canvas import Signature as Signature
    from .client.tasks.canvas import chain as chain
    from .client.tasks.canvas import chord as chord
    from .client.tasks.canvas import group as group
    from .client.tasks.handle import Handle as Handle
    from .client.tasks.handles import Handles as Handles
    from .client.tasks.handles import as_completed as as_completed
    from .client.tasks.handles import wait as wait
    from .client.tasks.place import Eta as Eta
    from .client.tasks.place import Position as Position
    from .client.tasks.task import Task as Task
    from .common.contract.exposed import exposed as exposed
    from .common.domain.coalesce import Coalesce as Coalesce
    from .common.domain.context import Context as Context
    from .common.domain.context import current as current
    from .common.domain.directives import Discard as Discard
    from .common.domain.directives import Retry as Retry
    from .common.domain.directives import Snooze as Snooze
    from .common.domain.directives import Suspended as Suspended
    from .common.domain.hooks import Ended as Ended
    from .common.domain.limits import Limit as Limit
    from .common.domain.model import State as State
    from .common.domain.on_error import at_least as at_least
    from .common.domain.resources import resource as resource
    from .common.domain.steps import Signal as Signal
    from .common.domain.unique import Unique as Unique
    from .common.errors import CancelRequested as CancelRequested
    from .common.errors import ConfigError as ConfigError
    from .common.errors import DecodeError as DecodeError
    from .common.errors import DependencyFailed as DependencyFailed
    from .common.errors import FlowFailed as FlowFailed
    from .common.errors import Forbidden as Forbidden
    from .common.errors import Full as Full
    from .common.errors import InvalidArgument as InvalidArgument
    from .common.errors import LeaseLost as LeaseLost
    from .common.errors import NotNamed as NotNamed
    from .common.errors import NotOwner as NotOwner
    from .common.errors import NotSerializable as NotSerializable
    from .common.errors import ProtocolError as ProtocolError
    from .common.errors import QuotaExceeded as QuotaExceeded
    from .common.errors import Rejected as Rejected
    from .common.errors import RemoteError as RemoteError
    from .common.errors import ResourceFailed as ResourceFailed
    from .common.errors import StepChanged as StepChanged
    from .common.errors import StoreError as StoreError
    from .common.errors import StoreFull as StoreFull
    from .common.errors import TaskCancelled as TaskCancelled
    from .common.errors import TaskConflict as TaskConflict
    from .common.errors import TaskCrashed as TaskCrashed
    from .common.errors import TaskError as TaskError
    from .common.errors import TaskExpired as TaskExpired
    from .common.errors import TaskLost as TaskLost
    from .common.errors import TaskTimeout as TaskTimeout
    from .common.errors import TimeLimit as TimeLimit
    from .common.errors import TqError as TqError
    from .common.errors import UnknownBlob as UnknownBlob
    from .common.errors import UnknownObject as UnknownObject
    from .common.errors import UnknownTask as UnknownTask
    from .common.errors import Unreachable as Unreachable
    from .common.errors import WouldDeadlock as WouldDeadlock
    from .common.errors import WrongShard as WrongShard
    from .common.values.blob import Blob as Blob
    from .common.values.failed import Failed as Failed

    __version__: str

_ERRORS = (
    "CancelRequested ConfigError DecodeError DependencyFailed FlowFailed Forbidden Full InvalidArgument LeaseLost NotNamed NotOwner NotSerializable "
    "ProtocolError QuotaExceeded Rejected RemoteError ResourceFailed StepChanged StoreError StoreFull TaskCancelled TaskConflict TaskCrashed TaskError "
    "TaskExpired TaskLost TaskTimeout TimeLimit TqError UnknownBlob UnknownObject UnknownTask Unreachable "
    "WouldDeadlock WrongShard"
)
_HOMES = {
    "App": "client.app",
    "Attempt": "client.tasks.answers",
    "BrokenCluster": "client.stdlib.exceptions",
    **dict.fromkeys(
        ("Chain", "Chord", "Group", "Signature", "chain", "chord", "group"), "client.tasks.canvas"
    ),
    "Blob": "common.values.blob",
    "Context": "common.domain.context",
    "DatabaseOutbox": "client.outbox.outbox",
    "Failed": "common.values.failed",
    "Ended": "common.domain.hooks",
    "Eta": "client.tasks.place",
    "Executor": "client.stdlib.executor",
    "Flow": "client.flows.flow",
    "FlowProgress": "client.flows.progress",
    "Handle": "client.tasks.handle",
    "Handles": "client.tasks.handles",
    "Limit": "common.domain.limits",
    "Occurrence": "client.schedules.schedule",
    "Pool": "client.stdlib.pool",
    "Position": "client.tasks.place",
    "Progress": "client.tasks.answers",
    "Schedule": "client.schedules.schedule",
    "Schedules": "client.schedules.schedules",
    "Signal": "common.domain.steps",
    "State": "common.domain.model",
    "Unique": "common.domain.unique",
    "Coalesce": "common.domain.coalesce",
    "Task": "client.tasks.task",
    "at_least": "common.domain.on_error",
    "as_completed": "client.tasks.handles",
    "current": "common.domain.context",
    "exposed": "common.contract.exposed",
    "local": "client.local.local",
    "resource": "common.domain.resources",
    "throwaway_cluster": "client.local.throwaway",
    "wait": "client.tasks.handles",
    **dict.fromkeys(("Discard", "Retry", "Snooze", "Suspended"), "common.domain.directives"),
    **dict.fromkeys(_ERRORS.split(), "common.errors"),
}

_OF_AN_APP = {
    "after",
    "batch",
    "before",
    "cron",
    "every",
    "flow",
    "named",
    "on_child_start",
    "on_child_stop",
    "submit",
    "task",
}  # looked for here by newcomers

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "__version__":
        return import_module(".common.version", __name__).VERSION
    home = _HOMES.get(name)
    if home is None:
        of_an_app = (
            f"; it is of an app: app = {__name__}.App(), then app.{name}" if name in _OF_AN_APP else ""
        )
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{of_an_app}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
