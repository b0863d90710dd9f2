"""Django's database in threads that are not Django's own."""

from collections.abc import Callable
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def with_database(work: Callable[[], T]) -> T:
    """What the work returns; its database connection is closed after it.

    The thread may be idle for days: no connection stays with it.
    """
    try:
        return work()
    finally:
        connection.close()
