"""Numbers, spans of time and sizes in words that people read."""

from datetime import UTC, datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString

#: what stands where a value has not come
NONE = "–"
#: groups digits and never wraps
_THIN = "\u202f"

_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000
_UNITS = ("KiB", "MiB", "GiB")


def number(value: float) -> str:
    """``10 000``; with one digit after the point where it is below ten and no whole number."""
    if value < 10 and round(value, 1) != round(value):
        return f"{value:.1f}"
    return f"{round(value):,}".replace(",", _THIN)


def capped(count: int, *, more: bool) -> str:
    """A count that was taken up to a bound: ``10 000+``."""
    return number(count) + ("+" if more else "")


def counted(count: int, one: str, many: str | None = None) -> str:
    """``1 task``, ``12 tasks``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def duration(ms: float | None) -> str:
    """``532 ms``, ``3.2 s``, ``3 min 5 s``, ``2 h 5 min``, ``3 d 4 h``; never negative."""
    if ms is None:
        return NONE
    ms = max(0, round(ms))
    if ms < _SECOND:
        return f"{ms} ms"
    if ms < 9_950:
        return f"{ms / 1000:.1f} s"
    if ms < _MINUTE:
        return f"{ms // _SECOND} s"
    if ms < _HOUR:
        return _two(ms, _MINUTE, "min", _SECOND, "s")
    if ms < _DAY:
        return _two(ms, _HOUR, "h", _MINUTE, "min")
    return _two(ms, _DAY, "d", _HOUR, "h")


def _two(ms: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = ms % large // small
    text = f"{ms // large} {large_name}"
    return f"{text} {rest} {small_name}" if rest else text


def size(count: int) -> str:
    """``812 B``, ``3.4 KiB``, ``1 MiB``."""
    if count < 1024:
        return f"{count} B"
    amount = float(count)
    for unit in _UNITS:
        amount /= 1024
        if amount < 1000 or unit == _UNITS[-1]:
            break
    return f"{amount:.1f}".removesuffix(".0") + f" {unit}"


def percent(part: int, whole: int) -> str:
    """``3 %``; never 0 % or 100 % where it is not exactly that."""
    if not whole or not part:
        return "0 %"
    share = part / whole * 100
    if share < 1:
        return "under 1 %"
    return f"{min(99, round(share)) if part < whole else 100} %"


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def absolute(ms: int) -> str:
    """``2026-11-24 14:03:22``, UTC."""
    return f"{_at(ms):%Y-%m-%d %H:%M:%S}"


def iso(ms: int) -> str:
    """ISO 8601, UTC, with milliseconds."""
    return _at(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(ms: int | None) -> SafeString | str:
    """A time that the browser makes relative; without JavaScript the absolute one stays."""
    if ms is None:
        return NONE
    return format_html(
        '<time datetime="{}" data-ms="{}" data-relative>{}</time>', iso(ms), ms, absolute(ms)
    )


def clock(ms: int) -> SafeString:
    """The time of day to the millisecond, with the whole date at hand."""
    return _of_day(ms, f"{_at(ms):%H:%M:%S}.{ms % 1000:03d}")


def minute(ms: int) -> SafeString:
    """Hours and minutes, with the whole date at hand."""
    return _of_day(ms, f"{_at(ms):%H:%M}")


def _of_day(ms: int, text: str) -> SafeString:
    # UTC, which the browser changes to the reader's zone.
    return format_html(
        '<time datetime="{}" data-ms="{}" title="{} UTC">{}</time>',
        *(iso(ms), ms, absolute(ms), text),
    )


def short_id(text: str) -> str:
    """The begin of an id, enough to tell it from its neighbours."""
    return text if len(text) <= 12 else text[:11] + "…"
