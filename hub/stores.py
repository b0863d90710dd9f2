"""Which database the history is in: the one place that knows all drivers."""

from hub.conf import HubSettings
from hub.journal.port import Journal
from hub.journal.postgres import PostgresJournal
from hub.journal.sqlite import SqliteJournal
from hub.lock import FileLock, Lock, SessionLock


def journal_of(settings: HubSettings, *, synced: bool = True) -> Journal:
    """The journal, not yet open; ``synced=False``: a power cut may take the last commits."""
    if settings.database_url is not None:
        return PostgresJournal(settings.database_url, synced=synced)
    synchronous = settings.sqlite_synchronous if synced else "NORMAL"
    return SqliteJournal(settings.database_path, synchronous=synchronous)


def lock_of(settings: HubSettings) -> Lock:
    """What keeps a second hub away from the same database, not yet held."""
    if settings.database_url is not None:
        return SessionLock(settings.database_url)
    return FileLock(settings.database_path)
