"""``tq flow graph``: what a flow's tasks need, as a tree, for Graphviz, or as a drawing."""
