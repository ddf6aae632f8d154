"""Whether a replica can be reached: its door opened as a gateway opens it."""

import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

from agents.protocol.base import Reason
from agents.protocol.calls import BEARER_REFUSED, MAX_MESSAGE_BYTES, Greeted, Greeting
from agents.protocol.link import Service
from apps.serving.selectors import Door

TIMEOUT_SECONDS = 3.0
AT_ONCE = 32  # replicas
LONGEST_WHY = 200  # characters


def probe_all(doors: Sequence[Door]) -> list[tuple[Door, Reason | None]]:
    """Look at many replicas at once; None for each that takes calls, else why it cannot be."""
    if not doors:
        return []
    with ThreadPoolExecutor(min(AT_ONCE, len(doors)), thread_name_prefix="probe") as pool:
        failures = list(pool.map(lambda door: probe(door.service, door.bearer), doors))
    return list(zip(doors, failures, strict=True))


def probe(service: Service, bearer: str) -> Reason | None:
    """Greet a replica; None if it greets back, else why calls would not reach it."""
    try:
        _greet(service, bearer)
    except TimeoutError:
        why = f"no answer within {TIMEOUT_SECONDS:g} s"
    except ConnectionClosed as error:
        refused = error.rcvd is not None and error.rcvd.code == BEARER_REFUSED
        why = "it refuses our bearer" if refused else str(error)
    except (OSError, ssl.SSLError, WebSocketException, msgspec.DecodeError, ValueError) as error:
        why = str(error) or type(error).__name__
    else:
        return None
    params = {"host": service.host, "port": service.port, "why": why[:LONGEST_WHY]}
    return Reason(code="replica_unreachable", params=params)


def pinned(certificate: str) -> ssl.SSLContext:
    """TLS that trusts this certificate and no other, whatever name it was made for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=certificate)
    return context


def address_of(service: Service) -> str:
    """The URL of a replica's websocket."""
    host = f"[{service.host}]" if ":" in service.host else service.host
    return f"wss://{host}:{service.port}/"


def _greet(service: Service, bearer: str) -> None:
    with connect(
        address_of(service),
        ssl=pinned(service.certificate),
        open_timeout=TIMEOUT_SECONDS,
        close_timeout=TIMEOUT_SECONDS,
        compression=None,
        proxy=None,
        max_size=MAX_MESSAGE_BYTES,
    ) as socket:
        socket.send(msgspec.msgpack.encode(Greeting(bearer=bearer)))
        answer = socket.recv(timeout=TIMEOUT_SECONDS, decode=False)
        msgspec.msgpack.decode(answer, type=Greeted)
