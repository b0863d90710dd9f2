"""Fixtures of the tests that need Django and a database."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client as Browser
from pytest_django.fixtures import Settings

from credentials import selectors
from credentials.chosen_keys import ChosenKeyVerifier, hash_and_compare
from tests.django.admin_pages import sign_in

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

Hashes = list[tuple[str | None, str]]


@pytest.fixture
def fast_hasher(settings: Settings) -> None:
    """Passwords and chosen keys hashed in microseconds."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch, fast_hasher: None) -> Hashes:
    """Each slow hash of a presented key: (what it was compared with, the key)."""
    calls: Hashes = []

    def counting(encoded: str | None, presented: str) -> bool:
        calls.append((encoded, presented))
        return hash_and_compare(encoded, presented)

    monkeypatch.setattr(selectors, "_verifier", ChosenKeyVerifier(compare=counting))
    return calls


@pytest.fixture
def counted_up(db: None) -> Callable[[], bool]:
    """Whether the revision has moved since the last call, or since the fixture was made."""
    last = [selectors.revision()]

    def moved() -> bool:
        before, last[0] = last[0], selectors.revision()
        return last[0] != before

    return moved


@pytest.fixture
def browser(db: None, fast_hasher: None) -> Browser:
    """A superuser's, signed in; it enforces CSRF tokens."""
    return sign_in()
