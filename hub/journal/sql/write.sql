-- Statements of one batch. `{rows}` becomes as many rows of parameters as there are to write: a
-- statement for many rows runs outside the GIL as a whole (docs/adr/0004).
-- OR FAIL spares SQLite a journal of its own for each statement, a sixth of the price of a task:
-- what a failed statement has done goes with the transaction, which is rolled back whole.
-- The order of the columns is that of hub/journal/rows.py.

-- name: insert_tasks
-- A task_id that another task has is left out; the count of rows tells.
INSERT OR FAIL INTO hub_task (
    id, task_id, action, publisher, connection, state, outcome, seq,
    created_at, started_at, settled_at, ended_at, settled_seq,
    start_timeout, end_timeout, start_deadline, end_deadline, settle, expect, claim
) VALUES {rows}
ON CONFLICT (task_id) DO NOTHING

-- name: change_tasks
-- Only a task that is still at the version the decision was made at; the count of rows tells.
UPDATE OR FAIL hub_task SET
    seq = v.column3,
    state = v.column4,
    outcome = coalesce(v.column5, outcome),
    started_at = coalesce(started_at, v.column6),
    settled_at = coalesce(settled_at, v.column7),
    ended_at = coalesce(ended_at, v.column8),
    settled_seq = coalesce(settled_seq, v.column9)
FROM (VALUES {rows}) AS v
WHERE hub_task.id = v.column1 AND hub_task.seq = v.column2

-- name: insert_events
INSERT OR FAIL INTO hub_task_event (
    task, seq, kind, event_id, at, "by", state, body, participant, participant_state, stands_for
) VALUES {rows}

-- name: insert_participants
INSERT OR FAIL INTO hub_participation (
    task, number, client, connection, "group", state, offered_at, started_at, done_at, body
) VALUES {rows}

-- name: change_participants
UPDATE OR FAIL hub_participation SET
    connection = coalesce(v.column3, connection),
    state = coalesce(v.column4, state),
    started_at = coalesce(started_at, v.column5),
    done_at = coalesce(done_at, v.column6),
    body = coalesce(v.column7, body)
FROM (VALUES {rows}) AS v
WHERE hub_participation.task = v.column1 AND hub_participation.number = v.column2

-- name: move_windows
UPDATE OR FAIL hub_task SET start_deadline = v.column2
FROM (VALUES {rows}) AS v
WHERE hub_task.id = v.column1

-- name: open_connections
INSERT OR REPLACE INTO hub_connection (
    connection, client, address, protocol, agent, since, lease_until
) VALUES {rows}

-- name: close_connections
DELETE FROM hub_connection WHERE connection IN (VALUES {rows})
