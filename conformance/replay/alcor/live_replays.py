"""Replays against an NCM of Alcor that runs, as the command line asks for them."""

from __future__ import annotations

import ipaddress
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from conformance.replay.alcor.judging import FROM_DPM, Diverges
from conformance.replay.alcor.peers import Peers, Waits, Where
from conformance.replay.alcor.probes import PROBES, Probe, contact, executed
from conformance.replay.alcor.received import Heard
from conformance.replay.alcor.run import Run
from conformance.replay.alcor.scene import Fresh, Manner, Scene
from conformance.replay.lockstep import Divergence, Replay
from conformance.replay.replays import Replays, Vector
from impl.errors import BadDeployment, EnvironmentProblem
from impl.transport.grpc.endpoints import NCM_PORT, endpoint
from impl.transport.grpc.event_loop import Loop
from impl.wire.alcor.schema import Schema
from model.language import Protocol

SCHEME: Final = "alcor://"


@dataclass
class LiveReplays(Replays):
    """The results of all traces. Some cannot be driven through this interface at all: these are counted and named."""

    divergences: list[Divergence] = field(default_factory=list)
    """All of them, not only the first of each trace."""
    kinds: Mapping[str, Sequence[Divergence]] = field(default_factory=dict)
    """The same, by what is wrong, in the order in which each was seen first."""

    @property
    def verdict(self) -> Literal["conforms", "diverges", "undecided"]:
        """Conforms if every trace that can be driven does; that at least one was driven to its end is part of it."""
        if self.divergence is not None:
            return "diverges"
        return "conforms" if self.driven else "undecided"

    @property
    def driven(self) -> int:
        """Traces that were driven to their end, or to a divergence."""
        return sum(result.verdict != "not driven" for _, result in self.results)

    @property
    def unsettled(self) -> list[tuple[str, str]]:
        """None that was driven as far as this interface goes, as long as something was driven to its end."""
        return [] if self.driven else self.not_driven

    def mark(self, result: Replay) -> Literal["holds", "violated", "undecided"]:
        """A trace that was driven in part holds as far as it was; of one that was not driven at all nothing is known."""
        if result.verdict == "not driven" and result.steps and self.driven:
            return "holds"
        return super().mark(result)

    def as_json(self) -> dict[str, Any]:
        """The form of every target, with all divergences, and how many traces were driven to their end."""
        return {
            **super().as_json(),
            "driven": self.driven,
            "divergences": [
                {"kind": kind, **divergence.as_json()}
                for kind, divergences in self.kinds.items()
                for divergence in divergences
            ],
        }


def parse_where(text: str, controller: str, first_host: str, agent_port: int) -> Where:
    """What `alcor://HOST[:PORT]` and the options say.

    Raises:
        BadDeployment: one of the addresses is none.
    """
    for option, address in (("--controller", controller), ("--first-host", first_host)):
        try:
            ipaddress.IPv4Address(address)
        except ValueError as problem:
            raise BadDeployment(f"{option} {address!r} is no IPv4 address; write one of this machine") from problem
    try:
        ncm = endpoint(text.removeprefix(SCHEME), NCM_PORT)
    except BadDeployment as problem:
        raise BadDeployment(f"--target {text}: {problem}, after {SCHEME}") from problem
    return Where(ncm, controller, first_host, agent_port)


def addresses_of(hosts: Sequence[str], where: Where) -> dict[str, str]:
    """An address for each host: the first one's, and those that follow it.

    Raises:
        BadDeployment: there are not enough, or one of them is somebody else's.
    """
    first = ipaddress.IPv4Address(where.first_host)
    try:
        found = {host: str(first + number) for number, host in enumerate(hosts)}
    except ipaddress.AddressValueError as problem:
        raise BadDeployment(
            f"--first-host {first}: no {len(hosts)} addresses follow it; name an earlier one"
        ) from problem
    if where.controller in found.values():
        raise BadDeployment(f"--controller {where.controller} is the address of a host too; name another one")
    return found


