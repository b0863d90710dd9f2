"""What must be on disk before Django starts: the data directory and the secret key in it."""

import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

from taskhub_site.environment import SHORTEST_SECRET, InvalidSetting

KEY_FILE: Final = "secret_key"
STATIC_DIR: Final = "static"


def prepare_data_dir(data_dir: Path) -> None:
    """Make the data directory, readable by its owner alone, and the one for collected statics.

    Raises InvalidSetting when it cannot be made or written to.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        # WhiteNoise warns about a static root that is not there, and a fresh clone has none.
        (data_dir / STATIC_DIR).mkdir(exist_ok=True)
    except OSError as error:
        raise InvalidSetting(
            f"The data directory {data_dir} cannot be used ({error.strerror}). Set "
            "TASKHUB_DATA_DIR to a directory this user may write to."
        ) from error


def secret_key_load(data_dir: Path) -> str:
    """The secret key kept in the data directory, made now if this is the first start.

    Processes that start together agree on one key. Raises InvalidSetting when the file cannot be
    read or written or is damaged; it is never replaced, as that would sign everybody out.
    """
    path = data_dir / KEY_FILE
    try:
        if not path.exists():
            _publish_new_secret(path)
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(
            f"The secret key in {path} cannot be read or written ({error}). Repair the file's "
            "permissions, or set TASKHUB_SECRET_KEY."
        ) from error
    if len(secret) < SHORTEST_SECRET:
        raise InvalidSetting(
            f"The secret key in {path} is damaged. Restore the file from a backup, or delete it "
            "to have a new one made, which signs everybody out of the site."
        )
    return secret


def _publish_new_secret(path: Path) -> None:
    # The whole file is written aside and then linked: a link is atomic and refuses to overwrite,
    # so a reader never sees half a key and the slower of two processes adopts the other's.
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=".secret_key-")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(path).hardlink_to(scratch)
    except FileExistsError:
        pass
    finally:
        Path(scratch).unlink()
