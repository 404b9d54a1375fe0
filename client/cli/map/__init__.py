"""``tq map`` and ``tq exec``: one task an item of input, results as they come, in bounded memory.

::

    stdin, files, arguments ─► Source ─► InputFormat ─► Item ─► Run ─► submit, a thousand a call
                               (bytes)  (pure)            │ Window (pure: what may be sent, what may be shown)
    stdout ◄─ Output ◄─ Printer ◄─ outcomes as they end ◄─┘
              Journal ◄─┘ (a line for everything that stdout has got)

One loop in one thread does all of it and waits for the first of: input, room on stdout, an outcome, a signal. A slow
reader of stdout fills the window, and a full window stops the reading of stdin.
"""
