"""An agent's role with slots: when it attends, what it answers, and when it leaves, by itself and by the clock."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from impl.core import Send
from impl.errors import NotAllowed, SlotTaken, Unreachable
from impl.messages import Accepted, Attend, Confirmed, Declined, Goal, Leave, Left, Message, Told
from impl.outputs import Answer, Listen, Output, StopListening, answered, run
from impl.roles.slots_roles import SlotsAcaRole
from impl.roles.timing import Timing
from impl.slots.aca import SlotsAca
from impl.slots.topics import DPM, SUBSCRIPTION, acknowledgments, direct, unicast
from impl.timers import Timer

RED = unicast("red")
INBOX = "inbox-h1"
ATTEND = Attend("h1", 1, "red", 1, 7)
HERE = ((7, 7),)
ATTENDS = Listen(RED, SUBSCRIPTION, False, HERE)
LEAVES = StopListening(RED, HERE)


class Agent:
    """A role whose outputs a broker of the test answers."""

    def __init__(self) -> None:
        self.role = SlotsAcaRole(SlotsAca("h1"), Timing(subscribe_max=1.0))
        self.role.begin()
        self.problem: Exception | None = None
        """What the broker answers when a slot is to be attended."""
        self.outputs: list[Output] = []

    def take(self, message: Message, topic: str = INBOX) -> list[Message]:
        """What the agent says to a message."""
        return self._said(self.role.take(message, topic))

    def at(self, now: float) -> tuple[list[str], list[Message]]:
        """The timers that fire now, and what the agent says by them."""
        fired, said = [], list[Message]()
        for timer in self.role.due(now):
            fired.append(timer.action)
            said += self._said(self.role.fire(timer))
        return fired, said

    def _said(self, answer: Answer) -> list[Message]:
        self.outputs = []
        return [send.message for send in run(answered(answer), self._perform).sends]

    def _perform(self, output: Output) -> None:
        self.outputs.append(output)
        if self.problem is not None and isinstance(output, Listen):
            raise self.problem

    def waits(self) -> bool:
        """Whether it still tries to attend."""
        return any(timer.action == "attend" for timer in self.role.due(0.0))


@pytest.fixture
def agent() -> Agent:
    return Agent()


def test_it_attends_its_slot_and_says_so(agent: Agent) -> None:
    assert agent.take(ATTEND) == [Accepted("h1", 1, "red", 1)]
    assert agent.outputs == [ATTENDS]
    assert not agent.waits()
    assert list(agent.role.listening()) == [Listen(RED, SUBSCRIPTION, True, HERE)]


def test_what_is_not_allowed_is_declined_at_once(agent: Agent) -> None:
    agent.problem = NotAllowed("no")
    assert agent.take(ATTEND) == [Declined("h1", 1, "red", 1)]
    assert not agent.waits()
    assert list(agent.role.listening()) == []


@pytest.mark.parametrize("problem", [SlotTaken("another"), Unreachable("nobody")])
def test_a_slot_that_is_taken_is_tried_until_it_is_free(agent: Agent, problem: Exception) -> None:
    agent.problem = problem
    assert agent.take(ATTEND) == []
    assert agent.at(0.0) == (["attend"], [])
    assert agent.at(0.5) == (["attend"], [])
    agent.problem = None
    assert agent.at(0.6) == (["attend"], [Accepted("h1", 1, "red", 1)])
    assert agent.at(5.0) == ([], [])


def test_one_that_stays_taken_is_declined_in_time_and_tried_no_more(agent: Agent) -> None:
    agent.problem = SlotTaken("another")
    agent.take(ATTEND)
    agent.at(0.0)
    assert agent.at(0.9) == (["attend"], [])
    assert agent.at(1.0) == (["decline"], [Declined("h1", 1, "red", 1)])
    assert agent.at(9.0) == ([], [])


def test_a_request_that_was_overtaken_is_tried_no_more(agent: Agent) -> None:
    agent.problem = SlotTaken("another")
    agent.take(ATTEND)
    assert agent.take(Leave("h1", 1, "red", 2)) == [Left("h1", 1, "red", 2)]
    assert agent.at(0.0) == ([], [])
    assert agent.take(ATTEND) == []
    assert agent.at(9.0) == ([], [])


def test_another_slot_is_attended_behind_leaving_the_first(agent: Agent) -> None:
    agent.take(ATTEND)
    assert agent.take(Attend("h1", 1, "red", 2, 9)) == [Accepted("h1", 1, "red", 2)]
    assert agent.outputs == [LEAVES, Listen(RED, SUBSCRIPTION, False, ((9, 9),))]


def test_asked_to_leave_it_leaves_and_is_heard_no_more(agent: Agent) -> None:
    agent.take(ATTEND)
    assert agent.take(Leave("h1", 1, "red", 2)) == [Left("h1", 1, "red", 2)]
    assert agent.outputs == [LEAVES]
    assert list(agent.role.listening()) == []
    agent.take(Leave("h1", 1, "red", 3))
    assert agent.outputs == [], "there is nothing to leave"


@pytest.mark.parametrize(
    ("message", "topic", "said", "outputs"),
    [
        (Told("h1", "red", 1, b"x"), RED, [Confirmed("h1", 1, "red", 1)], []),
        (Told("h1", "red", 1, b"x"), unicast("blue"), [], []),
        (Told("h1", "red", 1, b"x"), INBOX, [], []),
        (Told("h2", "red", 1, b"x"), RED, [], [LEAVES]),
        (Goal("h1", 1, "red", 1, b"x"), INBOX, [Confirmed("h1", 1, "red", 1)], []),
        (Goal("h1", 9, "red", 1, b"x"), INBOX, [], []),
    ],
    ids=["its own", "of another VPC's topic", "of the inbox", "another host's", "a goal", "of another epoch"],
)
def test_what_it_takes_and_what_it_leaves_to_the_filler(
    agent: Agent, message: Message, topic: str, said: Sequence[Message], outputs: Sequence[Output]
) -> None:
    agent.take(ATTEND)
    assert agent.take(message, topic) == said
    assert agent.outputs == outputs


def test_only_a_confirmation_may_be_lost(agent: Agent) -> None:
    confirmed = Send(acknowledgments("red"), Confirmed("h1", 1, "red", 1), "h1")
    assert agent.role.may_be_lost(confirmed)
    assert not agent.role.may_be_lost(Send(direct(DPM), Accepted("h1", 1, "red", 1)))


def test_timers_are_of_the_actions_that_they_are_for(agent: Agent) -> None:
    agent.problem = SlotTaken("another")
    agent.take(ATTEND)
    assert list(agent.role.due(0.0)) == [Timer("attend", ("red",))]
