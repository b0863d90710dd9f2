"""Makes clients in a hub's database: ``{name: rights}`` in, ``{name: key}`` out, as JSON.

One process for all of them, where a ``createclient`` each would take a second a client.
"""

import json
import sys

import django

django.setup()

from credentials import services  # noqa: E402  (models need the line above)

if __name__ == "__main__":
    made = {
        name: services.client_create(name=name, **rights)[1]
        for name, rights in json.load(sys.stdin).items()
    }
    json.dump(made, sys.stdout)
