"""What whoever encodes or decodes in this thread wants of it, where the types of values find it: deep inside msgpack."""

from __future__ import annotations

import datetime
import threading

from .blob import Blob


class Writing:
    """What is wanted of one value's encoding. ``blobs``: gets those there are, when their content is seen to. ``must_stay``:
    references are kept by what stays, and must not go with a program. ``judged``: what was read here, and judged then."""

    blobs: list[Blob] | None = None
    must_stay = False
    judged = False


class Reading:
    """What is wanted of one value's decoding. ``as_is``: references are not to become proxies. ``unmade``: nor large sets and
    dicts of keys with a known hash sets and dicts. ``judged``: they were, when they were accepted. ``work_left``: such keys
    that may still be looked up, squared dict by dict; None: any number. ``careful``: see ``unpack``."""

    as_is = False
    unmade = False
    judged = False
    work_left: int | None = None
    careful = False
    zones: dict[str, datetime.tzinfo] | None = None  # met in this value: the file of each is read once


class _Met(threading.local):
    writing = Writing()
    reading = Reading()


met = _Met()  # of whoever encodes or decodes in this thread
