"""How far a task is, where its updates say so: ``{"done", "total"}`` or a number from 0 to 1."""

import json
import math
from dataclasses import dataclass
from typing import Any

#: an update that is longer says more than how far it is
_LONGEST = 4_096


@dataclass(frozen=True, slots=True)
class Progress:
    """Values of a native progress element, and the same in words."""

    value: float
    max: float
    text: str


def progress_of(update: str | None) -> Progress | None:
    """What this update (JSON) says; None: it says something else."""
    if update is None or len(update) > _LONGEST:
        return None
    try:
        value = json.loads(update)
        return _of_steps(value) if isinstance(value, dict) else _of_share(value)
    except (ValueError, OverflowError, RecursionError):
        return None


def _of_steps(value: dict[str, Any]) -> Progress | None:
    done, total = value.get("done"), value.get("total")
    if not (_is_number(done) and _is_number(total)) or total <= 0 or done < 0:  # type: ignore[operator]
        return None
    assert isinstance(done, int | float)
    assert isinstance(total, int | float)
    return Progress(float(min(done, total)), float(total), f"{done:g} of {total:g}")


def _of_share(value: Any) -> Progress | None:
    if not _is_number(value) or not 0 <= value <= 1:
        return None
    return Progress(float(value), 1, f"{math.floor(value * 100)} %")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
