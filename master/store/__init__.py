"""The store: one narrow interface of domain verbs, in batches. See ``master/store/interface/store.py``."""
