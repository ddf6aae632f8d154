"""The control plane's Celery app: queue `control`, and the publisher of nodes' envelopes."""

import os
import warnings

from celery import Celery
from celery.exceptions import SecurityWarning

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings.embedded")

# what it warns of, as root, is pickled messages: ours are JSON and nothing else is accepted
warnings.simplefilter("ignore", SecurityWarning)

app = Celery("datahall")
app.set_default()  # for every thread; without it only the importing thread's `current_app` is this
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
