"""Static files out of a fresh clone, under ASGI, without a warning for each."""

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise, but a file is answered whole instead of streamed.

    WhiteNoise streams from a plain file, which Django under ASGI reads whole anyway and warns
    about (`StreamingHttpResponse must consume synchronous iterators`), once per request. Our
    files are small, the largest being the admin's at about 300 KiB.
    """

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        """The answer to a GET or HEAD of one known static file, ranges and 304 included."""
        found = static_file.get_response(request.method, request.META)
        body = b""
        if found.file is not None:
            with found.file:
                body = found.file.read()
        response = HttpResponse(body, status=int(found.status))
        del response["Content-Type"]  # WhiteNoise names it where there is a body
        for name, value in found.headers:
            response[name] = value
        return response
