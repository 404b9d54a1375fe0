"""``tq mail``: a letter, a list of recipients, one task a message.

::

    recipients.csv ─► table ──┐
                              ├─► checking: every problem at once, or who gets what
    template, options ► letter┘                    │
                                                   ▼ message by message, as places get free
    report.csv ◄── outcomes ◄── sending ──tasks──► places: at most so many under way at a domain

All is read and checked before anything is sent. ``addresses``, ``table``, ``letter``, ``checking``, ``places``,
``outcomes`` and ``server`` are pure; ``sending`` speaks with the master, ``files`` with the disk, ``screen``
with people. The task is ``tq.tasks.mail:send``, known here by its name alone: workers have it, not clients.

A message's task id is made from the campaign and the address. So whoever runs the command again, after
whatever end, submits the same tasks, and nobody gets a second message.
"""
