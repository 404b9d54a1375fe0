-- How many tasks of a route have ended in a state, and the bytes of their arguments and results: kept in the transaction of
-- each change.

CREATE TABLE counts (
    route INTEGER NOT NULL,
    state INTEGER NOT NULL,
    tasks INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (route, state)
) WITHOUT ROWID;

INSERT INTO counts (route, state, tasks, bytes)
SELECT route, state, sum(tasks), sum(bytes) FROM (
    SELECT route, state, count(*) AS tasks, sum(length(payload) + ifnull(length(result), 0)) AS bytes
    FROM tasks WHERE state >= 10 GROUP BY route, state
    UNION ALL
    SELECT route, state, sum(slices.stop - slices.seq), sum(
        length(payloads) * (slices.stop - array) / (arrays.stop - array)
        - length(payloads) * (slices.seq - array) / (arrays.stop - array)
        + ifnull(length(results), 0))
    FROM slices JOIN arrays ON arrays.seq = slices.array
    WHERE state >= 10 GROUP BY route, state
)
GROUP BY route, state;

-- What ended without success is seldom, and looked for by itself.
CREATE INDEX tasks_unsuccessful ON tasks (state) WHERE state > 10;
CREATE INDEX slices_unsuccessful ON slices (state) WHERE state > 10;
