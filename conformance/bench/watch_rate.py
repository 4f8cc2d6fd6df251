"""The rate at which a watch takes lines from a deployment's event topics."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Final

import pulsar

from conformance.bench.log_rates import Figure, Progress
from conformance.logs.fleet import AGENTS, record_in_memory
from conformance.logs.validate import Validation
from conformance.watch.streams import TopicSource
from conformance.watch.watch import Watch
from impl.broker import event_topics, topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.cli.exits import Exit, Problem

LINES: Final = 200_000
TO_REACH: Final = 20_000
"""Lines per second."""


def watched(deployment: Deployment, progress: Progress, *, lines: int = LINES, agents: int = AGENTS) -> Figure:
    """The rate of a watch. The topics are filled first, one message per line; then one watch takes all lines as fast as it can."""
    with tempfile.TemporaryDirectory() as name:
        made = record_in_memory(Path(name), lines, agents=agents, progress=progress)
        topics.prepare(deployment)
        event_topics.prepare(deployment)
        try:
            for number, path in enumerate(made.files):
                progress(number, f"of {len(made.files)} topics filled")
                _fill(deployment, path)
            seconds, most = _taken(deployment, made.lines, progress)
        finally:
            event_topics.remove(deployment)
    return Figure(
        "watch",
        f"watch a deployment of {agents:,} agents, one core: {made.lines:,} lines from its event topics on the broker, of which "
        f"at most {most:,} waited for others",
        f"{made.lines / seconds:,.0f} lines/s",
        f"{TO_REACH:,} lines/s",
        {"agents": agents, "lines": made.lines, "seconds": round(seconds, 3), "waited_most": most},
    )


def _fill(deployment: Deployment, path: Path) -> None:
    """Writes a log to its process's topic, with the administrator's token, which may write to every topic."""
    logs = event_topics.namespace(deployment)
    with Admin(logs) as admin:
        admin.create_topic(event_topics.topic(path.stem))
    client = pulsar.Client(
        deployment.service_url,
        authentication=pulsar.AuthenticationToken(deployment.admin_token),
        logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error),
    )
    try:
        producer = client.create_producer(
            logs.topic(event_topics.topic(path.stem)), batching_enabled=True, block_if_queue_full=True
        )
        for line in path.read_bytes().splitlines():
            producer.send_async(line, None)
        producer.flush()
    finally:
        client.close()


def _taken(deployment: Deployment, lines: int, progress: Progress) -> tuple[float, int]:
    source = TopicSource(deployment)
    watch = Watch(source, Validation())
    source.look()  # opens the readers before the clock starts
    most = 0

    def keep_going() -> bool:
        nonlocal most
        order = watch.validation.causal_order
        most = max(most, order.waiting)
        progress(order.lines, f"of {lines:,} lines taken")
        return order.lines + order.waiting < lines

    began = time.perf_counter()
    stopped = watch.run(keep_going)
    seconds = time.perf_counter() - began
    source.close()
    if stopped is not None:
        raise Problem(f"expected a conforming log to conform, found: {stopped.as_json()}", Exit.VIOLATED)
    verdict = watch.validation.finish()
    if verdict.verdict != "conforms" or verdict.events != lines:
        raise Problem(f"the watch did not take the whole log: {verdict.as_json()}", Exit.VIOLATED)
    return seconds, most