def replay_live(
    vectors: Sequence[Vector],
    protocol: Protocol,
    where: Where,
    schema: Schema,
    *,
    probes: Sequence[Probe] = PROBES,
    waits: Waits | None = None,
    loop: Loop | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> LiveReplays:
    """Holds an NCM that runs against vectors and probes, all of `protocol`, one after the other.

    Raises:
        EnvironmentProblem: NCM cannot be reached, or does not call back; or an address cannot be listened at.
        BadDeployment: the addresses do not do.
    """
    if loop is None:
        with Loop() as made:
            return replay_live(
                vectors, protocol, where, schema, probes=probes, waits=waits, loop=made, progress=progress
            )
    hosts = _hosts(vectors, probes)
    peers = Peers(loop, schema, where, addresses_of(hosts, where), waits or Waits())
    contacts = [(executed(contact(host, hosts), protocol), Manner()) for host in hosts]
    told = [(executed(probe, protocol), probe.manner) for probe in probes]
    jobs = [*contacts, *((vector, Manner()) for vector in vectors), *told]
    try:
        peers.open()
        return _Session(peers, schema).all(jobs, progress)
    finally:
        peers.close()


def _hosts(vectors: Sequence[Vector], probes: Sequence[Probe]) -> tuple[str, ...]:
    found = {host for vector in vectors for host in vector.trace.configuration.sorts["Host"]}
    return tuple(sorted(found | {host for probe in probes for host in probe.hosts}, key=lambda host: (len(host), host)))


class _Session:
    """All runs of a replay: what comes is judged by the run whose network it is of."""

    def __init__(self, peers: Peers, schema: Schema) -> None:
        self._peers, self._schema = peers, schema
        self._fresh = Fresh()
        self._runs: dict[str, Run] = {}
        self._seen = 0
        self._waiting: deque[tuple[str, Heard]] = deque()

    def all(self, jobs: Sequence[tuple[Vector, Manner]], progress: Callable[[int, str], None] | None) -> LiveReplays:
        found, runs = LiveReplays(self._peers.where.name), list[Run]()
        started = time.perf_counter()
        for number, (vector, manner) in enumerate(jobs):
            if progress is not None:
                progress(number, vector.name)
            scene = Scene(self._schema, vector.trace.configuration, self._fresh, self._peers.hosts, manner)
            run = Run(vector, scene, self._peers, self)
            self._runs |= dict.fromkeys(scene.networks, run)
            runs.append(run)
            result = run.run()
            if number < len(self._peers.hosts):
                self._check_contact(vector.trace.configuration.sorts["Host"][0], result)
            found.results.append((vector, result))
        self._peers.wait(lambda: False, self._peers.waits.settle)
        for wrong in self.judge(runs[-1]):
            runs[-1].note(wrong, late=True)
        results = [(run.vector, run.with_late(result)) for run, (_, result) in zip(runs, found.results, strict=True)]
        contacts, others = results[: len(self._peers.hosts)], results[len(self._peers.hosts) :]
        # That NCM calls back decides nothing, so contacts count only if something is wrong with them.
        found.results = [each_contact for each_contact in contacts if each_contact[1].divergence is not None] + others
        found.divergences = [divergence for run in runs for divergence in run.divergences]
        kinds: dict[str, list[Divergence]] = {}
        for run in runs:
            for kind, divergence in zip(run.kinds, run.divergences, strict=True):
                kinds.setdefault(kind, []).append(divergence)
        found.kinds = kinds
        found.seconds = time.perf_counter() - started
        return found

    def judge(self, run: Run) -> list[Diverges]:
        """See `ComeIn`."""
        mine: list[Diverges] = []
        while (came := self._next()) is not None:
            host, heard = came
            judging = self._runs.get(heard.network, run)
            wrong = judging.judge.unexpected(host, heard)
            if wrong is not None and judging is run:
                mine.append(wrong)
            elif wrong is not None:
                judging.note(wrong, late=True)
        return mine

    def _next(self) -> tuple[str, Heard] | None:
        """What came and was not looked at yet, one by one; none: that is all."""
        while not self._waiting and self._seen < self._peers.mark:
            (arrival,) = self._peers.since(self._seen, self._seen + 1)
            self._seen += 1
            self._waiting.extend((arrival.host, heard) for heard in arrival.heard)
        return self._waiting.popleft() if self._waiting else None

    def _check_contact(self, host: str, result: Replay) -> None:
        """That NCM takes what DPM says, and that something comes to the host, be it a warm-up: else nothing can be said about NCM.

        Raises:
            EnvironmentProblem: it does not, or nothing comes.
        """
        peers, divergence = self._peers, result.divergence
        if divergence is None:
            return
        if divergence.field.startswith(FROM_DPM):
            raise EnvironmentProblem(
                f"{peers.where.name}: takes no goal state from {peers.where.controller} ({divergence.observed}); name the address "
                "that its DPM may call from with --controller, and its numbering of messages with --numbering"
            )
        if not peers.wait(lambda: any(item.host == host for item in peers.since(0)), peers.waits.contact):
            raise EnvironmentProblem(
                f"{peers.where.name}: has taken a goal state for {host}, and nothing called back to "
                f"{peers.hosts[host]}:{peers.where.agent_port}; run NCM where it reaches that address, or name addresses of this "
                "machine that it reaches with --first-host"
            )
