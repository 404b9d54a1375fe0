-- Which tasks a flow has, by their numbers: to show it as one line among others, and to find its tasks without a look at those of others. It
-- holds tasks of flows alone; a task that is of none costs nothing more.
CREATE INDEX tasks_of_flows ON tasks (origin) WHERE origin < 0;
CREATE INDEX arrays_of_flows ON arrays (origin) WHERE origin < 0;
