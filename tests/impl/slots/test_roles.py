"""DPM's role with slots, with its runner and a broker in memory: what it attends, what it hands back, and when it asks."""

from __future__ import annotations

from typing import Any

import pytest

from impl.broker.topics import notices
from impl.core import IllegalInput
from impl.errors import SlotTaken
from impl.messages import LAST_SLOT, Accepted, Attend, Goal, Hello, Leave, Mark, Message, Told
from impl.outputs import Acknowledge, Append, Confirm, Listen, Output, Publish, SetAside, StopListening, Work, run
from impl.process import Process
from impl.roles.slots_roles import LOOK_SECONDS, SlotsDpmRole
from impl.roles.timing import Timing
from impl.slots.dpm import SlotsDpm, Stage
from impl.slots.hashing import key_for
from impl.slots.topics import DPM, SUBSCRIPTION, acknowledgments, unicast
from impl.storage.store import MemoryStore
from impl.timers import Timer
from impl.transport.interface import Delivery, Letter, Session
from impl.transport.memory import MemoryBroker
from impl.wire.codec import encode

RED = unicast("red")


class Scene:
    """DPM, which performs its outputs on a broker of its own."""

    def __init__(self) -> None:
        self.connection = MemoryBroker().connect()
        self.session = self.connection.open_session(DPM, [])
        self.role = SlotsDpmRole(SlotsDpm(), Timing())
        self.process = Process(self.role)
        self.done: list[Output] = []
        self._store = MemoryStore()
        self._now = 0.0

    def do(self, work: Work) -> list[Output]:
        """Performs an input, and returns its outputs."""
        self.done = []
        run(work, self._perform)
        return self.done

    def _perform(self, output: Output) -> Any:
        self.done.append(output)
        match output:
            case Append(effects):
                return self._store.append(effects, self.role.core)
            case Publish():
                self.connection.publish(output.letters())
            case Acknowledge(deliveries):
                self.session.acknowledge(deliveries)
            case Listen():
                self.session.listen(output.topic, output.subscription, output.slots)
            case StopListening(topic, slots):
                self.session.stop_listening(topic, slots)
        return None

    def join(self, host: str) -> None:
        """The host joins VPC red, and DPM hears of its first epoch."""
        self.do(self.process.command(lambda: self.role.join("red", host)))
        self.say(Hello(host, 1), notices(host))

    def say(self, message: Message, topic: str, key: str = "") -> None:
        """A message arrives at the broker, and DPM takes all that is there for it."""
        self.connection.publish([Letter(topic, encode(message), key)])
        self.take()

    def take(self) -> None:
        """DPM takes all that is there."""
        while (delivery := self.session.receive(0.0)) is not None:
            self.do(self.process.deliver(delivery))

    def later(self) -> list[Output]:
        """What time brings: timers are set, and fire."""
        done = list(self.do(self.process.time(self._now)))
        self._now += LOOK_SECONDS
        return done + self.do(self.process.time(self._now))

    def attend(self, slot: int) -> Session:
        """Somebody else's consumer. Raises `SlotTaken`."""
        session = self.connection.open_session(SUBSCRIPTION, [])
        session.listen(RED, slots=[(slot, slot)])
        return session

    def is_filled(self, slot: int) -> bool:
        """Whether the broker refuses everybody else."""
        try:
            self.attend(slot).close()
        except SlotTaken:
            return True
        return False

    def fire(self, action: str, *about: Any) -> None:
        """A timer fires."""
        self.do(self.process.command(lambda: self.role.fire(Timer(action, about))))

    def stage(self, host: str) -> str:
        """How the host is reached."""
        return self.role.core.member("red", host).stage

    def until_asked(self, host: str) -> None:
        """Has time bring what leads to a request."""
        for _ in range(3):
            self.later()
            self.take()
        assert self.stage(host) == Stage.ASKED.value


def sent(done: list[Output]) -> list[Message]:
    """What was published."""
    return [send.message for output in done if isinstance(output, Publish) for send in output.sends]


def test_the_rest_is_attended_from_the_first_host_on_and_a_hosts_slot_is_filled_soon() -> None:
    scene = Scene()
    scene.join("h1")
    scene.join("h2")
    assert [scene.is_filled(slot) for slot in (1, 2, 3, LAST_SLOT)] == [False, False, True, True]
    scene.later()
    assert [scene.is_filled(slot) for slot in (1, 2, 3)] == [True, True, True]
    assert scene.do(scene.process.command(lambda: scene.role.join("red", "h1")))[0] == Listen(notices("h1"))
    assert scene.is_filled(3)


