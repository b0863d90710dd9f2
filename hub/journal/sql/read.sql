-- What the hub reads of its history.

-- name: last_key
SELECT coalesce(max(id), 0) FROM hub_task

-- name: taken
-- Which of these keys (a JSON list) are stored.
SELECT id FROM hub_task WHERE id IN (SELECT value FROM json_each(?))

-- name: task
SELECT * FROM hub_task WHERE task_id = ?

-- name: task_events
SELECT * FROM hub_task_event WHERE task = ? ORDER BY seq

-- name: task_participants
SELECT * FROM hub_participation WHERE task = ? ORDER BY number

-- name: open_tasks
-- By the partial index on open tasks: the size of the history does not matter.
SELECT * FROM hub_task WHERE ended_at IS NULL ORDER BY id

-- name: open_events
-- CROSS JOIN: from the open tasks to their events, where the planner would walk over all events.
SELECT e.* FROM hub_task t INDEXED BY task_open CROSS JOIN hub_task_event e ON e.task = t.id
WHERE t.ended_at IS NULL ORDER BY t.id, e.seq

-- name: open_participants
SELECT p.* FROM hub_task t INDEXED BY task_open CROSS JOIN hub_participation p ON p.task = t.id
WHERE t.ended_at IS NULL ORDER BY t.id, p.number

-- name: event_page
SELECT e.*, t.task_id AS task_name FROM hub_task_event e JOIN hub_task t ON t.id = e.task
WHERE e.task = ? AND e.seq >= ? ORDER BY e.seq LIMIT ?

-- name: task_by_key
SELECT * FROM hub_task WHERE id = ?

-- name: epoch
SELECT value FROM hub_meta WHERE key = 'epoch'

-- name: make_epoch
INSERT OR IGNORE INTO hub_meta (key, value) VALUES ('epoch', ?)

-- name: renew_leases
UPDATE hub_connection SET lease_until = ?

-- name: sweep_connections
DELETE FROM hub_connection

-- name: ended_tasks
SELECT id FROM hub_task WHERE ended_at IS NOT NULL AND ended_at < ? ORDER BY ended_at LIMIT ?

-- name: delete_again
-- What these tasks were published again from; task_id is the new task's.
DELETE FROM hub_again WHERE task_id IN (
    SELECT task_id FROM hub_task WHERE id IN (SELECT value FROM json_each(?))
)

-- name: delete_again_alone
-- Of tasks that were refused, after the process that asked had been killed.
DELETE FROM hub_again WHERE at < ?
AND NOT EXISTS (SELECT 1 FROM hub_task WHERE hub_task.task_id = hub_again.task_id)

-- name: delete_events
DELETE FROM hub_task_event WHERE task IN (SELECT value FROM json_each(?))

-- name: delete_participants
DELETE FROM hub_participation WHERE task IN (SELECT value FROM json_each(?))

-- name: delete_tasks
DELETE FROM hub_task WHERE id IN (SELECT value FROM json_each(?))
