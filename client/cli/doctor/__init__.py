"""``tq doctor``: checks step by step everything between this program and a finished task.

::

    settings ─► address ─► TLS ─► key ─► versions, clock, round trip, disk, workers ─► a probe task

A step whose precondition failed is skipped; the step that failed shows the remedy. ``judging`` is pure and decides what a
measurement means; ``network`` checks with its own sockets; ``cluster`` asks the master.
"""
