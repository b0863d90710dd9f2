"""The composition of the site: settings, URLs and the ASGI application. Nobody imports it."""
