"""The demo: a hub of its own, services, traffic, and a view of it all (`python -m demo`)."""

import sys
from pathlib import Path

# In a checkout the client need not be installed; where it is, the installed one is used.
sys.path.append(str(Path(__file__).resolve().parent.parent / "client" / "src"))
