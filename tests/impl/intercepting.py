"""Puts something before what a service's role does with a message."""

from __future__ import annotations

from collections.abc import Callable

from impl.messages import Message
from impl.outputs import Answer
from impl.service.loop import Service


def intercept(service: Service, seen: Callable[[Message, str], Answer | None]) -> None:
    """`seen` is given every message with its topic; what it answers is the answer, and None leaves it to the role."""
    take = service.role.take

    def taken(message: Message, topic: str) -> Answer:
        answer = seen(message, topic)
        return take(message, topic) if answer is None else answer

    service.role.take = taken  # type: ignore[method-assign] # that is the purpose
