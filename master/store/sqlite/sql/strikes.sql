-- name: strikes
SELECT strike, condition, reason, key, since, until FROM strikes ORDER BY strike

-- name: add_strike
INSERT INTO strikes (condition, reason, key, since, until) VALUES (?, ?, ?, ?, ?) RETURNING strike

-- name: change_strike
UPDATE strikes SET reason = ?, key = ?, since = ?, until = ? WHERE strike = ?

-- name: drop_strike
DELETE FROM strikes WHERE strike = ?
