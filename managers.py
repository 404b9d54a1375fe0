"""The managers of ``multiprocessing``, over tq: the tutorial's program runs with this one import changed."""

from .client.items.queue import ShutDown as ShutDown
from .client.locks.locks import LockLost as LockLost
from .client.stdlib.manager_types import QueueManager as QueueManager
from .client.stdlib.manager_types import SyncManager as SyncManager
from .client.stdlib.managers import BaseManager as BaseManager
from .client.stdlib.managers import Server as Server
from .client.stdlib.proxies import ArrayProxy as ArrayProxy
from .client.stdlib.proxies import AutoProxy as AutoProxy
from .client.stdlib.proxies import BaseProxy as BaseProxy
from .client.stdlib.proxies import DictProxy as DictProxy
from .client.stdlib.proxies import IteratorProxy as IteratorProxy
from .client.stdlib.proxies import ListProxy as ListProxy
from .client.stdlib.proxies import MakeProxyType as MakeProxyType
from .client.stdlib.proxies import NamespaceProxy as NamespaceProxy
from .client.stdlib.proxies import Token as Token
from .client.stdlib.proxies import ValueProxy as ValueProxy
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
