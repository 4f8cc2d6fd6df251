"""What DPM has the broker's administration do for the VPCs' topics. Everything may be repeated."""

from __future__ import annotations

import logging
from typing import Protocol

from impl.broker import topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.errors import EnvironmentProblem, Unreachable
from impl.messages import Administrative, CloseTopic, EndSubscription, OpenTopic, Permit


class Administration(Protocol):
    """Who does what DPM asks for."""

    def perform(self, work: Administrative) -> None:
        """Does it, or finds it done. Raises `Unreachable` if it may be asked again."""

    def close(self) -> None:
        """Gives everything back."""


class MulticastTopics:
    """The real administration. A host is permitted by the role that it has now, as the broker itself knows it."""

    def __init__(self, deployment: Deployment) -> None:
        self._admin = Admin(deployment)
        self._log = logging.getLogger("ondemand.multicast")

    def perform(self, work: Administrative) -> None:
        """See `Administration`."""
        try:
            self._perform(work)
        except EnvironmentProblem as problem:
            raise Unreachable(str(problem)) from problem

    def _perform(self, work: Administrative) -> None:
        topic = topics.multicast(work.vpc)
        match work:
            case OpenTopic():
                self._admin.create_topic(topic)
                self._admin.grant(topic, "dpm", "produce")
            case CloseTopic():
                self._admin.delete_topic(topic)
            case Permit(host, _):
                for role in self._roles(topics.notices(host), host):
                    self._admin.grant(topic, role, "consume")
            case EndSubscription(host, _):
                # The permission first: otherwise the agent, cut off, could subscribe again.
                for role in self._roles(topic, host):
                    self._admin.revoke(topic, role)
                self._admin.delete_subscription(topic, host)

    def _roles(self, topic: str, host: str) -> list[str]:
        """The roles of a host that may do something with a topic; none if it is withdrawn."""
        return [role for role in self._admin.permissions(topic) if topics.is_role_of(role, host)]

    def close(self) -> None:
        """See `Administration`."""
        self._admin.close()
