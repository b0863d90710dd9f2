-- Sums of ended tasks, kept so that no page has to count rows (hub/journal/sums.py).
-- Written once for all databases: only what SQLite and PostgreSQL both know.

-- name: summed_until
-- Every task that ended before this time is in the sums, exactly once.
SELECT value FROM hub_meta WHERE key = 'summed_until'

-- name: begin_sums
INSERT INTO hub_meta (key, value) VALUES ('summed_until', '0') ON CONFLICT (key) DO NOTHING

-- name: move_sums
-- Only from where the sums were found; the count of rows tells.
UPDATE hub_meta SET value = ? WHERE key = 'summed_until' AND value = ?

-- name: step_end
-- Where a step of so many tasks ends: by the index alone, so that no step reads for long.
SELECT ended_at FROM hub_task WHERE ended_at IS NOT NULL AND ended_at >= ? AND ended_at < ?
ORDER BY ended_at LIMIT 1 OFFSET ?

-- name: tally
SELECT at, action, outcome, bucket, count(*) FROM (
    SELECT ended_at / ? * ? AS at, action, outcome, {bucket} AS bucket
    FROM hub_task WHERE ended_at IS NOT NULL AND ended_at >= ? AND ended_at < ?
) AS ended
GROUP BY at, action, outcome, bucket

-- name: add_sums
INSERT INTO hub_rollup (width_ms, at, action, outcome, bucket, n) VALUES {rows}
ON CONFLICT (width_ms, at, action, outcome, bucket) DO UPDATE SET n = hub_rollup.n + excluded.n

-- name: oldest_sum
SELECT min(at) FROM hub_rollup WHERE width_ms = ?

-- name: delete_sums_before
DELETE FROM hub_rollup WHERE width_ms = ? AND at < ?

-- name: delete_sums_from
DELETE FROM hub_rollup WHERE width_ms = ? AND at >= ?