def test_a_slot_is_left_for_its_host_when_a_mark_has_come_back() -> None:
    scene = Scene()
    scene.join("h1")
    scene.later()
    assert sent(scene.later()) == [Mark("h1", 1, "red", 1, 1)]
    assert scene.is_filled(1)
    scene.take()
    done = scene.later()
    assert [type(output) for output in done[:5]] == [Confirm, Acknowledge, StopListening, Append, Publish]
    assert sent(done) == [Attend("h1", 1, "red", 1, 1)]
    assert not scene.is_filled(1)
    scene.later()
    assert not scene.is_filled(1), "the host is expected there"


def test_what_precedes_the_mark_is_handed_back_and_acknowledged_before_the_slot_is_left() -> None:
    scene = Scene()
    scene.join("h1")
    scene.do(scene.process.command(lambda: scene.role.core.say("red", "h1", b"new")))
    scene.say(Told("h1", "red", 1, b"old"), RED, key_for(1))
    scene.later()
    scene.take()
    assert sent(scene.done) == [Goal("h1", 1, "red", 1, b"new")]
    scene.until_asked("h1")
    assert scene.attend(1).receive(0.0) is None


@pytest.mark.parametrize(
    "mark",
    [
        Mark("h1", 0, "red", 1, 1),
        Mark("h1", 1, "red", 2, 1),
        Mark("h1", 1, "red", 1, 2),
        Mark("h2", 1, "red", 1, 1),
    ],
    ids=["of an earlier epoch", "of another turn", "of another slot", "of another host"],
)
def test_another_mark_says_nothing(mark: Mark) -> None:
    scene = Scene()
    scene.join("h1")
    scene.fire("fill", "red", 1, 1)
    scene.say(mark, RED, key_for(1))
    for action in ("ask", "release"):
        with pytest.raises(IllegalInput, match="nobody knows what is on the way to h1 in red"):
            scene.fire(action, "red", "h1")
    assert scene.is_filled(1)
    scene.say(Mark("h1", 1, "red", 1, 1), RED, key_for(1))
    scene.fire("ask", "red", "h1")


@pytest.mark.parametrize("topic", [notices("h1"), acknowledgments("red"), unicast("blue")])
def test_what_a_host_says_is_no_mark_and_nothing_to_hand_back(topic: str) -> None:
    scene = Scene()
    scene.join("h1")
    scene.do(scene.process.command(lambda: scene.role.core.say("red", "h1", b"new")))
    for message in (Mark("h1", 1, "red", 1, 1), Told("h1", "red", 1, b"old")):
        scene.do(scene.process.deliver(Delivery(topic, encode(message), "", "", 0.0, None)))
        assert sent(scene.done) == []
    with pytest.raises(IllegalInput, match="nobody knows"):
        scene.fire("ask", "red", "h1")


def test_what_the_filler_was_handed_and_cannot_be_read_is_set_aside_and_acknowledged_behind_a_confirmation() -> None:
    scene = Scene()
    scene.join("h1")
    scene.connection.publish([Letter(RED, b"?", key_for(2))])
    scene.take()
    assert [type(output) for output in scene.done] == [SetAside]
    assert [type(output) for output in scene.do(scene.process.settle())][-2:] == [Confirm, Acknowledge]


def test_a_host_whose_consumer_is_gone_is_told_to_leave() -> None:
    scene = Scene()
    scene.join("h1")
    scene.until_asked("h1")
    agent = scene.attend(1)
    scene.say(Accepted("h1", 1, "red", 1), notices("h1"))
    scene.later()
    assert scene.stage("h1") == Stage.SUBSCRIBED.value
    agent.close()
    assert sent(scene.later()) == [Leave("h1", 1, "red", 2)]
    assert scene.is_filled(1)


def test_a_new_session_begins_with_no_slot_and_no_mark() -> None:
    scene = Scene()
    scene.join("h1")
    scene.fire("fill", "red", 1, 1)
    scene.say(Mark("h1", 1, "red", 1, 1), RED, key_for(1))
    scene.session.close()
    scene.session = scene.connection.open_session(DPM, [])
    assert scene.do(scene.process.connected()) == [Listen(acknowledgments("red")), Listen(notices("h1"))]
    with pytest.raises(IllegalInput, match="nobody knows"):
        scene.fire("ask", "red", "h1")
    scene.later()
    assert [scene.is_filled(slot) for slot in (1, 2)] == [True, True]
