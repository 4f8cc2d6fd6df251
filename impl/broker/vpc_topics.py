"""What DPM has the broker's administration do for the VPCs' topics. Everything may be repeated.

A host that is permitted to read a topic may do so by as many subscriptions as it likes, and is not cut off when the permission
goes. So whatever subscription is not a permitted host's own goes with it. A host's own is reserved for it: nobody else reads in its
place.
"""

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
    """The real administration."""

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
                # By the role that it has now. If it has none, it is withdrawn, and nobody is there to read.
                for role in self._admin.permissions(topics.notices(host)):
                    if topics.host_of(role) == host:
                        self._admin.reserve_subscription(topics.reader(host), role)
                        self._admin.grant(topic, role, "consume")
            case EndSubscription(host, _):
                self._end(topic, host)

    def _end(self, topic: str, host: str) -> None:
        """The permission first: otherwise an agent that is cut off could subscribe again."""
        permitted = set()
        for role in self._admin.permissions(topic):
            if topics.host_of(role) == host:
                self._admin.revoke(topic, role)
            else:
                permitted.add(topics.reader(topics.host_of(role)))
        for subscription in self._admin.subscriptions(topic):
            if subscription not in permitted:
                self._admin.delete_subscription(topic, subscription)

    def close(self) -> None:
        """See `Administration`."""
        self._admin.close()
