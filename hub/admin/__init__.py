"""The hub in the Django admin: to look at, and a few things to do.

Nothing is written here: what a person does goes through ``hub.services``.
"""

from hub.admin.connections import ConnectedClientAdmin, ConnectionAdmin
from hub.admin.tasks import TaskAdmin

__all__ = ["ConnectedClientAdmin", "ConnectionAdmin", "TaskAdmin"]
