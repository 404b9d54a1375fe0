"""The managers of ``multiprocessing``, over tq: the tutorial's program runs with this one import changed."""

from .client.locks import LockLost as LockLost
from .client.managers import BaseManager as BaseManager
from .client.managers import QueueManager as QueueManager
from .client.managers import Server as Server
from .client.managers import SyncManager as SyncManager

__all__ = ["BaseManager", "LockLost", "QueueManager", "Server", "SyncManager"]
