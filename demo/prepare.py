"""What must be there before the hub starts: database, clients with keys, a login."""

import asyncio
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from demo.errors import DemoFailed

ROOT: Final = Path(__file__).resolve().parent.parent
LOGIN: Final = "demo"
#: Each client with what it may do.
CLIENTS: Final = {
    "mailer": ("--sub", "email"),
    "reporter": ("--sub", "report"),
    "cashier": ("--sub", "payment"),
    "shop": ("--pub", "email", "--pub", "report", "--pub", "payment"),
    "observer": ("--watch", "*"),
}
#: Of the caller's environment, what must not lead the demo to another hub or its database.
_NOT_OURS: Final = ("TASKHUB_URL", "TASKHUB_NAME", "TASKHUB_KEY", "DATABASE_URL", "REDIS_URL")
_MAKE_SUPERUSER: Final = """
import os
from django.contrib.auth import get_user_model
name, password = os.environ["DEMO_LOGIN"], os.environ["DEMO_PASSWORD"]
users = get_user_model().objects
user = users.filter(username=name).first() or users.create_superuser(name)
# Not set anew when it is right already: that would sign the browser out.
if not user.check_password(password):
    user.set_password(password)
    user.save()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What the demo needs to know to run."""

    environment: Mapping[str, str] = field(repr=False)
    #: client name → key
    keys: Mapping[str, str] = field(repr=False)
    password: str = field(repr=False)


async def prepare(data_dir: Path) -> Prepared:
    """Migrate, then make clients and login. Raises DemoFailed."""
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    environment["TASKHUB_DATA_DIR"] = str(data_dir)
    password = _password(data_dir / "password")
    await manage(environment, "migrate", "--verbosity", "0")
    names = list(CLIENTS)
    *keys, _ = await asyncio.gather(
        *(_key(environment, name) for name in names),
        manage(
            # In the environment, as a command line can be read by everybody on the machine.
            {**environment, "DEMO_LOGIN": LOGIN, "DEMO_PASSWORD": password},
            *("shell", "--no-imports", "-c", _MAKE_SUPERUSER),
        ),
    )
    return Prepared(
        environment=environment, keys=dict(zip(names, keys, strict=True)), password=password
    )


def _password(path: Path) -> str:
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(12) + "\n")
    return path.read_text(encoding="ascii").strip()


async def _key(environment: Mapping[str, str], name: str) -> str:
    try:
        return await manage(environment, "createclient", name, *CLIENTS[name])
    except DemoFailed as refused:
        # Usually it is there from an earlier run, whose keys nobody has any more.
        try:
            return await manage(environment, "rotatekey", name, "--expire-old-in", "0")
        except DemoFailed as failed:
            raise failed from refused


async def manage(environment: Mapping[str, str], *arguments: str) -> str:
    """Run a command of manage.py; what it prints. Raises DemoFailed."""
    process = await asyncio.create_subprocess_exec(
        *manage_command(*arguments),
        cwd=ROOT,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        said = errors.decode(errors="replace").strip()
        raise DemoFailed(f"manage.py {arguments[0]} ended with {process.returncode}:\n{said}")
    return output.decode().strip()


def manage_command(*arguments: str) -> tuple[str, ...]:
    """The command line that runs manage.py with this very Python."""
    return (sys.executable, str(ROOT / "manage.py"), *arguments)
