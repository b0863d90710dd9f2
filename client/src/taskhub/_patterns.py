"""Which actions a pattern names (docs/protocol.md §1)."""


def covers(pattern: str, action: str) -> bool:
    """An action covers itself, a noun itself and all below it, `*` everything."""
    return pattern in {"*", action} or action.startswith((pattern + "/", pattern + ":"))
