"""The committed OpenAPI document is the server's own, and valid."""

from pathlib import Path

from django.core.management import call_command

COMMITTED = Path(__file__).parents[2] / "frontend" / "openapi.yaml"


def test_is_valid_and_current(tmp_path: Path) -> None:
    generated = tmp_path / "openapi.yaml"
    call_command("spectacular", "--fail-on-warn", "--validate", file=str(generated))

    assert COMMITTED.read_text("utf-8") == generated.read_text("utf-8"), "run `make openapi`"
