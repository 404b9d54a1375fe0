"""``tq doctor``: what stands between this program and a finished task, looked at step by step.

::

    settings ─► address ─► TLS ─► key ─► versions, clock, round trip, disk, workers ─► a probe task

A step whose ground is missing is skipped, and the one that failed says what to do. ``judging`` decides what a
measurement means and is pure; ``network`` looks with sockets of its own; ``cluster`` asks the master.
"""
