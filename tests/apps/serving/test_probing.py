"""Looking at a replica that is really there: TLS, a websocket, and a greeting."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.sync.server import ServerConnection, serve

from agents.protocol.calls import BEARER_REFUSED, CALLS_VERSION, Greeted, Greeting
from agents.protocol.link import Service
from apps.serving import probing
from apps.serving.selectors import Door

BEARER = "b" * 64


class Certificate:
    """Self-signed, as a replica makes one for each of its lives."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "datahall replica")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        self.pem = made.public_bytes(serialization.Encoding.PEM).decode()
        self.file = folder / "replica.pem"
        self.file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + self.pem.encode()
        )


@pytest.fixture
def certificate(tmp_path) -> Certificate:
    return Certificate(tmp_path)


def greets(connection: ServerConnection) -> None:
    """What a replica does with a new connection."""
    greeting = msgspec.msgpack.decode(connection.recv(), type=Greeting)
    if greeting.bearer != BEARER:
        connection.close(BEARER_REFUSED)
        return
    greeted = Greeted(version=CALLS_VERSION, max_batch=64, max_queue=1024)
    connection.send(msgspec.msgpack.encode(greeted))


@contextmanager
def replica(certificate: Certificate, behave=greets) -> Iterator[Service]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file)
    with serve(behave, "127.0.0.1", 0, ssl=context) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        yield Service(host="127.0.0.1", port=port, certificate=certificate.pem)
        server.shutdown()
        thread.join()


class TestProbe:
    def test_is_well_when_it_is_greeted_back(self, certificate):
        with replica(certificate) as service:
            assert probing.probe(service, BEARER) is None

    def test_says_that_the_bearer_is_refused(self, certificate):
        with replica(certificate) as service:
            reason = probing.probe(service, "another")

        assert reason.code == "replica_unreachable"
        assert reason.params == {
            "host": "127.0.0.1",
            "port": service.port,
            "why": "it refuses our bearer",
        }

    def test_trusts_no_other_certificate(self, certificate, tmp_path):
        (tmp_path / "other").mkdir()
        other = Certificate(tmp_path / "other")
        with replica(certificate) as service:
            stranger = msgspec.structs.replace(service, certificate=other.pem)
            reason = probing.probe(stranger, BEARER)

        assert "certificate verify failed" in reason.params["why"]

    def test_says_that_nobody_listens(self, certificate):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
            port = taken.getsockname()[1]
            service = Service(host="127.0.0.1", port=port, certificate=certificate.pem)
            reason = probing.probe(service, BEARER)

        assert "refused" in reason.params["why"].lower()

    def test_waits_only_so_long_for_an_answer(self, certificate, monkeypatch):
        monkeypatch.setattr(probing, "TIMEOUT_SECONDS", 0.2)
        over = threading.Event()
        with replica(certificate, lambda connection: over.wait(10)) as service:
            reason = probing.probe(service, BEARER)
            over.set()

        assert reason.params["why"] == "no answer within 0.2 s"

    @pytest.mark.parametrize("answer", [b"\xc1", b"\x80", "text"])
    def test_takes_nothing_else_for_a_greeting(self, certificate, answer):
        with replica(certificate, lambda connection: connection.send(answer)) as service:
            assert probing.probe(service, BEARER).code == "replica_unreachable"

    def test_says_that_a_certificate_is_none(self):
        broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

        reason = probing.probe(Service(host="127.0.0.1", port=9, certificate=broken), BEARER)

        assert reason.params["why"]

    def test_looks_at_many_at_once(self, certificate):
        def door(service: Service, bearer: str) -> Door:
            return Door(uuid4(), uuid4(), service, bearer)

        together = threading.Barrier(2, timeout=10)

        def both(connection: ServerConnection) -> None:
            together.wait()  # neither is greeted before both have come
            greets(connection)

        with replica(certificate, both) as service:
            doors = [door(service, BEARER), door(service, "another")]
            results = probing.probe_all(doors)

        assert [(d.bearer, failure is None) for d, failure in results] == [
            (BEARER, True),
            ("another", False),
        ]
        assert probing.probe_all([]) == []
