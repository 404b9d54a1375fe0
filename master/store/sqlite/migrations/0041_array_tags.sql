-- Arguments by which the tasks of an array are found, where they differ from task to task. They stay with the array as long as one of its
-- tasks is there: a task that has left it is found by its number.
ALTER TABLE arrays ADD COLUMN tags BLOB;  -- msgpack: by name, the different texts, and two bytes for each task; NULL: none
