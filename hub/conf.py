"""The hub's settings: the only place here that reads ``django.conf.settings``."""

from pathlib import Path
from typing import Protocol

from django.conf import settings

from hub.core.limits import Limits


class HubSettings(Protocol):
    """What the hub reads of ``settings.TASKHUB`` (see README, Settings)."""

    @property
    def data_dir(self) -> Path:
        """Directory of the database, the secret key and the lock."""

    @property
    def database_path(self) -> Path:
        """The SQLite file; without meaning when there is a ``database_url``."""

    @property
    def database_url(self) -> str | None:
        """URL of the PostgreSQL database, a secret; None: SQLite."""

    @property
    def sqlite_synchronous(self) -> str:
        """``FULL``, ``NORMAL`` or ``EXTRA``."""

    @property
    def retention_days(self) -> int:
        """Days an ended task is kept; 0: for ever."""

    @property
    def action_grammar(self) -> str:
        """``strict`` or ``any``."""

    @property
    def https(self) -> bool:
        """Behind a proxy that speaks TLS and says in headers who asks."""

    @property
    def metrics_token(self) -> str | None:
        """Bearer token that opens /metrics; None: only staff may read it."""

    @property
    def limits(self) -> Limits:
        """The limits of docs/protocol.md §7."""


def hub_settings() -> HubSettings:
    """The settings of this process."""
    found: HubSettings = settings.TASKHUB
    return found
