from django.urls import path

from apps.ingest import api

urlpatterns = [
    path("join", api.JoinView.as_view()),
    path("challenge", api.ChallengeView.as_view()),
    path("token", api.TokenView.as_view()),
    path("desired", api.DesiredView.as_view()),
    path("workloads/<uuid:workload_id>/spec", api.SpecView.as_view()),
    path("workloads/<uuid:workload_id>/start", api.StartView.as_view()),
    path("workloads/<uuid:workload_id>/outputs", api.OutputsView.as_view()),
    path("workloads/<uuid:workload_id>/outputs/finish", api.OutputFinishedView.as_view()),
]
