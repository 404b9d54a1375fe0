"""Named values: a manager's dicts, lists, Namespaces, Values and Arrays."""
