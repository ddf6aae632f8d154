"""Workloads that serve: where they are reached, as they say themselves, and the host they say."""

import asyncio
import logging
import socket
from urllib.parse import urlsplit

import msgspec
from cryptography import x509

from agents.node.workspace import Workspace
from agents.protocol.link import Service

log = logging.getLogger(__name__)

MAX_SERVICE_BYTES = 64 * 1024
MAX_HOST = 255
LOOK_AGAIN_SECONDS = 0.2


async def announced(workspace: Workspace) -> Service:
    """What a payload says in ``service.json``, once it says something that can be used.

    A payload can write there what it likes, so what is unusable is told in our log, once, and
    waited past.
    """
    refused: bytes | None = None
    while True:
        body = await asyncio.to_thread(workspace.service, MAX_SERVICE_BYTES)
        if body is not None and body != refused:
            try:
                return read(body)
            except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
                log.warning("%s: service.json is not used: %s", workspace.folder.name, error)
                refused = body
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


def read(body: bytes) -> Service:
    """A service with a host, a port and one certificate; raises ``ValueError``."""
    if len(body) >= MAX_SERVICE_BYTES:
        raise ValueError(f"longer than {MAX_SERVICE_BYTES} bytes")
    service = msgspec.json.decode(body, type=Service)
    if not 0 < len(service.host) <= MAX_HOST or not service.host.isprintable():
        raise ValueError("no usable host")
    if not 0 < service.port < 65536:
        raise ValueError("no usable port")
    if len(x509.load_pem_x509_certificates(service.certificate.encode())) != 1:
        raise ValueError("more than one certificate")
    return service


def advertised_host(url: str) -> str:
    """The address of this node that lies towards the control plane; nothing is sent for it."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        log.warning("%s has no address (%s): services are told to be on this host", url, error)
        return "127.0.0.1"
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as towards:
            try:
                towards.connect(address)
            except OSError:
                continue  # no road by this family of addresses
            return str(towards.getsockname()[0])
    return "127.0.0.1"
