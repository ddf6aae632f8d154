"""The console: one page for every path, whose parts WhiteNoise serves."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from apps.common import pages

# scripts only from our own files; styles also inline, which Mantine needs for its variables
POLICY = "; ".join(
    (
        "default-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


@require_safe
@ensure_csrf_cookie
def index(request: HttpRequest) -> HttpResponse:
    """The console's page, or what to do when it was not built."""
    try:
        page = (settings.FRONTEND_DIST / "index.html").read_bytes()
    except FileNotFoundError:
        return pages.plain(
            title="The console is not built",
            text="Run ./dev up, which builds it, or use the API: see /api/v1/docs/.",
            status=503,
        )
    # the parts it names carry their hash; the page itself must always be the newest
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": POLICY}
    return HttpResponse(page, headers=headers)
