"""Where everything is kept: one narrow interface of domain verbs, in batches. See ``master/store/interface/store.py``."""
