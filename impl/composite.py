"""DPM and an agent as wholes: one process, one durable record for an input, both parts of the protocol in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from impl.core import Effects, Plain, joined
from impl.message_queue.aca import MessageQueueAca
from impl.message_queue.dpm import MessageQueueDpm
from impl.messages import HOST_NAME, VPC_NAME, Pod
from impl.on_demand.aca import Aca
from impl.on_demand.dpm import Dpm


class CompositeDpm:
    """Pods are versions for NCM, and ports that count for their VPC's channel. What one input changes is one record."""

    def __init__(self, dpm: Dpm, channel: MessageQueueDpm) -> None:
        self.dpm = dpm
        self.channel = channel

    def place(self, pod: Pod, host: str) -> Effects:
        """The pod is created at the host, or moves there."""
        before = self.dpm.place_of(pod)
        return self._counted(self.dpm.place(pod, host), pod, before, host)

    def remove(self, pod: Pod) -> Effects:
        """The pod is gone."""
        before = self.dpm.place_of(pod)
        return self._counted(self.dpm.remove(pod), pod, before, None)

    def _counted(self, issued: Effects, pod: Pod, before: str | None, after: str | None) -> Effects:
        ports = of_channel(self._ports(pod, before, after))
        record = {**(issued.record or {}), **(ports.record or {})}
        return Effects(record, issued.sends + ports.sends, issued.events + ports.events)

    def _ports(self, pod: Pod, before: str | None, after: str | None) -> Effects:
        """The port comes before it goes, so that a pod that moves ends no channel between."""
        effects = Effects()
        if after is not None and self._counts(pod, after):
            effects = self.channel.add_port(after, pod.vpc)
        if before is not None and self._counts(pod, before):
            effects = joined(effects, self.channel.remove_port(before, pod.vpc))
        return effects

    def _counts(self, pod: Pod, host: str) -> bool:
        """A VPC whose name cannot be a topic's has no channel, and its pods are placed all the same."""
        return bool(VPC_NAME.fullmatch(pod.vpc) and HOST_NAME.fullmatch(host))

    def apply(self, record: Mapping[str, Any]) -> None:
        """Repeats a change from its durable record."""
        if "issue" in record and "channel" not in record:  # written before there were channels
            pod = Pod(*record["issue"])
            self._ports(pod, self.dpm.place_of(pod), record["place"])
        if "channel" in record:
            self.channel.apply(record["channel"])
        if "issue" in record or "outcome" in record:
            self.dpm.apply(record)

    def snapshot(self) -> dict[str, Plain]:
        """The whole durable state."""
        return {**self.dpm.snapshot(), "channel": self.channel.snapshot()}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Takes over a snapshot."""
        self.dpm.restore(snapshot)
        self.channel.restore(snapshot.get("channel", {"nodes": {}, "vpcs": {}}))
        if "channel" not in snapshot:  # written before there were channels
            for pod, place in self.dpm.places().items():
                self._ports(pod, None, place)

    def observe(self) -> dict[str, Any]:
        """The state of both parts, for comparison."""
        return {"pods": self.dpm.observe(), "channel": self.channel.observe()}


class CompositeAca:
    """Both parts begin their epochs together, and the epoch is all that is kept."""

    def __init__(self, aca: Aca, channel: MessageQueueAca) -> None:
        self.aca = aca
        self.channel = channel

    def start(self) -> Effects:
        """A new epoch begins, in which nothing is known yet; NCM and DPM are told."""
        begun = self.aca.start()
        told = self.channel.begin(self.aca.epoch)
        return Effects(begun.record, begun.sends + told.sends, begun.events + told.events)

    def apply(self, record: Mapping[str, Any]) -> None:
        """Repeats a change from its durable record."""
        self.aca.apply(record)
        self.channel.apply(record)

    def snapshot(self) -> dict[str, Plain]:
        """The whole durable state."""
        return self.aca.snapshot()

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Takes over a snapshot."""
        self.aca.restore(snapshot)
        self.channel.restore(snapshot)


def of_channel(effects: Effects) -> Effects:
    """The effects of the channel part, with their record as the whole keeps it."""
    return replace(effects, record={"channel": dict(effects.record)}) if effects.record is not None else effects
