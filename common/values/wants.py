"""Options of the encoding or decoding that runs in this thread, for code that msgpack calls without any argument of ours."""

from __future__ import annotations

import datetime
import threading
from typing import Final

from .blob import Blob
from .needed import Gathering, NeededResults


class Writing:
    """Of one value's encoding. ``blobs``: receives its blobs, if they are allowed. ``must_stay``: the value outlives programs,
    so references in it must not end with one. ``judged``: it was decoded here and checked then. ``needs``: takes the handles in it,
    if they are allowed."""

    blobs: list[Blob] | None = None
    must_stay = False
    judged = False
    needs: Gathering | None = None


class Reading:
    """Of one value's decoding. ``as_is``: references do not become proxies. ``unmade``: large sets and dicts of keys with a
    known hash are not built. ``judged``: they were checked when they were accepted. ``work_left``: how many such keys may
    still be looked up, squared dict by dict; None: any number. ``careful``: see ``unpack``. ``met_containers``: there are some among its ext types."""

    as_is = False
    unmade = False
    judged = False
    work_left: int | None = None
    careful = False
    met_containers = False
    results: NeededResults | None = None  # of the tasks that these arguments need
    zones: dict[str, datetime.tzinfo] | None = None  # met in this value: the file of each is read once


class _NoOptions(Reading):
    """Of a thread that decodes nothing, and of a small value without options. All threads share it, so it keeps nothing."""

    met_containers = True  # never noted

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} would be of all values in all threads")


NO_OPTIONS: Final = _NoOptions()


class _Met(threading.local):
    writing = Writing()
    reading: Reading = NO_OPTIONS


met = _Met()  # of the encoding or decoding that runs in this thread
