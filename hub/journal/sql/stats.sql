-- What pages ask of the sums (hub/selectors/stats.py), for SQLite and PostgreSQL.

-- name: ended
-- Sums, and what ended since they were made. One statement sees one moment, so that no task is
-- counted twice or not at all when the sums move on.
-- `{what}` is what is counted apart, `{named}` that with names, `{names}` these alone; `{covered}`
-- the actions that are asked for.
-- The sums are added up before the rows join them: SQLite would sort them three times as long.
-- The rows come by the index from where the sums stand: few, but for the first moments of a hub
-- with an old history, when this reads the newest and no more. `+ 0`: that index, no other begin.
SELECT {names}, CAST(sum(n) AS bigint) FROM (
    SELECT {named}, sum(n) AS n FROM hub_rollup
    WHERE width_ms = %s AND at >= %s AND at < %s AND {covered}
    GROUP BY {what}
    UNION ALL
    SELECT {named}, 1 FROM (
        SELECT ended_at / %s * %s AS at, action, outcome, {bucket} AS bucket FROM (
            SELECT ended_at, action, outcome, created_at, settled_at FROM hub_task
            WHERE ended_at IS NOT NULL AND ended_at >= coalesce(
                (SELECT CAST(value AS bigint) FROM hub_meta WHERE key = 'summed_until'), 0
            )
            ORDER BY ended_at DESC LIMIT 50000
        ) AS since
        WHERE ended_at + 0 >= %s AND ended_at + 0 < %s AND {covered}
    ) AS unsummed
) AS ended
GROUP BY {names}
