"""Logs as evidence: a small deployment of real cores is recorded, and its logs are checked against the specification."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from conformance.logs.deployed import record_on_broker
from conformance.logs.fleet import record_in_memory
from conformance.logs.names import FACTS, LOGGED
from conformance.logs.one_pass import validate
from conformance.logs.reading import LogFile
from conformance.logs.verdict import Verdict
from impl.broker.deployment import Deployment
from impl.cli.exits import Exit, Problem
from model.language import Protocol
from model.matching.order import readings

AGENTS: Final = 10
EVENTS: Final = 6_000
"""In memory: hundreds of late and repeated messages, restarts, moves and refusals."""

AGENTS_ON_BROKER: Final = 4
EVENTS_ON_BROKER: Final = 600
"""On the broker, where agents are slower: some seconds."""


def is_logged(protocol: Protocol) -> bool:
    """Whether deployments keep logs of this protocol as stated."""
    return any(item.name == protocol.name for item in LOGGED)


def logged(protocol: Protocol, deployment: Deployment | None) -> Verdict:
    """The verdict on the logs of a deployment, on this broker or in memory.

    Raises:
        EnvironmentProblem: the broker does not answer.
        Problem: a step reads state that another process changes. Logs do not tell the order of the two, so no verdict is possible.
    """
    of = [item for item in LOGGED if item.name == protocol.name]
    for reading in (found for item in of for found in readings(item, FACTS)):
        raise Problem(
            f"Logs of {protocol.name} cannot be matched: {reading.action} reads {reading.symbol}, which "
            f"{', '.join(reading.changed_by)} of another process changes, and logs do not tell in what order",
            Exit.UNDECIDED,
        )
    with tempfile.TemporaryDirectory() as name:
        if deployment is None:
            recorded = record_in_memory(Path(name), EVENTS, agents=AGENTS)
        else:
            recorded = record_on_broker(deployment, Path(name), EVENTS_ON_BROKER, agents=AGENTS_ON_BROKER)
        return validate([LogFile(path) for path in recorded.files], protocols=of)
