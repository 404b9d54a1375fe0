-- name: put_series
INSERT INTO series (step, place, slot, body) VALUES (?, ?, ?, ?)
ON CONFLICT (step, place) DO UPDATE SET slot = excluded.slot, body = excluded.body

-- name: series
SELECT slot, body FROM series WHERE step = ? AND slot > ? ORDER BY slot LIMIT ?

-- name: last_series
SELECT slot, body FROM series WHERE step = ? ORDER BY slot DESC LIMIT 1
