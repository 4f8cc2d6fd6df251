"""The administrative work that DPM requests for the VPCs' topics. Every operation may be repeated.

A host that is permitted to read a topic may do so by any number of subscriptions, and is not disconnected when the permission is
revoked. So every subscription that does not belong to a permitted host is deleted as well. A host's own subscription is reserved
for it: no other client reads in its place.
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
    """Executes DPM's administrative requests."""

    def perform(self, work: Administrative) -> None:
        """Performs the request, or finds it already performed. Raises `Unreachable` if it can be retried."""

    def close(self) -> None:
        """Releases all resources."""


class MulticastTopics:
    """The implementation on the broker."""

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
                # By the host's present role. If it has none, it has been withdrawn, and there is no reader.
                for role in self._admin.permissions(topics.notices(host)):
                    if topics.host_of(role) == host:
                        self._admin.reserve_subscription(topics.reader(host), role)
                        self._admin.grant(topic, role, "consume")
            case EndSubscription(host, _):
                self._end(topic, host)

    def _end(self, topic: str, host: str) -> None:
        """Revokes the permission first: otherwise an agent that is disconnected could subscribe again."""
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
