from django.urls import re_path

from apps.ingest.consumers import LinkConsumer

websocket_urlpatterns = [re_path(r"^agent/v1/link$", LinkConsumer.as_asgi())]
