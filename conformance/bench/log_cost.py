"""The cost of event logs: latency of the first packet to an unknown pod, and processor time of a fleet, with and without logs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from conformance.bench.first_packet import FirstPackets, SinkOf, measure, no_log
from conformance.logs.fleet import AGENTS, Recorded, cost_in_memory
from conformance.logs.system import apart
from impl.broker import event_topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.broker.hosts import AgentFile
from impl.broker.topics import prepare
from impl.events.file import FileSink
from impl.events.recorder import Sink
from impl.events.topic import TopicSink

PAIRS: Final = 300
"""Interleaved first packets and raw exchanges, for each kind of log."""

STEPS: Final = 60_000
"""Steps of the fleet: some hundred thousand lines."""

NO_LOG, IN_FILES, IN_TOPICS = "no logs", "logs in files", "logs in topics of the broker"
WAYS: Final = (NO_LOG, IN_FILES, IN_TOPICS)

Progress = Callable[[int, str], None]


@dataclass(frozen=True)
class Cost:
    """The measurements."""

    first_packets: dict[str, FirstPackets]
    """By kind of log."""
    recorded: Recorded
    """The logs of a fleet in one thread; the seconds are those of the run with logs."""
    without: float
    """Seconds of the same run without logs."""

    @property
    def microseconds(self) -> float:
        """Cost of one line."""
        return (self.recorded.seconds - self.without) / self.recorded.lines * 1e6

    def rows(self) -> list[tuple[str, str]]:
        """Rows of the table: what was measured, and the result."""
        found = [
            (
                f"first packet to an unknown pod, {way}: medians of {len(packets.packets)} pairs, beside a raw request and reply",
                str(packets),
            )
            for way, packets in self.first_packets.items()
        ]
        made = self.recorded
        return [
            *found,
            (
                f"a fleet of {AGENTS} agents with DPM and NCM in one thread, without a broker, {made.lines:,} lines of "
                f"{made.bytes / made.lines:.0f} bytes, each written to its file by a separate call",
                f"{self.without:.1f} s of the processor without logs, {made.seconds:.1f} s with them: "
                f"{self.microseconds:.0f} µs a line",
            ),
        ]

    def as_json(self) -> dict[str, Any]:
        """All figures by name."""
        return {
            "first_packet": {way: packets.as_json() for way, packets in self.first_packets.items()},
            "lines": self.recorded.lines,
            "bytes": self.recorded.bytes,
            "seconds_with": round(self.recorded.seconds, 3),
            "seconds_without": round(self.without, 3),
            "microseconds_per_line": round(self.microseconds, 2),
        }


def measure_cost(deployment: Deployment, progress: Progress, pairs: int = PAIRS, steps: int = STEPS) -> Cost:
    """Measures all of it, on this broker."""
    packets = {}
    for way in WAYS:
        with _deployment(deployment) as own, ExitStack() as stack:
            packets[way] = measure(own, pairs, lambda done, _, way=way: progress(done, way), _sinks(way, own, stack))  # type: ignore[misc] # a default binds it
    with tempfile.TemporaryDirectory(prefix="ondemand-cost-") as folder:
        progress(0, "a fleet")
        recorded, without = cost_in_memory(Path(folder), steps)
    return Cost(packets, recorded, without)


@contextmanager
def _deployment(deployment: Deployment) -> Iterator[Deployment]:
    """A deployment in a fresh namespace, which is deleted afterwards."""
    with apart(deployment, "cost") as (own, _):
        prepare(own)
        event_topics.prepare(own)
        try:
            yield own
        finally:
            event_topics.remove(own)
            with Admin(own) as admin:
                admin.delete_namespace()


def _sinks(way: str, deployment: Deployment, stack: ExitStack) -> SinkOf:
    """The sinks for this kind of log; `stack` closes them."""
    if way == NO_LOG:
        return no_log
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ondemand-cost-")))

    def opened(process: str, file: AgentFile | None) -> Sink:
        sink: Sink
        if way == IN_FILES:
            sink = FileSink(folder / f"{process}.ndjson")
        elif file is None:
            sink = TopicSink(deployment, deployment.token(process), process)
        else:
            sink = TopicSink(file.deployment(), file.token, process)
        stack.callback(sink.close)
        return sink

    return opened
