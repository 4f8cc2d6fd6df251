"""Latency of the first packet to an unknown pod, compared with a raw request and reply over the same broker.

Pairs are interleaved: a first packet, a raw exchange, and so on. Both run in the same processes, with authentication, over
persistent topics, with the same bytes on the wire. The first packet additionally pays for the protocol: two cores, the record in
NCM's store that is flushed to disk before the answer is sent, and the agents' bookkeeping.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from conformance.bench.demonstration import Watched
from conformance.logs.system import WAIT_SECONDS_MAX, System, running, wait_until
from impl.broker import topics
from impl.broker.deployment import Deployment
from impl.broker.hosts import AgentFile, add_host
from impl.core import Effects
from impl.errors import EnvironmentProblem
from impl.events.recorder import Sink
from impl.messages import Granted, Pod, Request
from impl.service.dpm import DpmService
from impl.service.ncm import NcmService
from impl.transport.interface import Letter, Session
from impl.transport.pulsar import PulsarConnection
from impl.wire.codec import encode

RAW = "raw"
"""A host outside the protocol, whose topics carry the raw exchanges."""


@dataclass(frozen=True)
class FirstPackets:
    """Times in milliseconds, pair by pair."""

    packets: list[float]
    raw: list[float]

    @property
    def median(self) -> float:
        """Median of the first packets, in ms."""
        return statistics.median(self.packets)

    @property
    def raw_median(self) -> float:
        """Median of the raw exchanges, in ms."""
        return statistics.median(self.raw)

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return statistics.median(packet / raw for packet, raw in zip(self.packets, self.raw, strict=True))

    def __str__(self) -> str:
        return f"{self.median:.2f} ms beside {self.raw_median:.2f} ms: {self.median / self.raw_median:.2f} times"

    def as_json(self) -> dict[str, Any]:
        """The form that the benchmark writes."""
        return {
            "pairs": len(self.packets),
            "first_packet_ms": round(self.median, 3),
            "raw_ms": round(self.raw_median, 3),
            "ratio": round(self.median / self.raw_median, 3),
            "ratio_of_pairs": round(self.ratio, 3),
        }


SinkOf = Callable[[str, AgentFile | None], Sink | None]
"""Returns the event sink of a process: of a role, or of a host with its agent's file; None for no log."""


def no_log(process: str, file: AgentFile | None) -> Sink | None:
    """The sink of a process that keeps no log: None."""
    return None


def measure(
    deployment: Deployment,
    pairs: int,
    progress: Callable[[int, str], None] | None = None,
    sink_of: SinkOf = no_log,
) -> FirstPackets:
    """Measures `pairs` pairs, after a tenth as many (at least 10) for warming up."""
    warm = max(pairs // 10, 10)
    with running(deployment) as system:
        dpm, agent = _system(system, sink_of)
        source, remote = Pod("red", "source"), [Pod("red", f"pod-{number}") for number in range(pairs + warm)]
        decisions = [dpm.place(source, "h1"), *(dpm.place(pod, "h2") for pod in remote)]
        for decision in decisions:
            decision.result(WAIT_SECONDS_MAX)
        wait_until(lambda: not dpm.dpm.pending(), "all changes to be confirmed", system.problems)
        found = FirstPackets([], [])
        with _raw(deployment) as exchange:
            for number, pod in enumerate(remote):
                packet = agent.send(source, pod) * 1000
                # The agent sends its confirmation first, so that it does not disturb the raw exchange.
                agent.submit(Effects).result(WAIT_SECONDS_MAX)
                raw = exchange(pod) * 1000
                if agent.ended_with != "release":
                    raise EnvironmentProblem(
                        f"The packet to {pod} was not released ({agent.ended_with}); the figures would be invalid"
                    )
                if number >= warm:
                    found.packets.append(packet)
                    found.raw.append(raw)
                if progress is not None:
                    progress(number + 1, "")
    return found


def _system(system: System, sink_of: SinkOf) -> tuple[DpmService, Watched]:
    ncm = NcmService(system.store("ncm"), system.role("ncm"), events=sink_of("ncm", None))
    dpm = DpmService(system.store("dpm"), system.role("dpm"), events=sink_of("dpm", None))
    system.start(ncm)
    system.start(dpm)
    agents = {}
    for host in ("h1", "h2"):
        file = add_host(system.deployment, host)
        agents[host] = Watched(host, system.store(host), system.agent(file), events=sink_of(host, file))
        system.start(agents[host])
    return dpm, agents["h1"]


@contextmanager
def _raw(deployment: Deployment) -> Iterator[Callable[[Pod], float]]:
    """A function that exchanges one request and one reply of the protocol's size over the broker, and returns the seconds."""
    credentials = topics.provision_host(deployment, RAW)
    file = AgentFile(RAW, deployment.service_url, deployment.namespace, credentials.token)
    asker = PulsarConnection(file.deployment(), file.token)
    answerer = PulsarConnection(deployment, deployment.token("ncm"))
    questions = answerer.open_session("ncm", [topics.requests(RAW)])
    answers = asker.open_session("aca", [topics.inbox(RAW)])
    stopping = threading.Event()
    echo = threading.Thread(target=_echo, args=(answerer, questions, stopping), name="raw")
    echo.start()

    def exchange(pod: Pod) -> float:
        request = encode(Request(RAW, 1, 1, Pod("red", "source"), pod))
        started = time.perf_counter()
        asker.publish([Letter(topics.requests(RAW), request, RAW)])
        answer = answers.receive(WAIT_SECONDS_MAX)
        seconds = time.perf_counter() - started
        if answer is None:
            raise EnvironmentProblem(f"Waited {WAIT_SECONDS_MAX:g} s for a raw reply; check that the broker runs")
        answers.acknowledge([answer])
        return seconds

    try:
        yield exchange
    finally:
        stopping.set()
        questions.wake()
        echo.join(WAIT_SECONDS_MAX)
        for session in (questions, answers):
            session.close()
        asker.close()
        answerer.close()
        topics.withdraw_host(deployment, RAW)


def _echo(answerer: PulsarConnection, questions: Session, stopping: threading.Event) -> None:
    reply = encode(Granted(RAW, 1, 1, Pod("red", "pod-1"), 1, "h2"))
    while not stopping.is_set():
        question = questions.receive(1.0)
        if question is not None:
            answerer.publish([Letter(topics.inbox(RAW), reply, RAW)])
            questions.acknowledge([question])
