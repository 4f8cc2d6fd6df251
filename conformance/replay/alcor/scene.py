"""The names of one trace on Alcor's wire: each VPC a network of its own, each pod an address in it, each host an address of ours.

A running NCM remembers what it heard, so no two traces share a network: VNIs are counted up from where nobody is likely to be.
A pod that is created again after it was gone gets a port of another id, as DPM would give it; one that moves keeps its port.
"""

from __future__ import annotations

import ipaddress
import itertools
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from conformance.bindings.on_demand_names import place_of
from conformance.replay.alcor.received import Arrival, Heard
from impl.messages import Config, Pod
from impl.transport.grpc.directory import Directory
from impl.transport.grpc.dpm_gateway import goal_state
from impl.transport.grpc.resources import VNI_MAX
from impl.wire.alcor.schema import Schema
from model.reference.configuration import Configuration
from model.reference.state import Element, State


@dataclass(frozen=True)
class Manner:
    """How a trace is expressed on Alcor's wire, where there is more than one way."""

    own_subnets: bool = False
    """Each pod is in a subnet of its own; otherwise those of a VPC share one."""
    says_neighbors: bool = True
    """DPM sends the neighbor of a port with it, as Alcor's test controller does. NCM may refuse requests for others."""
    together: bool = False
    """Requests that are answered in consecutive steps are under way at once, those of one host in one call."""
    deaf: frozenset[str] = frozenset()
    """Hosts whose agent asks, and cannot be called back when it is answered."""


class Fresh:
    """Networks that nobody else uses, without a common address, so that an NCM that confuses networks is noticed."""

    def __init__(self) -> None:
        self._vni = secrets.randbelow(VNI_MAX)
        self._address: Final = itertools.count(int(ipaddress.IPv4Address("10.0.0.1")))

    def vni(self) -> int:
        """The next network."""
        self._vni = self._vni % VNI_MAX + 1
        return self._vni

    def address(self) -> str:
        """The next address."""
        return str(ipaddress.IPv4Address(next(self._address)))


class Scene:
    """Names on both sides, and what DPM says."""

    def __init__(
        self,
        schema: Schema,
        configuration: Configuration,
        fresh: Fresh,
        addresses: Mapping[str, str],
        manner: Manner,
    ) -> None:
        self.schema, self.manner, self.addresses = schema, manner, addresses
        self.hosts = configuration.sorts["Host"]
        self._host_of = {addresses[host]: host for host in self.hosts}
        self.vnis = {vpc: fresh.vni() for vpc in configuration.sorts["Vpc"]}
        vpc_of = configuration.constants["vpc_of"]
        assert isinstance(vpc_of, Mapping)
        self._vpc_of = {str(key[0]): str(vpc) for key, vpc in vpc_of.items()}
        self._ips = {pod: fresh.address() for pod in self._vpc_of}
        self._pods = {(self._network(pod), ip): pod for pod, ip in self._ips.items()}

    def _network(self, pod: str) -> str:
        return f"vpc-{self.vnis[self._vpc_of[pod]]}"

    @property
    def networks(self) -> frozenset[str]:
        """The ids of the trace's networks."""
        return frozenset(f"vpc-{vni}" for vni in self.vnis.values())

    # ------------------------------------------------------------------------------------------- names

    def vni(self, pod: Element) -> int:
        """The network of a pod."""
        return self.vnis[self._vpc_of[str(pod)]]

    def ip(self, pod: Element) -> str:
        """The address of a pod."""
        return self._ips[str(pod)]

    def pod(self, heard: Heard) -> str | None:
        """The pod that a statement is about; none if it is not a pod of the trace."""
        return self._pods.get((heard.network, heard.ip))

    def host(self, address: str | None) -> str:
        """The host at an address, or the address as it is."""
        return "gone" if address is None else self._host_of.get(address, address or "no host")

    def has(self, heard: Heard) -> bool:
        """The statement is about one of the trace's networks."""
        return heard.network in self.networks

    def port(self, pod: Element, version: Element, state: State) -> str:
        """The id of the port that has the pod's address in this version, or had it last."""
        places = [place_of(state, pod, item) for item in range(1, int(version) + 1)]
        lives = sum(1 for before, now in zip([None, *places], places, strict=False) if before is None and now)
        return f"port-{self.vni(pod)}-{self.ip(pod)}" + (f"-life-{lives}" if lives > 1 else "")

    # ------------------------------------------------------------------------------------ what is said

    def goal(self, pod: Element, version: int, state: State) -> Any:
        """DPM's goal state for a version of a pod."""
        return self._goal(pod, version, place_of(state, pod, version), self.port(pod, version, state))

    def farewells(self, state: State) -> Iterator[tuple[str, int, Any]]:
        """Each pod that NCM has to think of as being somewhere, the version by which it goes, and DPM's goal state for that."""
        for pod in self._ips:
            recorded = int(state.functions["recorded"][pod,])
            if place_of(state, pod, recorded) is not None:
                version = int(state.functions["latest"][pod,]) + 1
                yield pod, version, self._goal(pod, version, None, self.port(pod, recorded, state))

    def _goal(self, pod: Element, version: int, place: str | None, port: str) -> Any:
        host = self.addresses[place].replace(".", "-") if place is not None else None
        config = Config(Pod(str(self.vni(pod)), self.ip(pod)), version, host)
        subnet = f"subnet-{self.vni(pod)}-{self.ip(pod)}" if self.manner.own_subnets else None
        goal = goal_state(self.schema, config, Directory(), port=port, subnet=subnet)
        if not self.manner.says_neighbors:
            goal.neighbor_states.clear()
        return goal

    def question(self, identifier: str, source: Element, destination: Element) -> Any:
        """A host's request: the network is the source's, since a request names one only."""
        return self.schema.HostRequest.ResourceStateRequest(
            request_id=identifier,
            tunnel_id=self.vni(source),
            source_ip=self.ip(source),
            destination_ip=self.ip(destination),
            protocol=self.schema.Protocol.ARP,
        )

    # ------------------------------------------------------------------------------------ what is shown

    def shown(self, heard: Heard) -> str:
        """A statement of a goal state, for reports."""
        pod = self.pod(heard)
        what = f"{heard.kind} {heard.id} ({pod or 'no pod of the trace'}, {heard.ip})"
        where = "deleted" if heard.place is None else f"at {self.host(heard.place)} ({heard.place})"
        refused = f", which an agent refuses: {heard.refused}" if heard.refused else ""
        return f"{what}, revision {heard.version}, {where}{refused}"

    def expected(self, pod: Element, version: Element, state: State) -> str:
        """What a host has to be pushed of a version of a pod, for reports."""
        place = place_of(state, pod, version)
        where = "deleted" if place is None else f"at {place} ({self.addresses[place]})"
        return f"{pod} ({self.ip(pod)} of VNI {self.vni(pod)}), revision {version}, {where}"

    def received(self, arrivals: Iterable[Arrival]) -> dict[str, list[str]]:
        """What came to each host, in order; of this trace."""
        found: dict[str, list[str]] = {host: [] for host in self.hosts}
        for arrival in arrivals:
            if arrival.host in found:
                found[arrival.host] += [self.shown(message) for message in arrival.heard if self.has(message)]
        return found
