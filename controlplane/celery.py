"""The control plane's Celery app: queue `control`, and the publisher of nodes' envelopes."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings.embedded")

app = Celery("datahall")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
