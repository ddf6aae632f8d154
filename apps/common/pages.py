"""The few pages that the server writes itself, for when the console cannot."""

from django.http import HttpResponse
from django.utils.html import format_html

_PAGE = """<!doctype html>
<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Datahall</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:15vh auto;padding:0 1rem}}
</style></head><body><h1>{}</h1><p>{}</p><p><a href="/">Datahall</a></p></body></html>
"""


def plain(*, title: str, text: str, status: int) -> HttpResponse:
    """A page of one sentence."""
    return HttpResponse(format_html(_PAGE, title, text), status=status)
