"""Every HTTP door: /api/v1 for people and programs, /agent/v1 for nodes, the console elsewhere."""

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from apps.accounts import api as accounts
from apps.common import api
from controlplane import console, reference

API_APPS = [
    "accounts",
    "projects",
    "fleet",
    "artifacts",
    "telemetry",
    "workloads",
    "datasets",
    "registry",
    "jobs",
    "serving",
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", api.health),
    path("readyz", api.ready),
    path("sign-in/<str:secret>", accounts.sign_in),
    *(path("api/v1/", include(f"apps.{app}.urls")) for app in API_APPS),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/docs/", reference.Reference.as_view(url_name="schema"), name="docs"),
    path("agent/v1/", include("apps.ingest.urls")),
    re_path(r"^(?:api|agent|live|transfer|static|assets)(?:/|$)", api.not_found),
    re_path(r"", console.index),
]

handler400 = "apps.common.api.bad_request"
handler403 = "apps.common.api.forbidden"
handler404 = "apps.common.api.not_found"
handler500 = "apps.common.api.server_error"
