"""The site's settings, on a data directory of this test run, never the developer's."""

import os
import tempfile

# Kept by a name: the directory goes when it is let go of, at the end of the run.
_data_dir = tempfile.TemporaryDirectory(prefix="taskhub-tests-")
os.environ["TASKHUB_DATA_DIR"] = _data_dir.name
for name in ("DATABASE_URL", "REDIS_URL"):
    os.environ.pop(name, None)

from taskhub_site.settings import *  # noqa: E402, F403  (they read the lines above)

# Processes that tests start are hubs like any other.
os.environ["DJANGO_SETTINGS_MODULE"] = "taskhub_site.settings"
