"""``tq top``: a cluster at work, full screen.

::

    shell (terminal, threads) ── keys, answers, time ──► state (what is shown and chosen) ──► drawing (a frame)
          ▲                                                   │
          └──────────────── effects: fetch, pause, retry ◄────┘
"""
