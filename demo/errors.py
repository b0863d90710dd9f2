"""The one error of the demo."""


class DemoFailed(Exception):  # noqa: N818 (a sentence for the person at the terminal)
    """The demo cannot go on; the message says why, as it is printed."""
