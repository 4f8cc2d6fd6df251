"""The paths of Alcor's services, the limits that both ends observe, and the opening of servers.

Messages are handled as bytes until they are parsed, so that unparsable bytes are refused with a sentence of the project, and
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
"""Metadata of a call: the epoch of the agent that sends it or receives it. Alcor's programs neither send nor read it."""

GOAL_STATE_BYTES_MAX: Final = 4 * 1024 * 1024
"""The size limit of a goal state; the default of the libraries on both sides."""
REQUEST_BYTES_MAX: Final = 64 * 1024
"""The size limit of a request, or a reply to one: a request of Alcor's agent has about 100 bytes."""
TRANSPORT_BYTES_MAX: Final = 2 * GOAL_STATE_BYTES_MAX
"""The library refuses larger messages by itself; up to this limit we refuse them, with a sentence, and count."""
CALLS_MAX: Final = 10_000
"""Calls in progress at one server; the library refuses more."""


class Malformed(Exception):
    """Bytes that are not a valid message; the text says what was expected. It quotes no payload."""


@dataclass(frozen=True)
class Deadlines:
    """The time limits of calls. All in seconds."""

    push: float = 5.0
    """One push to an agent, from dialing to the end of the stream."""
    answer: float = 10.0
    """An agent's request at NCM, including the push before the answer; after that the answer is a refusal."""
    outcome: float = 10.0
    """A goal state of DPM at NCM; changes that have not ended by then are reported as pending."""
    request: float = 4.0
    """One attempt of an agent to send a request to NCM."""
    apply: float = 4.0
    """A goal state at an agent; after that it counts as not applied."""
    subscribe: float = 5.0
    """A subscription, from dialing to the reply."""
    retry_first: float = 0.1
    """The pause before the first repetition; it doubles each time."""
    retry_max: float = 5.0
    """The limit of that pause."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address that a server listens on, or that a client dials."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def endpoint(text: str, port: int) -> Endpoint:
    """`ADDRESS` or `ADDRESS:PORT`; without a port, the default one.

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
        raise BadDeployment(f"invalid address {text!r}: write IP, or IP:PORT") from problem
    if not 0 <= found <= 65535:
        raise BadDeployment(f"{text!r}: a port is a number up to 65535")
    return Endpoint(address, found)


def parse(kind: Any, data: bytes, bytes_max: int) -> Any:
    """The message of this class in these bytes.

    Raises:
        Malformed: it is too large, or does not parse.
    """
    if len(data) > bytes_max:
        raise Malformed(f"{len(data)} bytes; a {kind.DESCRIPTOR.name} has at most {bytes_max}")
    try:
        return kind.FromString(data)
    except DecodeError as problem:
        raise Malformed(f"the bytes do not parse as a {kind.DESCRIPTOR.name}") from problem


def path(service: str, method: str) -> str:
    """The path of a method on the wire."""
    return f"/{PACKAGE}.{service}/{method}"


OPTIONS: Final = (
    ("grpc.max_receive_message_length", TRANSPORT_BYTES_MAX),
    ("grpc.max_send_message_length", TRANSPORT_BYTES_MAX),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),  # the library's own two minutes would outlast all our waits
)
"""The options of every channel and server."""


async def serve(
    services: Mapping[str, Mapping[str, Any]], where: Endpoint, credentials: Any | None
) -> tuple[Any, Endpoint]:
    """Opens a server for these methods of these services; without credentials it is plaintext. Port 0 takes any free one.

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
    """The epoch in a call's metadata; None: the caller does not use epochs.

    Raises:
        Malformed: it is not a number from 1 to 2^63-1.
    """
    said = [value for key, value in metadata or () if key == EPOCH]
    if not said:
        return None
    text = said[0] if isinstance(said[0], str) else ""
    if len(said) > 1 or not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) < 2**63:
        raise Malformed(f"{EPOCH}: expected one number from 1 to 2^63-1")
    return int(text)
