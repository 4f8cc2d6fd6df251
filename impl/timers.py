"""Timers of a process, by the action that each is for. They have no clock: a caller says what time it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple


class Timer(NamedTuple):
    """A timer, by the name of its action and what the action is about, such as a host and a pod."""

    action: str
    about: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.action}({', '.join(map(str, self.about))})"


When = Callable[[Timer, float, float], float]
"""When a timer fires that is set now and waits this many seconds."""


def after_its_seconds(timer: Timer, now: float, seconds: float) -> float:
    """As clocks have it."""
    return now + seconds


class Timers:
    """The timers that are set. A replay gives them times of its own, since the specification lets any timer fire at any time."""

    def __init__(self, when: When = after_its_seconds) -> None:
        self._when = when
        self._set: dict[str, dict[tuple[Any, ...], float]] = {}

    def waiting(
        self,
        action: str,
        about: Iterable[tuple[Any, ...]],
        seconds: float | Callable[..., float],
        now: float,
    ) -> Iterator[Timer]:
        """Sets a timer for each of these that has none, ends those of others, and says which fire now.

        One that has fired is set again when it is named again. `seconds`: the wait, or what says it for what an action is about.
        """

        def fires(item: tuple[Any, ...]) -> float:
            return self._when(Timer(action, item), now, seconds(*item) if callable(seconds) else seconds)

        were = self._set.get(action, {})
        new = self._set[action] = {item: were[item] if item in were else fires(item) for item in about}
        for item in [item for item, at in new.items() if at <= now]:
            del new[item]
            yield Timer(action, item)

    def is_due(self, timer: Timer, now: float) -> bool:
        """Whether an action that waits for nothing is taken now."""
        return self._when(timer, now, 0.0) <= now

    def set_for(self, action: str) -> frozenset[tuple[Any, ...]]:
        """What the timers of an action are about, of those that are set."""
        return frozenset(self._set.get(action, ()))

    def restart(self, action: str, *about: Any) -> None:
        """What the timer waits for begins anew."""
        self._set.get(action, {}).pop(about, None)
