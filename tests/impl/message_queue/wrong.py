"""Message queues with a mistake that no variant states and no mutant makes."""

from __future__ import annotations

from typing import Final

from conformance.replay.cores import Cores
from impl.message_queue.aca import MessageQueueAca
from impl.message_queue.cache import VpcInfo
from impl.message_queue.dpm import MessageQueueDpm


class PublishesTooEarly(MessageQueueDpm):
    """As if asking were subscribing."""

    def _sent_beside(self, vpc: str) -> list[str]:
        members = self._vpc(vpc).members
        return [host for host in super()._sent_beside(vpc) if members[host].subscription.value != "asked"]


class CountsOverARestart(MessageQueueDpm):
    """Confirmations of an earlier epoch count."""

    def _confirmed_after_greeting(self, host: str, vpc: str) -> int:
        return self._cache.member(host, vpc).confirmed


class IsNeverLarge(MessageQueueDpm):
    """No topic is ever opened."""

    def _is_large(self, info: VpcInfo) -> bool:
        return False


class ListensToOlderEpochs(MessageQueueAca):
    """Everywhere: a mutant does so in one place."""

    def _is_of_this_epoch(self, epoch: int) -> bool:
        return True


WRONG: Final = {
    "publishes too early": Cores(message_queue_dpm=PublishesTooEarly),
    "counts over a restart": Cores(message_queue_dpm=CountsOverARestart),
    "is never large": Cores(message_queue_dpm=IsNeverLarge),
    "listens to older epochs": Cores(message_queue_aca=ListensToOlderEpochs),
}
