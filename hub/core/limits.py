"""The limits of a hub (docs/protocol.md §7). Each is a setting: TASKHUB_<FIELD NAME IN CAPITALS>.

The settings reader is generated from the fields, so a new limit is one new line here. Times are
milliseconds, sizes bytes.
"""

from dataclasses import dataclass
from typing import Final

MS_PER_DAY: Final = 86_400_000
MIB: Final = 1_048_576

#: The limits for which 0 has a meaning: no grace, no watch on the disk. All others start at 1.
MAY_BE_ZERO: Final = frozenset({"resume_grace_ms", "min_free_disk_bytes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every limit with its default. Holds integers only and checks nothing."""

    #: How long a task waits for its first start when its init names no time.
    start_timeout_ms: int = 100
    #: How long a task waits for its outcome when its init names no time.
    end_timeout_ms: int = 60_000
    #: The longest start timeout an init may ask for.
    max_start_timeout_ms: int = MS_PER_DAY
    #: The longest end timeout an init may ask for.
    max_end_timeout_ms: int = 30 * MS_PER_DAY
    #: How long a lost participant may take to come back before it counts as lost.
    resume_grace_ms: int = 10_000
    #: A longer frame closes its connection with 1009.
    max_frame_bytes: int = MIB
    #: JSON nested deeper than this is refused.
    max_nesting: int = 64
    #: A connection with more unsent data than this is closed with 4408.
    max_outbox_bytes: int = 8 * MIB
    #: Subscriptions of one connection.
    max_subscriptions: int = 200
    #: Watches of one connection.
    max_watches: int = 200
    #: Open tasks published by one client, over all its connections.
    max_open_tasks_per_client: int = 1_000
    #: Open tasks of the whole hub.
    max_open_tasks: int = 100_000
    #: Bytes that the payloads, results and reasons of all open tasks take in memory.
    max_open_bytes: int = 256 * MIB
    #: Events of one task.
    max_events_per_task: int = 10_000
    #: Participants of one task.
    max_participants_per_task: int = 10_000
    #: A connection silent for this long is pinged.
    ping_interval_ms: int = 20_000
    #: A connection that stays silent for this long after a ping is dropped.
    pong_timeout_ms: int = 20_000
    #: Wrong keys a minute for one client name from one address.
    wrong_keys_per_name: int = 10
    #: Wrong keys a minute from one address, whatever the names.
    wrong_keys_per_address: int = 60
    #: Sockets of one address that are open but not yet authenticated.
    unauthenticated_per_address: int = 20
    #: Unreadable frames a minute before a connection is closed with 1008.
    bad_frames_per_minute: int = 20
    #: New tasks are refused while the disk has less than this left.
    min_free_disk_bytes: int = 256 * MIB
    #: How long a stopping hub waits for batches that are still running.
    drain_timeout_ms: int = 5_000
    #: Requests a minute of one client to the API.
    api_requests_per_minute: int = 6_000
    #: Event streams of the API that are open at a time.
    api_streams: int = 200
    #: Event streams of one client.
    api_streams_per_client: int = 20
