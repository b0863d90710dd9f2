"""Makes clients in a hub's database: ``{name: rights}`` in, ``{name: key}`` out, as JSON.

Rights of None take all permissions of that client away instead.

One process for all of them, where a ``createclient`` each would take a second a client.
"""

import json
import sys

import django

django.setup()

from credentials import services  # noqa: E402  (models need the line above)
from credentials.models import Permission  # noqa: E402

if __name__ == "__main__":
    made: dict[str, str] = {}
    for name, rights in json.load(sys.stdin).items():
        if rights is not None:
            made[name] = services.client_create(name=name, **rights)[1]
            continue
        for permission in Permission.objects.filter(client__name=name):
            services.permission_delete(permission=permission)
    json.dump(made, sys.stdout)
