"""The command line `taskhub`: tasks from a shell, and any program as a service.

Exit codes: 0 ok, 1 the task failed, 2 usage, 3 cannot connect, 4 refused, 5 timeout,
130 interrupted. Data goes to stdout, everything else to stderr.
"""

import sys
from importlib.util import find_spec


def main() -> int:
    """Run the command in `sys.argv`; its exit code. Says what to install if need be."""
    missing = [name for name in ("click", "rich") if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"The command line needs {' and '.join(missing)}: pip install 'taskhub[cli]'\n"
        )
        return 2
    # Not before: it imports what may be missing.
    from taskhub.cli._commands import run

    return run()
