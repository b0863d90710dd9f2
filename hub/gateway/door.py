"""Who is let in: authentication, the limits of the handshake, and who is inside (§2.2, §2.8)."""

import asyncio
import time
from datetime import datetime

from django.utils import timezone

from credentials.selectors import ClientGrants
from hub.admission import access_of, named, network
from hub.core.limits import Limits
from hub.gateway.authentication import Authentication, Overloaded
from hub.gateway.handshake import Refused, Scope, address, basic_credentials
from hub.gateway.session import GOING_AWAY, REVOKED, Session
from hub.gateway.turns import Crowded, Turns
from hub.logs import logger
from hub.pipeline import Pipeline
from hub.windows import Failures, TokenBucket

log = logger(__name__)

#: How often changed rights are looked for: a change reaches open connections within a second.
REVISION_INTERVAL_S = 0.5
#: How often "last seen" is written.
SEEN_INTERVAL_S = 10.0
RETRY_AFTER_S = 60
#: All services of a machine come back at once after a restart: those over the limit wait so long
#: for their turn, and so many of an address at most.
TURN_S = 2.0
MAX_WAITING_FOR_TURN = 200


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
        self._turns = Turns(
            limits.unauthenticated_per_address, waiting=MAX_WAITING_FOR_TURN, patience_s=TURN_S
        )
        self._inside: dict[str, dict[str, Session]] = {}
        self._grants: dict[str, ClientGrants] = {}
        #: clients whose commands are limited to a rate
        self.rates: dict[str, TokenBucket] = {}
        #: the revision that each connection's rights are of
        self._revisions: dict[str, int] = {}
        #: keys used since "last seen" was written
        self._used: set[int] = set()
        self._seen_at = 0.0

    async def admit(self, scope: Scope) -> tuple[int, ClientGrants]:
        """The grants of who asks to come in, and their revision. Raises Refused."""
        origin = network(address(scope))
        pairs = basic_credentials(scope)
        if not pairs:
            # Nothing to guess with, so nothing to count, and no time that could tell.
            raise Refused(401, "Name and key are asked for, as HTTP Basic.", reason="no-key")
        name = named(pairs)
        if self._failures.too_many(name, origin):
            raise Refused(
                429,
                "Too many wrong keys; wait a minute.",
                reason="locked",
                name=name,
                retry_after=RETRY_AFTER_S,
            )
        revision, grants = await self._authenticate(pairs, origin)
        if grants is None:
            self._failures.add(name, origin)
            raise Refused(401, "Unknown name or wrong key.", reason="wrong-key", name=name)
        self._check_room(grants)
        return revision, grants

    async def _authenticate(
        self, pairs: list[tuple[str, str]], origin: str
    ) -> tuple[int, ClientGrants | None]:
        try:
            async with self._turns.of(origin):
                return await self._authentication.authenticate(pairs)
        except Crowded:
            raise Refused(
                429,
                "Too many handshakes from this address at once; wait.",
                reason="crowded",
                retry_after=1,
            ) from None
        except Overloaded:
            raise Refused(
                503, "Too many handshakes at once; come back.", reason="overloaded", retry_after=1
            ) from None
        except Exception:
            log.exception("key_check_failed", help="Check the disk of the data directory.")
            raise Refused(
                503, "The hub cannot check keys now.", reason="failed", retry_after=5
            ) from None

    def _check_room(self, grants: ClientGrants) -> None:
        inside = self._inside.get(grants.name, {})
        if len(inside) < grants.max_connections:
            return
        # docs/protocol.md §2.2: those that are dead already do not count.
        if sum(session.open for session in inside.values()) >= grants.max_connections:
            raise Refused(
                429,
                f"This client holds {grants.max_connections} connections, its limit.",
                reason="connections",
                name=grants.name,
                retry_after=RETRY_AFTER_S,
            )

    def enter(self, session: Session, grants: ClientGrants, revision: int) -> None:
        """A connection is accepted, with rights of that revision."""
        self._inside.setdefault(session.client, {})[session.connection] = session
        self._grants[session.connection] = grants
        self._revisions[session.connection] = revision
        self._used.add(grants.key_id)
        self._set_rate(grants)

    def leave(self, session: Session) -> None:
        """A connection is gone."""
        self._grants.pop(session.connection, None)
        self._revisions.pop(session.connection, None)
        inside = self._inside.get(session.client, {})
        inside.pop(session.connection, None)
        if not inside:
            self._inside.pop(session.client, None)
            self.rates.pop(session.client, None)

    def sessions(self) -> list[Session]:
        """Everyone inside."""
        return [session for inside in self._inside.values() for session in inside.values()]

    def delay(self, session: Session) -> float:
        """Seconds to wait before the next command of this client (§7)."""
        bucket = self.rates.get(session.client)
        return bucket.delay() if bucket is not None else 0.0

    def _set_rate(self, grants: ClientGrants) -> None:
        if not grants.rate:
            self.rates.pop(grants.name, None)
        elif grants.name not in self.rates or self.rates[grants.name].rate != grants.rate:
            self.rates[grants.name] = TokenBucket(grants.rate, time.monotonic)

    # Rights that change while a connection is open

    async def watch_rights(self) -> None:
        """Carry changed rights to open connections. Never returns."""
        while True:
            if self._grants or self._used:
                await self.refresh()
            await asyncio.sleep(REVISION_INTERVAL_S)

    async def refresh(self) -> None:
        """Look once whether rights have changed or keys expired, and act on it."""
        revision = await self._authentication.revision()
        now = timezone.now()
        # Each connection's own revision is compared: one that was let in while the others were
        # brought up to date may hold rights of before.
        stale = [
            session
            for session in self.sessions()
            if self._revisions[session.connection] != revision
            or _expired(self._grants[session.connection], now)
        ]
        if stale:
            await self._apply(stale, revision)
        if time.monotonic() - self._seen_at >= SEEN_INTERVAL_S:
            await self._note_seen()

    async def _note_seen(self) -> None:
        keys = self._used | {grants.key_id for grants in self._grants.values()}
        # Before the attempt: one that fails (the disk is full) must not hold up rights each time.
        self._seen_at = time.monotonic()
        await self._authentication.note_seen(keys)
        self._used -= keys

    async def _apply(self, stale: list[Session], revision: int) -> None:
        current = await self._authentication.current_grants({s.key_id for s in stale})
        for session in stale:
            known = self._grants.get(session.connection)
            if known is None:  # it has left meanwhile
                continue
            grants = current.get(session.key_id)
            self._revisions[session.connection] = revision
            if grants is None or grants.name != session.client:
                session.log.info("key_withdrawn")
                session.close(REVOKED)
            elif grants != known:
                self._grants[session.connection] = grants
                self._set_rate(grants)
                self._pipeline.change_access(session.connection, access_of(grants))
                session.log.info("rights_changed")

    def drain(self) -> None:
        """Close everyone with 1012: going away, come back (§2.7)."""
        for session in self.sessions():
            session.close(GOING_AWAY)

    def stop(self) -> None:
        """Let go of the threads."""
        self._authentication.stop()


def _expired(grants: ClientGrants, now: datetime) -> bool:
    return grants.key_expires_at is not None and grants.key_expires_at <= now
