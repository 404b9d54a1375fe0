"""The page: a cluster in a browser, ``tq web``. A client like any other, which needs the extra ``tq[web]``.

::

    browser ──HTTP──► guard ─► site ─► views ─► login: one session to the master ─► master
       ▲                                          │
       └────────── server-sent events ◄── watcher ┘ one look every two seconds

It has no key of its own: a person who logs in gives one, and the master judges each call by it.
"""
