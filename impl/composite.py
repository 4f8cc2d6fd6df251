"""DPM and an agent as composites: one process that runs both protocols and writes one durable record for each input."""

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
    """A pod is a versioned entry for NCM and a port that counts in its VPC's message queue. One input produces one record."""

    def __init__(self, dpm: Dpm, message_queue: MessageQueueDpm) -> None:
        self.dpm = dpm
        self.message_queue = message_queue

    def place(self, pod: Pod, host: str) -> Effects:
        """Creates the pod at the host, or moves it there."""
        before = self.dpm.place_of(pod)
        return self._counted(self.dpm.place(pod, host), pod, before, host)

    def remove(self, pod: Pod) -> Effects:
        """Removes the pod."""
        before = self.dpm.place_of(pod)
        return self._counted(self.dpm.remove(pod), pod, before, None)

    def _counted(self, issued: Effects, pod: Pod, before: str | None, after: str | None) -> Effects:
        ports = of_message_queue(self._ports(pod, before, after))
        record = {**(issued.record or {}), **(ports.record or {})}
        return Effects(record, issued.sends + ports.sends, issued.events + ports.events)

    def _ports(self, pod: Pod, before: str | None, after: str | None) -> Effects:
        """Adds the new port before it removes the old one, so that moving a pod does not end a subscription in between."""
        effects = Effects()
        if after is not None and self._counts(pod, after):
            effects = self.message_queue.add_port(after, pod.vpc)
        if before is not None and self._counts(pod, before):
            effects = joined(effects, self.message_queue.remove_port(before, pod.vpc))
        return effects

    def _counts(self, pod: Pod, host: str) -> bool:
        """A VPC whose name is not valid in a topic's name has no message queue. Its pods are placed all the same."""
        return bool(VPC_NAME.fullmatch(pod.vpc) and HOST_NAME.fullmatch(host))

    def apply(self, record: Mapping[str, Any]) -> None:
        """Repeats a change from its durable record."""
        if "issue" in record and "channel" not in record:  # written before the message queue existed
            pod = Pod(*record["issue"])
            self._ports(pod, self.dpm.place_of(pod), record["place"])
        if "channel" in record:
            self.message_queue.apply(record["channel"])
        if "issue" in record or "outcome" in record:
            self.dpm.apply(record)

    def snapshot(self) -> dict[str, Plain]:
        """The whole durable state."""
        return {**self.dpm.snapshot(), "channel": self.message_queue.snapshot()}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Replaces the state with a snapshot."""
        self.dpm.restore(snapshot)
        self.message_queue.restore(snapshot.get("channel", {"nodes": {}, "vpcs": {}}))
        if "channel" not in snapshot:  # written before the message queue existed
            for pod, place in self.dpm.places().items():
                self._ports(pod, None, place)

    def observe(self) -> dict[str, Any]:
        """The state of both parts, for comparison."""
        return {"pods": self.dpm.observe(), "channel": self.message_queue.observe()}


class CompositeAca:
    """Both parts begin their epochs together. The epoch is the only durable state."""

    def __init__(self, aca: Aca, message_queue: MessageQueueAca) -> None:
        self.aca = aca
        self.message_queue = message_queue

    def start(self) -> Effects:
        """Begins a new epoch with empty knowledge, and greets NCM and DPM."""
        begun = self.aca.start()
        told = self.message_queue.begin(self.aca.epoch)
        return Effects(begun.record, begun.sends + told.sends, begun.events + told.events)

    def apply(self, record: Mapping[str, Any]) -> None:
        """Repeats a change from its durable record."""
        self.aca.apply(record)
        self.message_queue.apply(record)

    def snapshot(self) -> dict[str, Plain]:
        """The whole durable state."""
        return self.aca.snapshot()

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Replaces the state with a snapshot."""
        self.aca.restore(snapshot)
        self.message_queue.restore(snapshot)


def of_message_queue(effects: Effects) -> Effects:
    """The effects of the message-queue part, with the record in the form that the composite stores."""
    return replace(effects, record={"channel": dict(effects.record)}) if effects.record is not None else effects
