-- What pages ask of the sums (hub/selectors/stats.py), for SQLite and PostgreSQL.

-- name: ended
-- Sums, and what ended since they were made. One statement sees one moment, so that no task is
-- counted twice or not at all when the sums move on.
-- `{what}` is what is counted apart; `{covered}` the actions that are asked for.
-- The rows come by the index from where the sums stand: few, but for the first moments of a hub
-- with an old history, when this reads the newest and no more. `+ 0`: that index, no other begin.
SELECT {what}, CAST(sum(n) AS bigint) FROM (
    SELECT at, action, outcome, bucket, n FROM hub_rollup
    WHERE width_ms = %s AND at >= %s AND at < %s AND {covered}
    UNION ALL
    SELECT ended_at / %s * %s, action, outcome, {bucket}, 1 FROM (
        SELECT ended_at, action, outcome, created_at, settled_at FROM hub_task
        WHERE ended_at IS NOT NULL AND ended_at >= coalesce(
            (SELECT CAST(value AS bigint) FROM hub_meta WHERE key = 'summed_until'), 0
        )
        ORDER BY ended_at DESC LIMIT 50000
    ) AS since
    WHERE ended_at + 0 >= %s AND ended_at + 0 < %s AND {covered}
) AS ended
GROUP BY {what}
