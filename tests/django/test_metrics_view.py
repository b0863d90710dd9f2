"""Who may read /metrics by a session: staff, and nobody else."""

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser


@pytest.mark.parametrize(
    ("rights", "status"),
    [
        ({"is_staff": True}, 503),  # let in, and no hub runs in this process
        ({"is_staff": True, "is_active": False}, 404),
        ({"is_superuser": True}, 404),
        ({}, 404),
    ],
)
@pytest.mark.django_db
def test_only_staff_are_let_in(rights: dict[str, bool], status: int) -> None:
    browser = Browser()
    browser.force_login(User.objects.create(username="ada", **rights))
    assert browser.get("/metrics").status_code == status


@pytest.mark.django_db
def test_a_stranger_is_not() -> None:
    assert Browser().get("/metrics").status_code == 404
    assert Browser().get("/metrics", headers={"authorization": "Bearer \xff"}).status_code == 404
