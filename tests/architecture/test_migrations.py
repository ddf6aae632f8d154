import pytest
from django.core.management import call_command


@pytest.mark.django_db
def test_hold_what_the_models_say() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
