"""Who is let in: authentication, the limits of the handshake, and who is inside (§2.2, §2.8)."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.utils import timezone

from credentials.selectors import ClientGrants
from hub.core.limits import Limits
from hub.gateway.authentication import Authentication, Overloaded, access_of
from hub.gateway.handshake import Refused, Scope, address, basic_credentials
from hub.gateway.session import GOING_AWAY, REVOKED, Session
from hub.gateway.windows import Failures, TokenBucket
from hub.pipeline import Pipeline

log = logging.getLogger("hub.gateway")

#: How often changed rights are looked for: a change reaches open connections within a second.
REVISION_INTERVAL_S = 0.5
#: How often "last seen" is written.
SEEN_INTERVAL_S = 10.0
RETRY_AFTER_S = 60


class Door:
    """The one entrance of this process, with the list of those inside."""

    def __init__(
        self, limits: Limits, pipeline: Pipeline, authentication: Authentication | None = None
    ) -> None:
        self._limits = limits
        self._pipeline = pipeline
        self._authentication = authentication or Authentication()
        self._failures = Failures(
            limits.wrong_keys_per_name, limits.wrong_keys_per_address, time.monotonic
        )
        self._unnamed: Counter[str] = Counter()
        self._inside: dict[str, dict[str, Session]] = {}
        self._grants: dict[str, ClientGrants] = {}
        self._buckets: dict[str, TokenBucket] = {}
        self._revision: int | None = None
        self._seen_at = 0.0

    async def admit(self, scope: Scope) -> tuple[int, ClientGrants]:
        """The grants of who asks to come in, and their revision. Raises Refused."""
        origin = address(scope)
        pairs = basic_credentials(scope)
        name = pairs[0][0] if pairs else ""
        if self._failures.too_many(name, origin):
            raise Refused(429, "Too many wrong keys; wait a minute.", retry_after=RETRY_AFTER_S)
        with self._waiting_room(origin):
            try:
                revision, grants = await self._authentication.authenticate(pairs)
            except Overloaded:
                raise Refused(
                    503, "Too many connections at once; come back.", retry_after=1
                ) from None
        if grants is None:
            self._failures.add(name, origin)
            log.info("refused a connection from %s: unknown name or wrong key", origin)
            raise Refused(401, "Unknown name or wrong key.")
        self._check_room(grants)
        return revision, grants

    @contextmanager
    def _waiting_room(self, origin: str) -> Iterator[None]:
        """Places for those who have not named themselves, limited for each address (§7)."""
        if self._unnamed[origin] >= self._limits.unauthenticated_per_address:
            raise Refused(
                429, "Too many handshakes from this address at once; wait.", retry_after=1
            )
        self._unnamed[origin] += 1
        try:
            yield
        finally:
            self._unnamed[origin] -= 1
            if not self._unnamed[origin]:
                del self._unnamed[origin]

    def _check_room(self, grants: ClientGrants) -> None:
        inside = self._inside.get(grants.name, {})
        if len(inside) < grants.max_connections:
            return
        # docs/protocol.md §2.2: those that are dead already do not count.
        if sum(session.open for session in inside.values()) >= grants.max_connections:
            raise Refused(
                429,
                f"This client holds {grants.max_connections} connections, its limit.",
                retry_after=RETRY_AFTER_S,
            )

    def enter(self, session: Session, grants: ClientGrants, revision: int) -> None:
        """A connection is accepted, with rights of that revision."""
        if revision != self._revision:
            self._revision = None  # they may have changed meanwhile: look at everyone anew
        self._inside.setdefault(session.client, {})[session.connection] = session
        self._grants[session.connection] = grants
        self._set_rate(grants)

    def leave(self, session: Session) -> None:
        """A connection is gone."""
        self._grants.pop(session.connection, None)
        inside = self._inside.get(session.client, {})
        inside.pop(session.connection, None)
        if not inside:
            self._inside.pop(session.client, None)
            self._buckets.pop(session.client, None)

    def sessions(self) -> list[Session]:
        """Everyone inside."""
        return [session for inside in self._inside.values() for session in inside.values()]

    def delay(self, session: Session) -> float:
        """Seconds to wait before the next command of this client (§7)."""
        bucket = self._buckets.get(session.client)
        return bucket.delay() if bucket is not None else 0.0

    def _set_rate(self, grants: ClientGrants) -> None:
        if not grants.rate:
            self._buckets.pop(grants.name, None)
        elif grants.name not in self._buckets or self._buckets[grants.name].rate != grants.rate:
            self._buckets[grants.name] = TokenBucket(grants.rate, time.monotonic)

    # Rights that change while a connection is open

    async def watch_rights(self) -> None:
        """Carry changed rights to open connections. Never returns."""
        while True:
            if self._grants:
                await self.refresh()
            await asyncio.sleep(REVISION_INTERVAL_S)

    async def refresh(self) -> None:
        """Look once whether rights have changed or keys expired, and act on it."""
        revision = await self._authentication.revision()
        now = timezone.now()
        expired = any(g.key_expires_at and g.key_expires_at <= now for g in self._grants.values())
        if revision != self._revision or expired:
            await self._apply(revision)
        if time.monotonic() - self._seen_at >= SEEN_INTERVAL_S:
            self._seen_at = time.monotonic()
            await self._authentication.note_seen({g.key_id for g in self._grants.values()})

    async def _apply(self, revision: int) -> None:
        sessions = self.sessions()
        current = await self._authentication.current_grants({s.key_id for s in sessions})
        for session in sessions:
            grants = current.get(session.key_id)
            known = self._grants.get(session.connection)
            if grants is None or grants.name != session.client:
                log.info("closing connection %s: its key is no longer good", session.connection)
                session.close(REVOKED)
            elif known is not None and grants != known:
                self._grants[session.connection] = grants
                self._set_rate(grants)
                self._pipeline.change_access(session.connection, access_of(grants))
        # Only now: a failure above is tried again.
        self._revision = revision

    def drain(self) -> None:
        """Close everyone with 1012: going away, come back (§2.7)."""
        for session in self.sessions():
            session.close(GOING_AWAY)

    def stop(self) -> None:
        """Let go of the threads."""
        self._authentication.stop()
