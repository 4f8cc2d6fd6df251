"""Duties of a runner that no vector shows by itself: a runner that neglects one has to be red, and a right one must not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from conformance.configurations import of_scenarios
from conformance.replay.cores import Cores
from conformance.replay.held_process import HeldProcess
from conformance.replay.lockstep import Replay, replay
from conformance.replay.targets import MemoryTarget
from impl.core import ADMINISTRATION, Effects, Send
from impl.outputs import Acknowledge, Administer, Append, Confirm, Publish, Work
from impl.process import Process
from impl.storage.store import Outgoing
from impl.transport.interface import Delivery
from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, Trace, initial_state
from spec.message_queue.protocol import PROTOCOL
from tests.conformance.replay.test_runner import first_divergence


class ConfirmsTooSoon(Process):
    """It may be deposed between the confirmation and what its core finds: nothing to do, for an input of its successor."""

    def deliver(self, delivery: Delivery) -> Work:
        yield Confirm()
        return (yield from super().deliver(delivery))

    def settle(self) -> Work:
        for output in super().settle():
            if not isinstance(output, Confirm):
                yield output
        return Effects()


class AdministersUnconfirmed(Process):
    """A deposed instance has done again what its successor has withdrawn."""

    def _publish(self, sends: Sequence[Send], origins: Sequence[str] = ()) -> Work:
        for send in sends:
            yield Administer(send.message) if send.topic == ADMINISTRATION else Publish((send,), ("",))
        return Effects()


class MarksAdministrationLater(Process):
    """After a crash a subscription is ended on which something has been built since."""

    def _perform(self, effects: Effects, taken: str = "") -> Work:
        outgoing: Sequence[Outgoing] = (yield Append(effects)) if effects.record is not None else ()
        yield from self._publish(effects.sends)
        self._unmarked += outgoing
        return effects


class NeverMarks(Process):
    """Everything ever sent is published again at each start."""

    def _mark(self) -> Work:
        self._unmarked = []
        return Effects()
        yield


class RecoversUnmarked(Process):
    """What was stored before the last stop is published again at each start."""

    def recover(self, unpublished: Sequence[Outgoing]) -> Work:
        if unpublished:
            yield from self._publish([outgoing.send for outgoing in unpublished])
        return Effects()


class AcknowledgesNothingTwice(Process):
    """What comes again after a crash, or as a duplicate, is never acknowledged."""

    def _acknowledge(self, deliveries: Sequence[Delivery]) -> Work:
        before: set[bytes] = self._role.__dict__.setdefault("acknowledged_before", set())
        new = tuple(delivery for delivery in deliveries if delivery.data not in before)
        before |= {delivery.data for delivery in deliveries}
        if new:
            yield Acknowledge(new)
        return Effects()


class AcknowledgesTwice(Process):
    """The second time a broker may know the delivery no more."""

    def _acknowledge(self, deliveries: Sequence[Delivery]) -> Work:
        yield from super()._acknowledge(deliveries)
        return (yield from super()._acknowledge(deliveries))


class StoresTwice(Process):
    """A change is applied twice at the next start."""

    def _perform(self, effects: Effects, taken: str = "") -> Work:
        if effects.record is not None:
            yield Append(effects)
        return (yield from super()._perform(effects, taken))


class StoresEverything(Process):
    """Every repetition is written to the disk, or into the journal."""

    def _perform(self, effects: Effects, taken: str = "") -> Work:
        if effects.record is None:
            yield Append(effects)
        return (yield from super()._perform(effects, taken))


class TellsNothing(Process):
    """No packet is released, and no timer starts."""

    def _perform(self, effects: Effects, taken: str = "") -> Work:
        yield from super()._perform(Effects(effects.record, effects.sends), taken)
        return effects


NEGLECTFUL = {
    # What neglects administration shows only where there is some.
    ConfirmsTooSoon: ("on-demand", "message-queue"),
    AdministersUnconfirmed: ("message-queue",),
    MarksAdministrationLater: ("message-queue",),
    NeverMarks: ("on-demand", "message-queue"),
    RecoversUnmarked: ("on-demand", "message-queue"),
    AcknowledgesNothingTwice: ("on-demand", "message-queue"),
    AcknowledgesTwice: ("on-demand", "message-queue"),
    StoresTwice: ("on-demand", "message-queue"),
    StoresEverything: ("on-demand", "message-queue"),
    TellsNothing: ("on-demand", "message-queue"),
}


@pytest.mark.parametrize(
    ("runner", "protocol"),
    [(runner, protocol) for runner, protocols in NEGLECTFUL.items() for protocol in protocols],
    ids=lambda item: item if isinstance(item, str) else item.__name__,
)
def test_a_neglectful_runner_is_red(runner: type[Process], protocol: str) -> None:
    assert first_divergence(protocol, Cores(runner=runner))


# -------------------------------------------------------------------------------------------- runs that are right


def replayed(configuration: str, *plan: tuple[str, Mapping[str, Any]]) -> Replay:
    """What becomes of a run of the message queue: each step is the first that is enabled with these choices."""
    of = next(item for item in of_scenarios(PROTOCOL) if item.name == configuration)
    interpreter = Interpreter(PROTOCOL, of)
    states, steps = [initial_state(PROTOCOL, of)], list[Occurrence]()
    for action, wanted in plan:
        steps.append(
            next(
                item
                for item in interpreter.enabled(states[-1])
                if item.action == action and wanted.items() <= dict(item.choices).items()
            )
        )
        states.append(interpreter.apply(states[-1], steps[-1])[0])
    trace = Trace(PROTOCOL.name, of, tuple(states), tuple(steps), "A run.")
    return replay(trace, "run", PROTOCOL, MemoryTarget(), Cores())


def test_what_is_published_again_may_come_to_an_agent_that_subscribed_in_between() -> None:
    """The revision is in no backlog of the specification, so the agent need not have taken it."""
    host = {"host": "h1"}
    found = replayed(
        "a-network",
        ("restart", host),
        ("greet", host),
        ("add_port", host),
        ("add_port", host),
        ("change_rules", {}),
        ("open_topic", {}),
        ("ask", host),
        ("publish", {}),
        ("accept", host),
        ("restart_dpm", {"after": "published"}),
    )
    assert found.divergence is None
    assert found.verdict == "conforms"


def test_a_pretender_cannot_attach_before_what_dpm_stored_is_done() -> None:
    host = {"host": "h2"}
    found = replayed(
        "a-pretender",
        ("forge_hello", host),
        ("greet", host),
        ("add_port", host),
        ("add_port", host),
        ("open_topic", {}),
        ("ask", host),
        ("attach_unasked", host),
        ("restart_dpm", {"after": "stored"}),
    )
    assert found.verdict == "not driven"


def test_no_input_is_run_within_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process has one input at a time; within another one, the duties of both would be checked against one answer."""
    depth, deepest = 0, 0
    run = HeldProcess._run

    def counted(process: HeldProcess, *arguments: Any, **named: Any) -> Effects:
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        try:
            return run(process, *arguments, **named)
        finally:
            depth -= 1

    monkeypatch.setattr(HeldProcess, "_run", counted)
    host = {"host": "h1"}
    found = replayed(
        "a-network",
        ("restart", host),
        ("greet", host),
        ("add_port", host),
        ("add_port", host),
        ("change_rules", {}),
        ("open_topic", {}),
        ("ask", host),
        ("accept", host),
        ("publish", {}),
        ("learn", host),
        ("consume", host),
    )
    assert found.verdict == "conforms"
    assert deepest == 1
