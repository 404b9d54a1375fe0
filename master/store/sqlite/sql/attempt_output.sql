-- name: observe
-- What arrives may repeat what is known (a resend) or leave a gap (a worker that could not keep it all): the text
-- kept is always one piece, the last one. `||` makes text even of blobs, and substr then counts characters.
INSERT INTO attempt_logs (seq, attempt, progress, size, text)
VALUES (:seq, :attempt, :progress, :size, :text)
ON CONFLICT (seq, attempt) DO UPDATE SET
    progress = coalesce(excluded.progress, progress),
    size = max(size, excluded.size),
    text = CASE
        WHEN excluded.size <= size THEN text
        WHEN excluded.size - length(excluded.text) > size THEN excluded.text
        ELSE substr(CAST(text || substr(excluded.text, length(excluded.text) - excluded.size + size + 1) AS BLOB), -:kept)
    END

-- name: progress
SELECT progress FROM attempt_logs WHERE seq = ? AND attempt = ?

-- name: logs
SELECT attempt, progress, size, text FROM attempt_logs WHERE seq = ? AND attempt <= ? ORDER BY attempt DESC LIMIT ?

-- name: delete_logs
DELETE FROM attempt_logs WHERE seq = ?

-- name: log_bytes
SELECT bytes FROM log_bytes

-- name: trim_logs
DELETE FROM attempt_logs WHERE rowid IN (SELECT rowid FROM attempt_logs ORDER BY seq, attempt LIMIT ?)
