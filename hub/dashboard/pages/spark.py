"""Small bars in a row, as SVG whose geometry is in attributes: the page allows no inline style."""

from collections.abc import Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString

from hub.dashboard.pages.format import counted

_WIDTH, _HEIGHT = 120, 20


def spark(values: Sequence[int], *, span: str) -> SafeString:
    """Bars for these values, oldest first; ``span``: the time they cover, in words."""
    highest = max(values, default=0)
    label = f"{counted(sum(values), 'task')} ended in {span}, {counted(highest, 'task')} at most "
    label += f"in one of {len(values)} parts"
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" '
        'aria-label="{}"><path d="{}"/></svg>',
        *(_WIDTH, _HEIGHT, _WIDTH, _HEIGHT, label, _bars(values, highest)),
    )


def _bars(values: Sequence[int], highest: int) -> str:
    step = _WIDTH / max(1, len(values))
    bars = [f"M0 {_HEIGHT}h{_WIDTH}v-1H0z"]
    for at, value in enumerate(values):
        if value:
            height = max(2.0, value / highest * _HEIGHT)
            bars.append(f"M{at * step:.4g} {_HEIGHT}v{-height:.4g}h{step - 1:.4g}V{_HEIGHT}z")
    return "".join(bars)
