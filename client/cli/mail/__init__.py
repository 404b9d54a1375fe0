"""``tq mail``: a letter, a list of recipients, one task a message.

::

    recipients.csv ─► table ──┐
                              ├─► checking: every problem at once, or who gets what
    template, options ► letter┘                    │
                                                   ▼ message by message, as slots become free
    report.csv ◄── outcomes ◄── sending ──tasks──► domain_slots: a limit of messages under way per domain

All input is read and checked before anything is sent. ``addresses``, ``table``, ``letter``, ``checking``,
``domain_slots``, ``outcomes`` and ``server`` are pure; ``sending`` talks to the master, ``files`` reads and writes the disk,
``screen`` talks to people. The task is ``tq.tasks.mail:send``, known here only by its name: workers have it, not clients.

The task id of a message is computed from the campaign and the address. So running the command again, after any kind of
end, submits the same tasks, and no recipient gets a second message.
"""
