"""What every answer tells a browser that it must not do with it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# an answer of the API is data: shown as a page it loads nothing, runs nothing and is framed nowhere
DATA = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
# nothing of the console asks for a device of its reader
FEATURES = (
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
    "magnetometer=(), microphone=(), midi=(), payment=(), usb=()"
)
DATA_PATHS = ("/api/", "/agent/", "/sign-in/", "/healthz", "/readyz")


class SecurityHeaders:
    """First of all middleware, so that refusals have them too.

    A view that needs more than ``DATA`` allows sets a policy of its own.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", DATA)
        response.headers.setdefault("Permissions-Policy", FEATURES)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if request.path.startswith(DATA_PATHS):
            # what somebody saw is not in the browser's cache for whoever sits there next
            response.headers.setdefault("Cache-Control", "no-store")
        return response
