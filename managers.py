"""The managers of ``multiprocessing``, over tq: the tutorial's program runs with this one import changed."""

from .client.managers import BaseManager as BaseManager
from .client.managers import QueueManager as QueueManager
from .client.managers import Server as Server

__all__ = ["BaseManager", "QueueManager", "Server"]
