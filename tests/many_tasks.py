"""Many tasks at once, by SQL of each database: a history to measure lists and their plans on.

Task ``n`` of a million: fifty actions of ten nouns, twenty publishers and one that is rare, ten
services; a twentieth failed, one in fifty thousand is open, one in a hundred thousand says
``needle`` in its reason.
"""

from django.db import connection

#: When task 1 was published, and how long after it the next one.
BEGIN, STEP_MS = 1_700_000_000_000, 1_000

_NUMBERS = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count})",
    "postgresql": "WITH s(n) AS (SELECT * FROM generate_series(1::bigint, {count}))",
}
_OPEN, _FAILED = "n % 50000 = 49999", "n % 20 = 7"
_AT = f"{BEGIN} + n * {STEP_MS}"
_TASKS = f"""
    INSERT INTO hub_task (id, task_id, action, publisher, connection, state, outcome, seq,
        created_at, started_at, settled_at, ended_at, settled_seq, start_timeout, end_timeout,
        start_deadline, end_deadline, settle, expect, claim)
    {{numbers}}
    SELECT n, 'task-' || n,
        CASE WHEN n % 30000 = 1 THEN 'rare/thing:do'
             ELSE 'noun' || (n % 10) || '/part:verb' || (n % 50) END,
        CASE WHEN n % 100000 = 3 THEN 'rare' ELSE 'client' || (n % 20) END,
        'connection',
        CASE WHEN {_OPEN} THEN 'init' ELSE 'end' END,
        CASE WHEN {_OPEN} THEN '' WHEN {_FAILED} THEN 'fail' ELSE 'success' END,
        CASE WHEN {_OPEN} THEN 1 ELSE 4 END,
        {_AT},
        CASE WHEN {_OPEN} THEN NULL ELSE {_AT} + 5 END,
        CASE WHEN {_OPEN} THEN NULL ELSE {_AT} + 900 END,
        CASE WHEN {_OPEN} THEN NULL ELSE {_AT} + 900 END,
        CASE WHEN {_OPEN} THEN NULL ELSE 3 END,
        100, 60000, {_AT} + 100, {_AT} + 60000, 'any', 'result', {{false}}
    FROM s
"""
_EVENTS = f"""
    INSERT INTO hub_task_event (task, seq, kind, event_id, at, "by", state, body, participant,
        participant_state, stands_for)
    {{numbers}}, k(seq) AS (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4)
    SELECT n, seq,
        CASE seq WHEN 1 THEN 'init' WHEN 2 THEN 'start' WHEN 4 THEN 'end'
            ELSE CASE WHEN {_FAILED} THEN 'fail' ELSE 'success' END END,
        'event-' || n || '-' || seq, {_AT} + seq, 'service' || (n % 10),
        CASE seq WHEN 1 THEN 'init' WHEN 2 THEN 'start' WHEN 4 THEN 'end'
            ELSE CASE WHEN {_FAILED} THEN 'fail' ELSE 'success' END END,
        CASE seq WHEN 1 THEN '{{{{"to":"someone@example.org","subject":"hello","n":' || n || '}}}}'
            WHEN 3 THEN CASE WHEN n % 100000 = 27 THEN '"the needle"'
                ELSE '{{{{"code":"trouble","message":"It went wrong in some usual way."}}}}' END
            ELSE NULL END,
        CASE WHEN seq IN (2, 3) THEN 1 ELSE 0 END, NULL, NULL
    FROM s CROSS JOIN k WHERE seq = 1 OR NOT ({_OPEN})
"""
_PARTICIPATIONS = f"""
    INSERT INTO hub_participation (task, number, client, connection, "group", state, offered_at,
        started_at, done_at, body)
    {{numbers}}
    SELECT n, 1, CASE WHEN n % 100000 = 11 THEN 'seldom' ELSE 'service' || (n % 10) END,
        'connection', {{false}}, 'succeeded', {_AT}, {_AT} + 5, {_AT} + 900, 'null'
    FROM s
"""


def fill(count: int) -> None:
    """Write tasks 1 to ``count`` into the tables of the default connection, which are empty."""
    numbers = _NUMBERS[connection.vendor].format(count=count)
    false = "false" if connection.vendor == "postgresql" else "0"
    with connection.cursor() as cursor:
        for text in (_TASKS, _EVENTS, _PARTICIPATIONS):
            cursor.execute(text.format(numbers=numbers, false=false).replace("%", "%%"), ())
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE hub_task, hub_task_event, hub_participation")
