"""Every test runs against a data directory of its own, never the developer's."""

import os
import tempfile

# Before Django reads its settings; pytest-django loads them after this file.
_data_dir = tempfile.TemporaryDirectory(prefix="taskhub-tests-")
os.environ["TASKHUB_DATA_DIR"] = _data_dir.name
for name in ("DATABASE_URL", "REDIS_URL"):
    os.environ.pop(name, None)
