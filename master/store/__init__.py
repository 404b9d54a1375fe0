"""Where everything is kept: one narrow interface of domain verbs, in batches. See ``interface.py``."""
