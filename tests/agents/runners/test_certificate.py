import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from agents.runners.serving import certificate

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "node-3.example.com"])
def test_is_for_its_host_and_a_year(host: str) -> None:
    made = certificate.make(host, at=NOON)

    read = x509.load_pem_x509_certificate(made.certificate.encode())
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == [host]
    assert read.not_valid_after_utc == NOON + timedelta(days=365)
    assert read.not_valid_before_utc < NOON
    ssl.create_default_context(cadata=made.certificate)


def test_is_never_the_same() -> None:
    assert certificate.make("::1", at=NOON).key != certificate.make("::1", at=NOON).key
