-- name: data
SELECT d.data, d.name, d.type, length(d.value) + coalesce((SELECT sum(length(call)) FROM data_calls c WHERE c.data = d.data), 0) FROM data d

-- name: datum
SELECT value, callers FROM data WHERE data = ?

-- name: data_calls
SELECT caller, number, call FROM data_calls WHERE data = ? ORDER BY seq

-- name: add_datum
INSERT INTO data (name, type, value, callers) VALUES (?, ?, ?, ?) RETURNING data

-- name: set_datum
UPDATE data SET value = ?, callers = ? WHERE data = ?

-- name: add_data_call
INSERT INTO data_calls (data, caller, number, call) VALUES (?, ?, ?, ?)

-- name: drop_data_calls
DELETE FROM data_calls WHERE data = ?

-- name: drop_datum
DELETE FROM data WHERE data = ?
