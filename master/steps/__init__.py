"""Steps: what a task has done already, so that a later attempt of it does not do it again."""
