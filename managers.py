"""The managers of ``multiprocessing``, over tq: the tutorial's program runs with this one import changed."""

from .client.item_queue import ShutDown as ShutDown
from .client.locks import LockLost as LockLost
from .client.manager_types import QueueManager as QueueManager
from .client.manager_types import SyncManager as SyncManager
from .client.managers import BaseManager as BaseManager
from .client.managers import Server as Server
from .client.proxies import ArrayProxy as ArrayProxy
from .client.proxies import AutoProxy as AutoProxy
from .client.proxies import BaseProxy as BaseProxy
from .client.proxies import DictProxy as DictProxy
from .client.proxies import IteratorProxy as IteratorProxy
from .client.proxies import ListProxy as ListProxy
from .client.proxies import MakeProxyType as MakeProxyType
from .client.proxies import NamespaceProxy as NamespaceProxy
from .client.proxies import Token as Token
from .client.proxies import ValueProxy as ValueProxy
from .common.errors import RemoteError as RemoteError

__all__ = [
    "ArrayProxy",
    "AutoProxy",
    "BaseManager",
    "BaseProxy",
    "DictProxy",
    "IteratorProxy",
    "ListProxy",
    "LockLost",
    "MakeProxyType",
    "NamespaceProxy",
    "QueueManager",
    "RemoteError",
    "Server",
    "ShutDown",
    "SyncManager",
    "Token",
    "ValueProxy",
]
