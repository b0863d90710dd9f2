"""Clients, their keys and their permissions. Read through selectors, written through services."""

from datetime import datetime
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from credentials.validators import (
    NAME_LENGTH,
    PATTERN_LENGTH,
    validate_client_name,
    validate_pattern,
)


class Client(models.Model):
    """Anything that connects. Known by its name and one of its keys."""

    name = models.CharField(
        max_length=NAME_LENGTH,
        unique=True,
        validators=[validate_client_name],
        help_text="1 to 64 letters, digits, '.', '_' or '-'. The user name of HTTP Basic.",
        error_messages={"unique": "A client with this name already exists."},
    )
    enabled = models.BooleanField(
        default=True, help_text="A disabled client is refused, and its connections are closed."
    )
    max_connections = models.PositiveIntegerField(
        default=100,
        validators=[MinValueValidator(1)],
        help_text="How many connections it may hold at a time.",
    )
    group = models.BooleanField(
        "share tasks",
        default=False,
        help_text=(
            "Share tasks between this client's connections: each task goes to one of them. "
            "Otherwise every connection gets each task."
        ),
    )
    rate = models.PositiveIntegerField(
        "commands per second",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Its connections are read no faster than this. Empty: no limit.",
    )
    notes = models.TextField(blank=True)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(max_connections__gte=1), name="client_max_connections_positive"
            ),
            models.CheckConstraint(
                condition=Q(rate__isnull=True) | Q(rate__gte=1), name="client_rate_positive"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Key(models.Model):
    """One secret of a client. Holds what is needed to recognise it, never the secret itself."""

    class Kind(models.TextChoices):
        GENERATED = "generated", "generated"
        CHOSEN = "chosen", "chosen"

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="keys")
    public_id = models.CharField("key id", max_length=16, unique=True, editable=False)
    kind = models.CharField(
        max_length=16, choices=Kind.choices, default=Kind.GENERATED, editable=False
    )
    #: Generated: hexadecimal SHA-256 of the whole key. Chosen: Django's password hash.
    digest = models.CharField(max_length=255, editable=False)
    label = models.CharField(max_length=100, blank=True, help_text="Where this key is used.")
    created_at = models.DateTimeField("created", default=timezone.now, editable=False)
    expires_at = models.DateTimeField(
        "expires", null=True, blank=True, help_text="Empty: it does not expire."
    )
    revoked_at = models.DateTimeField("revoked", null=True, blank=True, editable=False)
    last_used = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind__in=["generated", "chosen"]), name="key_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    def clean(self) -> None:
        """A client has one live chosen key at most: each one more would be one more slow hash
        for a wrong key, and the time would tell who has how many."""
        if self.kind != Key.Kind.CHOSEN or self.state(timezone.now()) != "live":
            return
        others = Key.objects.filter(Key.live(timezone.now()), client=self.client_id, kind=self.kind)
        if others.exclude(pk=self.pk).exists():
            raise ValidationError(
                "The client has a chosen key already. Revoke that one first, or generate a key: "
                "of those a client may have many."
            )

    @staticmethod
    def live(now: datetime, prefix: str = "") -> Q:
        """The condition for keys that are neither revoked nor expired at that time."""
        return Q(**{f"{prefix}revoked_at__isnull": True}) & (
            Q(**{f"{prefix}expires_at__isnull": True}) | Q(**{f"{prefix}expires_at__gt": now})
        )

    def state(self, now: datetime) -> str:
        """`live`, `expired` or `revoked`, at that time."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "live"


class Permission(models.Model):
    """A client may do this with the actions a pattern covers."""

    class Kind(models.TextChoices):
        SUB = "sub", "subscribe"
        PUB = "pub", "publish"
        WATCH = "watch", "watch"

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="permissions")
    kind = models.CharField("may", max_length=8, choices=Kind.choices)
    pattern = models.CharField(
        max_length=PATTERN_LENGTH,
        validators=[validate_pattern],
        help_text="* for all, a noun like email/address, or an action like email/address:validate",
    )

    class Meta:
        ordering = ["kind", "pattern"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["client", "kind", "pattern"],
                name="permission_once",
                violation_error_message="The client has this permission already.",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["sub", "pub", "watch"]), name="permission_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pattern}"


class Revision(models.Model):
    """A single row, counted up by each change of anybody's rights; the hub compares it."""

    ROW: ClassVar[int] = 1

    value = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.value)
