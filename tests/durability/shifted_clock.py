"""A hub whose clock tests set while it runs, as an operator or NTP does, by libfaketime."""

from pathlib import Path
from typing import Final

from tests.hub_process import HubProcess

#: Debian's package ``faketime``.
LIBRARY: Final = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
HOUR_S: Final = 3_600


class ShiftedHub(HubProcess):
    """Its CLOCK_REALTIME jumps; CLOCK_MONOTONIC goes on, as it does on a real machine."""

    def __init__(self, server: str, directory: Path, **options: str) -> None:
        self._shift = directory / "clock"
        self.jump(0)
        super().__init__(
            server,
            directory,
            **options,
            LD_PRELOAD=str(LIBRARY),
            FAKETIME_TIMESTAMP_FILE=str(self._shift),
            FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
        )

    def jump(self, seconds: int) -> None:
        """Set its clock so far before (negative) or after the machine's."""
        scratch = self._shift.with_suffix(".new")
        scratch.write_text(f"{seconds:+d}s\n")
        scratch.replace(self._shift)  # it is read at every look at the clock
