from django.urls import path

from apps.jobs.api import AS_WRITTEN, JobViewSet, RecipeViewSet, UseViewSet

JOB = "projects/<slug:slug>/jobs/<uuid:id>"

VERSION = "<str:ref>/versions/<int:number>"

urlpatterns = [
    path(
        f"projects/<slug:slug>/datasets/{VERSION}/used-by",
        UseViewSet.as_view({"get": "of_dataset"}),
    ),
    path(f"projects/<slug:slug>/models/{VERSION}/used-by", UseViewSet.as_view({"get": "of_model"})),
    path("recipes", RecipeViewSet.as_view({"get": "list"})),
    path("projects/<slug:slug>/jobs", JobViewSet.as_view({"get": "list", "post": "create"})),
    path("projects/<slug:slug>/jobs/preview", JobViewSet.as_view({"post": "preview"})),
    path("projects/<slug:slug>/jobs/stop", JobViewSet.as_view({"post": "stop_many"})),
    path(JOB, JobViewSet.as_view({"get": "retrieve"})),
    path(f"{JOB}/stop", JobViewSet.as_view({"post": "stop"})),
    path(f"{JOB}/events", JobViewSet.as_view({"get": "events"})),
    path(f"{JOB}/runs", JobViewSet.as_view({"get": "runs"})),
    path(f"{JOB}/log", JobViewSet.as_view({"get": "log"})),
    path(f"{JOB}/log/raw", JobViewSet.as_view({"get": "raw_log"}, renderer_classes=AS_WRITTEN)),
    path(f"{JOB}/metrics", JobViewSet.as_view({"get": "metrics"})),
    path(f"{JOB}/outputs", JobViewSet.as_view({"get": "outputs"})),
]
