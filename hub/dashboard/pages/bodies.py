"""Payload, result and reason: as a tree, as raw text, and where the whole of it is."""

import json
from dataclasses import dataclass, field
from typing import Final

from django.utils.safestring import SafeString

from hub.core.values import BODY_FIELD, HUB, EventKind
from hub.dashboard.pages.format import size
from hub.dashboard.pages.links import task_url
from hub.dashboard.pages.tree import tree
from hub.selectors.tasks import EventRow

#: characters of a body on a task's page
SHOWN: Final = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPart:
    """One body as its template shows it."""

    #: Payload, Result, Reason
    title: str
    size: str
    #: None: the viewer may not see it
    text: str | None = field(repr=False)
    #: there is more than ``text``
    cut: bool
    tree: SafeString | None = field(repr=False)
    url: str
    #: what the hub says in a reason of its own, which everybody may read
    said: str = ""


def body_of(task_id: str, event: EventRow, *, visible: bool) -> BodyPart | None:
    """The body of this event; None: it has none."""
    if event.body is None:
        return None
    cut = event.size > len(event.body.encode())
    return BodyPart(
        title=title_of(event),
        size=size(event.size),
        text=event.body if visible else None,
        cut=cut,
        tree=tree(event.body) if visible and not cut else None,
        url=task_url(task_id, "body", str(event.seq)),
        said=said_by_hub(event),
    )


def title_of(event: EventRow) -> str:
    """What the body of such an event is called."""
    kind = EventKind(event.stands_for or event.kind)
    return BODY_FIELD.get(kind, "reason").capitalize()


def said_by_hub(event: EventRow) -> str:
    """Code and message of a reason of the hub, without what somebody gave with it."""
    if event.by != HUB or event.body is None or event.kind != EventKind.FAIL:
        return ""
    try:
        reason = json.loads(event.body)
        return f"{reason['code']}: {reason['message']}"
    except (ValueError, TypeError, KeyError):  # cut, or of another version
        return ""
