"""What a client name and a pattern may look like (docs/protocol.md §1, §7)."""

import re
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

NAME_LENGTH: Final = 64
PATTERN_LENGTH: Final = 255

CLIENT_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")

_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_PATTERN = re.compile(rf"(?:\*|{_SEGMENT}(?:/{_SEGMENT})*(?::{_SEGMENT})?)\Z")

validate_client_name = RegexValidator(
    # `$` would let a trailing newline through. The hub signs its own words as `hub`.
    r"\A(?!hub\Z)[A-Za-z0-9._-]+\Z",
    "A client name is made of the letters A to Z and a to z, digits, '.', '_' and '-', "
    "and is not 'hub', the hub's own name.",
)


def validate_pattern(value: str) -> None:
    """Accept `*`, a noun (`email/address`) or an action (`email/address:validate`).

    With TASKHUB_ACTION_GRAMMAR=any: whatever is not empty and at most 255 characters long.
    Raises ValidationError.
    """
    fits = 0 < len(value) <= PATTERN_LENGTH
    strict = settings.TASKHUB.action_grammar == "strict"
    if not fits or (strict and not _PATTERN.match(value)):
        raise ValidationError(
            "%(value)r is not a pattern. Accepted are * for everything, a noun like "
            "email/address, which covers all below it, and an action like email/address:validate.",
            code="invalid",
            params={"value": value},
        )
