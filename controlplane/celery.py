"""The control plane's Celery app: queue `control`, and the publisher of nodes' envelopes."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings.embedded")

app = Celery("datahall")
app.set_default()  # for every thread; without it only the importing thread's `current_app` is this
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
