"""A role in a replay: every answer of its core is judged, and compared with that of a twin.

**Twins.** A core that keeps all its state answers every input as a twin does that was restored from its snapshot a moment ago. A
field that the snapshot lacks, or an index that was not cleaned, shows at the first input to which it matters. Agents store
their epoch only, so they have no twins.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TypeVar

from impl.core import Effects, Event, IllegalInput, Send
from impl.errors import BadDeployment, EnvironmentProblem
from impl.messages import Message
from impl.outputs import Answer, Listen, Output, Role, Work, preceded
from impl.timers import Timer, When

Result = TypeVar("Result")


class CoreFailed(Exception):
    """A core raised what no core may raise, a runner neglected a duty, or a twin answers otherwise; the text says which."""


class _Calling:
    """See `calling`; `only_to_say`: there is nothing to refuse. A class, since a replay asks at every step many times."""

    __slots__ = ("_core", "_only_to_say")

    def __init__(self, core: Any, *, only_to_say: bool) -> None:
        self._core = core
        self._only_to_say = only_to_say

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if problem is None or isinstance(problem, CoreFailed | EnvironmentProblem | BadDeployment):
            return
        if isinstance(problem, IllegalInput):
            if self._only_to_say:
                raise CoreFailed(f"{type(self._core).__name__} refuses to say: {problem}") from problem
        elif isinstance(problem, Exception):
            place = traceback.extract_tb(problem.__traceback__)[-1]
            said = f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
            where = f"{place.filename}, line {place.lineno}"
            raise CoreFailed(f"{type(self._core).__name__} raised {said} ({where})") from problem


def calling(core: Any) -> AbstractContextManager[None]:
    """Around every call of a core: that it refuses is an answer; anything else that it raises is a fault of its own.

    What its surroundings raise is neither, where a store calls it.
    """
    return _Calling(core, only_to_say=False)


def querying(core: Any) -> AbstractContextManager[None]:
    """Around what a core is only asked about: there is nothing to refuse."""
    return _Calling(core, only_to_say=True)


def answered(core: Any, effects: Any) -> Effects:
    """What a core has answered.

    Raises:
        CoreFailed: that is no effects.
    """
    if not isinstance(effects, Effects):
        raise CoreFailed(f"{type(core).__name__} answered {effects!r}, and no effects")
    return effects


class _Refusal(IllegalInput):
    """That a core refuses; two refusals are equal if they say the same."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Refusal) and str(self) == str(other)

    __hash__ = IllegalInput.__hash__


def _shown(said: Effects | _Refusal) -> str:
    return f"a refusal ({said})" if isinstance(said, _Refusal) else str(said)


class JudgedRole(Role):
    """A role with its twin. What it answered last, and which timers have fired, is noted."""

    def __init__(self, make: Callable[[When], Role], when: When, *, has_twin: bool) -> None:
        """`has_twin`: the core's snapshot is its whole state, so a twin is restored from it after each input."""
        self._make = make
        self._when = when
        self._has_twin = has_twin
        self.role = make(when)
        self._twin: Role | None = None
        self.instead: Callable[[Any], Effects] | None = None
        """How the core takes the next message, if not as usual."""
        self.answered: Effects | None = None
        """What the core answered last."""
        self.told: list[Event] = []
        self.fired: list[Timer] = []

    @property
    def core(self) -> Any:
        """The role's core."""
        return self.role.core

    def topics(self) -> list[str]:
        return self.role.topics()

    def listening(self) -> Iterator[Listen]:
        return self.role.listening()

    def begin(self) -> Effects:
        raise NotImplementedError("what begins is a step of the trace")

    def take(self, message: Message, topic: str) -> Work:
        instead = self.instead
        if instead is not None:
            return self.judged(lambda role: instead(role.core))
        return self.judged(lambda role: role.take(message, topic))

    def happened(self, event: Event) -> None:
        self.told.append(event)
        self.role.happened(event)

    def due(self, now: float) -> Iterator[Timer]:
        with calling(self.core):
            yield from self.role.due(now)

    def fire(self, timer: Timer) -> Work:
        self.fired.append(timer)
        return self.judged(lambda role: role.fire(timer))

    def may_be_lost(self, send: Send) -> bool:
        """A replay publishes only what is allowed."""
        return False

    def judged(self, call: Callable[[Role], Answer]) -> Work:
        """What the role answers; its twin must answer the same.

        Raises:
            CoreFailed: the core raises anything but a refusal, or its twin answers otherwise.
        """
        outputs: list[Output] = []
        said = yield from self._said(self.role, call, outputs)
        if self._twin is not None:
            others: list[Output] = []
            again = exhausted(self._said(self._twin, call, others))
            if (said, outputs) != (again, others):
                name = type(self.core).__name__
                raise CoreFailed(f"{name} answers {_shown(said)}, and restored from its snapshot {_shown(again)}")
        if isinstance(said, IllegalInput):
            raise said
        self.answered = said
        return said

    def _said(
        self, role: Role, call: Callable[[Role], Answer], outputs: list[Output]
    ) -> Generator[Output, Any, Effects | _Refusal]:
        def note(output: Output) -> tuple[()]:
            outputs.append(output)
            return ()

        try:
            with calling(role.core):
                answer = call(role)
                if isinstance(answer, Generator):
                    answer = yield from preceded(answer, note)
                return answered(role.core, answer)
        except IllegalInput as problem:
            return _Refusal(str(problem))

    def restore_twin(self) -> None:
        """Makes the twin anew, from the core's snapshot.

        Raises:
            CoreFailed: its state is another one.
        """
        if not self._has_twin:
            return
        with calling(self.core):
            self._twin = self._make(self._when)
            self._twin.core.restore(json.loads(json.dumps(self.core.snapshot())))
            mine, theirs = self.core.observe(), self._twin.core.observe()
        if mine != theirs:
            raise CoreFailed(
                f"{type(self.core).__name__} is in the state {mine}, and restored from its snapshot in {theirs}"
            )


def exhausted(work: Generator[Output, Any, Result]) -> Result:
    """What comes of an input whose outputs are not performed."""
    while True:
        try:
            next(work)
        except StopIteration as ended:
            said: Result = ended.value
            return said
