"""What the broker holds for the hosts of a run: who may read a VPC's topic, whose subscription exists, and what it keeps.

Permissions and subscriptions are the broker's own answers. Backlogs cannot be asked for with their contents, so they are counted:
what is published is kept for every subscription that the broker says exists, until its agent acknowledges it or the subscription
ends. That each of these comes to its agent is seen at every agent that listens (`MessageQueueDriver`).

What DPM has stored and not yet had done, since it crashed in between, counts as done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from conformance.replay.targets import Readers, Target
from impl.messages import EndSubscription, Message, Permit, Published

NOBODY = Readers(frozenset(), frozenset())

Backlog = tuple[str, str, int]
"""Host, VPC and revision."""


class Topics:
    """The topics of all VPCs of a run, by the implementation's names."""

    def __init__(self, target: Target, vpcs: Iterable[str]) -> None:
        self._target = target
        self._readers: dict[str, Readers] = dict.fromkeys(vpcs, NOBODY)
        self._doubtful: set[str] = set()
        self.backlog: set[Backlog] = set()

    def doubt(self, vpc: str) -> None:
        """Something has been done about the topic: the broker is asked again."""
        self._doubtful.add(vpc)

    def readers(self, vpc: str) -> Readers:
        """What the broker says of a topic. Without its subscription nothing is kept for a host."""
        if vpc in self._doubtful:
            self._doubtful.discard(vpc)
            self._readers[vpc] = self._target.readers(vpc)
            attached = self._readers[vpc].attached
            self.backlog = {item for item in self.backlog if item[1] != vpc or item[0] in attached}
        return self._readers[vpc]

    def publish(self, message: Published) -> None:
        """It has been published."""
        for host in self.readers(message.vpc).attached:
            self.backlog.add((host, message.vpc, message.revision))

    def acknowledge(self, host: str, message: Published) -> None:
        """The agent has acknowledged it."""
        self.backlog.discard((host, message.vpc, message.revision))

    def observed(self, undone: Iterable[Message]) -> tuple[set[tuple[str, str]], set[tuple[str, str]], set[Backlog]]:
        """Who is permitted, whose subscription exists, and backlogs, with what is stored to be done."""
        readers: Mapping[str, Readers] = {vpc: self.readers(vpc) for vpc in self._readers}
        permitted = {(host, vpc) for vpc, one in readers.items() for host in one.permitted}
        attached = {(host, vpc) for vpc, one in readers.items() for host in one.attached}
        backlog = set(self.backlog)
        for message in undone:
            match message:
                case Permit(host, vpc):
                    permitted.add((host, vpc))
                case EndSubscription(host, vpc):
                    permitted.discard((host, vpc))
                    attached.discard((host, vpc))
                    backlog = {item for item in backlog if item[:2] != (host, vpc)}
        return permitted, attached, backlog
