-- What ended when, for the time line of workers. Tasks that ended with success and are kept as the master keeps all others stand in
-- tasks_finished already: these hold the few others, and cost the many nothing.
CREATE INDEX attempts_ended ON attempts (ended);
CREATE INDEX tasks_ended ON tasks (finished) WHERE finished IS NOT NULL AND ttl IS NOT NULL;
CREATE INDEX slices_ended ON slices (finished) WHERE finished IS NOT NULL AND ttl IS NOT NULL;
