"""What an agent's role of the message queue does for calls, and DPM's by the clock: replays do not cover these."""

from __future__ import annotations

import pytest

from impl.core import Effects
from impl.errors import Unreachable
from impl.message_queue.aca import MessageQueueAca
from impl.message_queue.dpm import MessageQueueDpm
from impl.message_queue.thresholds import Thresholds
from impl.messages import Accepted, Deregistered, Hello, Message, Registered, Subscribe
from impl.outputs import Answer, Listen, Output, StopListening, answered, run
from impl.roles.message_queue_roles import AcaRole, DpmRole
from impl.roles.timing import Timing
from impl.timers import Timer

ASKED = Subscribe("h1", 1, "red", 1)


def done(answer: Answer, *, problem: Exception | None = None) -> tuple[list[Output], list[Message]]:
    """What is to be performed for an answer, and what is said; `problem`: how a `Listen` ends."""
    outputs: list[Output] = []

    def perform(output: Output) -> None:
        outputs.append(output)
        if problem is not None and isinstance(output, Listen):
            raise problem

    return outputs, [send.message for send in run(answered(answer), perform).sends]


@pytest.fixture
def agent() -> AcaRole:
    role = AcaRole(MessageQueueAca("h1"), Timing(subscribe_max=1.0))
    role.begin()
    return role


def test_an_answer_to_a_call_is_not_sent_besides(agent: AcaRole) -> None:
    agent.called(ASKED)
    assert done(agent.take(ASKED, "inbox-h1"))[1] == []
    later = Subscribe("h1", 1, "red", 2)
    assert done(agent.take(later, "inbox-h1"))[1] == [Accepted("h1", 1, "red", 2)], "it came by the inbox"
    agent.called(Subscribe("h1", 1, "blue", 1))
    assert done(agent.take(Subscribe("h1", 1, "red", 3), "inbox-h1"))[1] == [Accepted("h1", 1, "red", 3)]


def test_while_the_broker_is_out_of_reach_it_tries_and_then_declines(agent: AcaRole) -> None:
    assert done(agent.take(ASKED, "inbox-h1"), problem=Unreachable("nobody"))[1] == []
    assert [timer.action for timer in agent.due(0.0)] == ["subscribe"]
    assert done(agent.fire(Timer("subscribe", ("red",))), problem=Unreachable("nobody"))[1] == []
    assert [timer.action for timer in agent.due(0.9)] == ["subscribe"]
    assert done(agent.fire(Timer("subscribe", ("red",))))[1] == [Accepted("h1", 1, "red", 1)]
    assert list(agent.due(9.0)) == []


def test_what_is_unsubscribed_is_tried_no_more(agent: AcaRole) -> None:
    done(agent.take(ASKED, "inbox-h1"), problem=Unreachable("nobody"))
    assert done(agent.unsubscribe("red"))[0] == [StopListening("multicast-red")]
    assert list(agent.due(9.0)) == []


def test_what_is_unsubscribed_is_read_no_more(agent: AcaRole) -> None:
    done(agent.take(ASKED, "inbox-h1"))
    assert agent.core.consumers() == ["red"]
    effects = run(agent.unsubscribe("red"), lambda _: None)
    assert agent.core.consumers() == []
    assert [event.step for event in effects.events] == ["topic.left"]


def test_a_subscription_is_taken_anew_and_read_again_after_a_loss(agent: AcaRole) -> None:
    outputs, _ = done(agent.take(ASKED, "inbox-h1"))
    assert outputs == [StopListening("multicast-red"), Listen("multicast-red", "host-h1", False)]
    assert list(agent.listening()) == [Listen("multicast-red", "host-h1", True)]


@pytest.fixture
def dpm() -> DpmRole:
    role = DpmRole(MessageQueueDpm(Thresholds(1, 1, 2)), Timing(asked_first=1.0, asked_max=1.5))
    for message, topic in ((Registered("h1"), "hosts"), (Hello("h1", 1), "notices-h1")):
        done(role.take(message, topic))
    return role


def test_dpm_listens_to_a_host_while_it_is_registered(dpm: DpmRole) -> None:
    again = [StopListening("notices-h1"), Listen("notices-h1")]
    assert done(dpm.take(Registered("h1", 2), "hosts"))[0] == again
    assert done(dpm.take(Registered("h1", 2), "hosts"))[0] == [], "it is registered already"
    assert done(dpm.take(Registered("h1", 3), "notices-h1"))[0] == [], "a host cannot register itself"
    assert done(dpm.take(Deregistered("h1", 2), "hosts"))[0] == [StopListening("notices-h1")]


def test_a_host_is_asked_again_with_growing_waits_and_given_up(dpm: DpmRole) -> None:
    for _ in range(2):
        dpm.core.add_port("h1", "red")
    fired: list[tuple[float, str]] = []
    for tenth in range(60):
        now = tenth / 10
        for timer in dpm.due(now):
            answer = dpm.fire(timer)
            assert isinstance(answer, Effects)
            for event in answer.events:
                dpm.happened(event)
            if timer.action in ("ask", "ask_again", "give_up"):
                fired.append((now, timer.action))
        if fired and fired[-1][1] == "give_up":
            break
    (asked, _), (again, _), (given_up, _) = fired
    assert [action for _, action in fired] == ["ask", "ask_again", "give_up"]
    assert 1.0 <= again - asked < 1.25
    assert 1.5 <= given_up - again < 1.75
