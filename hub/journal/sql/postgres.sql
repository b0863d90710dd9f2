-- What the hub asks of PostgreSQL. A batch is one statement, so one round trip and one sync: its
-- rows come as one array for each column. Columns stand in the order of hub/journal/rows.py.

-- name: commit
-- The tasks of a batch that are not as they were decided upon (another process was first) are
-- left out, with all that belongs to them, and come back as the answer.
WITH
new (id, task_id, action, publisher, connection, state, outcome, seq,
    created_at, started_at, settled_at, ended_at, settled_seq,
    start_timeout, end_timeout, start_deadline, end_deadline, settle, expect, claim) AS (
    SELECT * FROM unnest({new_tasks})
),
changed (id, version, seq, state, outcome, started_at, settled_at, ended_at, settled_seq) AS (
    SELECT * FROM unnest({changed_tasks})
),
moved (id, start_deadline) AS (
    SELECT * FROM unnest({windows})
),
-- All rows are locked in the order of their keys, before anything is inserted, and inserts come in
-- the order of what may collide: two batches cannot wait for each other.
locked AS MATERIALIZED (
    SELECT id, seq FROM hub_task
    WHERE id IN (SELECT id FROM changed UNION ALL SELECT id FROM moved)
    ORDER BY id FOR NO KEY UPDATE
),
inserted AS (
    INSERT INTO hub_task (id, task_id, action, publisher, connection, state, outcome, seq,
        created_at, started_at, settled_at, ended_at, settled_seq,
        start_timeout, end_timeout, start_deadline, end_deadline, settle, expect, claim)
    SELECT * FROM new WHERE (SELECT count(*) FROM locked) >= 0 ORDER BY task_id, id
    ON CONFLICT (task_id) DO NOTHING
    RETURNING id
),
refused AS MATERIALIZED (
    SELECT id FROM new WHERE id NOT IN (SELECT id FROM inserted)
    UNION ALL
    SELECT c.id FROM changed c WHERE NOT EXISTS (
        SELECT FROM locked l WHERE l.id = c.id AND l.seq = c.version)
),
-- A task's row is touched once: what changed and where its window went, together.
touched AS (
    UPDATE hub_task t SET
        seq = coalesce(c.seq, t.seq),
        state = coalesce(c.state, t.state),
        outcome = coalesce(c.outcome, t.outcome),
        started_at = coalesce(t.started_at, c.started_at),
        settled_at = coalesce(t.settled_at, c.settled_at),
        ended_at = coalesce(t.ended_at, c.ended_at),
        settled_seq = coalesce(t.settled_seq, c.settled_seq),
        start_deadline = coalesce(m.start_deadline, t.start_deadline)
    FROM changed c FULL JOIN moved m ON m.id = c.id
    WHERE t.id = coalesce(c.id, m.id)
        AND t.id IN (SELECT id FROM locked) AND t.id NOT IN (SELECT id FROM refused)
),
events AS (
    INSERT INTO hub_task_event (task, seq, kind, event_id, at, "by", state, body,
        participant, participant_state, stands_for)
    SELECT * FROM unnest({events}) AS e (task, seq, kind, event_id, at, "by", state, body,
        participant, participant_state, stands_for)
    WHERE task NOT IN (SELECT id FROM refused)
),
joined AS (
    INSERT INTO hub_participation (task, number, client, connection, "group", state,
        offered_at, started_at, done_at, body)
    SELECT * FROM unnest({new_participants}) AS p (task, number, client, connection, "group",
        state, offered_at, started_at, done_at, body)
    WHERE task NOT IN (SELECT id FROM refused)
),
worked AS (
    UPDATE hub_participation p SET
        connection = coalesce(v.connection, p.connection),
        state = coalesce(v.state, p.state),
        started_at = coalesce(p.started_at, v.started_at),
        done_at = coalesce(p.done_at, v.done_at),
        body = coalesce(v.body, p.body)
    FROM unnest({changed_participants}) AS v (task, number, connection, state,
        started_at, done_at, body)
    WHERE p.task = v.task AND p.number = v.number AND p.task NOT IN (SELECT id FROM refused)
)
SELECT id FROM refused

-- name: stored
-- Tasks of a batch of which an event or a new participant is there.
SELECT e.task FROM hub_task_event e
JOIN unnest(%s::bigint[], %s::int[], %s::text[]) AS v (task, seq, event_id)
    ON v.task = e.task AND v.seq = e.seq AND v.event_id = e.event_id
UNION
SELECT p.task FROM hub_participation p
JOIN unnest(%s::bigint[], %s::int[], %s::text[]) AS v (task, number, connection)
    ON v.task = p.task AND v.number = p.number AND v.connection = p.connection

-- name: last_key
SELECT coalesce(max(id), 0) AS key FROM hub_task

-- name: task
SELECT * FROM hub_task WHERE task_id = %s

-- name: task_events
SELECT * FROM hub_task_event WHERE task = %s ORDER BY seq

-- name: task_participants
SELECT * FROM hub_participation WHERE task = %s ORDER BY number

-- name: open_tasks
SELECT * FROM hub_task WHERE ended_at IS NULL ORDER BY id

-- name: open_events
SELECT e.* FROM hub_task t JOIN hub_task_event e ON e.task = t.id
WHERE t.ended_at IS NULL ORDER BY t.id, e.seq

-- name: open_participants
SELECT p.* FROM hub_task t JOIN hub_participation p ON p.task = t.id
WHERE t.ended_at IS NULL ORDER BY t.id, p.number

-- name: event_page
SELECT e.*, t.task_id AS task_name FROM hub_task_event e JOIN hub_task t ON t.id = e.task
WHERE e.task = %s AND e.seq >= %s ORDER BY e.seq LIMIT %s

-- name: task_by_key
SELECT * FROM hub_task WHERE id = %s

-- name: make_epoch
INSERT INTO hub_meta (key, value) VALUES ('epoch', %s) ON CONFLICT (key) DO NOTHING

-- name: epoch
SELECT value FROM hub_meta WHERE key = 'epoch'

-- name: record_presence
WITH gone AS (DELETE FROM hub_connection WHERE connection = ANY(%s::text[])),
renewed AS (UPDATE hub_connection SET lease_until = %s WHERE connection <> ALL(%s::text[]))
INSERT INTO hub_connection (connection, client, address, protocol, agent, since, lease_until)
SELECT *, %s FROM unnest({opened})
ON CONFLICT (connection) DO UPDATE SET lease_until = excluded.lease_until

-- name: sweep_connections
DELETE FROM hub_connection

-- name: prune
WITH ended AS MATERIALIZED (
    SELECT id, task_id FROM hub_task
    WHERE ended_at IS NOT NULL AND ended_at < %s ORDER BY ended_at LIMIT %s
),
-- What these tasks were published again from.
again AS (DELETE FROM hub_again WHERE task_id IN (SELECT task_id FROM ended)),
events AS (DELETE FROM hub_task_event WHERE task IN (SELECT id FROM ended)),
participants AS (DELETE FROM hub_participation WHERE task IN (SELECT id FROM ended))
DELETE FROM hub_task WHERE id IN (SELECT id FROM ended)

-- name: delete_again_alone
-- Of tasks that were refused, after the process that asked had been killed.
DELETE FROM hub_again WHERE at < %s
AND NOT EXISTS (SELECT FROM hub_task WHERE hub_task.task_id = hub_again.task_id)
