"""Replay of the message queue: the implementation follows its runs in memory and over Pulsar, and wrong implementations do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from conformance.bindings.message_queue import NOT_COMPARED, MessageQueueDriver
from conformance.bindings.message_queue_names import MESSAGES
from conformance.mutation.faulty import cores_of
from conformance.mutation.faulty_message_queue import FAULTY, WITHOUT
from conformance.replay.cores import Cores
from conformance.replay.lockstep import DRIVERS
from conformance.replay.replays import Vector, read_vectors, replay_all, vectors_of
from conformance.replay.targets import Target, open_target
from conformance.vectors.coverage import Coverage
from conformance.vectors.generation import wanted_goals
from impl.broker.deployment import Deployment
from impl.core import Send
from impl.message_queue.dpm import MessageQueueDpm
from model.reference.interpreter import Interpreter
from spec.message_queue.protocol import PROTOCOL
from tests.impl.message_queue.wrong import WRONG

VECTORS = vectors_of(PROTOCOL)


@pytest.fixture(scope="module")
def vectors() -> list[Vector]:
    """All vectors, the negative ones among them."""
    return read_vectors([VECTORS], PROTOCOL)


def test_every_vector_conforms_in_memory(vectors: Sequence[Vector]) -> None:
    with open_target("memory") as target:
        found = replay_all(vectors, target)
    assert found.divergence is None
    assert found.not_driven == []
    assert found.verdict == "conforms"


def test_every_vector_conforms_on_a_real_broker(vectors: Sequence[Vector], broker: Deployment) -> None:
    with open_target("pulsar", broker) as target:
        found = replay_all(vectors, target)
    assert found.divergence is None
    assert found.verdict == "conforms"


def test_vectors_cover_every_goal(vectors: Sequence[Vector]) -> None:
    covered: set[str] = set()
    for vector in vectors:
        if vector.diverges_at is None:
            interpreter = Interpreter(PROTOCOL, vector.trace.configuration)
            covered |= {goal for _, goal in Coverage(PROTOCOL, interpreter).of(vector.trace)}
    assert wanted_goals(PROTOCOL) - covered == set()


class Noted(MessageQueueDriver):
    """Keeps the names of what it compares."""

    names_seen: ClassVar[set[str]] = set()

    def observed(self) -> dict[str, Any]:
        found = super().observed()
        self.names_seen.update(found)
        return found


def test_everything_of_the_specification_is_compared_or_has_a_reason(
    vectors: Sequence[Vector], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DRIVERS, PROTOCOL.name, Noted)
    with open_target("memory") as target:
        replay_all(vectors[:1], target)
    assert Noted.names_seen == {symbol.name for symbol in PROTOCOL.symbols if symbol.kind in ("state", "message")}
    assert set(NOT_COMPARED) == {symbol.name for symbol in PROTOCOL.symbols if symbol.kind in ("constant", "history")}
    assert {message.name for message in PROTOCOL.messages} == set(MESSAGES)


@pytest.mark.parametrize("name", [*FAULTY, *WRONG])
def test_a_wrong_implementation_is_caught(name: str, vectors: Sequence[Vector]) -> None:
    with open_target("memory") as target:
        found = replay_all(vectors, target, cores=WRONG.get(name) or cores_of(name), stop_at_divergence=True)
    assert found.verdict == "diverges"


def test_every_variant_has_a_double_or_a_reason() -> None:
    assert sorted([*FAULTY, *WITHOUT]) == sorted(variant.name for variant in PROTOCOL.variants)


class SendsToAnotherHost(MessageQueueDpm):
    """What is for one host is put into the inbox of another."""

    def _pushes(self, vpc: str, hosts: Iterable[str]) -> tuple[Send, ...]:
        others = {"inbox-h1": "inbox-h2", "inbox-h2": "inbox-h1"}
        return tuple(replace(send, topic=others.get(send.topic, send.topic)) for send in super()._pushes(vpc, hosts))


def test_an_agent_that_receives_what_is_for_another_is_a_divergence_of_its_own(vectors: Sequence[Vector]) -> None:
    of_several = [vector for vector in vectors if len(vector.trace.configuration.sorts["Host"]) > 1]
    with open_target("memory") as target:
        found = replay_all(
            of_several, target, cores=Cores(message_queue_dpm=SendsToAnotherHost), stop_at_divergence=True
        )
    assert found.divergence is not None
    assert found.divergence.field.startswith("received by h")


def test_a_run_has_the_same_names_whatever_was_replayed_before(vectors: Sequence[Vector]) -> None:
    """A wrong core may go through names in the order of their hashes, and has to go wrong in the same way each time."""
    names = []
    for _ in range(2):
        with open_target("memory") as memory:
            names.append([_queue_driver(vectors[0], memory).names.vpcs for _ in range(2)])
    assert names[0] == names[1]
    assert names[0][0] != names[0][1], "at one broker, no run meets the topics of another"


def _queue_driver(vector: Vector, target: Target) -> MessageQueueDriver:
    trace = vector.trace
    actions = [next(action for action in PROTOCOL.actions if action.name == step.action) for step in trace.steps]
    interpreter = Interpreter(PROTOCOL, trace.configuration)
    return MessageQueueDriver(trace, vector.name, actions, interpreter, target, Cores())
