"""The paths of Alcor's services, the limits that both ends keep, and how a server is opened.

Messages are handled as bytes up to where they are parsed, so that what does not parse is refused with a sentence of ours, and
counted.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from impl.errors import BadDeployment, EnvironmentProblem
from impl.wire.alcor.schema import PACKAGE

GOAL_STATES: Final = "GoalStateProvisioner"
SUBSCRIPTIONS: Final = "SubscribeInfoProvisioner"
PUSH_STREAM: Final = "PushGoalStatesStream"
REQUEST: Final = "RequestGoalStates"
PUSH_OLD: Final = "PushNetworkResourceStates"
SUBSCRIBE: Final = "PushNodeSubscribeInfo"

NCM_PORT: Final = 9016
AGENT_PORT: Final = 50001
SUBSCRIPTION_PORT: Final = 50002

EPOCH: Final = "ondemand-epoch"
"""Metadata of a call: the epoch of the agent that speaks or is spoken to. Alcor's programs neither send nor read it."""

GOAL_STATE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of a goal state; what the libraries of both sides take unless told otherwise."""
REQUEST_BYTES_MAX: Final = 64 * 1024
"""Of a request, or a reply to one: a request of Alcor's agent has about 100 bytes."""
TRANSPORT_BYTES_MAX: Final = 2 * GOAL_STATE_BYTES_MAX
"""Beyond this the library refuses by itself; up to it we do, with a sentence, and count."""
CALLS_MAX: Final = 10_000
"""Under way at one server; more are refused by the library."""


class Malformed(Exception):
    """Bytes that are no message; the text says what was expected. It quotes no payload."""


@dataclass(frozen=True)
class Deadlines:
    """How long calls may take. All in seconds."""

    push: float = 5.0
    """One push to an agent, from dialling to the end of the stream."""
    answer: float = 10.0
    """An agent's request at NCM, the push before the answer included; then the answer is no."""
    outcome: float = 10.0
    """A goal state of DPM at NCM; what has not ended by then is reported as pending."""
    request: float = 4.0
    """One attempt of an agent to ask NCM."""
    apply: float = 4.0
    """A goal state at an agent; then it was not applied."""
    subscribe: float = 5.0
    """A subscription, from dialling to the reply."""
    retry_first: float = 0.1
    """Before the first repetition; it doubles each time."""
    retry_max: float = 5.0
    """Before any repetition."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens, or is dialled."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def endpoint(text: str, port: int) -> Endpoint:
    """`ADDRESS` or `ADDRESS:PORT`; the port is the default one.

    Raises:
        BadDeployment: it is neither.
    """
    address, colon, number = text.rpartition(":")
    if not colon or (":" in address and not text.startswith("[")):
        address, number = text, str(port)
    address = address.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(address)
        found = int(number)
    except ValueError as problem:
        raise BadDeployment(f"{text!r} is no address; write IP, or IP:PORT") from problem
    if not 0 <= found <= 65535:
        raise BadDeployment(f"{text!r}: a port is a number up to 65535")
    return Endpoint(address, found)


def parse(kind: Any, data: bytes, bytes_max: int) -> Any:
    """The message of this class in these bytes.

    Raises:
        Malformed: it is too large, or does not parse.
    """
    if len(data) > bytes_max:
        raise Malformed(f"{len(data)} bytes, and a {kind.DESCRIPTOR.name} has {bytes_max} at most")
    try:
        return kind.FromString(data)
    except DecodeError as problem:
        raise Malformed(f"the bytes are no {kind.DESCRIPTOR.name}") from problem


def path(service: str, method: str) -> str:
    """The path of a method on the wire."""
    return f"/{PACKAGE}.{service}/{method}"


OPTIONS: Final = (
    ("grpc.max_receive_message_length", TRANSPORT_BYTES_MAX),
    ("grpc.max_send_message_length", TRANSPORT_BYTES_MAX),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),  # the library's own two minutes would outlast every wait of ours
)
"""Of every channel and server."""


async def serve(
    services: Mapping[str, Mapping[str, Any]], where: Endpoint, credentials: Any | None
) -> tuple[Any, Endpoint]:
    """Opens a server for these methods of these services; without credentials it is plaintext. Port 0 takes any that is free.

    Raises:
        EnvironmentProblem: it cannot listen there.
    """
    # Two servers on one port would share its calls at random.
    options = (*OPTIONS, ("grpc.so_reuseport", 0))
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=CALLS_MAX)
    for service, methods in services.items():
        handler = grpc.method_handlers_generic_handler(f"{PACKAGE}.{service}", methods)
        server.add_generic_rpc_handlers((handler,))
    try:
        secure = () if credentials is None else (credentials,)
        port = (server.add_secure_port if secure else server.add_insecure_port)(str(where), *secure)
    except RuntimeError as problem:
        raise EnvironmentProblem(f"{where}: cannot listen there; is the port in use? Name another") from problem
    await server.start()
    return server, Endpoint(where.address, port)


def channel(target: str, credentials: Any | None, name: str) -> Any:
    """A channel to a server; with credentials, only to one whose certificate has this name."""
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=OPTIONS)
    return grpc.aio.secure_channel(target, credentials, options=(*OPTIONS, ("grpc.ssl_target_name_override", name)))


def epoch_of(metadata: Sequence[tuple[str, str | bytes]] | None) -> int | None:
    """The epoch that a call names; none: the caller knows nothing of epochs.

    Raises:
        Malformed: it is no number from 1 to 2^63-1.
    """
    said = [value for key, value in metadata or () if key == EPOCH]
    if not said:
        return None
    text = said[0] if isinstance(said[0], str) else ""
    if len(said) > 1 or not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) < 2**63:
        raise Malformed(f"{EPOCH}: expected one number from 1 to 2^63-1")
    return int(text)
