-- Moments are those of the master's steady clock, which does not jump when the wall's is set. A task that was submitted
-- with at= waits for an instant of the wall's: its due is that instant below zero, so that one index has both and no row
-- grows. Of those that wait already the options (msgpack: the text "at") tell which they are.

UPDATE tasks SET due = -due
WHERE state = 1 AND attempt = 0 AND due > 0 AND instr(options, x'A26174') > 0;
